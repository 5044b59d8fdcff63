// One Gaussian as this frame draws it: footprint in pixels, opacity, colour of the view, depth. All front ends share it:
// gaussian_project.comp, gaussian_feedback.vert, resident_project.comp.
//
// Reads: vec3 coefficient(int k) of the Gaussian at hand (see gaussian_harmonics.glsl), layouts.glsl, uniforms below.
// Defines: struct Drawn, drawn_of().

#include "gaussian_packed.glsl"
#include "gaussian_projection.glsl"
#include "gaussian_harmonics.glsl"

uniform int view;             // VIEW_*
uniform vec2 size;            // pixels
uniform vec3 camera_position; // world
uniform vec3 camera_forward;  // world, unit
uniform float near;           // world units
uniform int sh_degree;        // used
uniform bool antialiased;     // opacity compensated for the dilation
uniform float min_opacity;
uniform vec3 crop_lowest;     // world
uniform vec3 crop_highest;
uniform vec2 depth_shown;     // world units: black, and 1 / (white - black)

struct Drawn {
    vec2 centre;       // pixels, y down
    vec2 axis;         // long half axis of the footprint, pixels
    float minor;       // length of the short half axis
    float log_opacity; // log2
    vec3 colour;
    float depth;       // 0: not drawn
};

// Half axes where alpha falls to MIN_ALPHA, from the eigenvalues of the covariance: the long one, and the short length.
void set_axes(vec4 covariance, float reach, inout Drawn drawn) {
    float middle = 0.5 * (covariance.x + covariance.z);
    float half_difference = 0.5 * (covariance.x - covariance.z);
    float large = middle + length(vec2(half_difference, covariance.y));
    float small = covariance.w / large;
    vec2 direction = half_difference >= 0.0
        ? vec2(large - covariance.z, covariance.y)
        : vec2(covariance.y, large - covariance.x);
    float norm = length(direction);
    direction = norm > 0.0 ? direction / norm : vec2(1.0, 0.0);
    drawn.axis = reach * sqrt(large) * direction;
    drawn.minor = reach * sqrt(small);
}

vec3 view_direction(vec3 position) {
    return camera_kind == CAMERA_ORTHOGRAPHIC ? camera_forward : normalize(position - camera_position);
}

vec3 normal_colour(Attributes a, vec3 direction) {
    mat3 axes = rotation_matrix(a.rotation);
    vec3 s = a.log_scale;
    vec3 normal = s.x <= s.y && s.x <= s.z ? axes[0] : s.y <= s.z ? axes[1] : axes[2];
    return 0.5 + 0.5 * (dot(normal, direction) < 0.0 ? normal : -normal);
}

#include "cluster_colour.glsl"

vec3 view_colour(Attributes a, float depth) {
    if (view == VIEW_DEPTH) return vec3((depth - depth_shown.x) * depth_shown.y);
    if (view == VIEW_ALPHA || view == VIEW_OVERDRAW) return vec3(1.0);
    vec3 direction = view_direction(a.position);
    if (view == VIEW_NORMAL) return normal_colour(a, direction);
    vec3 colour = harmonics_colour(direction, sh_degree);
    if (view != VIEW_CLUSTERS) return colour;
    float luminance = clamp(dot(colour, vec3(0.2126, 0.7152, 0.0722)), 0.0, 1.0);
    return cluster_colour(a.cluster) * (0.35 + 0.65 * luminance);
}

// `second`: the copy of an equirectangular picture's Gaussian, one picture width away, for the seam.
Drawn drawn_of(Attributes a, bool second) {
    Drawn drawn = Drawn(vec2(0.0), vec2(0.0), 0.0, 0.0, vec3(0.0), 0.0);
    if (any(lessThan(a.position, crop_lowest)) || any(greaterThan(a.position, crop_highest))) return drawn;
    Projection p = project_gaussian(a);
    if (!(p.depth > near)) return drawn;

    float opacity = 1.0 / (1.0 + exp(-a.opacity_logit));
    if (opacity < min_opacity) return drawn;
    if (antialiased) opacity *= sqrt(p.raw.w / p.dilated.w);
    if (!(opacity > MIN_ALPHA)) return drawn;

    if (second) p.centre.x += p.centre.x > principal.x ? -size.x : size.x;
    float log_opacity = log2(opacity);
    float reach = sqrt(2.0 * (log_opacity - LOG2_MIN_ALPHA) / LOG2_E); // sqrt(2 ln(opacity / MIN_ALPHA)) deviations
    vec2 bounds = view == VIEW_POINTS ? vec2(POINT_RADIUS) : reach * sqrt(p.dilated.xz);
    if (any(greaterThan(abs(p.centre - 0.5 * size), bounds + 0.5 * size))) return drawn;

    drawn.centre = p.centre;
    if (view == VIEW_POINTS) {
        drawn.axis = vec2(POINT_RADIUS, 0.0);
        drawn.minor = POINT_RADIUS;
    } else {
        set_axes(p.dilated, reach, drawn);
    }
    drawn.log_opacity = log_opacity;
    drawn.colour = view_colour(a, p.depth);
    drawn.depth = p.depth;
    return drawn;
}
