#version 430 core
// What becomes of paths where they have met something, or nothing: they end in light, or draw a direction to some light
// and go on in another. The twin of _vertex() in renderer/path_reference.py.

#include "layouts.glsl"
#include "path_constants.glsl"
#include "path_state.glsl"
#include "path_random.glsl"
#include "path_environment.glsl"
#include "path_lights.glsl"
#include "path_materials.glsl"

layout(std430, binding = OBJECTS_BINDING) readonly buffer Objects { PathObject objects[]; };
layout(std430, binding = MATERIALS_BINDING) readonly buffer Materials { PathMaterial materials[]; };

layout(std430, binding = TURNS_BINDING) buffer Turns { uint turns[]; }; // of dispatches, 3 for each vertex

// what the first sample of a pixel met first, for renderer/stage_denoise.py
layout(rgba16f, binding = 1) writeonly uniform image2D guide_normals; // 0 where light must not be blurred
layout(rgba32f, binding = 2) writeonly uniform image2D guide_places;
layout(rgba16f, binding = 3) writeonly uniform image2D guide_albedos;

uniform bool guided;
uniform int first_pixel;
uniform ivec2 picture_size;
uniform uint vertex;   // of the path, from 0 on
uniform uint bounces;  // scatterings at most, but for MOST_CLEAR by glass
uniform bool turning;  // the next vertex is for those that need one more
uniform float near;     // world units
uniform float clamp_to; // light after two scatterings

#define ROUGH 0.09 // alpha of metal whose reflections have no edges

#define SHORT 0.9999 // of the way to a lamp, up to which its light may be blocked

vec3 clamped(vec3 light, uint scatterings) {
    float largest = max(light.r, max(light.g, light.b));
    return scatterings < 2u ? light : light * min(1.0, clamp_to / max(largest, 1e-30));
}

// The heuristic's weight of a direction that was drawn with density `mine`, 1 where there was no choice.
float weight(float mine, float other) { return mine > 0.0 ? power_heuristic(mine, other) : 1.0; }

vec3 from_afar(vec3 direction, float density) {
    vec3 light = weight(density, sky_share * sky_density(direction)) * sky_radiance(direction);
    if (sun_hit(direction)) light += weight(density, sun_share * sun_density()) * sun_radiance;
    return light;
}

vec3 from_lamp(Path p, PathObject object) {
    PathLight light = lights[object.light - 1u];
    if (dot(p.normal.xyz, p.direction.xyz) >= 0.0) return vec3(0.0);
    return weight(p.direction.w, area_density(light, p.origin.xyz, p.direction.xyz, p.normal.w)) * light.radiance.rgb;
}

// Light that comes along the ray from where it is made; whether the path ends there.
bool arrives(Path p, PathObject object, PathMaterial material, out vec3 light) {
    light = vec3(0.0);
    if (p.met == 0u) light = from_afar(p.direction.xyz, p.direction.w);
    else if (material.kind == MATERIAL_LIGHT) light = from_lamp(p, object);
    else if (material.kind == MATERIAL_CAPTURED) light = p.place.rgb;
    else return false;
    return true;
}

// Where a ray in `direction` leaves from `point`, so that it does not meet the object again.
vec3 beginning(PathObject object, vec3 point, vec3 normal, vec3 direction) {
    vec3 size = abs(point);
    float step = object.offset + RELATIVE_OFFSET * max(size.x, max(size.y, size.z));
    return point + (dot(direction, normal) < 0.0 ? -step : step) * normal;
}

void draw_direct(inout Path p, PathObject object, PathMaterial material, vec3 albedo, vec3 point, float choice) {
    if (material.kind == MATERIAL_GLASS || (material.kind == MATERIAL_METAL && material.alpha == 0.0)) return;
    // all that is lit is on the side that is seen
    vec3 origin = beginning(object, point, p.normal.xyz, -p.direction.xyz);
    Drawn drawn = draw_light(origin, choice, random_pair(p.seed, PAIR_FIRST + PAIRS * vertex + PAIR_LIGHT));
    if (drawn.density <= 0.0) return;
    vec3 normal = dot(p.normal.xyz, p.direction.xyz) > 0.0 ? -p.normal.xyz : p.normal.xyz;
    vec4 scattered = material.kind == MATERIAL_METAL
        ? metal_light(albedo, material.alpha, normal, -p.direction.xyz, drawn.direction)
        : diffuse_light(albedo, normal, drawn.direction);
    vec3 light = p.throughput.rgb * scattered.rgb * drawn.radiance;
    light *= power_heuristic(drawn.density, scattered.w) / drawn.density;
    if (all(lessThanEqual(light, vec3(0.0)))) return;
    p.shadow_light.rgb = clamped(light, vertex + 1u);
    p.shadow_direction.xyz = drawn.direction;
    p.shadow_origin = vec4(origin, SHORT * drawn.distance);
}

