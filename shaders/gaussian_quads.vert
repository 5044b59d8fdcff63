#version 430 core
// Four corners of the rectangle around one Gaussian's ellipse, along its axes.
// Vertices are pulled: an instance is a batch of BATCH quads, so that neither small instances nor a long index buffer
// cost anything. Quads past `count` collapse to a point.

#include "layouts.glsl"

layout(std430, binding = RECORDS_BINDING) readonly buffer Records { Record records[]; };
layout(std430, binding = ORDER_BINDING) readonly buffer Order { uint order[]; };

uniform uint count;
uniform vec2 size;  // pixels

flat out vec2 centre;          // pixels
flat out vec4 to_unit;         // two rows: offset in pixels -> 1 where alpha falls to MIN_ALPHA
flat out vec4 colour_opacity;  // rgb, log2 of the opacity

void main() {
    uint quad = uint(gl_InstanceID) * BATCH + uint(gl_VertexID >> 2);
    gl_Position = vec4(-2.0, -2.0, 0.0, 1.0);
    centre = vec2(0.0);
    to_unit = vec4(0.0);
    colour_opacity = vec4(0.0);
    if (quad >= count) return;

    Record r = records[order[quad]];
    float major = length(r.axis);
    if (major == 0.0) return;
    vec2 local = vec2((gl_VertexID & 1) * 2 - 1, (gl_VertexID & 2) - 1);
    vec2 across = vec2(-r.axis.y, r.axis.x) * (r.minor / major);
    vec2 pixel = r.centre + local.x * r.axis + local.y * across;
    centre = r.centre;
    to_unit = vec4(r.axis / (major * major), across / (r.minor * r.minor));
    gl_Position = vec4(2.0 * pixel / size - 1.0, 0.0, 1.0);
    colour_opacity = vec4(unpackHalf2x16(r.red_green), unpackHalf2x16(r.blue).x, r.log_opacity);
}
