#version 430 core
// The accumulated picture over a background, turned upright: its row 0 is the top, OpenGL's the bottom.

uniform sampler2D accumulated; // premultiplied colour and alpha
uniform vec3 background;
uniform ivec2 origin; // of the viewport, pixels

out vec4 shown;

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy) - origin;
    vec4 seen = texelFetch(accumulated, ivec2(pixel.x, textureSize(accumulated, 0).y - 1 - pixel.y), 0);
    shown = vec4(seen.rgb + (1.0 - seen.a) * background, 1.0);
}
