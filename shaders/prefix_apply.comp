#version 430 core
// Exclusive prefix sums. One workgroup a span; a round takes PER_THREAD values a thread.
// Reads: the values, the sum before each span. Writes: the sums.

layout(local_size_x = THREADS) in;
layout(std430, binding = VALUES_IN_BINDING) readonly buffer Values { uint values[]; };
layout(std430, binding = VALUES_OUT_BINDING) writeonly buffer Sums { uint sums[]; };
layout(std430, binding = TABLE_BINDING) readonly buffer Table { uint table[]; };

#include "prefix_spans.glsl"
#include "prefix_scan.glsl"

void main() {
    uint carry = table[gl_WorkGroupID.x];
    uint count = plan.count;
    uint rounds = plan.rounds;
    uint first = span_start() + gl_LocalInvocationIndex * uint(PER_THREAD);
    for (uint r = 0u; r < rounds; ++r, first += uint(THREADS * PER_THREAD)) {
        uint own[PER_THREAD];
        uint sum = 0u;
        for (uint k = 0u; k < uint(PER_THREAD); ++k) {
            own[k] = first + k < count ? values[first + k] : 0u;
            sum += own[k];
        }
        uint total;
        uint before = carry + exclusive_scan(sum, total);
        for (uint k = 0u; k < uint(PER_THREAD); ++k) {
            if (first + k < count) sums[first + k] = before;
            before += own[k];
        }
        carry += total;
    }
}
