#version 410 core
// Projects and shades Gaussians in the order they are drawn, where there are no compute shaders (OpenGL 4.1): one vertex
// a Gaussian, caught by transform feedback. The twin of gaussian_project.comp.
//
// Reads: textures of TEXTURE_WIDTH texels a row. Writes: the varyings below, a zero axis when not drawn.

#include "layouts.glsl"

in uint record; // Gaussian, or Gaussian + gaussians for the copy of an equirectangular picture

uniform uint gaussians;
uniform usampler2D geometries; // two texels a Gaussian
uniform sampler2D harmonics;   // a texel a number
uniform int coefficients;      // of one channel

out vec4 centre_axis;
out vec2 minor_opacity; // log2 of the opacity
out vec3 colour;

int harmonics_at;

ivec2 texel(int i) { return ivec2(i & (TEXTURE_WIDTH - 1), i / TEXTURE_WIDTH); }

float harmonic(int i) { return texelFetch(harmonics, texel(harmonics_at + i), 0).r; }

vec3 coefficient(int k) { return vec3(harmonic(3 * k), harmonic(3 * k + 1), harmonic(3 * k + 2)); }

#include "gaussian_record.glsl"

void main() {
    bool second = record >= gaussians;
    int i = int(second ? record - gaussians : record);
    harmonics_at = 3 * coefficients * i;
    uvec4 position_cluster = texelFetch(geometries, texel(2 * i), 0);
    uvec4 shape = texelFetch(geometries, texel(2 * i + 1), 0);
    Drawn drawn = drawn_of(unpack_geometry(position_cluster, shape), second);
    centre_axis = vec4(drawn.centre, drawn.axis);
    minor_opacity = vec2(drawn.minor, drawn.log_opacity);
    colour = drawn.colour;
}
