#version 430 core
// Projects and shades each Gaussian once into a Record, with the key it is sorted by. One thread, one Gaussian.
// Buffers are bound in chunks of `count` Gaussians that start at `first`.
//
// Reads: GEOMETRY, HARMONICS. Writes: RECORDS and KEYS at first_record + i; adds to COUNTS.

#include "layouts.glsl"

layout(local_size_x = GROUP) in;
layout(std430, binding = GEOMETRY_BINDING) readonly buffer Geometries { Geometry geometries[]; };
layout(std430, binding = HARMONICS_BINDING) readonly buffer Harmonics { uint harmonics[]; }; // two half floats a word

uniform uint count;
uniform uint first_record;
uniform bool second;        // these records are the copies of an equirectangular picture
uniform int harmonic_words; // a Gaussian

int harmonics_at; // word of the Gaussian at hand

vec3 coefficient(int k) {
    int at = harmonics_at + (3 * k >> 1);
    vec2 a = unpackHalf2x16(harmonics[at]);
    vec2 b = unpackHalf2x16(harmonics[at + 1]);
    return (k & 1) == 0 ? vec3(a, b.x) : vec3(a.y, b);
}

#include "gaussian_record.glsl"
#include "gaussian_write.glsl"

void main() {
    uint i = gl_GlobalInvocationID.x;
    Drawn drawn = Drawn(vec2(0.0), vec2(0.0), 0.0, 0.0, vec3(0.0), 0.0);
    if (i < count) {
        harmonics_at = int(i) * harmonic_words;
        drawn = drawn_of(unpack_geometry(geometries[i].position_cluster, geometries[i].shape), second);
        write_record(first_record + i, drawn);
    }
#if COSTS // numpy, where it sorts, adds them up itself
    add_cost(drawn_pixels(drawn), gl_WorkGroupID.x);
#endif
}
