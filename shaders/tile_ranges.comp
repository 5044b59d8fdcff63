#version 430 core
// Where each tile's instances start among the sorted ones, by binary search; tile `tiles` closes the list.
// Reads: keys, how many are drawn. Writes: starts [tiles + 1].

#include "layouts.glsl"

layout(local_size_x = GROUP) in;
layout(std430, binding = TILE_KEYS_BINDING) readonly buffer Keys { uint keys[]; };
layout(std430, binding = TILE_STARTS_BINDING) writeonly buffer Starts { uint starts[]; };

#include "tile_instances.glsl"

uniform uint tiles;

void main() {
    uint tile = gl_GlobalInvocationID.x;
    if (tile > tiles) return;
    uint low = 0u, high = instances.drawn;
    while (low < high) {
        uint middle = low + (high - low) / 2u;
        if (keys[middle] < tile) low = middle + 1u;
        else high = middle;
    }
    starts[tile] = low;
}
