#version 410 core
// The horizontal half of SSIM's Gaussian window (Wang, Bovik, Sheikh, Simoncelli 2004), over the sum and the difference
// of two pictures: their means and mean squares hold all that the index is made of.
//
// Reads: two float pictures. Writes: a band of rows; column x is the window over columns x to x + taps - 1.

uniform sampler2D picture_a;
uniform sampler2D picture_b;
uniform int first_row;     // of the pictures, at row 0 of the band
uniform int taps;
uniform float weights[11];

layout(location = 0) out vec3 sum_mean;
layout(location = 1) out vec3 difference_mean;
layout(location = 2) out vec3 sum_square;
layout(location = 3) out vec3 difference_square;

void main() {
    ivec2 start = ivec2(gl_FragCoord.xy) + ivec2(0, first_row);
    sum_mean = difference_mean = sum_square = difference_square = vec3(0.0);
    for (int i = 0; i < taps; i++) {
        vec3 a = clamp(texelFetch(picture_a, start + ivec2(i, 0), 0).rgb, 0.0, 1.0);
        vec3 b = clamp(texelFetch(picture_b, start + ivec2(i, 0), 0).rgb, 0.0, 1.0);
        vec3 both = a + b, apart = a - b;
        sum_mean += weights[i] * both;
        difference_mean += weights[i] * apart;
        sum_square += weights[i] * both * both;
        difference_square += weights[i] * apart * apart;
    }
}
