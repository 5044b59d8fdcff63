// The depth of a Gaussian's centre, for leaving it out behind what covers it (COVERED); for gaussian_quads.vert and
// gaussian_triangles.vert.
//
// Reads: DEPTHS. Defines: the output below, put_depth().

#ifdef COVERED
layout(std430, binding = DEPTHS_BINDING) readonly buffer Depths { float depths[]; }; // of all records, world units

flat out float centre_depth;

void put_depth(uint record) { centre_depth = depths[record]; }
#else
void put_depth(uint record) {}
#endif
