// How light is scattered; the twin of renderer/path_materials.py, which names the sources. `seen` and `lit` point away
// from the surface.
//
// Reads: path_constants.glsl, path_environment.glsl for basis(). Defines: Scattered, diffuse_light(), metal_light(),
// each scattering times cosine and the density; diffuse_scatter(), metal_scatter(), glass_scatter().

#define LEAST_COSINE 1e-6

struct Scattered {
    vec3 direction; // unit
    vec3 weight;    // scattering times cosine over density
    float density;  // a solid angle; 0: there was no choice
    bool alive;
};

vec4 diffuse_light(vec3 albedo, vec3 normal, vec3 lit) {
    float density = max(dot(normal, lit), 0.0) / PI;
    return vec4(albedo * density, density);
}

Scattered diffuse_scatter(vec3 albedo, vec3 normal, vec2 pair) {
    float angle = 2.0 * PI * pair.y, height = sqrt(max(1.0 - pair.x, 0.0));
    vec3 local = vec3(sqrt(pair.x) * vec2(cos(angle), sin(angle)), height);
    return Scattered(basis(normal) * local, albedo, height / PI, height > 0.0);
}

vec3 schlick(vec3 colour, float cosine) { return colour + (1.0 - colour) * pow(max(1.0 - cosine, 0.0), 5.0); }

// D: the density of facets.
float facets(float alpha, float cosine) {
    float square = alpha * alpha, low = cosine * cosine * (square - 1.0) + 1.0;
    return cosine > 0.0 ? square / (PI * low * low) : 0.0;
}

// G2 and G1 of `seen`.
vec2 shadowing(float alpha, float cos_seen, float cos_lit) {
    float square = alpha * alpha;
    float root_seen = sqrt(square + (1.0 - square) * cos_seen * cos_seen);
    float root_lit = sqrt(square + (1.0 - square) * cos_lit * cos_lit);
    return vec2(2.0 * cos_seen * cos_lit / (cos_seen * root_lit + cos_lit * root_seen),
        2.0 * cos_seen / (cos_seen + root_seen));
}

vec4 metal_light(vec3 colour, float alpha, vec3 normal, vec3 seen, vec3 lit) {
    float cos_seen = dot(normal, seen), cos_lit = dot(normal, lit);
    if (cos_seen <= 0.0 || cos_lit <= 0.0) return vec4(0.0);
    vec3 between = normalize(seen + lit);
    vec2 g = shadowing(alpha, max(cos_seen, LEAST_COSINE), max(cos_lit, LEAST_COSINE));
    float scale = facets(alpha, dot(normal, between)) / (4.0 * max(cos_seen, LEAST_COSINE));
    return vec4(schlick(colour, dot(seen, between)) * scale * g.x, scale * g.y);
}

// Dupuy and Benyoub 2023.
vec3 visible_facet(float alpha, vec3 local, vec2 pair) {
    vec3 stretched = normalize(local * vec3(alpha, alpha, 1.0));
    float z = (1.0 - pair.y) * (1.0 + stretched.z) - stretched.z, angle = 2.0 * PI * pair.x;
    vec3 cap = vec3(sqrt(clamp(1.0 - z * z, 0.0, 1.0)) * vec2(cos(angle), sin(angle)), z) + stretched;
    return normalize(cap * vec3(alpha, alpha, 1.0));
}

Scattered metal_scatter(vec3 colour, float alpha, vec3 normal, vec3 seen, vec2 pair) {
    mat3 frame = basis(normal);
    vec3 local = seen * frame;
    vec3 facet = alpha > 0.0 ? visible_facet(alpha, local, pair) : vec3(0.0, 0.0, 1.0);
    float cosine = dot(local, facet);
    vec3 lit = 2.0 * cosine * facet - local;
    Scattered s = Scattered(frame * lit, schlick(colour, cosine), 0.0, lit.z > 0.0 && local.z > 0.0);
    if (alpha > 0.0) {
        vec2 g = shadowing(alpha, max(local.z, LEAST_COSINE), max(lit.z, LEAST_COSINE));
        s.weight *= g.x / g.y;
        s.density = facets(alpha, facet.z) * g.y / (4.0 * max(local.z, LEAST_COSINE));
    }
    return s;
}

// `ratio`: index of refraction on this side over that on the other; `inner`: the cosine there.
float fresnel(float ratio, float cosine, out float inner) {
    float square = 1.0 - ratio * ratio * (1.0 - cosine * cosine);
    inner = sqrt(max(square, 0.0));
    float across = (ratio * cosine - inner) / (ratio * cosine + inner);
    float along = (cosine - ratio * inner) / (cosine + ratio * inner);
    return square > 0.0 ? 0.5 * (across * across + along * along) : 1.0;
}

Scattered glass_scatter(vec3 tint, float ior, vec3 normal, vec3 seen, float chance) {
    float cosine = dot(normal, seen), inner;
    float ratio = cosine > 0.0 ? 1.0 / ior : ior;
    vec3 towards = cosine > 0.0 ? normal : -normal;
    cosine = abs(cosine);
    if (chance < fresnel(ratio, cosine, inner)) {
        return Scattered(normalize(2.0 * cosine * towards - seen), vec3(1.0), 0.0, true);
    }
    return Scattered(normalize((ratio * cosine - inner) * towards - ratio * seen), tint, 0.0, true);
}
