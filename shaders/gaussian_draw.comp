#version 430 core
// The arguments of the indirect draw of quads: instances of BATCH quads for as many records as there are. One thread.
//
// Reads: COUNT. Writes: ARGUMENTS; adds to COUNTS.

#include "layouts.glsl"

layout(local_size_x = 1) in;
layout(std430, binding = COUNT_BINDING) readonly buffer Count { uint drawn; };
layout(std430, binding = ARGUMENTS_BINDING) writeonly buffer Arguments { uint arguments[5]; };
layout(std430, binding = COUNTS_BINDING) buffer Counts { FrameCounts counts; };

void main() {
    arguments[0] = 6u * BATCH;
    arguments[1] = (drawn + BATCH - 1u) / BATCH;
    arguments[2] = 0u;
    arguments[3] = 0u;
    arguments[4] = 0u;
    counts.drawn = drawn;
}
