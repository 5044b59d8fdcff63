// EWA projection of one Gaussian (Zwicker, Pfister, van Baar, Gross 2001, "EWA Splatting"), with the constants of the
// original 3DGS, for the three kinds of cameras of scenes/cameras.py.
//
// Reads: gaussian_packed.glsl, uniforms below. Defines: project_gaussian(), mat3 rotation_matrix().

uniform int camera_kind;    // CAMERA_*
uniform mat4 camera_from_world;
uniform vec2 focal;         // pixels per unit of x/z; per world unit (orthographic); per radian (equirectangular)
uniform vec2 principal;     // pixels
uniform vec2 lowest_slope;  // x/z and y/z of the widened frustum, where the Jacobian is clamped
uniform vec2 highest_slope;
uniform float splat_scale;  // multiplies every standard deviation

struct Projection {
    float depth;    // z, or the distance (equirectangular)
    vec2 centre;    // pixels
    vec4 raw;       // 2D covariance in pixels^2 (xx, xy, yy) and its determinant
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

// The angle of (x, y), to float's last digits: built-in ones are off by up to 1e-4 on some drivers, which is a tenth of a
// pixel in a large panorama. Polynomial of Moshier's Cephes (atanf) after reduction to tan(pi / 8).
float precise_angle(float y, float x) {
    float low = min(abs(x), abs(y)), high = max(abs(x), abs(y));
    float t = high > 0.0 ? low / high : 0.0;
    bool steep = t > 0.41421356;
    if (steep) t = (low - high) / (low + high);
    float z = t * t;
    float angle = t + t * z * (((8.05374449538e-2 * z - 1.38776856032e-1) * z + 1.99777106478e-1) * z - 3.33329491539e-1);
    if (steep) angle += 0.78539816339;
    if (abs(y) > abs(x)) angle = 1.57079632679 - angle;
    if (x < 0.0) angle = 3.14159265359 - angle;
    return y < 0.0 ? -angle : angle;
}

// Centre and depth in `p`; the rows of the Jacobian of the pixel by the position in the camera's frame.
void linearise(vec3 view, inout Projection p, out vec3 by_x, out vec3 by_y) {
    if (camera_kind == CAMERA_ORTHOGRAPHIC) {
        p.depth = view.z;
        p.centre = focal * view.xy + principal;
        by_x = vec3(focal.x, 0.0, 0.0);
        by_y = vec3(0.0, focal.y, 0.0);
    } else if (camera_kind == CAMERA_EQUIRECTANGULAR) {
        float distance = length(view);
        float ground = length(view.xz);
        float across = max(ground, POLE_SLOPE * distance);
        p.depth = distance;
        p.centre = focal * vec2(precise_angle(view.x, view.z), precise_angle(view.y, ground)) + principal;
        vec2 outward = ground > 0.0 ? view.xz / ground : vec2(0.0, 1.0); // any direction at the pole
        by_x = focal.x / across * vec3(outward.y, 0.0, -outward.x);
        by_y = focal.y / (distance * distance) * vec3(-view.y * outward.x, ground, -view.y * outward.y);
    } else {
        p.depth = view.z;
        p.centre = focal * view.xy / view.z + principal;
        vec2 slope = clamp(view.xy / view.z, lowest_slope, highest_slope);
        by_x = focal.x / view.z * vec3(1.0, 0.0, -slope.x);
        by_y = focal.y / view.z * vec3(0.0, 1.0, -slope.y);
    }
}

Projection project_gaussian(Attributes a) {
    Projection p;
    vec3 view = (camera_from_world * vec4(a.position, 1.0)).xyz;
    vec3 by_x, by_y;
    linearise(view, p, by_x, by_y);
    mat3 axes = mat3(camera_from_world) * rotation_matrix(a.rotation);
    vec3 deviation = splat_scale * exp(a.log_scale);
    vec3 row_x = deviation * (by_x * axes);
    vec3 row_y = deviation * (by_y * axes);

    // The determinant by Cauchy and Binet: xx * yy - xy * xy cancels to noise for long thin ellipses
    vec3 minors = cross(row_x, row_y);
    p.raw = vec4(dot(row_x, row_x), dot(row_x, row_y), dot(row_y, row_y), dot(minors, minors));
    p.dilated = p.raw + vec4(DILATION, 0.0, DILATION, DILATION * (p.raw.x + p.raw.z + DILATION));
    return p;
}
