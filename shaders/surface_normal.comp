#version 430 core
// Normals of the places rays have hit, by forward-mode derivatives of the blend; one thread, one pixel.

#include "layouts.glsl"

layout(local_size_x = 8, local_size_y = 8) in;
layout(rgba32f, binding = 0) readonly uniform image2D hits;
layout(rgba32f, binding = 1) writeonly uniform image2D normals; // unit, world; depth z, FARTHEST without a hit

#include "surface_ray.glsl"
#include "surface_field.glsl"
#include "bank_gradient.glsl"

vec4 total;  // the sum of the parts and its slope, cells
vec4 weight;

void field_add(vec3 local, float share, vec3 slope) {
    bank_evaluate(local);
    vec4 value = bank_outputs[0];
    value.yzw *= 2.0 / (1.0 + overlap); // by places
    total += vec4(share * value.x, share * value.yzw + value.x * slope);
    weight += vec4(share, slope);
}

void main() {
    ivec2 pixel = surface_pixel();
    bool inside = all(lessThan(pixel, picture_size));
    vec4 hit = inside ? imageLoad(hits, pixel) : vec4(-1.0);
    bool wanted = hit.w >= 0.0;
    total = weight = vec4(0.0);
    field_sample(wanted, hit.xyz, cell_of(hit.xyz));
    if (inside && !wanted) imageStore(normals, pixel, vec4(vec3(0.0), FARTHEST));
    if (!wanted) return;
    Ray ray = surface_ray(pixel);
    vec3 gradient = total.yzw - total.x / weight.x * weight.yzw;
    float size = length(gradient);
    vec3 normal = size > 0.0 ? gradient / size : -ray.direction;
    imageStore(normals, pixel, vec4(normal, hit.w * ray.z));
}
