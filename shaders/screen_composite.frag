#version 410 core
// The accumulated picture over a background, turned upright: its row 0 is the top, OpenGL's the bottom.

#include "layouts.glsl"

uniform sampler2D accumulated; // premultiplied colour and alpha
uniform vec3 background;
uniform int view;         // VIEW_*
uniform float brightness; // overdraw: 1 / Gaussians a pixel that are white
uniform ivec2 origin; // of the viewport, pixels

out vec4 shown;

// The twin is composed() in renderer/accumulation.py.
vec3 shown_colour(vec4 seen) {
    if (view == VIEW_ALPHA) return seen.aaa;
    if (view == VIEW_OVERDRAW) return clamp(seen.rrr * brightness, 0.0, 1.0);
    if (view == VIEW_DEPTH) return seen.a > 0.0 ? clamp(seen.rrr / seen.a, 0.0, 1.0) : background;
    return seen.rgb + (1.0 - seen.a) * background;
}

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy) - origin;
    vec4 seen = texelFetch(accumulated, ivec2(pixel.x, textureSize(accumulated, 0).y - 1 - pixel.y), 0);
    shown = vec4(shown_colour(seen), 1.0);
}
