// A colour for each cluster or network.
//
// Defines: cluster_colour().

// Hues a golden ratio apart; the twin is cluster_colour() in renderer/settings.py.
vec3 cluster_colour(uint cluster) {
    uint turn = 2654435769u * cluster + 429496730u; // 2^32 times the golden ratio's fraction, and 0.1
    float hue = 6.0 * float(turn >> 8) / 16777216.0;
    vec3 wheel = clamp(abs(mod(vec3(hue) + vec3(0.0, 4.0, 2.0), 6.0) - 3.0) - 1.0, 0.0, 1.0);
    return 0.35 + 0.65 * wheel;
}
