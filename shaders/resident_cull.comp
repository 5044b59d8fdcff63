#version 430 core
// Lists the jobs of a resident scene that this frame can show; the records of all others are cleared.
// One workgroup, one job, in rows of DISPATCH_ROW.
//
// Reads: JOBS. Writes: VISIBLE, and RECORDS and KEYS of the jobs that are not seen.

#include "layouts.glsl"
#include "resident_culling.glsl"

layout(local_size_x = GROUP) in;
layout(std430, binding = JOBS_BINDING) readonly buffer Jobs { ResidentJob jobs[]; };
layout(std430, binding = VISIBLE_BINDING) buffer Visible { uint groups[3]; uint visible_count; uint visible[]; };
layout(std430, binding = RECORDS_BINDING) writeonly buffer Records { Record records[]; };
layout(std430, binding = KEYS_BINDING) writeonly buffer Keys { uint keys[]; };

uniform uint job_count;
uniform uint gaussians;
uniform uint copies;        // records of a Gaussian
uniform float splat_scale;  // multiplies every standard deviation

void list(uint job) {
    uint slot = atomicAdd(visible_count, 1u);
    visible[slot] = job;
    atomicMax(groups[0], min(slot + 1u, uint(DISPATCH_ROW)));
    atomicMax(groups[1], slot / uint(DISPATCH_ROW) + 1u);
}

void main() {
    uint number = gl_WorkGroupID.y * uint(DISPATCH_ROW) + gl_WorkGroupID.x;
    if (number >= job_count) return;
    ResidentJob job = jobs[number];
    if (box_seen(job.lowest.xyz, job.highest.xyz, splat_scale * job.lowest.w)) {
        if (gl_LocalInvocationIndex == 0u) list(number);
        return;
    }
    for (uint copy = 0u; copy < copies; ++copy) {
        for (uint i = gl_LocalInvocationIndex; i < job.count; i += GROUP) {
            uint record = copy * gaussians + job.first + i;
            records[record] = Record(vec2(0.0), vec2(0.0), 0.0, 0.0, 0u, 0u);
            keys[record] = NOT_DRAWN;
        }
    }
}
