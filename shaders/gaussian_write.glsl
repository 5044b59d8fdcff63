// Puts what a frame draws into the buffers of records and sort keys, and adds up what drawing it will cost.
//
// Reads: gaussian_record.glsl. Writes: RECORDS, KEYS, COUNTS. Defines: write_record(),
// drawn_pixels(), add_cost().

layout(std430, binding = RECORDS_BINDING) writeonly buffer Records { Record records[]; };
layout(std430, binding = KEYS_BINDING) writeonly buffer Keys { uint keys[]; };
layout(std430, binding = COUNTS_BINDING) buffer Counts { FrameCounts counts; };

#include "gaussian_footprint.glsl"

shared float group_pixels[GROUP];

void write_record(uint i, Drawn drawn) {
    bool is_drawn = drawn.depth > 0.0;
    records[i] = Record(
        drawn.centre, drawn.axis, drawn.minor, drawn.log_opacity,
        packHalf2x16(drawn.colour.rg), packHalf2x16(vec2(drawn.colour.b, 0.0)));
    keys[i] = is_drawn ? floatBitsToUint(drawn.depth) : NOT_DRAWN; // floats above 0 sort as their bits do
}

float drawn_pixels(Drawn drawn) {
    return drawn.depth > 0.0 ? footprint_pixels(drawn.centre, drawn.axis, drawn.minor) : 0.0;
}

// Adds the `pixels` of the workgroup's threads, in COST_PIXELS; all of its threads must come here, once.
// Groups round up or down by turns, by their `number`, so that the total of many small ones is right.
void add_cost(float pixels, uint number) {
    uint i = gl_LocalInvocationIndex;
    group_pixels[i] = pixels;
    barrier();
    for (uint stride = GROUP / 2u; stride > 0u; stride >>= 1) {
        if (i < stride) group_pixels[i] += group_pixels[i + stride];
        barrier();
    }
    if (i > 0u || group_pixels[0] == 0.0) return;
    float dither = float(bitfieldReverse(number) >> 8) / 16777216.0;
    atomicAdd(counts.cost, uint(min(group_pixels[0] / COST_PIXELS + dither, 65535.0)));
}
