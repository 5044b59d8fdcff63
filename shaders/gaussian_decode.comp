#version 430 core
// Decodes neural Gaussians into geometry and SH; the twin of NeuralGaussians.decode in scenes/neural_gaussians.py.
// One workgroup takes one job: Gaussians that follow each other and belong to one network.

#include "layouts.glsl"

layout(local_size_x = GROUP) in;
layout(std430, binding = GEOMETRY_BINDING) buffer Geometries { Geometry geometries[]; };
layout(std430, binding = HARMONICS_BINDING) writeonly buffer Harmonics { uint harmonics[]; }; // two half floats a word
layout(std430, binding = CODES_BINDING) readonly buffer Codes { uint codes[]; }; // two int16 a word
layout(std430, binding = JOBS_BINDING) readonly buffer Jobs { DecodeJob jobs[]; };
layout(std430, binding = BOXES_BINDING) readonly buffer Boxes { vec4 boxes[]; };  // centre, half extent of each

uniform uint first_job;
uniform int harmonic_words; // a Gaussian
uniform uint first; // Gaussian of the bound chunk

#include "gaussian_packed.glsl"
#include "bank_network.glsl"

uniform vec2 output_transform[BANK_OUTPUTS]; // offset, scale

float decoded(int i) { return output_transform[i].x + output_transform[i].y * bank_outputs[i]; }

void read_codes(uint gaussian) {
    for (int c = 0; c < bank_code; ++c) {
        uint i = gaussian * uint(bank_code) + uint(c);
        bank_codes[c] = float(bitfieldExtract(int(codes[i >> 1]), int(i & 1u) * 16, 16));
    }
}

void decode_one(uint network, uint gaussian) {
    uint i = gaussian - first;
    Attributes a;
    a.position = uintBitsToFloat(geometries[i].position_cluster.xyz);
    read_codes(gaussian);
    bank_evaluate((a.position - boxes[2u * network].xyz) / boxes[2u * network + 1u].xyz);

    a.cluster = network;
    a.opacity_logit = decoded(0);
    a.log_scale = vec3(decoded(1), decoded(2), decoded(3));
    a.rotation = vec4(1.0, decoded(4), decoded(5), decoded(6));
    geometries[i].position_cluster.w = pack_cluster(a);
    geometries[i].shape = pack_shape(a);
    int numbers = bank_output_count - 7;
    for (int k = 0; k < numbers; k += 2) {
        float odd = k + 1 < numbers ? decoded(8 + k) : 0.0;
        harmonics[i * uint(harmonic_words) + uint(k >> 1)] = packHalf2x16(vec2(decoded(7 + k), odd));
    }
}

void main() {
    DecodeJob job = jobs[first_job + gl_WorkGroupID.x];
    bank_load(job.network);
    for (uint i = gl_LocalInvocationIndex; i < job.count; i += GROUP) decode_one(job.network, job.first + i);
}
