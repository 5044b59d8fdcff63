#version 430 core
// Alpha of one Gaussian at one pixel, premultiplied, for blending front to back.

#include "layouts.glsl"

noperspective in vec2 local;
flat in vec4 colour_opacity;
out vec4 blended;

void main() {
    float square = dot(local, local);
    if (square > 1.0) discard;
    // opacity * exp(-r^2 / 2) in base 2, written so that it is ALPHA_MIN where square = 1
    float alpha = min(ALPHA_MAX, exp2(colour_opacity.a - square * (colour_opacity.a + LOG2_255)));
    blended = vec4(colour_opacity.rgb * alpha, alpha);
}
