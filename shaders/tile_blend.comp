#version 430 core
// Blends the Gaussians of one tile, front to back, into the picture. One workgroup, one tile; one thread, one pixel.
// Records are staged in shared memory, one a thread; the tile ends early when all its pixels are finished.
//
// Most Gaussians touch a few pixels of a tile. So each is tested once against the tile's blocks of 8x4 pixels, and the
// 32 threads of a block go through a mask of those that touch it; waves of 32 or 64 threads stay together.
//
// llvmpipe ends all loops of a thread in silence after 65,535 iterations together, so that there a picture may take
// several dispatches, each of a slice of every tile's list. Between them alpha holds the transmittance, negative for
// finished pixels.
//
// As in the original 3DGS, a Gaussian that would take the transmittance under MIN_TRANSMITTANCE is not drawn and ends
// the pixel. Discs are opaque: they are drawn first and end it then, and so do rings.
// With COVERED, a surface ends a pixel at the first Gaussian with its centre behind it.
// With `additive`, colours of all Gaussians that touch the pixel are summed, whatever their alpha, and alpha is 1.

#include "layouts.glsl"

layout(local_size_x = PIXELS) in;
layout(std430, binding = RECORDS_BINDING) readonly buffer Records { Record records[]; };
layout(std430, binding = TILE_VALUES_BINDING) readonly buffer Values { uint values[]; };
layout(std430, binding = TILE_STARTS_BINDING) readonly buffer Starts { uint starts[]; };
layout(rgba32f, binding = 0) uniform image2D picture;
#ifdef COVERED
layout(std430, binding = DEPTHS_BINDING) readonly buffer Depths { float depths[]; }; // of all records, world units
uniform sampler2D cover; // w: depth of the surface, world units
shared float staged_depth[PIXELS];
#endif

#include "gaussian_profile.glsl"
#include "tile_ellipse.glsl"

#define BLOCK_WIDTH 8
#define BLOCK_HEIGHT 4
#define BLOCKS (PIXELS / (BLOCK_WIDTH * BLOCK_HEIGHT))
#define WORDS (PIXELS / 32)

uniform bool additive;
uniform uint slice;    // Gaussians of a tile blended by one dispatch
uniform uint skipped;  // Gaussians of a tile blended before
uniform bool last;     // dispatch of the picture

shared vec4 staged_to_unit[PIXELS]; // two rows: offset in pixels -> 1 at the edge of the footprint
shared vec4 staged_centre[PIXELS];  // pixels; log2 of the opacity; blue
shared vec2 staged_colour[PIXELS];  // red, green
// By turns, one is filled while the other is cleared:
shared uint touching[2 * BLOCKS * WORDS]; // masks of the staged records that touch a block
shared uint unfinished[2];                // whether any pixel is

struct Pixel {
    vec2 point;
    vec3 colour;         // premultiplied
    float transmittance;
    bool finished;
#ifdef COVERED
    float cover;
#endif
};

// In the tile, pixels. The order of blocks makes two of them a square
uvec2 block_corner(uint block) {
    return uvec2((block >> 1 & 1u) * BLOCK_WIDTH, (block & 1u) * BLOCK_HEIGHT + (block >> 2) * (2 * BLOCK_HEIGHT));
}

void mark_blocks(uint slot, uint turn, Ellipse e) {
    for (uint block = 0u; block < uint(BLOCKS); ++block) {
        vec2 low = vec2(gl_WorkGroupID.xy * uint(TILE) + block_corner(block)) + 0.5 - e.centre;
        vec2 high = low + vec2(BLOCK_WIDTH - 1, BLOCK_HEIGHT - 1);
        vec2 range = range_between(e, low.y, high.y) - e.centre.x;
        bool apart = low.y > e.extent.y || high.y < -e.extent.y || low.x > range.y || high.x < range.x;
        if (!apart) atomicOr(touching[(turn * BLOCKS + block) * WORDS + slot / 32u], 1u << (slot % 32u));
    }
}

