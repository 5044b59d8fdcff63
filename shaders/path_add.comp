#version 430 core
// What the paths have gathered, into the picture: the mean of the samples so far, and in alpha the depth of
// what the first sample met, world units.

#include "layouts.glsl"
#include "path_constants.glsl"
#include "path_state.glsl"

layout(rgba32f, binding = 0) uniform image2D picture;

uniform int first_pixel;
uniform float sample_share; // of the samples so far, this one's
uniform ivec2 picture_size;

void main() {
    int i = path_number();
    if (i >= path_count) return;
    ivec2 pixel = ivec2((first_pixel + i) % picture_size.x, (first_pixel + i) / picture_size.x);
    vec4 light = paths[i].light;
    if (paths[i].shadow_origin.w > 0.0) light.rgb += paths[i].shadow_light.rgb;
    vec4 before = sample_share < 1.0 ? imageLoad(picture, pixel) : light;
    imageStore(picture, pixel, vec4(mix(before.rgb, light.rgb, sample_share), before.a));
}
