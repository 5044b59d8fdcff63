// The paths of some pixels, one a thread, and what a pass knows of them; see renderer/path_passes.py.
//
// Reads: layouts.glsl, path_constants.glsl, which declares Path. Defines: paths[], path_number().

layout(local_size_x = GROUP) in;
layout(std430, binding = PATHS_BINDING) buffer Paths { Path paths[]; };

uniform int path_count;

int path_number() { return int(gl_GlobalInvocationID.x); }
