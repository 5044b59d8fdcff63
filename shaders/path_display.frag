#version 410 core
// The light of a path-traced picture as a display shows it: the twin of renderer/tone_mapping.py, whose constants are
// the uniforms. Turned upright: the picture's row 0 is the top, OpenGL's the bottom.

uniform sampler2D traced;     // linear light; alpha is not looked at
uniform int mapping;          // 0 linear, 1 ACES, 2 AgX
uniform float brightness;     // 2^exposure
uniform mat3 aces_input;
uniform mat3 aces_output;
uniform mat3 agx_input;
uniform mat3 agx_output;
uniform vec2 agx_stops;       // log2 of what becomes 0 and 1
uniform float agx_curve[7];   // of a polynomial, the constant first
uniform ivec2 origin;         // of the viewport, pixels

out vec4 shown;

// IEC 61966-2-1
vec3 srgb_of_linear(vec3 c) {
    c = clamp(c, 0.0, 1.0);
    vec3 power = 1.055 * pow(max(c, 0.0031308), vec3(1.0 / 2.4)) - 0.055;
    return mix(c * 12.92, power, greaterThan(c, vec3(0.0031308)));
}

vec3 aces(vec3 light) {
    vec3 v = aces_input * light;
    return aces_output * ((v * (v + 0.0245786) - 0.000090537) / (v * (0.983729 * v + 0.4329510) + 0.238081));
}

vec3 agx(vec3 light) {
    vec3 stops = log2(max(agx_input * light, exp2(agx_stops.x)));
    vec3 x = clamp((stops - agx_stops.x) / (agx_stops.y - agx_stops.x), 0.0, 1.0);
    vec3 curve = vec3(agx_curve[6]);
    for (int power = 5; power >= 0; --power) curve = curve * x + agx_curve[power];
    return agx_output * curve;
}

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy) - origin;
    vec3 light = texelFetch(traced, ivec2(pixel.x, textureSize(traced, 0).y - 1 - pixel.y), 0).rgb;
    light = max(light, 0.0) * brightness;
    vec3 colour = mapping == 2 ? agx(light) : srgb_of_linear(mapping == 1 ? aces(light) : light);
    shown = vec4(clamp(colour, 0.0, 1.0), 1.0);
}
