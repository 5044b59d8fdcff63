#version 430 core
// Where paths meet a neural surface before anything else, or with shadow_rays whether it is in the way of their light.
// The march is that of surface_trace.comp, with rays of paths; llvmpipe needs it in slices for the same reason.

#include "layouts.glsl"
#include "path_constants.glsl"
#include "path_state.glsl"

uniform bool shadow_rays;
#if SLICED
uniform bool first_slice;
uniform int slice; // samples and cubes
#endif

#include "path_surface.glsl"
#include "surface_field.glsl"
#include "surface_march.glsl"
#include "bank_gradient.glsl"

float total, weight;

void field_add(vec3 local, float share, vec3 slope) {
    bank_evaluate(local);
    total += share * bank_outputs[0];
    weight += share;
}

#if SLICED
#define LET_IN 1
#define BEYOND 2
#define UNDER_WAY 4
#define SIDE 8      // times side + 1
#define REFINED 32

void resume(inout March m, int i) {
    vec4 a = paths[i].march, b = paths[i].march_state;
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

void suspend(March m, int i) {
    int state = int(m.let_in) * LET_IN + int(m.beyond) * BEYOND + int(m.under_way) * UNDER_WAY;
    state += (int(m.side) + 1) * SIDE + m.refined * REFINED;
    paths[i].march = vec4(m.u, m.low_u, m.low_g, m.stride);
    paths[i].march_state = vec4(m.high_u, m.high_g, float(state), float(m.taken));
}
#endif

void trace(inout March m, int budget) {
    vec3 place = vec3(0.0);
    ivec3 cell = ivec3(0);
    while (march_seek(m, budget, place, cell)) {
        total = weight = 0.0;
        field_sample(true, place, cell);
        march_absorb(m, total / weight);
    }
}

void write(March m, int i, float distance) {
    if (shadow_rays) {
        paths[i].shadow_origin.w = 0.0;
        return;
    }
    paths[i].met = number;
    paths[i].normal = vec4(0.0, 0.0, 1.0, distance);
    paths[i].place = vec4(march_place(m), 0.0);
}

void main() {
    int i = path_number();
    if (i >= path_count) return;
    bool wanted = shadow_rays ? paths[i].shadow_origin.w > 0.0 : paths[i].alive != 0u;
    if (!wanted) return;
    float most = shadow_rays ? paths[i].shadow_origin.w : paths[i].normal.w, cells;
    Ray ray = surface_ray(shadow_rays ? paths[i].shadow_origin.xyz : paths[i].origin.xyz,
        shadow_rays ? paths[i].shadow_direction.xyz : paths[i].direction.xyz, cells);
    March m = march_begin(ray);
    m.end = min(m.end, most * cells - m.entered);
    m.under_way = m.end > 0.0;
    int budget = steps + 1;
#if SLICED
    if (!first_slice) {
        if ((int(paths[i].march_state.z) & UNDER_WAY) == 0) return; // has ended in an earlier slice
        resume(m, i);
    }
    budget = slice;
#endif
    trace(m, budget);
#if SLICED
    suspend(m, i);
#endif
    float distance = (m.entered + m.u) / cells;
    if (m.hit && distance < most) write(m, i, distance);
}
