#version 430 core
// Normals of the places where paths have met a neural surface; the twin of surface_normal.comp for paths.

#include "layouts.glsl"
#include "path_constants.glsl"
#include "path_state.glsl"
#include "path_surface.glsl"
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
    int i = path_number();
    if (i >= path_count || paths[i].alive == 0u || paths[i].met != number) return;
    vec3 place = paths[i].place.xyz;
    total = weight = vec4(0.0);
    field_sample(true, place, cell_of(place));
    vec3 gradient = total.yzw - total.x / weight.x * weight.yzw;
    float size = length(gradient);
    paths[i].normal.xyz = size > 0.0 ? to_world(gradient) : -paths[i].direction.xyz;
}
