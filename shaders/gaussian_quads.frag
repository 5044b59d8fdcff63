#version 410 core
// Alpha of one Gaussian at one pixel, premultiplied, for blending front to back; or 1, to count them (ADDITIVE).
// Compiled for each profile: every instruction shows on software rasterisers.

#include "layouts.glsl"
#include "gaussian_profile.glsl"

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
    float alpha = bool(ADDITIVE) ? 1.0 : profile_alpha(square, colour_opacity.a);
    blended = vec4(colour_opacity.rgb * alpha, alpha);
}
