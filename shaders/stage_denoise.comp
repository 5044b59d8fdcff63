#version 430 core
// A pass of the wavelet filter of Dammertz et al., Edge-Avoiding A-Trous Wavelet Transform for fast Global Illumination
// Filtering, 2010: light without albedo, blurred over what lies in one plane with it. The twin is in
// renderer/stage_denoise_reference.py.

layout(local_size_x = 8, local_size_y = 8) in;

layout(rgba32f, binding = 0) writeonly uniform image2D after;

uniform sampler2D before;   // light; alpha is handed on
uniform sampler2D normals;  // 0 where light must stay sharp
uniform sampler2D places;
uniform sampler2D albedos;
uniform int spacing;        // pixels between taps
uniform int reach;          // taps to each side
uniform bool first;         // `before` has albedo in it, and is of single samples
uniform bool last;          // `after` shall have it
uniform float least_albedo;
uniform float bend;         // how fast weight falls with the angle out of the plane
uniform float step;         // and with how much light differs, relative to its sum

const vec3 LUMINANCE = vec3(0.2126, 0.7152, 0.0722);

vec3 albedo_at(ivec2 pixel) { return max(texelFetch(albedos, pixel, 0).rgb, vec3(least_albedo)); }

vec3 light_at(ivec2 pixel) {
    vec3 light = texelFetch(before, pixel, 0).rgb;
    return first ? light / albedo_at(pixel) : light;
}

float alike(vec3 a, vec3 b) {
    float x = dot(a, LUMINANCE), y = dot(b, LUMINANCE);
    return first ? 1.0 : exp(-step * abs(x - y) / max(x + y, 1e-6));
}

void main() {
    ivec2 pixel = ivec2(gl_GlobalInvocationID.xy), size = textureSize(before, 0);
    if (any(greaterThanEqual(pixel, size))) return;
    vec4 here = texelFetch(before, pixel, 0);
    vec3 normal = texelFetch(normals, pixel, 0).xyz;
    if (normal == vec3(0.0)) {
        imageStore(after, pixel, here);
        return;
    }
    vec3 place = texelFetch(places, pixel, 0).xyz, middle = light_at(pixel), light = vec3(0.0);
    float sum = 0.0;
    for (int y = -reach; y <= reach; ++y) {
        for (int x = -reach; x <= reach; ++x) {
            ivec2 other = pixel + spacing * ivec2(x, y);
            if (any(lessThan(other, ivec2(0))) || any(greaterThanEqual(other, size))) continue;
            vec3 theirs = texelFetch(normals, other, 0).xyz;
            if (theirs == vec3(0.0)) continue;
            vec3 apart = texelFetch(places, other, 0).xyz - place;
            vec3 seen = light_at(other);
            float away = abs(dot(normal, apart)) / max(length(apart), 1e-12);
            float weight = exp2(-float(abs(x) + abs(y))) * pow(max(dot(normal, theirs), 0.0), 16.0);
            weight *= exp(-bend * away) * alike(middle, seen);
            light += weight * seen;
            sum += weight;
        }
    }
    light = sum > 0.0 ? light / sum : middle;
    imageStore(after, pixel, vec4(last ? light * albedo_at(pixel) : light, here.a));
}
