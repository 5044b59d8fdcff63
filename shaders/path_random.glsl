// The random numbers of the path tracer; the twin of renderer/path_random.py, bit by bit, which says what they are.
//
// Reads: path_constants.glsl, uniforms below. Defines: uint pixel_seed(pixel), vec2 random_pair(seed, dimension).

uniform uint sample_index;
uniform uint path_seed;
uniform bool independent;  // plain Monte Carlo
uniform int sobol_bits;    // 32: a bound llvmpipe does not unroll

// C. Wellons' lowbias32.
uint hashed(uint x) {
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ (x >> 16);
}

uint combined(uint seed, uint value) { return hashed(seed + 0x9e3779b9u * (value + 1u)); }

uint pixel_seed(uint pixel) { return combined(hashed(pixel), path_seed); }

// Owen's scrambling by hashing: Burley 2020, with Vegdahl's constants of 2021.
uint scrambled(uint x, uint seed) {
    x = bitfieldReverse(x);
    x ^= x * 0x3d20adeau;
    x += seed;
    x *= (seed >> 16) | 1u;
    x ^= x * 0x05526c56u;
    x ^= x * 0x53a22864u;
    return bitfieldReverse(x);
}

uint sobol_1(uint index) {
    uint result = 0u, column = 0x80000000u;
    for (int bit = 0; bit < sobol_bits; ++bit) {
        result ^= (index >> bit & 1u) * column;
        column ^= column >> 1;
    }
    return result;
}

vec2 unit_pair(uint x, uint y) { return vec2(uvec2(x, y) >> 8) * (1.0 / 16777216.0); }

vec2 random_pair(uint seed, uint dimension) {
    seed = combined(seed, dimension);
    if (independent) {
        uint place = combined(seed, sample_index);
        return unit_pair(combined(place, 0u), combined(place, 1u));
    }
    uint index = scrambled(sample_index, seed);
    return unit_pair(
        scrambled(bitfieldReverse(index), combined(seed, 1u)), scrambled(sobol_1(index), combined(seed, 2u)));
}
