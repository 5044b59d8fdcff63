#version 430 core
// Colours, as linear light, of the places where paths have met a neural surface; the twin of surface_shade.comp for
// paths.

#include "layouts.glsl"
#include "path_constants.glsl"
#include "path_state.glsl"
#include "path_surface.glsl"
#include "surface_field.glsl"
#include "bank_gradient.glsl"

vec3 total;
float weight;

void field_add(vec3 local, float share, vec3 slope) {
    bank_evaluate(local);
    total += share * vec3(bank_outputs[0], bank_outputs[1], bank_outputs[2]);
    weight += share;
}

// IEC 61966-2-1
vec3 linear_of_srgb(vec3 c) {
    return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), greaterThan(c, vec3(0.04045)));
}

void main() {
    int i = path_number();
    if (i >= path_count || paths[i].alive == 0u || paths[i].met != number) return;
#if BANK_CODES > 1 // six numbers: the unit normal and the direction, in the object's frame
    vec3 world = paths[i].normal.xyz;
    mat3 back = inverse(mat3(frame_x.xyz, frame_y.xyz, frame_z.xyz)); // world from object, transposed
    vec3 normal = normalize(back * world), direction = normalize(to_object(paths[i].direction.xyz));
    bank_codes[0] = vec4(normal, direction.x);
    bank_codes[1] = vec4(direction.yz, 0.0, 0.0);
#endif
    vec3 place = paths[i].place.xyz;
    total = vec3(0.0);
    weight = 0.0;
    field_sample(true, place, cell_of(place));
    paths[i].place.xyz = linear_of_srgb(clamp(0.5 + 0.5 * total / weight, 0.0, 1.0));
}
