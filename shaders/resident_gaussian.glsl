// The Gaussians of one lane of a resident scene, one after another; the encoder is renderer/resident_scene.py.
//
// Reads: layouts.glsl, gaussian_packed.glsl. Defines: gaussians_begin(), next_gaussian(), decode_attributes(),
// output_value().

#include "resident_stream.glsl"
#include "bank_network.glsl"

uniform uint lane_size;      // Gaussians of a lane
uniform uint position_words; // 16-bit fields of a position, at most
uniform vec3 grid_origin;    // world, of cell 0
uniform float grid_step;     // world units
uniform vec2 output_transform[BANK_OUTPUTS]; // offset, scale

uvec2 gaussian_morton; // of the Gaussian at hand: low, high bits
bool lane_started;

float output_value(int i) { return output_transform[i].x + output_transform[i].y * bank_outputs[i]; }

void gaussians_begin(ResidentJob job, uint lane) {
    lane_begin(job.words, (job.count + lane_size - 1u) / lane_size, lane);
    gaussian_morton = uvec2(job.morton_low, job.morton_high);
    lane_started = false;
}

void advance_morton() {
    int bits = lane_symbol(lane_started ? NEXT_TABLE : FIRST_TABLE);
    uint plain = uint(max(bits - 1, 0)); // bits below the leading one
    lane_started = true;
    uvec2 beyond = uvec2(0u);
    for (uint word = 0u; word < position_words; ++word) {
        uint taken = plain - min(16u * word, plain);
        uint value = lane_bits(min(taken, 16u)) << (16u * (word & 1u));
        if (word < 2u) beyond.x |= value;
        else beyond.y |= value;
    }
    if (bits > 32) beyond.y |= 1u << (plain - 32u);
    else if (bits > 0) beyond.x |= 1u << plain;
    uint carry;
    gaussian_morton.x = uaddCarry(gaussian_morton.x, beyond.x, carry);
    gaussian_morton.y += beyond.y + carry;
}

// Every third bit from bit 0 on, up to 11 of them.
uint gather_thirds(uint x) {
    x &= 0x49249249u;
    x = (x | x >> 2) & 0xC30C30C3u;
    x = (x | x >> 4) & 0x0F00F00Fu;
    x = (x | x >> 8) & 0xFF0000FFu;
    return (x | x >> 16) & 0x7FFu;
}

// Bit i of x, y, z is bit 3 i, 3 i + 1, 3 i + 2 of the code.
uvec3 cell_of(uvec2 morton) {
    return uvec3(
        gather_thirds(morton.x) | gather_thirds(morton.y >> 1) << 11,
        gather_thirds(morton.x >> 1) | gather_thirds(morton.y >> 2) << 11,
        gather_thirds(morton.x >> 2 & 0x09249249u) | gather_thirds(morton.y) << 10);
}

#if RESIDENT_HALVES
// The half float that is number `cell` of all in their order.
float half_of(uint cell) { return unpackHalf2x16((cell & 0x8000u) != 0u ? cell ^ 0x8000u : cell ^ 0xFFFFu).x; }
#endif

// Position and codes of the next Gaussian of the lane; bank_codes[] is filled.
vec3 next_gaussian() {
    for (int c = 0; c < bank_code; ++c) bank_codes[c] = float(lane_symbol(CODE_TABLES + uint(c)));
    advance_morton();
    uvec3 cell = cell_of(gaussian_morton);
#if RESIDENT_HALVES
    return vec3(half_of(cell.x), half_of(cell.y), half_of(cell.z));
#else
    return grid_origin + grid_step * vec3(cell);
#endif
}

// The network at hand's first `outputs` values, at least 7, for the Gaussian whose codes are read.
Attributes decode_attributes(vec3 position, uint cluster, int outputs) {
    bank_evaluate_first(bank_local(position), outputs);
    Attributes a;
    a.position = position;
    a.cluster = cluster;
    a.opacity_logit = output_value(0);
    a.log_scale = vec3(output_value(1), output_value(2), output_value(3));
    a.rotation = vec4(1.0, output_value(4), output_value(5), output_value(6));
    return a;
}
