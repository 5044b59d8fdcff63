#version 430 core
// Colours of the places rays have hit, by the appearance networks; one thread, one pixel.

#include "layouts.glsl"

layout(local_size_x = 8, local_size_y = 8) in;
layout(rgba32f, binding = 0) readonly uniform image2D hits;
layout(rgba32f, binding = 1) readonly uniform image2D normals;
layout(rgba32f, binding = 2) uniform image2D picture; // premultiplied colour and alpha

uniform float sample_share; // of the samples so far, this one's

#include "surface_ray.glsl"
#include "surface_field.glsl"
#include "bank_gradient.glsl"

vec3 total;
float weight;

void field_add(vec3 local, float share, vec3 slope) {
    bank_evaluate(local);
    total += share * vec3(bank_outputs[0], bank_outputs[1], bank_outputs[2]);
    weight += share;
}

void main() {
    ivec2 pixel = surface_pixel();
    bool inside = all(lessThan(pixel, picture_size));
    vec4 hit = inside ? imageLoad(hits, pixel) : vec4(-1.0);
    bool wanted = hit.w >= 0.0;
#if BANK_CODES > 1 // six numbers
    vec3 normal = inside ? imageLoad(normals, pixel).xyz : vec3(0.0);
    vec3 direction = surface_ray(pixel).direction;
    bank_codes[0] = vec4(normal, direction.x);
    bank_codes[1] = vec4(direction.yz, 0.0, 0.0);
#endif
    total = vec3(0.0);
    weight = 0.0;
    field_sample(wanted, hit.xyz, cell_of(hit.xyz));
    if (!inside) return;
    vec4 painted = wanted ? vec4(0.5 + 0.5 * total / weight, 1.0) : vec4(0.0);
    vec4 before = sample_share < 1.0 ? imageLoad(picture, pixel) : vec4(0.0);
    imageStore(picture, pixel, mix(before, painted, sample_share));
}
