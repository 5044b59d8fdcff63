#version 430 core
// The sum of each span. One workgroup a span.
// Reads: the values. Writes: the table, one number a span.

layout(local_size_x = THREADS) in;
layout(std430, binding = VALUES_IN_BINDING) readonly buffer Values { uint values[]; };
layout(std430, binding = TABLE_BINDING) writeonly buffer Table { uint table[]; };

#include "prefix_spans.glsl"
#include "prefix_scan.glsl"

void main() {
    uint end = span_end();
    uint sum = 0u;
    for (uint i = span_start() + gl_LocalInvocationIndex; i < end; i += uint(THREADS)) sum += values[i];
    uint total;
    exclusive_scan(sum, total);
    if (gl_LocalInvocationIndex == 0u) table[gl_WorkGroupID.x] = total;
}
