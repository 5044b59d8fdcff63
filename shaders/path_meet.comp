#version 430 core
// The nearest shape each path meets; neural surfaces come after, in path_march.comp. First, light that was on its way
// to the last vertex is taken in, unless path_block.comp or path_march.comp found something in between.

#include "layouts.glsl"
#include "path_constants.glsl"
#include "path_state.glsl"
#include "path_shapes.glsl"

void main() {
    int i = path_number();
    if (i >= path_count) return;
    if (paths[i].shadow_origin.w > 0.0) {
        paths[i].light.rgb += paths[i].shadow_light.rgb;
        paths[i].shadow_origin.w = 0.0;
    }
    if (paths[i].alive == 0u) return;
    Met met = Met(UNLIMITED, 0u, vec3(0.0, 0.0, 1.0));
    meet_shapes(paths[i].origin.xyz, paths[i].direction.xyz, false, met);
    paths[i].met = met.number;
    paths[i].normal = vec4(normalize(met.normal), met.distance);
    paths[i].place = vec4(0.0);
}
