#version 410 core
// Alpha of one Gaussian at one pixel, premultiplied, for blending front to back; or 1, to count them (ADDITIVE).
// With COVERED, a surface hides what has its centre behind it.
// Compiled for each profile: every instruction shows on software rasterisers.

#include "layouts.glsl"
#include "gaussian_profile.glsl"

smooth in vec2 local;
flat in vec4 colour_opacity;
out vec4 blended;

#ifdef COVERED
flat in float centre_depth;
uniform sampler2D cover; // w: depth of the surface, world units
#endif

void main() {
    float square = dot(local, local);
    if (square > 1.0) discard;
#ifdef COVERED
    if (centre_depth >= texelFetch(cover, ivec2(gl_FragCoord.xy), 0).w) discard;
#endif
    float alpha = bool(ADDITIVE) ? 1.0 : profile_alpha(square, colour_opacity.a);
    blended = vec4(colour_opacity.rgb * alpha, alpha);
}
