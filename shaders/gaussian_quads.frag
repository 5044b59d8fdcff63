#version 430 core
// Alpha of one Gaussian at one pixel, premultiplied, for blending front to back.

#include "layouts.glsl"

noperspective in vec2 local;
flat in vec4 colour_opacity;
out vec4 blended;

void main() {
    float square = dot(local, local);
    if (square > 1.0) discard;
    // opacity * exp(-r^2 / 2) in base 2, where r is the reach times sqrt(square)
    float alpha = min(MAX_ALPHA, exp2(mix(colour_opacity.a, LOG2_MIN_ALPHA, square)));
    blended = vec4(colour_opacity.rgb * alpha, alpha);
}
