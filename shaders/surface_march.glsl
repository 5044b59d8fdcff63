// How a ray finds the surface: the march of renderer/surface_reference.py, which says how and why.
//
// Reads: surface_ray.glsl, surface_field.glsl, uniforms below. Defines: March, march_begin(), march_seek(),
// march_absorb().

uniform float tolerance;  // cells, as all lengths here
uniform float relaxation;
uniform float least_step;
uniform float most_step;
uniform float entry;
uniform int steps;        // of a ray, samples and empty cubes together
uniform int refinements;

#define NUDGE 1e-4
#define TINY 1e-12
#define LEFT 0.1

struct March {
    vec3 first;     // where u is 0
    vec3 direction;
    float entered;  // before u is 0
    float end;      // u at the end of the box
    float u;
    float side;     // sign of the run's first sample; 0: no run
    float stride;   // the last step within the run, if something may have been passed
    float low_u, low_g, high_u, high_g; // the last samples on the near and on the far side
    bool let_in, beyond;
    int refined, taken;
    bool under_way, hit;
};

March march_begin(Ray ray) {
    March m;
    m.direction = mix(ray.direction, mix(vec3(TINY), vec3(-TINY), lessThan(ray.direction, vec3(0.0))),
        lessThan(abs(ray.direction), vec3(TINY)));
    vec3 low = -ray.origin / m.direction, high = (vec3(grid_size) - ray.origin) / m.direction;
    vec3 nearer = min(low, high), farther = max(low, high);
    float begins = max(nearer.x, max(nearer.y, nearer.z));
    m.let_in = begins > ray.start;
    m.entered = max(begins, ray.start);
    m.first = ray.origin + m.entered * m.direction;
    m.end = min(farther.x, min(farther.y, farther.z)) - m.entered;
    m.u = m.side = m.stride = m.low_u = m.low_g = m.high_u = m.high_g = 0.0;
    m.beyond = m.hit = false;
    m.refined = m.taken = 0;
    m.under_way = m.end > 0.0;
    return m;
}

vec3 march_place(March m) { return m.first + m.u * m.direction; }

// Through empty cells to the next sample, if there is one: `place` in `cell`. At most `budget` cubes.
bool march_seek(inout March m, inout int budget, out vec3 place, out ivec3 cell) {
    while (m.under_way && budget > 0) {
        --budget;
        if (m.u > m.end || m.taken == steps) {
            m.under_way = false;
            break;
        }
        ++m.taken;
        place = march_place(m);
        cell = cell_of(place);
        int code = cell_code(cell);
        if (code >= 0) return true;
        ivec3 wall = cell + 1 + code - (2 * code + 1) * ivec3(greaterThan(m.direction, vec3(0.0)));
        vec3 far = (vec3(wall) - place) / m.direction;
        m.u += max(min(far.x, min(far.y, far.z)), 0.0) + NUDGE;
        m.side = m.stride = 0.0;
        m.let_in = true;
        m.refined = 0;
    }
    return false;
}

void march_note_side(inout March m, float g) {
    bool beyond = g < 0.0;
    if (m.refined > 0 && beyond == m.beyond) {
        if (beyond) m.low_g *= 0.5;
        else m.high_g *= 0.5;
    }
    if (beyond) {
        m.high_u = m.u;
        m.high_g = g;
    } else {
        m.low_u = m.u;
        m.low_g = g;
    }
    m.beyond = beyond;
}

void march_refine(inout March m) {
    float width = m.high_u - m.low_u;
    ++m.refined;
    m.hit = m.refined > refinements || width < LEFT * tolerance;
    m.u = m.hit ? m.high_u : m.low_u + m.low_g / (m.low_g - m.high_g) * width;
    m.under_way = !m.hit;
}

void march_move(inout March m, float g) {
    if (g + m.low_g < m.stride) { // something may have been passed
        m.u = m.low_u + max(m.low_g, least_step);
        m.stride = 0.0;
        return;
    }
    march_note_side(m, g);
    float step = min(max(relaxation * g, least_step), most_step);
    m.u += step;
    m.stride = step > least_step ? step : 0.0;
}

// `f`: the signed distance at the place march_seek() gave.
void march_absorb(inout March m, float f) {
    if (m.side == 0.0) {
        bool met = m.let_in && f < 0.0 && f > -entry;
        m.side = f < 0.0 && !met ? -1.0 : 1.0;
        if (met) f = 0.0;
    }
    m.let_in = false;
    float g = f * m.side;
    if (abs(g) < tolerance) {
        vec3 ahead = m.first + (m.u + g) * m.direction;
        if (cell_of(ahead) == cell_of(march_place(m))) m.u += g;
        m.hit = true;
        m.under_way = false;
    } else if (m.refined > 0 || g < 0.0) {
        march_note_side(m, g);
        march_refine(m);
    } else {
        march_move(m, g);
    }
}
