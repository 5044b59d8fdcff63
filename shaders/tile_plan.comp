#version 430 core
// How many instances are drawn, and the indirect dispatch that emits them. One thread.
// Reads: instances.records, the prefix sums and their total. Writes: the rest of `instances`.

#include "layouts.glsl"

layout(local_size_x = 1) in;
layout(std430, binding = TILE_VISIBLE_BINDING) readonly buffer Visible { uint visible; };
layout(std430, binding = TILE_TOTAL_BINDING) readonly buffer Total { uint total; };
layout(std430, binding = TILE_SUMS_BINDING) readonly buffer Sums { uint sums[]; };

#include "tile_instances.glsl"

void main() {
    uint drawn = instances.records < visible ? sums[instances.records] : total;
    uint groups = (drawn + EMIT_SPAN - 1u) / EMIT_SPAN;
    instances.drawn = drawn;
    instances.groups = min(groups, ROW_OF_GROUPS);
    instances.rows = (groups + ROW_OF_GROUPS - 1u) / ROW_OF_GROUPS;
    instances.one = 1u;
    instances.wanted = total;
}
