// The networks of a resident scene: int8 weights times the step of their block, or half floats; and each network's box.
//
// Reads: resident_layout.glsl. Defines: bank_load(), bank_weight(), bank_local().

layout(std430, binding = NETWORKS_BINDING) readonly buffer Networks { uint networks[]; };

uint network_first; // word of the network at hand

float network_float(int i) { return uintBitsToFloat(networks[network_first + uint(i)]); }

float stored_weight(int i) {
#if RESIDENT_STEPS
    int word = int(networks[network_first + uint(i >> 2)]);
    return float(bitfieldExtract(word, 8 * (i & 3), 8)) * network_float(NETWORK_STEPS + bank_block(i));
#else
    vec2 pair = unpackHalf2x16(networks[network_first + uint(i >> 1)]);
    return (i & 1) == 0 ? pair.x : pair.y;
#endif
}

// A position in the box of the network at hand, in [-1, 1].
vec3 bank_local(vec3 position) {
    vec3 centre = vec3(network_float(NETWORK_BOX), network_float(NETWORK_BOX + 1), network_float(NETWORK_BOX + 2));
    vec3 extent = vec3(network_float(NETWORK_BOX + 3), network_float(NETWORK_BOX + 4), network_float(NETWORK_BOX + 5));
    return (position - centre) / extent;
}

#if BANK_SHARED
shared float bank_weights[BANK_PARAMETERS];

float bank_weight(int i) { return bank_weights[i]; }
#else
float bank_weight(int i) { return stored_weight(i); }
#endif

// Weights of `network` into shared memory where they fit, once for the workgroup; all of its threads must come here.
void bank_load(uint network) {
    network_first = network * uint(NETWORK_WORDS);
#if BANK_SHARED
    for (uint i = gl_LocalInvocationIndex; i < uint(BANK_PARAMETERS); i += GROUP) bank_weights[i] = stored_weight(int(i));
    barrier();
#endif
}
