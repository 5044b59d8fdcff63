#version 430 core
// How many tiles each Gaussian touches. One thread, one Gaussian, nearest first.
// Reads: records, order and how many are in it. Writes: counts; begins the frame's `instances`.

#include "layouts.glsl"

layout(local_size_x = GROUP) in;
layout(std430, binding = RECORDS_BINDING) readonly buffer Records { Record records[]; };
layout(std430, binding = ORDER_BINDING) readonly buffer Order { uint order[]; };
layout(std430, binding = TILE_VISIBLE_BINDING) readonly buffer Visible { uint visible; };
layout(std430, binding = TILE_COUNTS_BINDING) writeonly buffer Counts { uint counts[]; };

#include "tile_instances.glsl"
#include "tile_ellipse.glsl"

uint touched_tiles(Record record) {
    if (!is_drawn(record)) return 0u;
    Ellipse e = ellipse_of(record);
    uvec2 rows = tile_rows(e);
    uint count = 0u;
    for (uint row = rows.x; row < rows.x + rows.y; ++row) count += row_span(e, row).y;
    return count;
}

void main() {
    uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint i = group * GROUP + gl_LocalInvocationIndex;
    if (i == 0u) {
        instances.records = visible;
        instances.wraps = 0u;
    }
    if (i < visible) counts[i] = touched_tiles(records[order[i]]);
}
