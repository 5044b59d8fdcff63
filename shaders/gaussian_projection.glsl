// EWA projection of one Gaussian (Zwicker, Pfister, van Baar, Gross 2001, "EWA Splatting"), with the constants of the
// original 3DGS.
//
// Reads: uniforms below. Defines: project_gaussian(), mat3 rotation_matrix().
// Returns: the 2D covariance in pixels^2 before and after dilation, as (xx, xy, yy, determinant).

uniform mat4 camera_from_world;
uniform vec2 focal;        // pixels
uniform vec2 principal;    // pixels
uniform vec2 lowest_slope;  // x/z and y/z of the widened frustum, where the Jacobian is clamped
uniform vec2 highest_slope;
uniform float splat_scale; // multiplies every standard deviation

struct Projection {
    vec3 view;      // centre in the camera's frame
    vec2 centre;    // pixels
    vec4 raw;       // covariance (xx, xy, yy) and determinant
    vec4 dilated;   // the same with the screen-space dilation
};

mat3 rotation_matrix(vec4 quaternion) {
    vec4 q = normalize(quaternion);
    float w = q.x, x = q.y, y = q.z, z = q.w;
    return mat3(
        1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z), 2.0 * (x * z - w * y),
        2.0 * (x * y - w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + w * x),
        2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y));
}

Projection project_gaussian(Geometry g) {
    Projection p;
    p.view = (camera_from_world * vec4(g.position_opacity.xyz, 1.0)).xyz;
    p.centre = focal * p.view.xy / p.view.z + principal;

    // Jacobian of the perspective division times the Gaussian's axes, row by row
    vec2 slope = clamp(p.view.xy / p.view.z, lowest_slope, highest_slope);
    mat3 axes = transpose(mat3(camera_from_world) * rotation_matrix(g.rotation));
    vec3 deviation = splat_scale * exp(g.log_scale.xyz);
    vec3 row_x = focal.x / p.view.z * deviation * (axes[0] - slope.x * axes[2]);
    vec3 row_y = focal.y / p.view.z * deviation * (axes[1] - slope.y * axes[2]);

    // The determinant by Cauchy and Binet: xx * yy - xy * xy cancels to noise for long thin ellipses
    vec3 minors = cross(row_x, row_y);
    p.raw = vec4(dot(row_x, row_x), dot(row_x, row_y), dot(row_y, row_y), dot(minors, minors));
    p.dilated = p.raw + vec4(DILATION, 0.0, DILATION, DILATION * (p.raw.x + p.raw.z + DILATION));
    return p;
}
