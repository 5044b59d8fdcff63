// Whether a frame can show any of the Gaussians in a box; the planes are made by renderer/resident_culling.py.
//
// Defines: box_seen().

uniform int cull_planes;
uniform vec4 cull_plane[5];  // inside where dot(xyz, position) + w + reach * deviation >= 0
uniform float cull_reach[5];
uniform vec3 cull_lowest;    // crop box, world
uniform vec3 cull_highest;

// `radius`: the longest standard deviation of those in the box, scaled.
bool box_seen(vec3 lowest, vec3 highest, float radius) {
    if (any(greaterThan(lowest, cull_highest)) || any(lessThan(highest, cull_lowest))) return false;
    vec3 centre = 0.5 * (lowest + highest);
    vec3 half_extent = 0.5 * (highest - lowest);
    for (int i = 0; i < cull_planes; ++i) {
        vec4 plane = cull_plane[i];
        float most = dot(plane.xyz, centre) + dot(abs(plane.xyz), half_extent) + plane.w + cull_reach[i] * radius;
        if (most < 0.0) return false;
    }
    return true;
}
