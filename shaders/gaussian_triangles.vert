#version 430 core
// The triangles of Gaussians whose order the CPU has made: one around the ellipse of a small Gaussian, two that make the
// rectangle of a large one. For software rasterisers, where a small triangle costs more than its pixels.
//
// Reads: RECORDS, ORDER (a record, and which TRIANGLE_* of it); with COVERED, DEPTHS.

#include "layouts.glsl"

layout(std430, binding = RECORDS_BINDING) readonly buffer Records { Record records[]; };
layout(std430, binding = ORDER_BINDING) readonly buffer Order { uint order[]; };

uniform uint first;
uniform uint count; // triangles up to here; an instance is a batch of BATCH, for which drivers are quicker than for one long draw

#include "gaussian_corner.glsl"
#include "gaussian_depth.glsl"

// In units of the half axes: a triangle around the unit circle, and the halves of the square around it
vec2 corner_of(uint kind, int vertex) {
    if (kind == TRIANGLE_WHOLE) return vertex == 2 ? vec2(0.0, 2.0) : vec2(vertex == 0 ? -1.7320509 : 1.7320509, -1.0);
    if (kind == TRIANGLE_LOWER) return vec2(vertex == 1 ? 1.0 : -1.0, vertex == 2 ? 1.0 : -1.0);
    return vec2(vertex == 1 ? -1.0 : 1.0, vertex == 2 ? -1.0 : 1.0);
}

void main() {
    no_corner();
    uint triangle = first + uint(gl_InstanceID) * BATCH + uint(gl_VertexID / 3);
    if (triangle >= count) return;
    uint entry = order[triangle];
    Record r = records[entry & TRIANGLE_RECORD];
    put_depth(entry & TRIANGLE_RECORD);
    vec3 colour = vec3(unpackHalf2x16(r.red_green), unpackHalf2x16(r.blue).x);
    put_corner(corner_of(entry >> TRIANGLE_SHIFT, gl_VertexID % 3), r.centre, r.axis, r.minor, colour, r.log_opacity);
}