Scattered scatter(Path p, PathMaterial material, vec3 albedo) {
    uint first = PAIR_FIRST + PAIRS * vertex;
    vec3 seen = -p.direction.xyz;
    if (material.kind == MATERIAL_GLASS) {
        bool held = p.clear == MOST_CLEAR && dot(p.normal.xyz, p.direction.xyz) > 0.0;
        if (held) return Scattered(p.direction.xyz, albedo, 0.0, true);
        return glass_scatter(albedo, material.ior, p.normal.xyz, seen, random_pair(p.seed, first + PAIR_LOBE).x);
    }
    vec3 normal = dot(p.normal.xyz, p.direction.xyz) > 0.0 ? -p.normal.xyz : p.normal.xyz;
    vec2 pair = random_pair(p.seed, first + PAIR_SCATTER);
    if (material.kind == MATERIAL_METAL) return metal_scatter(albedo, material.alpha, normal, seen, pair);
    return diffuse_scatter(albedo, normal, pair);
}

void go_on(inout Path p, PathObject object, Scattered s, vec3 point, float chance) {
    vec3 throughput = p.throughput.rgb * s.weight;
    float most = max(throughput.r, max(throughput.g, throughput.b));
    bool alive = s.alive && most > 0.0;
    if (vertex + 1u >= uint(ROULETTE_FROM)) {
        float stay = min(most, 1.0);
        alive = alive && chance < stay;
        throughput /= max(stay, 1e-30);
    }
    p.alive = uint(alive);
    p.throughput.rgb = throughput;
    p.origin.xyz = beginning(object, point, p.normal.xyz, s.direction);
    p.direction = vec4(s.direction, s.density);
}

void guide(int i, Path p, PathMaterial material, vec3 albedo, vec3 point, bool ends) {
    ivec2 pixel = ivec2((first_pixel + i) % picture_size.x, (first_pixel + i) / picture_size.x);
    bool blurred = material.kind == MATERIAL_DIFFUSE || (material.kind == MATERIAL_METAL && material.alpha >= ROUGH);
    vec3 normal = dot(p.normal.xyz, p.direction.xyz) > 0.0 ? -p.normal.xyz : p.normal.xyz;
    imageStore(guide_normals, pixel, vec4(ends || !blurred ? vec3(0.0) : normal, 0.0));
    imageStore(guide_places, pixel, vec4(point, 0.0));
    imageStore(guide_albedos, pixel, vec4(albedo, 0.0));
}

void main() {
    int i = path_number();
    if (i >= path_count || paths[i].alive == 0u) return;
    Path p = paths[i];
    PathObject object = objects[max(p.met, 1u) - 1u];
    PathMaterial material = materials[object.material];
    vec3 light;
    if (vertex == 0u) p.light.w = p.met == 0u ? UNLIMITED : near + p.normal.w * p.light.w;
    bool ends = arrives(p, object, material, light);
    vec3 albedo = material.own_colour != 0u ? p.place.rgb : material.colour.rgb;
    vec3 point = p.origin.xyz + p.normal.w * p.direction.xyz;
    if (guided && vertex == 0u) guide(i, p, material, albedo, point, ends);
    p.light.rgb += clamped(p.throughput.rgb * light, vertex);
    bool clear = material.kind == MATERIAL_GLASS && p.clear < MOST_CLEAR;
    if (ends || (!clear && vertex - p.clear >= bounces)) {
        p.alive = 0u;
        paths[i] = p;
        return;
    }
    p.clear += uint(clear);
    vec2 choices = random_pair(p.seed, PAIR_FIRST + PAIRS * vertex + PAIR_CHOICES);
    draw_direct(p, object, material, albedo, point, choices.x);
    go_on(p, object, scatter(p, material, albedo), point, choices.y);
    if (turning && p.alive != 0u) turns[3u * (vertex + 1u)] = gl_NumWorkGroups.x; // all write the same
    paths[i] = p;
}
