#version 410 core
// Sums over blocks of pixels: what is left to add up is small enough to read back.
//
// Reads: two float pictures and a band of SSIM. Writes, a block a pixel: the sum of SSIM, the sum of squared errors over
// the three channels.

uniform sampler2D picture_a;
uniform sampler2D picture_b;
uniform sampler2D band;   // SSIM
uniform int first_row;    // of the pictures, at row 0 of the band; blocks start there
uniform int block;        // pixels a side
uniform ivec2 indices;    // columns of the band that hold SSIM, and rows; 0: none

out vec2 sums;

void main() {
    ivec2 first = ivec2(gl_FragCoord.xy) * block; // in the pictures
    ivec2 size = textureSize(picture_a, 0);
    float index = 0.0, error = 0.0;
    for (int y = first.y; y < min(first.y + block, size.y); y++) {
        for (int x = first.x; x < min(first.x + block, size.x); x++) {
            vec3 a = clamp(texelFetch(picture_a, ivec2(x, y), 0).rgb, 0.0, 1.0);
            vec3 b = clamp(texelFetch(picture_b, ivec2(x, y), 0).rgb, 0.0, 1.0);
            vec3 apart = a - b;
            error += dot(apart, apart);
            if (x < indices.x && y - first_row < indices.y) index += texelFetch(band, ivec2(x, y - first_row), 0).r;
        }
    }
    sums = vec2(index, error);
}
