#version 430 core
// Writes the instances: tile and record, the nearest Gaussian's first. One workgroup, EMIT_SPAN instances, whichever
// Gaussians they are of, so that one that fills the picture is no more work for a thread than a small one.
// Reads: records, order, prefix sums of the counts. Writes: keys (tiles), values (records).
//
// A thread finds its Gaussian by binary search in the sums, and the tile by walking the rows of the ellipse. Only the
// first Gaussian of a workgroup can begin before it, so only there the walk may be long; it is done once.

#include "layouts.glsl"

layout(local_size_x = EMIT_GROUP) in;
layout(std430, binding = RECORDS_BINDING) readonly buffer Records { Record records[]; };
layout(std430, binding = ORDER_BINDING) readonly buffer Order { uint order[]; };
layout(std430, binding = TILE_SUMS_BINDING) readonly buffer Sums { uint sums[]; };
layout(std430, binding = TILE_KEYS_BINDING) writeonly buffer Keys { uint keys[]; };
layout(std430, binding = TILE_VALUES_BINDING) writeonly buffer Values { uint values[]; };

#include "tile_instances.glsl"
#include "tile_ellipse.glsl"

uniform uint no_tile; // sorts behind all tiles

// Of the workgroup's first and last instance
shared uint group_gaussian[2];
// Of its first Gaussian: the row of tiles where the workgroup begins, and the instance where that row does
shared uint group_row;
shared uint group_row_start;

// The last Gaussian in [low, high] whose instances start at or before this one
uint gaussian_of(uint instance, uint low, uint high) {
    while (low < high) {
        uint middle = high - (high - low) / 2u;
        if (sums[middle] <= instance) low = middle;
        else high = middle - 1u;
    }
    return low;
}

// Moves `row`, where instance `start` is the first one, on to the row of `instance`; returns that row's span of tiles.
uvec2 walk_rows(Ellipse e, uint instance, inout uint row, inout uint start) {
    uvec2 rows = tile_rows(e);
    for (; row < rows.x + rows.y; ++row) {
        uvec2 span = row_span(e, row);
        if (instance - start < span.y) return span;
        start += span.y;
    }
    return uvec2(0u);
}

void find_group(uint first, uint last) {
    uint thread = gl_LocalInvocationIndex;
    if (thread < 2u) group_gaussian[thread] = gaussian_of(thread == 0u ? first : last, 0u, instances.records - 1u);
    if (thread != 0u) return;
    uint gaussian = group_gaussian[0];
    Ellipse e = ellipse_of(records[order[gaussian]]);
    uint row = tile_rows(e).x;
    uint start = sums[gaussian];
    walk_rows(e, first, row, start);
    group_row = row;
    group_row_start = start;
}

void emit(uint instance) {
    uint gaussian = gaussian_of(instance, group_gaussian[0], group_gaussian[1]);
    uint record = order[gaussian];
    Ellipse e = ellipse_of(records[record]);
    bool begun = gaussian == group_gaussian[0];
    uint row = begun ? group_row : tile_rows(e).x;
    uint start = begun ? group_row_start : sums[gaussian];
    uvec2 span = walk_rows(e, instance, row, start);
    keys[instance] = span.y > 0u ? row * columns + span.x + (instance - start) : no_tile;
    values[instance] = record;
}

void main() {
    uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint first = group * EMIT_SPAN;
    uint end = min(first + EMIT_SPAN, instances.drawn);
    if (first < end) find_group(first, end - 1u); // the last row of groups is seldom full
    memoryBarrierShared();
    barrier();
    for (uint instance = first + gl_LocalInvocationIndex; instance < end; instance += EMIT_GROUP) emit(instance);
}