void stage(uint slot, uint turn, Record r) {
    float major = length(r.axis);
    vec2 across = vec2(-r.axis.y, r.axis.x) * (r.minor / major);
    staged_to_unit[slot] = vec4(r.axis / (major * major), across / (r.minor * r.minor));
    staged_centre[slot] = vec4(r.centre, r.log_opacity, unpackHalf2x16(r.blue).x);
    staged_colour[slot] = unpackHalf2x16(r.red_green);
    mark_blocks(slot, turn, ellipse_of(r));
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

void blend_batch(inout Pixel p, uint count, uint masks) {
    for (uint word = 0u; word * 32u < count; ++word) {
        for (uint bits = touching[masks + word]; bits != 0u && !p.finished; bits &= bits - 1u) {
            uint slot = word * 32u + uint(findLSB(bits));
#ifdef COVERED
            p.finished = staged_depth[slot] >= p.cover;
            if (p.finished) break;
#endif
            float square = squared_distance(slot, p.point);
            if (!(square <= 1.0)) continue;
            if (additive) p.colour += staged_rgb(slot);
            else blend(p, slot, square);
        }
    }
}

void synchronise() {
    memoryBarrierShared();
    barrier();
}

ivec2 pixel_of(uint thread) {
    uvec2 inside = uvec2(thread % BLOCK_WIDTH, thread / BLOCK_WIDTH % BLOCK_HEIGHT);
    return ivec2(gl_WorkGroupID.xy * uint(TILE) + block_corner(thread / (BLOCK_WIDTH * BLOCK_HEIGHT)) + inside);
}

Pixel begin_pixel(ivec2 position, bool outside) {
    Pixel p;
    p.point = vec2(position) + 0.5;
    p.colour = vec3(0.0);
    p.transmittance = 1.0;
    p.finished = outside;
#ifdef COVERED
    p.cover = outside ? 0.0 : texelFetch(cover, position, 0).w;
#endif
    if (skipped == 0u || outside) return p;
    vec4 before = imageLoad(picture, position);
    p.colour = before.rgb;
    p.transmittance = abs(before.a);
    p.finished = before.a < 0.0;
    return p;
}

void end_pixel(ivec2 position, Pixel p) {
    float alpha = additive ? 1.0 : 1.0 - p.transmittance;
    if (!last) alpha = p.finished ? -p.transmittance : p.transmittance;
    imageStore(picture, position, vec4(p.colour, alpha));
}

void clear(uint turn, uint thread) {
    if (thread == 0u) unfinished[turn] = 0u;
    if (thread < BLOCKS * WORDS) touching[turn * (BLOCKS * WORDS) + thread] = 0u;
}

void main() {
    uint thread = gl_LocalInvocationIndex;
    uint tile = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint start = starts[tile];
    uint end = start + min(starts[tile + 1u] - start, skipped + slice);
    ivec2 position = pixel_of(thread);
    bool outside = any(greaterThanEqual(position, ivec2(size)));
    Pixel p = begin_pixel(position, outside);

    clear(0u, thread);
    synchronise();
    uint turn = 0u;
    for (uint first = start + skipped; first < end; first += PIXELS) {
        if (!p.finished) unfinished[turn] = 1u;
        synchronise(); // and the batch before is read
        if (unfinished[turn] == 0u) break;
        clear(1u - turn, thread);
        if (first + thread < end) stage(thread, turn, records[values[first + thread]]);
#ifdef COVERED
        if (first + thread < end) staged_depth[thread] = depths[values[first + thread]];
#endif
        synchronise();
        blend_batch(p, min(end - first, uint(PIXELS)), (turn * BLOCKS + thread / (BLOCK_WIDTH * BLOCK_HEIGHT)) * WORDS);
        turn = 1u - turn;
    }
    if (!outside) end_pixel(position, p);
}
