#version 430 core
// Sums over the spans before each, for every row of a table that has one number a span. One workgroup a row.
// Reads and writes: the table [rows, spans], in place. Writes: the total of each row.

layout(local_size_x = THREADS) in;
layout(std430, binding = TABLE_BINDING) buffer Table { uint table[]; };
layout(std430, binding = TOTALS_BINDING) writeonly buffer Totals { uint totals[]; };

#include "prefix_spans.glsl"
#include "prefix_scan.glsl"

void main() {
    uint spans = plan.spans;
    uint row = gl_WorkGroupID.x * spans;
    uint carry = 0u;
    for (uint first = 0u; first < spans; first += uint(THREADS)) {
        uint span = first + gl_LocalInvocationIndex;
        bool inside = span < spans;
        uint total;
        uint before = exclusive_scan(inside ? table[row + span] : 0u, total);
        if (inside) table[row + span] = carry + before;
        carry += total;
    }
    if (gl_LocalInvocationIndex == 0u) totals[gl_WorkGroupID.x] = carry;
}
