#version 430 core
// Closes finished pixels: writes depth 0 where nothing behind can be seen any more, so that later quads fail the depth
// test before they are shaded.

#include "layouts.glsl"

uniform sampler2D accumulated; // premultiplied colour and alpha

void main() {
    if (1.0 - texelFetch(accumulated, ivec2(gl_FragCoord.xy), 0).a > TRANSMITTANCE_MIN) discard;
}
