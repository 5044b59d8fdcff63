#version 430 core
// What each record in drawing order costs, in COST_PIXELS, rounded up or down so that sums are right on average.
//
// Reads: RECORDS, ORDER, SUMMED. Writes: COSTS.

#include "layouts.glsl"

layout(local_size_x = GROUP) in;
layout(std430, binding = RECORDS_BINDING) readonly buffer Records { Record records[]; };
layout(std430, binding = ORDER_BINDING) readonly buffer Order { uint order[]; };
layout(std430, binding = SUMMED_BINDING) readonly buffer Summed { uint summed; };
layout(std430, binding = COSTS_BINDING) writeonly buffer Costs { uint costs[]; };

uniform vec2 size; // pixels

#include "gaussian_footprint.glsl"

void main() {
    for (uint i = gl_GlobalInvocationID.x; i < summed; i += gl_NumWorkGroups.x * GROUP) {
        Record r = records[order[i]];
        float dither = float(bitfieldReverse(i) >> 8) / 16777216.0;
        costs[i] = uint(footprint_pixels(r.centre, r.axis, r.minor) / COST_PIXELS + dither);
    }
}
