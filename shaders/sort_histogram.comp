#version 430 core
// How many keys of each span have each digit. One workgroup a span.
// Reads: the keys. Writes: the table [DIGITS, spans].

#include "layouts.glsl"

layout(local_size_x = THREADS) in;
layout(std430, binding = KEYS_IN_BINDING) readonly buffer Keys { uint keys[]; };
layout(std430, binding = TABLE_BINDING) writeonly buffer Table { uint table[]; };

#include "prefix_spans.glsl"
#include "prefix_scan.glsl"
#include "sort_digits.glsl"

shared uint digit_counts[DIGITS];

void main() {
    uint thread = gl_LocalInvocationIndex; // also a digit: DIGITS == THREADS
    digit_counts[thread] = 0u;
    synchronise();
    uint end = span_end();
    for (uint i = span_start() + thread; i < end; i += uint(THREADS)) {
        uint key = keys[i];
        if (takes_part(key)) atomicAdd(digit_counts[digit_of(key)], 1u);
    }
    synchronise();
    table[thread * plan.spans + gl_WorkGroupID.x] = digit_counts[thread];
}
