#version 410 core
// What is before a picture, for blending over it: premultiplied, turned upright, as in screen_composite.frag.

uniform sampler2D front;  // premultiplied colour and alpha, row 0 the top
uniform ivec2 origin;     // of the viewport, pixels

out vec4 shown;

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy) - origin;
    shown = texelFetch(front, ivec2(pixel.x, textureSize(front, 0).y - 1 - pixel.y), 0);
}
