#version 430 core
// Whether shapes are in the way of light that is on its way to the paths' vertices.

#include "layouts.glsl"
#include "path_constants.glsl"
#include "path_state.glsl"
#include "path_shapes.glsl"

void main() {
    int i = path_number();
    if (i >= path_count || paths[i].shadow_origin.w <= 0.0) return;
    Met met = Met(paths[i].shadow_origin.w, 0u, vec3(0.0));
    meet_shapes(paths[i].shadow_origin.xyz, paths[i].shadow_direction.xyz, true, met);
    if (met.number != 0u) paths[i].shadow_origin.w = 0.0;
}
