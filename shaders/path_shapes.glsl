// Rays against planes, balls, boxes, rectangles and meshes; the twin of renderer/path_shapes.py and of trace_tree() in
// renderer/path_bvh.py. A ray goes into an object's frame without being made unit again.
//
// Reads: path_constants.glsl, uniforms below. Defines: Met, meet_shapes(), object_frame(), objects[].

layout(std430, binding = OBJECTS_BINDING) readonly buffer Objects { PathObject objects[]; };
layout(std430, binding = NODES_BINDING) readonly buffer Nodes { PathNode nodes[]; };
layout(std430, binding = TRIANGLES_BINDING) readonly buffer Triangles { PathTriangle triangles[]; };

uniform int object_count;

#define TINY 1e-12
#define NOWHERE -1.0

struct Met {
    float distance; // world units
    uint number;    // of the object plus 1; 0: nothing
    vec3 normal;    // world, out of the object, of any length
};

mat3 object_frame(PathObject o) { // rows are columns: m * v is the transpose's
    return mat3(o.row_x.xyz, o.row_y.xyz, o.row_z.xyz);
}

float meet_plane(vec3 o, vec3 d) {
    float t = -o.z / d.z;
    return t > 0.0 ? t : NOWHERE; // also of 0 / 0
}

// Without the cancellation of the textbook (Haines et al., Ray Tracing Gems, 2019, chapter 7).
float meet_sphere(vec3 o, vec3 d) {
    float a = dot(d, d), b = -dot(o, d);
    vec3 nearest = o + b / a * d;
    float room = 1.0 - dot(nearest, nearest);
    if (room <= 0.0) return NOWHERE;
    float q = b + (b < 0.0 ? -1.0 : 1.0) * sqrt(a * room);
    float first = (dot(o, o) - 1.0) / q, second = q / a;
    float low = min(first, second), high = max(first, second);
    return low > 0.0 ? low : high > 0.0 ? high : NOWHERE;
}

vec3 away_from_zero(vec3 d) {
    return mix(d, mix(vec3(TINY), vec3(-TINY), lessThan(d, vec3(0.0))), lessThan(abs(d), vec3(TINY)));
}

float meet_box(vec3 o, vec3 d, out vec3 normal) {
    vec3 slope = away_from_zero(d);
    vec3 low = (-1.0 - o) / slope, high = (1.0 - o) / slope;
    vec3 nearer = min(low, high), farther = max(low, high);
    float entry = max(nearer.x, max(nearer.y, nearer.z)), leave = min(farther.x, min(farther.y, farther.z));
    bool outside = entry > 0.0;
    vec3 ends = outside ? nearer : farther;
    float t = outside ? entry : leave;
    normal = ends.x == t ? vec3(1.0, 0.0, 0.0) : ends.y == t ? vec3(0.0, 1.0, 0.0) : vec3(0.0, 0.0, 1.0);
    // against the ray where it comes in, along it where it leaves
    if ((dot(normal, slope) > 0.0) == outside) normal = -normal;
    return entry <= leave && t > 0.0 ? t : NOWHERE;
}

// Moeller and Trumbore 1997.
float meet_triangle(PathTriangle t, vec3 o, vec3 d) {
    vec3 across = cross(d, t.second.xyz);
    float size = dot(t.first.xyz, across);
    if (size == 0.0) return NOWHERE;
    vec3 offset = o - t.corner.xyz;
    float u = dot(offset, across) / size;
    vec3 around = cross(offset, t.first.xyz);
    float v = dot(d, around) / size, distance = dot(t.second.xyz, around) / size;
    return u >= 0.0 && v >= 0.0 && u + v <= 1.0 && distance > 0.0 ? distance : NOWHERE;
}

bool in_box(PathNode node, vec3 o, vec3 slope, float most) {
    vec3 low = (node.lowest.xyz - o) / slope, high = (node.highest.xyz - o) / slope;
    vec3 nearer = min(low, high), farther = max(low, high);
    float near = max(nearer.x, max(nearer.y, nearer.z)), far = min(farther.x, min(farther.y, farther.z));
    return near <= far * (1.0 + 1e-6) && far >= 0.0 && near < most;
}

// The nearest triangle nearer than `most`, or with `any` the first that is found.
float meet_mesh(uint root, vec3 o, vec3 d, float most, bool any, out vec3 normal) {
    vec3 slope = away_from_zero(d);
    uint stack[BVH_STACK];
    int height = 1;
    stack[0] = root;
    float nearest = most, found = NOWHERE;
    normal = vec3(0.0);
    while (height > 0) {
        PathNode node = nodes[stack[--height]];
        if (!in_box(node, o, slope, nearest)) continue;
        if (node.count == 0u) {
            stack[height++] = node.first + 1u;
            stack[height++] = node.first;
            continue;
        }
        for (uint k = 0u; k < node.count; ++k) {
            PathTriangle t = triangles[node.first + k];
            float distance = meet_triangle(t, o, d);
            if (distance < 0.0 || distance >= nearest) continue;
            nearest = found = distance;
            normal = cross(t.first.xyz, t.second.xyz);
            if (any) return found;
        }
    }
    return found;
}

float meet_shape(PathObject object, vec3 o, vec3 d, float most, bool any, out vec3 normal) {
    normal = vec3(0.0, 0.0, 1.0);
    if (object.kind == SHAPE_PLANE) return meet_plane(o, d);
    if (object.kind == SHAPE_RECTANGLE) {
        float t = meet_plane(o, d);
        return all(lessThanEqual(abs(o.xy + t * d.xy), vec2(0.5))) ? t : NOWHERE;
    }
    if (object.kind == SHAPE_SPHERE) {
        float t = meet_sphere(o, d);
        normal = o + t * d;
        return t;
    }
    if (object.kind == SHAPE_BOX) return meet_box(o, d, normal);
    return object.kind == SHAPE_MESH ? meet_mesh(object.first, o, d, most, any, normal) : NOWHERE;
}

// The nearest shape nearer than `met.distance`, or with `any` the first that is found; neural surfaces are left out.
void meet_shapes(vec3 origin, vec3 direction, bool any, inout Met met) {
    for (int i = 0; i < object_count; ++i) {
        PathObject object = objects[i];
        mat3 frame = object_frame(object);
        vec3 o = origin * frame + vec3(object.row_x.w, object.row_y.w, object.row_z.w), d = direction * frame;
        vec3 normal;
        float t = meet_shape(object, o, d, met.distance, any, normal);
        if (t < 0.0 || t >= met.distance) continue;
        met = Met(t, uint(i) + 1u, frame * normal);
        if (any) return;
    }
}
