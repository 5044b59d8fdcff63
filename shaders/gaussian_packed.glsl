// A Gaussian's attributes and their 32 bytes in GEOMETRY; the twin is renderer/packed_geometry.py.
//
// Reads: layouts.glsl. Defines: struct Attributes, unpack_geometry(), pack_shape(), pack_cluster().
// Bits are taken apart by hand: packUnorm2x16 and its kin are missing from OpenGL 4.1.

struct Attributes {
    vec3 position;       // world
    vec3 log_scale;      // ln of the standard deviations in world units
    vec4 rotation;       // quaternion w, x, y, z, of any non-zero length
    float opacity_logit;
    uint cluster;
};

float low_share(uint word) { return float(word & 0xFFFFu) / 65535.0; }
float high_share(uint word) { return float(word >> 16) / 65535.0; }
float low_signed(uint word) { return (float(word & 0xFFFFu) - 32768.0) / 32767.0; }
float high_signed(uint word) { return (float(word >> 16) - 32768.0) / 32767.0; }

Attributes unpack_geometry(uvec4 position_cluster, uvec4 shape) {
    Attributes a;
    a.position = uintBitsToFloat(position_cluster.xyz);
    a.cluster = position_cluster.w & 0xFFFFu;
    a.opacity_logit = LOGIT_LIMIT * (2.0 * high_share(position_cluster.w) - 1.0);
    a.log_scale = LOG_SCALE_LIMIT * (2.0 * vec3(low_share(shape.x), high_share(shape.x), low_share(shape.y)) - 1.0);
    a.rotation = vec4(low_signed(shape.z), high_signed(shape.z), low_signed(shape.w), high_signed(shape.w));
    return a;
}

uint share_bits(float value, float limit) {
    return uint(clamp(0.5 * value / limit + 0.5, 0.0, 1.0) * 65535.0 + 0.5);
}

uint signed_bits(float value) { return uint(clamp(value, -1.0, 1.0) * 32767.0 + 32768.5); }

uint pack_cluster(Attributes a) { return (a.cluster & 0xFFFFu) | share_bits(a.opacity_logit, LOGIT_LIMIT) << 16; }

uvec4 pack_shape(Attributes a) {
    vec4 q = normalize(a.rotation);
    return uvec4(
        share_bits(a.log_scale.x, LOG_SCALE_LIMIT) | share_bits(a.log_scale.y, LOG_SCALE_LIMIT) << 16,
        share_bits(a.log_scale.z, LOG_SCALE_LIMIT),
        signed_bits(q.x) | signed_bits(q.y) << 16,
        signed_bits(q.z) | signed_bits(q.w) << 16);
}
