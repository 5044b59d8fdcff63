#version 430 core
// Whether this frame would cost more than its budget, so that its footprints are added up; else nothing follows.
// One thread. Reads: COUNTS, COUNT. Writes: SUMMED, ARGUMENTS of a dispatch over as many records.

#include "layouts.glsl"

layout(local_size_x = 1) in;
layout(std430, binding = COUNTS_BINDING) readonly buffer Counts { FrameCounts counts; };
layout(std430, binding = COUNT_BINDING) readonly buffer Count { uint wanted; };
layout(std430, binding = SUMMED_BINDING) writeonly buffer Summed { uint summed; };
layout(std430, binding = ARGUMENTS_BINDING) writeonly buffer Arguments { uint arguments[3]; };

uniform uint budget; // COST_PIXELS

void main() {
    uint number = counts.cost > budget ? wanted : 0u;
    summed = number;
    arguments[0] = min((number + GROUP - 1u) / GROUP, 65535u);
    arguments[1] = 1u;
    arguments[2] = 1u;
}
