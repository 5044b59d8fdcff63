// Alpha across a Gaussian's footprint, for both blend paths; the twin is in renderer/reference_views.py.
//
// Reads: layouts.glsl; PROFILE when it is known at compile time, else a uniform. Defines: profile_alpha().

#ifdef PROFILE
const int profile = PROFILE;
#else
uniform int profile; // PROFILE_*
#endif

// `square`: the squared distance from the centre, 1 at the edge of the footprint; nothing is drawn beyond.
float profile_alpha(float square, float log_opacity) {
    if (profile == PROFILE_DISC) return 1.0;
    if (profile == PROFILE_RING) return square >= RING_INNER * RING_INNER ? RING_ALPHA : RING_FILL;
    // opacity * exp(-r^2 / 2) in base 2, where r is the reach times sqrt(square)
    return min(MAX_ALPHA, exp2(mix(log_opacity, LOG2_MIN_ALPHA, square)));
}
