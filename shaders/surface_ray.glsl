// The ray of a pixel, in cells from the grid's origin; the twin of renderer/camera_rays.py.
//
// Reads: layouts.glsl, uniforms below. Defines: Ray surface_ray(ivec2 pixel), surface_pixel(),
// FARTHEST.

const float FARTHEST = 3.0e38; // depth, of where nothing is

uniform ivec2 picture_size;
uniform int first_row;          // of the dispatch, pixels
uniform int camera_kind;        // CAMERA_*
uniform mat3 world_from_camera;
uniform vec3 eye;               // cells
uniform vec2 focal;             // as in scenes/cameras.py
uniform vec2 principal;         // pixels, less the sample's jitter
uniform float near;             // world units
uniform vec3 grid_origin;       // world
uniform float grid_edge;        // of a cell, world units

struct Ray {
    vec3 origin;    // cells
    vec3 direction; // unit
    float z;        // of the depth, a unit along the ray
    float start;    // cells along the ray: the near plane
};

// Of this thread.
ivec2 surface_pixel() { return ivec2(gl_GlobalInvocationID.xy) + ivec2(0, first_row); }

Ray surface_ray(ivec2 pixel) {
    vec2 slope = (vec2(pixel) + 0.5 - principal) / focal;
    Ray ray = Ray(eye, vec3(slope, 1.0), 1.0, 0.0);
    if (camera_kind == CAMERA_ORTHOGRAPHIC) {
        ray.origin += world_from_camera * vec3(slope, 0.0) / grid_edge;
        ray.direction = vec3(0.0, 0.0, 1.0);
    } else if (camera_kind == CAMERA_EQUIRECTANGULAR) {
        ray.direction = vec3(cos(slope.y) * sin(slope.x), sin(slope.y), cos(slope.y) * cos(slope.x));
    } else {
        ray.direction = normalize(ray.direction);
        ray.z = ray.direction.z;
    }
    ray.direction = world_from_camera * ray.direction;
    ray.start = near / (ray.z * grid_edge);
    return ray;
}
