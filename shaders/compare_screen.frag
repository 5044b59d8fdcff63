#version 410 core
// The pictures of two scenes on one screen: whole, split, side by side, or as a map of their difference.
//
// Reads: two float pictures of one size, row 0 at the bottom. Writes: the colour shown, opaque.

const int SPLIT = 2;
const int SIDES = 3;
const int DIFFERENCE = 4;

uniform sampler2D picture_a;
uniform sampler2D picture_b;
uniform int mode;        // 0: A, 1: B, or one of the above
uniform float split;     // pixels from the left; A is left of it
uniform vec2 size;       // of the screen, pixels
uniform float highest;   // the difference at the map's last colour
uniform int steps;       // of the map
uniform vec3 map[17];    // colours at equal distances from 0 to `highest`

out vec4 shown;

// The picture at `pixel` of `room` pixels: as it is where the sizes agree, else interpolated
vec3 seen(sampler2D picture, vec2 pixel, vec2 room) {
    vec3 colour = textureSize(picture, 0) == ivec2(room)
        ? texelFetch(picture, ivec2(pixel), 0).rgb
        : texture(picture, pixel / room).rgb;
    return clamp(colour, 0.0, 1.0);
}

vec3 mapped(float value) {
    float place = clamp(value, 0.0, 1.0) * float(steps);
    int below = min(int(place), steps - 1);
    return mix(map[below], map[below + 1], place - float(below));
}

void main() {
    vec2 pixel = gl_FragCoord.xy;
    bool second = mode == 1;
    vec2 room = size;
    if (mode == SPLIT) second = pixel.x > split;
    if (mode == SIDES) {
        room.x = floor(0.5 * size.x); // of an odd width the last column is B's once more
        second = pixel.x > room.x;
        pixel.x = min(second ? pixel.x - room.x : pixel.x, room.x - 0.5);
    }
    vec3 colour;
    if (mode == DIFFERENCE) {
        vec3 apart = abs(seen(picture_a, pixel, room) - seen(picture_b, pixel, room));
        colour = mapped(max(apart.r, max(apart.g, apart.b)) / highest);
    } else if (second) {
        colour = seen(picture_b, pixel, room);
    } else {
        colour = seen(picture_a, pixel, room);
    }
    shown = vec4(colour, 1.0);
}
