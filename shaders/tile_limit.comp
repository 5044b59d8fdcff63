#version 430 core
// Finds the first Gaussian whose instances do not fit, and how often the sums passed 2^32. One thread, one Gaussian.
// Reads: counts and their prefix sums modulo 2^32. Writes: instances.records, instances.wraps.
//
// A Gaussian touches less than 2^32 - capacity tiles, so the sums pass the capacity before they wrap.

#include "layouts.glsl"

layout(local_size_x = GROUP) in;
layout(std430, binding = TILE_VISIBLE_BINDING) readonly buffer Visible { uint visible; };
layout(std430, binding = TILE_COUNTS_BINDING) readonly buffer Counts { uint counts[]; };
layout(std430, binding = TILE_SUMS_BINDING) readonly buffer Sums { uint sums[]; };

#include "tile_instances.glsl"

uniform uint capacity;

void main() {
    uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint i = group * GROUP + gl_LocalInvocationIndex;
    if (i >= visible) return;
    uint start = sums[i];
    uint end = start + counts[i];
    bool wraps = end < start;
    if (wraps) atomicAdd(instances.wraps, 1u);
    // only where a run of such Gaussians begins, so that a scene far too large is no queue of atomics
    if (start <= capacity && (wraps || end > capacity)) atomicMin(instances.records, i);
}
