#version 430 core
// Paints what a view shows of the hits without any network; the twin is renderer/surface_views.py.

#include "layouts.glsl"

layout(local_size_x = 8, local_size_y = 8) in;
layout(rgba32f, binding = 0) readonly uniform image2D hits;
layout(rgba32f, binding = 1) readonly uniform image2D normals;
layout(rgba32f, binding = 2) uniform image2D picture;    // premultiplied colour and alpha
layout(rg32ui, binding = 3) readonly uniform uimage2D counts;

uniform float sample_share; // of the samples so far, this one's
uniform int view;           // SURFACE_*
uniform vec3 material;
uniform vec2 depth_range;   // at black; 1 / (at white - at black), 0 where that is nothing
uniform float cost_scale;   // stops a network
uniform int last_stop;      // of COST_COLOURS

#include "surface_views.glsl"
#include "surface_ray.glsl"
#include "cluster_colour.glsl"

vec3 cost_colour(float count) {
    float place = clamp(count * cost_scale, 0.0, float(last_stop));
    int stop = min(int(place), last_stop - 1);
    return mix(COST_COLOURS[stop], COST_COLOURS[stop + 1], place - float(stop));
}

vec3 hit_colour(ivec2 pixel) {
    vec4 normal = imageLoad(normals, pixel);
    if (view == SURFACE_NORMAL) return 0.5 + 0.5 * normal.xyz;
    if (view == SURFACE_DEPTH) return vec3(clamp((normal.w - depth_range.x) * depth_range.y, 0.0, 1.0));
    float light = mix(AMBIENT, 1.0, abs(dot(normal.xyz, surface_ray(pixel).direction)));
    if (view == SURFACE_CELLS) return cluster_colour(imageLoad(counts, pixel).x) * mix(SHADOW, 1.0, light);
    return material * light;
}

void main() {
    ivec2 pixel = surface_pixel();
    if (any(greaterThanEqual(pixel, picture_size))) return;
    if (view == SURFACE_COST) {
        float count = float(imageLoad(counts, pixel).y) * sample_share;
        imageStore(picture, pixel, vec4(cost_colour(count), 1.0));
        return;
    }
    vec4 painted = imageLoad(hits, pixel).w >= 0.0 ? vec4(hit_colour(pixel), 1.0) : vec4(0.0);
    vec4 before = sample_share < 1.0 ? imageLoad(picture, pixel) : vec4(0.0);
    imageStore(picture, pixel, mix(before, painted, sample_share));
}
