// A corner of a Gaussian's quad, from its record; for gaussian_quads.vert, gaussian_triangles.vert and
// gaussian_instances.vert.
//
// Defines: the outputs below, put_corner(), no_corner(), square_corner().

const float QUAD_MARGIN = 1.0 / 64.0; // pixels: corners are rounded to 1/256 of one, which must not cut the ellipse

uniform vec2 size;  // pixels

flat out vec2 centre;          // pixels
flat out vec4 to_unit;         // two rows: offset in pixels -> 1 where alpha falls to MIN_ALPHA
flat out vec4 colour_opacity;  // rgb, log2 of the opacity

vec2 square_corner(int i) { return vec2((i & 1) * 2 - 1, (i & 2) - 1); }

void no_corner() {
    gl_Position = vec4(-2.0, -2.0, 0.0, 1.0);
    centre = vec2(0.0);
    to_unit = vec4(0.0);
    colour_opacity = vec4(0.0);
}

// `local`: the corner in units of the half axes.
void put_corner(vec2 local, vec2 middle, vec2 axis, float minor, vec3 colour, float log_opacity) {
    float major = length(axis);
    if (major == 0.0) return;
    local *= 1.0 + QUAD_MARGIN / vec2(major, minor);
    vec2 across = vec2(-axis.y, axis.x) * (minor / major);
    vec2 pixel = middle + local.x * axis + local.y * across;
    centre = middle;
    to_unit = vec4(axis / (major * major), across / (minor * minor));
    gl_Position = vec4(2.0 * pixel / size - 1.0, 0.0, 1.0);
    colour_opacity = vec4(colour, log_opacity);
}
