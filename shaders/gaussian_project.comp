#version 430 core
// Projects each Gaussian once into a Record: ellipse in pixels, opacity and colour seen from this camera.
// One thread, one Gaussian. Buffers are bound in chunks of `count` Gaussians that start at `first`.

#include "layouts.glsl"

layout(local_size_x = GROUP) in;
layout(std430, binding = GEOMETRY_BINDING) readonly buffer Geometries { Geometry geometries[]; };
layout(std430, binding = HARMONICS_BINDING) readonly buffer Harmonics { float harmonics[]; };
layout(std430, binding = RECORDS_BINDING) writeonly buffer Records { Record records[]; };

uniform uint first;
uniform uint count;
uniform vec2 size;            // pixels
uniform vec3 camera_position; // world
uniform float near;           // world units
uniform int coefficients;     // SH coefficients stored for a channel
uniform int sh_degree;        // used
uniform bool antialiased;     // opacity compensated for the dilation

#include "gaussian_projection.glsl"
#include "gaussian_harmonics.glsl"

// Half axes where alpha falls to MIN_ALPHA, from the eigenvalues of the covariance: the long one, and the short length.
void ellipse_axes(vec4 covariance, float reach, inout Record record) {
    float middle = 0.5 * (covariance.x + covariance.z);
    float half_difference = 0.5 * (covariance.x - covariance.z);
    float large = middle + length(vec2(half_difference, covariance.y));
    float small = covariance.w / large;
    vec2 direction = half_difference >= 0.0
        ? vec2(large - covariance.z, covariance.y)
        : vec2(covariance.y, large - covariance.x);
    float norm = length(direction);
    direction = norm > 0.0 ? direction / norm : vec2(1.0, 0.0);
    record.axis = reach * sqrt(large) * direction;
    record.minor = reach * sqrt(small);
}

Record record_of(uint i) {
    Record record = Record(vec2(0.0), vec2(0.0), 0.0, 0.0, 0u, 0u);
    Geometry g = geometries[i];
    Projection p = project_gaussian(g);
    if (!(p.view.z > near)) return record;

    float opacity = 1.0 / (1.0 + exp(-g.position_opacity.w));
    if (antialiased) opacity *= sqrt(p.raw.w / p.dilated.w);
    if (!(opacity > MIN_ALPHA)) return record;

    float log_opacity = log2(opacity);
    float reach = sqrt(2.0 * (log_opacity - LOG2_MIN_ALPHA) / LOG2_E); // sqrt(2 ln(opacity / MIN_ALPHA)) deviations
    vec2 bounds = reach * sqrt(p.dilated.xz);
    if (any(greaterThan(abs(p.centre - 0.5 * size), bounds + 0.5 * size))) return record;

    record.centre = p.centre;
    ellipse_axes(p.dilated, reach, record);
    record.log_opacity = log_opacity;
    vec3 direction = normalize(g.position_opacity.xyz - camera_position);
    vec3 colour = harmonics_colour(3 * coefficients * int(i), direction, sh_degree);
    record.red_green = packHalf2x16(colour.rg);
    record.blue = packHalf2x16(vec2(colour.b, 0.0));
    return record;
}

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < count) records[first + i] = record_of(i);
}
