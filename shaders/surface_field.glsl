// The blend of up to eight networks around a place; the twin of scenes/surface.py. A place is in cells from the grid's
// origin.
//
// Reads: layouts.glsl, bank_gradient.glsl, which comes after it; uniforms below. Defines: bank_weight(), cell_code(),
// cell_of(), field_sample(), which calls field_add(local, share, slope) for each network, which is then the one at hand.
// With GROUPED, networks are read into shared memory once for all threads of a workgroup that want them: all threads
// must call field_sample() together.

uniform isampler3D cells;       // network, or minus the cells to the nearest one (renderer/empty_space.py)
uniform ivec3 grid_size;        // cells
uniform float overlap;          // half edges
uniform int most_sides;         // 8: a bound llvmpipe does not unroll

#define NO_CELL -1

int cell_code(ivec3 cell) {
    bool within = all(greaterThanEqual(cell, ivec3(0))) && all(lessThan(cell, grid_size));
    return within ? texelFetch(cells, cell, 0).r : NO_CELL;
}

// Places on the faces of the box are in it.
ivec3 cell_of(vec3 place) { return clamp(ivec3(floor(place)), ivec3(0), grid_size - 1); }

layout(std430, binding = WEIGHTS_BINDING) readonly buffer Weights { vec4 weights[]; }; // renderer/packed_bank.py

int network_first; // vec4 of the network whose weights bank_weight() gives

void network_begin(int network) { network_first = network * BANK_SIZE; }

#if GROUPED
#define NO_NETWORK 0x7fffffff
shared vec4 bank_shared[BANK_SIZE];
shared int elected;

vec4 bank_weight(int i) { return bank_shared[i]; }

void network_share(int network) {
    network_begin(network);
    for (int i = int(gl_LocalInvocationIndex); i < BANK_SIZE; i += GROUP) {
        bank_shared[i] = weights[network_first + i];
    }
    barrier();
}
#else
vec4 bank_weight(int i) { return weights[network_first + i]; }
#endif

void field_add(vec3 local, float share, vec3 slope);

struct Sides {
    ivec3 cell;
    vec3 offset; // -1 to 1 in the cell
    ivec3 side;  // -1 or 1: which neighbours are near
    vec3 share;  // of the neighbour along each axis
    vec3 slope;  // of the share, a cell
    uint wanted; // bits of the sides that are still to be added: own cell, across faces, edges, the corner
};

Sides sides_of(vec3 place, ivec3 cell) {
    Sides s;
    s.cell = cell;
    s.offset = 2.0 * (place - vec3(cell)) - 1.0;
    s.side = 1 - 2 * ivec3(lessThan(s.offset, vec3(0.0)));
    vec3 t = overlap > 0.0 ? max(abs(s.offset) - (1.0 - overlap), 0.0) / (2.0 * overlap) : vec3(0.0);
    s.share = t * t * (3.0 - 2.0 * t);
    s.slope = overlap > 0.0 ? vec3(s.side) * 6.0 * t * (1.0 - t) / overlap : vec3(0.0);
    s.wanted = 1u;
    if (t.z > 0.0) s.wanted |= s.wanted << 1u;
    if (t.y > 0.0) s.wanted |= s.wanted << 2u;
    if (t.x > 0.0) s.wanted |= s.wanted << 4u;
    return s;
}

ivec3 side_bits(int which) { return ivec3(which >> 2, which >> 1 & 1, which & 1); }

int side_network(Sides s, int which) { return cell_code(s.cell + s.side * side_bits(which)); }

void side_add(Sides s, int which) {
    vec3 beyond = vec3(side_bits(which));
    vec3 factors = mix(1.0 - s.share, s.share, beyond), slopes = mix(-s.slope, s.slope, beyond);
    vec3 local = (s.offset - 2.0 * vec3(s.side) * beyond) / (1.0 + overlap);
    vec3 slope = slopes * vec3(factors.y * factors.z, factors.x * factors.z, factors.x * factors.y);
    field_add(local, factors.x * factors.y * factors.z, slope);
}

#if GROUPED
// The next side of `s` that has a network, and the network; sides without one are crossed off.
int next_side(inout Sides s, out int network) {
    for (int turn = 0; turn < most_sides && s.wanted != 0u; ++turn) {
        int which = findLSB(s.wanted);
        network = side_network(s, which);
        if (network >= 0) return which;
        s.wanted &= s.wanted - 1u;
    }
    network = NO_NETWORK;
    return NO_CELL;
}

// Workgroups elect a network, the first that any thread waits for, and all threads that wait for it evaluate it.
void field_sample(bool wanted, vec3 place, ivec3 cell) {
    Sides s = sides_of(place, cell);
    if (!wanted) s.wanted = 0u;
    while (true) {
        int network;
        int which = next_side(s, network);
        if (gl_LocalInvocationIndex == 0u) elected = NO_NETWORK;
        barrier();
        if (network != NO_NETWORK) atomicMin(elected, network);
        barrier();
        int chosen = elected;
        if (chosen == NO_NETWORK) break;
        network_share(chosen);
        if (network == chosen) {
            side_add(s, which);
            s.wanted &= s.wanted - 1u;
        }
    }
}
#else
void field_sample(bool wanted, vec3 place, ivec3 cell) {
    if (!wanted) return;
    Sides s = sides_of(place, cell);
    for (int turn = 0; turn < most_sides && s.wanted != 0u; ++turn) {
        int which = findLSB(s.wanted);
        s.wanted &= s.wanted - 1u;
        int network = side_network(s, which);
        if (network < 0) continue;
        network_begin(network);
        side_add(s, which);
    }
}
#endif
