// Light from afar and directions to it; the twin of renderer/path_environment.py.
//
// Reads: path_constants.glsl, uniforms below. Defines: sky_radiance(), sky_draw(), sky_density(), sun_hit(),
// draw_cone(), basis().

uniform sampler2D sky;
uniform vec3 sky_right;    // in the world
uniform vec3 sky_up;
uniform vec3 sky_front;
uniform ivec2 table_size;  // columns, rows
uniform vec3 sun_direction;
uniform vec3 sun_radiance;
uniform float sun_opening; // 1 - cosine of its half angle

layout(std430, binding = SKY_BINDING) readonly buffer Sky { float sky_table[]; }; // rows, then columns of each row

#define LEAST_SINE 1e-6

// Duff et al., "Building an Orthonormal Basis, Revisited", JCGT 6(1), 2017.
mat3 basis(vec3 n) {
    float s = n.z >= 0.0 ? 1.0 : -1.0, a = -1.0 / (s + n.z), b = n.x * n.y * a;
    return mat3(vec3(1.0 + s * n.x * n.x * a, s * b, -s * n.x), vec3(b, s + n.y * n.y * a, -n.y), n);
}

vec3 draw_cone(vec3 axis, float opening, vec2 pair) {
    float height = pair.x * opening, sine = sqrt(max(height * (2.0 - height), 0.0)), angle = 2.0 * PI * pair.y;
    return basis(axis) * vec3(sine * cos(angle), sine * sin(angle), 1.0 - height);
}

// Across and down the picture, 0 to 1.
vec2 sky_place(vec3 direction) {
    float right = dot(direction, sky_right), up = dot(direction, sky_up), front = dot(direction, sky_front);
    return vec2(0.5 + atan(right, front) / (2.0 * PI), acos(clamp(up, -1.0, 1.0)) / PI);
}

vec3 sky_texel(ivec2 at, ivec2 size) {
    return texelFetch(sky, ivec2((at.x + size.x) % size.x, clamp(at.y, 0, size.y - 1)), 0).rgb;
}

vec3 sky_radiance(vec3 direction) {
    ivec2 size = textureSize(sky, 0);
    vec2 place = sky_place(direction) * vec2(size) - 0.5;
    ivec2 first = ivec2(floor(place));
    vec2 share = place - vec2(first);
    vec3 upper = mix(sky_texel(first, size), sky_texel(first + ivec2(1, 0), size), share.x);
    vec3 lower = mix(sky_texel(first + ivec2(0, 1), size), sky_texel(first + 1, size), share.x);
    return mix(upper, lower, share.y);
}

// The last place but one, of `count` + 1 from `first` on, at which the table is at most `x`.
int sky_found(int first, int count, float x) {
    int low = 0, high = count;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (sky_table[first + middle] <= x) low = middle;
        else high = middle;
    }
    return low;
}

int sky_columns(int row) { return table_size.y + 1 + row * (table_size.x + 1); }

vec3 sky_draw(vec2 pair) {
    int row = sky_found(0, table_size.y, pair.y), line = sky_columns(row);
    int column = sky_found(line, table_size.x, pair.x);
    float top = sky_table[row], left = sky_table[line + column];
    float down = (float(row) + (pair.y - top) / (sky_table[row + 1] - top)) / float(table_size.y);
    float across = (float(column) + (pair.x - left) / (sky_table[line + column + 1] - left)) / float(table_size.x);
    float longitude = (across - 0.5) * 2.0 * PI, polar = down * PI;
    return sin(polar) * (sin(longitude) * sky_right + cos(longitude) * sky_front) + cos(polar) * sky_up;
}

float sky_density(vec3 direction) {
    vec2 place = sky_place(direction);
    ivec2 at = clamp(ivec2(place * vec2(table_size)), ivec2(0), table_size - 1);
    int line = sky_columns(at.y) + at.x;
    float share = (sky_table[at.y + 1] - sky_table[at.y]) * (sky_table[line + 1] - sky_table[line]);
    float sine = max(sin(place.y * PI), LEAST_SINE);
    return share * float(table_size.x) * float(table_size.y) / (2.0 * PI * PI * sine);
}

bool sun_hit(vec3 direction) {
    vec3 chord = direction - sun_direction;
    return dot(chord, chord) <= 2.0 * sun_opening;
}

float sun_density() { return sun_opening > 0.0 ? 1.0 / (2.0 * PI * sun_opening) : 0.0; }
