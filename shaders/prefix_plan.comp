#version 430 core
// Cuts elements into spans. One workgroup.
// Reads: the number of elements, as the sum of the first `sources` counts, at most `limit`. Writes: the plan.

layout(local_size_x = THREADS) in;
layout(std430, binding = COUNTED_BINDING) readonly buffer Counted { uint counted[]; };

#define PLAN_ACCESS
#include "prefix_spans.glsl"
#include "prefix_scan.glsl"

uniform uint sources; // at most THREADS
uniform uint limit;
uniform uint round_size;
uniform uint least_rounds; // a span has, if there are enough elements
uniform uint most_spans;

uint divided_up(uint a, uint b) { return a / b + uint(a % b != 0u); }

void main() {
    uint thread = gl_LocalInvocationIndex;
    uint total;
    exclusive_scan(thread < sources ? counted[thread] : 0u, total);
    if (thread != 0u) return;
    uint count = min(total, limit);
    uint rounds = max(divided_up(count, round_size), 1u);
    uint rounds_of_span = divided_up(rounds, min(divided_up(rounds, least_rounds), most_spans));
    plan.count = count;
    plan.spans = divided_up(rounds, rounds_of_span);
    plan.one_y = 1u;
    plan.one_z = 1u;
    plan.rounds = rounds_of_span;
    plan.round_size = round_size;
}
