// What a footprint costs. Reads: uniform vec2 size. Defines: footprint_pixels().

// About how many pixels of the picture the quad around an ellipse covers.
float footprint_pixels(vec2 centre, vec2 axis, float minor) {
    float major = length(axis);
    vec2 bounds = abs(axis) + abs(axis.yx) * (minor / max(major, 1e-6));
    vec2 inside = max(min(centre + bounds, size) - max(centre - bounds, vec2(0.0)), vec2(0.0));
    return min(inside.x * inside.y, 4.0 * major * minor);
}
