#version 430 core
// Rays of some pixels, each through a place of its own: the start of a sample. The twin is _begin() in
// renderer/path_reference.py, with renderer/camera_rays.py.

#include "layouts.glsl"
#include "path_constants.glsl"
#include "path_state.glsl"
#include "path_random.glsl"

uniform int first_pixel;        // pixels are counted along rows
uniform ivec2 picture_size;
uniform int camera_kind;        // CAMERA_*
uniform mat3 world_from_camera;
uniform vec3 eye;               // world
uniform vec2 focal;             // as in scenes/cameras.py
uniform vec2 principal;         // pixels
uniform float near;             // world units

void main() {
    int i = path_number();
    if (i >= path_count) return;
    int pixel = first_pixel + i;
    Path p;
    p.seed = pixel_seed(uint(pixel));
    vec2 place = vec2(pixel % picture_size.x, pixel / picture_size.x) + random_pair(p.seed, PAIR_PIXEL);
    vec2 slope = (place - principal) / focal;
    vec3 origin = eye, direction = vec3(slope, 1.0);
    float z = 1.0;
    if (camera_kind == CAMERA_ORTHOGRAPHIC) {
        origin += world_from_camera * vec3(slope, 0.0);
        direction = vec3(0.0, 0.0, 1.0);
    } else if (camera_kind == CAMERA_EQUIRECTANGULAR) {
        direction = vec3(cos(slope.y) * sin(slope.x), sin(slope.y), cos(slope.y) * cos(slope.x));
    } else {
        direction = normalize(direction);
        z = direction.z;
    }
    direction = world_from_camera * direction;
    p.origin = vec4(origin + near / z * direction, UNLIMITED);
    p.direction = vec4(direction, 0.0);
    p.throughput = vec4(1.0);
    p.light = vec4(vec3(0.0), z);
    p.normal = p.place = p.march = p.march_state = vec4(0.0);
    p.shadow_origin = p.shadow_direction = p.shadow_light = vec4(0.0);
    p.met = 0u;
    p.alive = 1u;
    p.clear = 0u;
    paths[i] = p;
}
