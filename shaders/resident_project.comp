#version 430 core
// Decodes the Gaussians of the visible jobs, projects and shades them: gaussian_decode.comp and gaussian_project.comp
// in one, for a scene that is in video memory in its compressed form only.
// One workgroup, one job of VISIBLE; one thread, one lane of it.
//
// Reads: VISIBLE, JOBS, STREAM, TABLES, NETWORKS. Writes: RECORDS, KEYS; adds to COUNTS.

#include "layouts.glsl"
#include "resident_culling.glsl"

layout(local_size_x = GROUP) in;
layout(std430, binding = JOBS_BINDING) readonly buffer Jobs { ResidentJob jobs[]; };
layout(std430, binding = VISIBLE_BINDING) readonly buffer Visible { uint groups[3]; uint visible_count; uint visible[]; };

uniform uint gaussians;
uniform uint copies;     // records of a Gaussian
uniform int outputs;     // of the networks, as many as the view needs

vec3 coefficient(int k);

#include "gaussian_record.glsl"
#include "resident_gaussian.glsl"
#include "gaussian_write.glsl"

// No further than the arrays go: compilers see calls for coefficients a scene does not have
vec3 coefficient(int k) {
    int at = min(7 + 3 * k, BANK_OUTPUTS - 3);
    return vec3(output_value(at), output_value(at + 1), output_value(at + 2));
}

// Writes the records of one Gaussian; returns the pixels they cover.
float draw(ResidentJob job, uint gaussian, vec3 position) {
    bool seen = box_seen(position, position, splat_scale * job.lowest.w);
    Attributes a;
    if (seen) a = decode_attributes(position, job.network, outputs);
    float pixels = 0.0;
    for (uint copy = 0u; copy < copies; ++copy) {
        Drawn drawn = Drawn(vec2(0.0), vec2(0.0), 0.0, 0.0, vec3(0.0), 0.0);
        if (seen) drawn = drawn_of(a, copy == 1u);
        write_record(copy * gaussians + gaussian, drawn);
        pixels += drawn_pixels(drawn);
    }
    return pixels;
}

void main() {
    uint slot = gl_WorkGroupID.y * uint(DISPATCH_ROW) + gl_WorkGroupID.x;
    if (slot >= visible_count) return;
    ResidentJob job = jobs[visible[slot]];
    bank_load(job.network);
    uint begin = lane_size * gl_LocalInvocationIndex;
    float pixels = 0.0;
    if (begin < job.count) {
        gaussians_begin(job, gl_LocalInvocationIndex);
        uint end = min(begin + lane_size, job.count);
        for (uint i = begin; i < end; ++i) pixels += draw(job, job.first + i, next_gaussian());
    }
    add_cost(pixels, visible[slot]);
}
