#version 430 core
// How many of the nearest records the budget is enough for: all, where nothing was summed. One thread.
//
// Reads: COUNT, SUMMED, COSTS (their exclusive sums). Writes: AFFORDED; COUNTS.

#include "layouts.glsl"

layout(local_size_x = 1) in;
layout(std430, binding = COUNT_BINDING) readonly buffer Count { uint wanted; };
layout(std430, binding = SUMMED_BINDING) readonly buffer Summed { uint summed; };
layout(std430, binding = COSTS_BINDING) readonly buffer Costs { uint sums[]; };
layout(std430, binding = AFFORDED_BINDING) writeonly buffer Afforded { uint afforded; };
layout(std430, binding = COUNTS_BINDING) buffer Counts { FrameCounts counts; };

uniform uint budget; // COST_PIXELS

void main() {
    uint low = summed > 0u ? 0u : wanted, high = wanted; // sums[low] <= budget, and the first that is not at most high
    while (low < high) {
        uint middle = (low + high) / 2u;
        if (sums[middle] <= budget) low = middle + 1u; else high = middle;
    }
    afforded = low;
    counts.drawn = low;
    counts.capped = wanted - low;
}
