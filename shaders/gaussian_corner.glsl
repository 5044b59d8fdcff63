// A corner of a Gaussian's quad, from its record; for gaussian_quads.vert, gaussian_triangles.vert and
// gaussian_instances.vert.
//
// Reads: uniform below. Defines: the outputs below, put_corner(), no_corner(), square_corner().

const float QUAD_MARGIN = 1.0 / 64.0; // pixels: corners are rounded to 1/256 of one, which must not cut the ellipse
const float HUGE = 2048.0;            // pixels; between corners farther apart interpolation is off by whole levels

uniform vec2 size;  // pixels

// 1 from the centre where alpha falls to MIN_ALPHA. Interpolating it is cheaper than finding it from gl_FragCoord.
smooth out vec2 local; // not noperspective, which Mesa's clipping gets wrong; w is 1
flat out vec4 colour_opacity;  // rgb, log2 of the opacity

vec2 square_corner(int i) { return vec2((i & 1) * 2 - 1, (i & 2) - 1); }

void no_corner() {
    gl_Position = vec4(-2.0, -2.0, 0.0, 1.0);
    local = vec2(0.0);
    colour_opacity = vec4(0.0);
}

// `corner`: in units of the half axes, of a shape around the unit circle.
void put_corner(vec2 corner, vec2 centre, vec2 axis, float minor, vec3 colour, float log_opacity) {
    float major = length(axis);
    if (major == 0.0) return;
    vec2 across = vec2(-axis.y, axis.x) * (minor / major);
    local = corner * (1.0 + QUAD_MARGIN / vec2(major, minor));
    vec2 pixel = centre + local.x * axis + local.y * across;
    if (major > HUGE) { // the whole picture in its place
        pixel = (0.5 + corner) * size;
        local = vec2(dot(axis, pixel - centre) / (major * major), dot(across, pixel - centre) / (minor * minor));
    }
    gl_Position = vec4(2.0 * pixel / size - 1.0, 0.0, 1.0);
    colour_opacity = vec4(colour, log_opacity);
}
