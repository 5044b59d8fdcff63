#version 430 core
// Where the rays of a picture meet a surface. One thread, one pixel.
//
// llvmpipe ends all loops of a thread in silence after 65,535 iterations together, so that there, with SLICED, a picture
// takes several dispatches of so many samples each; between them a ray's march lies in two images.

#include "layouts.glsl"

layout(local_size_x = 8, local_size_y = 8) in;
layout(rgba32f, binding = 0) writeonly uniform image2D hits;   // place in cells; distance along the ray, world, or -1
layout(rg32ui, binding = 1) uniform uimage2D counts;           // network of the hit; networks read, of all samples
#if SLICED
layout(rgba32f, binding = 2) uniform image2D marches;          // u, low_u, low_g, stride
layout(rgba32f, binding = 3) uniform image2D other_marches;    // high_u, high_g, state, steps taken

uniform bool first_slice;
uniform int slice; // samples and cubes
#else
const bool first_slice = true;
#endif
uniform bool first_sample; // of the pixel

#include "surface_ray.glsl"
#include "surface_field.glsl"
#include "surface_march.glsl"
#include "bank_gradient.glsl"

float total, weight;
uint networks_read;

void field_add(vec3 local, float share, vec3 slope) {
    bank_evaluate(local);
    total += share * bank_outputs[0];
    weight += share;
    ++networks_read;
}

#if SLICED
#define LET_IN 1
#define BEYOND 2
#define UNDER_WAY 4
#define SIDE 8      // times side + 1
#define REFINED 32

void resume(inout March m, ivec2 pixel) {
    vec4 a = imageLoad(marches, pixel), b = imageLoad(other_marches, pixel);
    m.u = a.x;
    m.low_u = a.y;
    m.low_g = a.z;
    m.stride = a.w;
    m.high_u = b.x;
    m.high_g = b.y;
    int state = int(b.z);
    m.let_in = (state & LET_IN) != 0;
    m.beyond = (state & BEYOND) != 0;
    m.under_way = (state & UNDER_WAY) != 0;
    m.side = float((state / SIDE & 3) - 1);
    m.refined = state / REFINED;
    m.taken = int(b.w);
}

void suspend(March m, ivec2 pixel) {
    int state = int(m.let_in) * LET_IN + int(m.beyond) * BEYOND + int(m.under_way) * UNDER_WAY;
    state += (int(m.side) + 1) * SIDE + m.refined * REFINED;
    imageStore(marches, pixel, vec4(m.u, m.low_u, m.low_g, m.stride));
    imageStore(other_marches, pixel, vec4(m.high_u, m.high_g, float(state), float(m.taken)));
}
#endif

void write(March m, ivec2 pixel, bool changed) {
    uvec2 before = first_sample && first_slice ? uvec2(0u) : imageLoad(counts, pixel).xy;
    if (!changed) return; // in an earlier slice
    ivec3 cell = cell_of(march_place(m));
    float distance = m.hit ? grid_edge * (m.entered + m.u) : -1.0;
    imageStore(hits, pixel, vec4(march_place(m), distance));
    uint network = m.hit ? uint(cell_code(cell)) : 0u;
    imageStore(counts, pixel, uvec4(network, before.y + networks_read, 0u, 0u));
}

#if GROUPED
shared uint waiting;

// Whether any thread of the workgroup wants a sample.
bool any_of_group(bool wanted) {
    if (gl_LocalInvocationIndex == 0u) waiting = 0u;
    barrier();
    if (wanted) atomicOr(waiting, 1u);
    barrier();
    bool any = waiting != 0u;
    barrier();
    return any;
}
#endif

void trace(inout March m, int budget) {
    vec3 place = vec3(0.0);
    ivec3 cell = ivec3(0);
    while (true) {
        bool wanted = march_seek(m, budget, place, cell);
#if GROUPED
        if (!any_of_group(wanted)) break;
#else
        if (!wanted) break;
#endif
        total = weight = 0.0;
        field_sample(wanted, place, cell);
        if (wanted) march_absorb(m, total / weight);
    }
}

void main() {
    ivec2 pixel = surface_pixel();
    bool inside = all(lessThan(pixel, picture_size));
    March m = march_begin(surface_ray(pixel));
    int budget = steps + 1;
#if SLICED
    if (inside && !first_slice) resume(m, pixel);
    budget = slice;
#endif
    m.under_way = m.under_way && inside;
    bool changed = m.under_way || first_slice;
    networks_read = 0u;
    trace(m, budget);
#if SLICED
    if (inside && changed) suspend(m, pixel);
#endif
    if (inside) write(m, pixel, changed);
}
