// Directions to light; the twin of renderer/path_lights.py.
//
// Reads: path_constants.glsl, path_environment.glsl, uniforms below. Defines: Drawn, draw_light(), area_density(),
// lights[], power_heuristic().

layout(std430, binding = LIGHTS_BINDING) readonly buffer Lights { PathLight lights[]; };

uniform int light_count;
uniform float sky_share; // of the choices of a light
uniform float sun_share;

struct Drawn {
    vec3 direction; // unit
    float distance; // to the light
    vec3 radiance;
    float density;  // a solid angle; 0: nothing was found
};

// Veach 1997, 9.2.3, with a power of 2.
float power_heuristic(float mine, float other) {
    float ratio = other / mine;
    return mine > 0.0 ? 1.0 / (1.0 + ratio * ratio) : 0.0;
}

// 1 - cosine of the cone that a ball fills; 0 from within.
float opening_of(float radius, float distance) {
    float square = radius / distance;
    square *= square;
    return square < 1.0 ? square / (1.0 + sqrt(1.0 - square)) : 0.0;
}

// With which `direction` is drawn from `point`; `distance`: to where a rectangle is met.
float area_density(PathLight light, vec3 point, vec3 direction, float distance) {
    if (light.corner.w > 0.0) {
        float opening = opening_of(light.corner.w, length(light.corner.xyz - point));
        return opening > 0.0 ? light.share / (2.0 * PI * opening) : 0.0;
    }
    float cosine = -dot(light.normal.xyz, direction);
    return cosine > 0.0 ? light.share * distance * distance / (cosine * light.edge_u.w) : 0.0;
}

float to_ball(vec4 ball, vec3 point, vec3 direction) {
    vec3 towards = ball.xyz - point;
    float along = dot(towards, direction);
    vec3 aside = towards - along * direction;
    return along - sqrt(max(ball.w * ball.w - dot(aside, aside), 0.0));
}

Drawn draw_area(vec3 point, float choice, vec2 pair) {
    int i = 0;
    while (i < light_count - 1 && lights[i].chosen_up_to <= choice) ++i;
    PathLight light = lights[i];
    Drawn drawn = Drawn(vec3(0.0, 0.0, 1.0), 0.0, light.radiance.rgb, 0.0);
    vec3 place = light.corner.xyz;
    if (light.corner.w == 0.0) place += pair.x * light.edge_u.xyz + pair.y * light.edge_v.xyz;
    float size = length(place - point);
    vec3 towards = (place - point) / size;
    drawn.direction = towards;
    drawn.distance = size;
    if (light.corner.w > 0.0) {
        drawn.direction = draw_cone(towards, opening_of(light.corner.w, size), pair);
        drawn.distance = to_ball(light.corner, point, drawn.direction);
    }
    drawn.density = area_density(light, point, drawn.direction, size);
    return drawn;
}

Drawn draw_light(vec3 point, float choice, vec2 pair) {
    if (choice < sky_share) {
        vec3 direction = sky_draw(pair);
        return Drawn(direction, UNLIMITED, sky_radiance(direction), sky_share * sky_density(direction));
    }
    choice -= sky_share;
    if (choice < sun_share) {
        return Drawn(draw_cone(sun_direction, sun_opening, pair), UNLIMITED, sun_radiance, sun_share * sun_density());
    }
    if (light_count == 0) return Drawn(vec3(0.0, 0.0, 1.0), 0.0, vec3(0.0), 0.0);
    return draw_area(point, (choice - sun_share) / (1.0 - sky_share - sun_share), pair);
}
