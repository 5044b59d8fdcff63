#version 430 core
// Alpha of one Gaussian at one pixel, premultiplied, for blending front to back.

#include "layouts.glsl"

flat in vec2 centre;
flat in vec4 to_unit;
flat in vec4 colour_opacity;
out vec4 blended;

void main() {
    // Not interpolated from the corners: over a huge quad that is off by tens of pixels (16/255 in a close-up)
    vec2 offset = gl_FragCoord.xy - centre;
    vec2 local = vec2(dot(to_unit.xy, offset), dot(to_unit.zw, offset));
    float square = dot(local, local);
    if (square > 1.0) discard;
    // opacity * exp(-r^2 / 2) in base 2, where r is the reach times sqrt(square)
    float alpha = min(MAX_ALPHA, exp2(mix(colour_opacity.a, LOG2_MIN_ALPHA, square)));
    blended = vec4(colour_opacity.rgb * alpha, alpha);
}
