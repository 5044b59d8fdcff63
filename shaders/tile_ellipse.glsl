// Which tiles a Gaussian's ellipse touches: exactly those with a pixel centre's rectangle that meets the ellipse.
// An ellipse is convex, so in each row of tiles they are one span; its ends have a closed form (as in AccuTile, Hanson
// et al. 2025, "Speedy-Splat").
//
// Reads: layouts.glsl, TILE and the uniforms below.
// Defines: Ellipse, is_drawn(), ellipse_of(), tile_rows(), row_span(), range_between().
// Everything is `precise`: the counting and the emitting shader must come to the same tiles, bit by bit.

uniform vec2 size;    // pixels
uniform uint columns; // tiles in a row

// Relative to the centre the boundary is at x = shear * y +- width * sqrt(extent.y^2 - y^2)
struct Ellipse {
    vec2 centre;
    vec2 extent; // half of the bounding box
    float shear;
    float width;
    float turn;  // y of the rightmost point
};

// False for a record without area, and for what overflowed
bool is_drawn(Record r) {
    float squares = dot(r.axis, r.axis) + r.minor * r.minor;
    return dot(r.axis, r.axis) > 0.0 && r.minor > 0.0 && squares < 1e37 && dot(abs(r.centre), vec2(1.0)) < 1e18;
}

// Larger by what float32 may be wrong by when a pixel is tested against the ellipse: nothing that is drawn is missed
Ellipse ellipse_of(Record r) {
    precise float major = length(r.axis);
    precise float margin = 1e-3 + 1e-6 * major;
    precise vec2 along = r.axis * (1.0 + margin / major);
    precise vec2 across = vec2(-r.axis.y, r.axis.x) * ((r.minor + margin) / major);
    precise float covariance = along.x * along.y + across.x * across.y;
    precise vec2 extent = sqrt(along * along + across * across);
    precise float shear = covariance / extent.y / extent.y;
    precise float width = (major + margin) / extent.y * ((r.minor + margin) / extent.y);
    precise float turn = covariance / extent.x;
    return Ellipse(r.centre, extent, shear, width, turn);
}

// First and number of the tiles along an axis of `length` pixels that have a pixel centre between low and high
uvec2 tiles_between(float low, float high, float length) {
    low = max(low, 0.5);
    high = min(high, length - 0.5);
    if (!(low <= high)) return uvec2(0u);
    precise float first = ceil((low - (float(TILE) - 0.5)) / float(TILE));
    precise float last = floor((high - 0.5) / float(TILE));
    return uvec2(uint(first), uint(max(last - first + 1.0, 0.0)));
}

// First and number of the rows of tiles
uvec2 tile_rows(Ellipse e) {
    precise float low = e.centre.y - e.extent.y;
    precise float high = e.centre.y + e.extent.y;
    return tiles_between(low, high, size.y);
}

// Where the ellipse begins and ends from left to right, within top <= y <= bottom relative to its centre, which must
// have a part of it. The boundary's halves are concave: they reach farthest where they turn, or at the nearest end.
vec2 range_between(Ellipse e, float top, float bottom) {
    precise vec2 y = clamp(clamp(vec2(-e.turn, e.turn), top, bottom), -e.extent.y, e.extent.y);
    precise vec2 half_width = e.width * sqrt(max((e.extent.y - y) * (e.extent.y + y), 0.0)) + 1e-6 * e.extent.x;
    precise vec2 middle = e.centre.x + e.shear * y;
    precise vec2 range = middle + vec2(-half_width.x, half_width.y);
    return range;
}

// First and number of the tiles in a row
uvec2 row_span(Ellipse e, uint row) {
    precise float top = float(row * TILE) + 0.5 - e.centre.y;
    precise float bottom = min(float(row * TILE + TILE) - 0.5, size.y - 0.5) - e.centre.y;
    vec2 range = range_between(e, top, bottom);
    return tiles_between(range.x, range.y, size.x);
}
