#version 430 core
// Decodes neural Gaussians into geometry and SH; the twin of NeuralGaussians.decode in scenes/neural_gaussians.py.
// One workgroup takes one job: Gaussians that follow each other and belong to one network.

#include "layouts.glsl"

layout(local_size_x = GROUP) in;
layout(std430, binding = GEOMETRY_BINDING) buffer Geometries { Geometry geometries[]; };
layout(std430, binding = HARMONICS_BINDING) writeonly buffer Harmonics { float harmonics[]; };
layout(std430, binding = CODES_BINDING) readonly buffer Codes { uint codes[]; }; // two int16 a word
layout(std430, binding = JOBS_BINDING) readonly buffer Jobs { DecodeJob jobs[]; };
layout(std430, binding = BOXES_BINDING) readonly buffer Boxes { vec4 boxes[]; };  // centre, half extent of each

uniform uint first_job;
uniform uint first; // Gaussian of the bound chunk

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
    Geometry g = geometries[i];
    read_codes(gaussian);
    bank_evaluate((g.position_opacity.xyz - boxes[2u * network].xyz) / boxes[2u * network + 1u].xyz);

    g.position_opacity.w = decoded(0);
    g.log_scale = vec4(decoded(1), decoded(2), decoded(3), 0.0);
    g.rotation = normalize(vec4(1.0, decoded(4), decoded(5), decoded(6)));
    geometries[i] = g;
    int coefficients = bank_output_count - 7;
    for (int k = 0; k < coefficients; ++k) harmonics[i * uint(coefficients) + uint(k)] = decoded(7 + k);
}

void main() {
    DecodeJob job = jobs[first_job + gl_WorkGroupID.x];
    bank_load(job.network);
    for (uint i = gl_LocalInvocationIndex; i < job.count; i += GROUP) decode_one(job.network, job.first + i);
}
