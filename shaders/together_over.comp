#version 430 core
// A sample of Gaussians in front of a surface, over that surface, into the mean of the samples so far. One thread, one
// pixel. The twin is renderer/together_reference.py.

layout(local_size_x = 8, local_size_y = 8) in;
layout(rgba32f, binding = 0) uniform image2D picture;         // premultiplied colour and alpha, as the others
layout(rgba32f, binding = 1) readonly uniform image2D front;  // Gaussians
layout(rgba32f, binding = 2) readonly uniform image2D behind; // the surface

uniform ivec2 size;
uniform float sample_share; // of the samples so far, this one's

void main() {
    ivec2 pixel = ivec2(gl_GlobalInvocationID.xy);
    if (any(greaterThanEqual(pixel, size))) return;
    vec4 gaussians = imageLoad(front, pixel);
    vec4 both = gaussians + (1.0 - gaussians.a) * imageLoad(behind, pixel);
    vec4 before = sample_share < 1.0 ? imageLoad(picture, pixel) : vec4(0.0);
    imageStore(picture, pixel, mix(before, both, sample_share));
}
