#version 430 core
// Four corners of the rectangle around one Gaussian's ellipse, along its axes.
// Vertices are pulled: an instance is a batch of BATCH quads, so that neither small instances nor a long index buffer
// cost anything. Quads past the count collapse to a point.
//
// Reads: RECORDS, ORDER, DRAWN; with COVERED, DEPTHS.

#include "layouts.glsl"

layout(std430, binding = RECORDS_BINDING) readonly buffer Records { Record records[]; };
layout(std430, binding = ORDER_BINDING) readonly buffer Order { uint order[]; };
layout(std430, binding = COUNT_BINDING) readonly buffer Count { uint drawn; }; // records of the order to draw

#include "gaussian_corner.glsl"
#include "gaussian_depth.glsl"

void main() {
    uint quad = uint(gl_InstanceID) * BATCH + uint(gl_VertexID >> 2);
    no_corner();
    if (quad >= drawn) return;
    Record r = records[order[quad]];
    put_depth(order[quad]);
    vec3 colour = vec3(unpackHalf2x16(r.red_green), unpackHalf2x16(r.blue).x);
    put_corner(square_corner(gl_VertexID), r.centre, r.axis, r.minor, colour, r.log_opacity);
}
