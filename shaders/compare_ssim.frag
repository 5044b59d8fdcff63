#version 410 core
// The vertical half of SSIM's window, and the index itself, mean over the three channels: Wang et al. 2004, equation 13,
// with the population covariance.
//
// Reads: what compare_blur wrote. Writes: the index of the window over rows y to y + taps - 1 of the band.

uniform sampler2D sum_mean;
uniform sampler2D difference_mean;
uniform sampler2D sum_square;
uniform sampler2D difference_square;
uniform int taps;
uniform float weights[11];

out float index;

const float C1 = 0.01 * 0.01; // (K1 L)^2 and (K2 L)^2 of the paper, for a range L of 1
const float C2 = 0.03 * 0.03;

void main() {
    ivec2 start = ivec2(gl_FragCoord.xy);
    vec3 sum = vec3(0.0), apart = vec3(0.0), sum2 = vec3(0.0), apart2 = vec3(0.0);
    for (int i = 0; i < taps; i++) {
        ivec2 place = start + ivec2(0, i);
        sum += weights[i] * texelFetch(sum_mean, place, 0).rgb;
        apart += weights[i] * texelFetch(difference_mean, place, 0).rgb;
        sum2 += weights[i] * texelFetch(sum_square, place, 0).rgb;
        apart2 += weights[i] * texelFetch(difference_square, place, 0).rgb;
    }
    // With s = a + b and d = a - b: 4 mean(ab) = mean(ss) - mean(dd), 2 mean(aa + bb) = mean(ss) + mean(dd)
    vec3 s = sum * sum, d = apart * apart;
    vec3 spread_s = sum2 - s, spread_d = apart2 - d;
    vec3 luminance = (0.5 * (s - d) + C1) / (0.5 * (s + d) + C1);
    vec3 structure = (0.5 * (spread_s - spread_d) + C2) / (0.5 * (spread_s + spread_d) + C2);
    index = dot(luminance * structure, vec3(1.0 / 3.0));
}
