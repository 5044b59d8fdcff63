#version 430 core
// The signed distance on a plane, in lines; the twin is in renderer/surface_views.py. One thread, one pixel.

#include "layouts.glsl"

layout(local_size_x = 8, local_size_y = 8) in;
layout(rgba32f, binding = 1) writeonly uniform image2D normals; // of the plane only the depth z, FARTHEST beyond
layout(rgba32f, binding = 2) uniform image2D picture; // premultiplied colour and alpha

uniform float sample_share; // of the samples so far, this one's
uniform vec4 plane;         // unit normal; offset from the grid's origin, cells
uniform float spacing;      // of lines, cells

#include "surface_views.glsl"
#include "surface_ray.glsl"
#include "surface_field.glsl"
#include "bank_gradient.glsl"

float total, weight;

void field_add(vec3 local, float share, vec3 slope) {
    bank_evaluate(local);
    total += share * bank_outputs[0];
    weight += share;
}

// `distance` where a pixel is `pixel` wide, both in cells.
vec3 slice_colour(float distance, float pixel) {
    float to_line = abs(distance - spacing * round(distance / spacing));
    if (to_line < LINE_WIDTH * pixel || abs(distance) < ZERO_WIDTH * pixel) return SLICE_LINE;
    return mix(SLICE_NEAR, distance < 0.0 ? SLICE_INSIDE : SLICE_OUTSIDE, min(abs(distance) / SLICE_REACH, 1.0));
}

void main() {
    ivec2 pixel = surface_pixel();
    bool inside = all(lessThan(pixel, picture_size));
    Ray ray = surface_ray(pixel);
    float slope = dot(ray.direction, plane.xyz);
    float t = slope == 0.0 ? -1.0 : (plane.w - dot(ray.origin, plane.xyz)) / slope;
    vec3 place = ray.origin + t * ray.direction;
    bool within = inside && t > ray.start && all(greaterThanEqual(place, vec3(0.0)))
        && all(lessThan(place, vec3(grid_size)));
    bool wanted = within && cell_code(cell_of(place)) >= 0;
    total = weight = 0.0;
    field_sample(wanted, place, cell_of(place));
    if (!inside) return;
    imageStore(normals, pixel, vec4(vec3(0.0), within ? t * grid_edge * ray.z : FARTHEST));
    float away = camera_kind == CAMERA_ORTHOGRAPHIC ? 1.0 / grid_edge : t * ray.z;
    vec4 painted = within ? vec4(SLICE_EMPTY, 1.0) : vec4(0.0);
    if (wanted) painted.rgb = slice_colour(total / weight, away / focal.y);
    vec4 before = sample_share < 1.0 ? imageLoad(picture, pixel) : vec4(0.0);
    imageStore(picture, pixel, mix(before, painted, sample_share));
}
