// What becomes of the instances: pairs of a Gaussian and a tile it touches, in the order of the Gaussians.
// Defines: instances.

layout(std430, binding = TILE_INSTANCES_BINDING) buffer Instances {
    uint drawn;   // of the nearest Gaussians, as many as fit
    uint groups;  // with the next two, the arguments of the indirect dispatch that emits them
    uint rows;
    uint one;
    uint records; // the nearest Gaussians, all of whose instances fit
    uint wanted;  // instances of all Gaussians, modulo 2^32
    uint wraps;   // times 2^32
} instances;
