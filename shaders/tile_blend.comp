#version 430 core
// Blends the Gaussians of one tile, front to back, into the picture. One workgroup, one tile; one thread, one pixel.
// Records are staged in shared memory, as many as there are pixels at a time; the tile ends early when all its pixels are finished.
// llvmpipe ends all loops of a thread in silence after 65,535 iterations together, so that there a picture may take
// several dispatches, each of a slice of every tile's list. Between them alpha holds the transmittance, negative for
// finished pixels.
//
// As in the original 3DGS, a Gaussian that would take the transmittance under MIN_TRANSMITTANCE is not drawn and ends
// the pixel. Discs are opaque: they are drawn first and end it then, and so do rings.
// With `additive`, colours of all Gaussians that touch the pixel are summed, whatever their alpha, and alpha is 1.

#include "layouts.glsl"

layout(local_size_x = PIXELS) in;
layout(std430, binding = RECORDS_BINDING) readonly buffer Records { Record records[]; };
layout(std430, binding = TILE_VALUES_BINDING) readonly buffer Values { uint values[]; };
layout(std430, binding = STARTS_BINDING) readonly buffer Starts { uint starts[]; };
layout(rgba32f, binding = 0) uniform image2D picture;

#include "gaussian_profile.glsl"

uniform vec2 size;     // pixels
uniform bool additive;
uniform uint slice;    // Gaussians of a tile blended by one dispatch
uniform uint skipped;  // Gaussians of a tile blended before
uniform bool last;     // dispatch of the picture

shared vec4 staged_to_unit[PIXELS]; // two rows: offset in pixels -> 1 at the edge of the footprint
shared vec4 staged_centre[PIXELS];  // pixels; log2 of the opacity; blue
shared vec2 staged_colour[PIXELS];  // red, green
shared uint unfinished[2];         // whether any pixel is, by turns: one is set while the other is read

struct Pixel {
    vec2 point;
    vec3 colour;         // premultiplied
    float transmittance;
    bool finished;
};

void stage(uint slot, Record r) {
    float major = length(r.axis);
    vec2 across = vec2(-r.axis.y, r.axis.x) * (r.minor / major);
    staged_to_unit[slot] = vec4(r.axis / (major * major), across / (r.minor * r.minor));
    staged_centre[slot] = vec4(r.centre, r.log_opacity, unpackHalf2x16(r.blue).x);
    staged_colour[slot] = unpackHalf2x16(r.red_green);
}

float squared_distance(uint slot, vec2 point) {
    vec2 offset = point - staged_centre[slot].xy;
    vec2 local = vec2(dot(staged_to_unit[slot].xy, offset), dot(staged_to_unit[slot].zw, offset));
    return dot(local, local);
}

vec3 staged_rgb(uint slot) {
    return vec3(staged_colour[slot], staged_centre[slot].w);
}

void blend(inout Pixel p, uint slot, float square) {
    float alpha = profile_alpha(square, staged_centre[slot].z);
    float left = p.transmittance * (1.0 - alpha);
    p.finished = left < MIN_TRANSMITTANCE;
    if (p.finished && profile == PROFILE_GAUSSIAN) return;
    p.colour += alpha * p.transmittance * staged_rgb(slot);
    p.transmittance = left;
}

void blend_batch(inout Pixel p, uint count) {
    for (uint slot = 0u; slot < count && !p.finished; ++slot) {
        float square = squared_distance(slot, p.point);
        if (square <= 1.0) blend(p, slot, square);
    }
}

void add_batch(inout Pixel p, uint count) {
    for (uint slot = 0u; slot < count && !p.finished; ++slot) {
        if (squared_distance(slot, p.point) <= 1.0) p.colour += staged_rgb(slot);
    }
}

void synchronise() {
    memoryBarrierShared();
    barrier();
}

// Threads in 8x8 blocks of pixels, a wave or two each: more often than rows of 16 they all miss an ellipse
ivec2 pixel_of(uint thread) {
    uvec2 inside = uvec2((thread & 7u) | (thread >> 3 & 8u), (thread >> 3 & 7u) | (thread >> 4 & 8u));
    return ivec2(gl_WorkGroupID.xy * uint(TILE) + inside);
}

Pixel begin_pixel(ivec2 position, bool outside) {
    Pixel p = Pixel(vec2(position) + 0.5, vec3(0.0), 1.0, outside);
    if (skipped == 0u || outside) return p;
    vec4 before = imageLoad(picture, position);
    return Pixel(p.point, before.rgb, abs(before.a), before.a < 0.0);
}

void end_pixel(ivec2 position, Pixel p) {
    float alpha = additive ? 1.0 : 1.0 - p.transmittance;
    if (!last) alpha = p.finished ? -p.transmittance : p.transmittance;
    imageStore(picture, position, vec4(p.colour, alpha));
}

void main() {
    uint thread = gl_LocalInvocationIndex;
    uint tile = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint start = starts[tile];
    uint end = start + min(starts[tile + 1u] - start, skipped + slice);
    ivec2 position = pixel_of(thread);
    bool outside = any(greaterThanEqual(position, ivec2(size)));
    Pixel p = begin_pixel(position, outside);

    if (thread == 0u) unfinished[0] = 0u;
    synchronise();
    uint turn = 0u;
    for (uint first = start + skipped; first < end; first += PIXELS) {
        if (!p.finished) unfinished[turn] = 1u;
        synchronise(); // and the batch before is read
        if (unfinished[turn] == 0u) break;
        turn = 1u - turn;
        if (thread == 0u) unfinished[turn] = 0u;
        if (first + thread < end) stage(thread, records[values[first + thread]]);
        synchronise();
        uint batch = min(end - first, uint(PIXELS));
        if (additive) add_batch(p, batch);
        else blend_batch(p, batch);
    }
    if (!outside) end_pixel(position, p);
}
