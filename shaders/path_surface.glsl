// A neural surface as an object of a path-traced scene: its frame, and rays of paths in its cells.
//
// Reads: path_constants.glsl, path_state.glsl, uniforms below. Defines: Ray, as surface_march.glsl takes it;
// Ray surface_ray(origin, direction, out cells), to_object(), to_world().

uniform vec4 frame_x;      // object from world, rows
uniform vec4 frame_y;
uniform vec4 frame_z;
uniform vec3 grid_origin;  // in the object's frame
uniform float grid_edge;   // of a cell
uniform uint number;       // of the object plus 1

struct Ray {
    vec3 origin;    // cells
    vec3 direction; // unit
    float z;        // unused: 1
    float start;    // cells along the ray
};

vec3 to_object(vec3 v) { return vec3(dot(frame_x.xyz, v), dot(frame_y.xyz, v), dot(frame_z.xyz, v)); }

vec3 to_world(vec3 normal) {
    return normalize(normal.x * frame_x.xyz + normal.y * frame_y.xyz + normal.z * frame_z.xyz);
}

// `cells`: of a world unit along the ray.
Ray surface_ray(vec3 origin, vec3 direction, out float cells) {
    vec3 d = to_object(direction);
    float size = length(d);
    cells = size / grid_edge;
    vec3 o = to_object(origin) + vec3(frame_x.w, frame_y.w, frame_z.w);
    return Ray((o - grid_origin) / grid_edge, d / size, 1.0, 0.0);
}
