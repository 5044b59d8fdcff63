// The networks of a bank as they are decoded from: float32, in shared memory where they fit.
//
// Reads: layouts.glsl. Defines: bank_load(), bank_weight(), which may be asked for 3 beyond the last (see bank_output_4).

layout(std430, binding = WEIGHTS_BINDING) readonly buffer Weights { float weights[]; };

#if BANK_SHARED
shared float bank_weights[BANK_PARAMETERS + 3];

float bank_weight(int i) { return bank_weights[i]; }

// Weights of `network` into shared memory, once for the workgroup; all of its threads must come here.
void bank_load(uint network) {
    for (uint i = gl_LocalInvocationIndex; i < uint(BANK_PARAMETERS); i += GROUP) {
        bank_weights[i] = weights[network * uint(BANK_PARAMETERS) + i];
    }
    barrier();
}
#else
uint bank_first;

float bank_weight(int i) { return weights[bank_first + min(uint(i), uint(BANK_PARAMETERS) - 1u)]; }

// The network is too large for shared memory and is read where it lies.
void bank_load(uint network) { bank_first = network * uint(BANK_PARAMETERS); }
#endif
