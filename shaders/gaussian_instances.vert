#version 410 core
// Four corners of a Gaussian's quad where there are no storage buffers (OpenGL 4.1): an instance a Gaussian, its record
// in vertex attributes that gaussian_feedback.vert wrote.

#include "gaussian_corner.glsl"

in vec4 centre_axis;
in vec2 minor_opacity;
in vec3 colour;

void main() {
    no_corner();
    put_corner(square_corner(gl_VertexID), centre_axis.xy, centre_axis.zw, minor_opacity.x, colour, minor_opacity.y);
}
