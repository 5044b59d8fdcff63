#version 430 core
// One pass of the radix sort: every pair to its place, keys of equal digits in their order. One workgroup a span.
// Reads: pairs, how many keys of each digit are in the spans before (table [DIGITS, spans]) and in all (totals).
// Writes: pairs.
//
// A round takes one key a thread. Each thread sets its bit in the mask of its digit; the bits below its own are the
// keys of the round that go before it. So the order does not depend on which thread comes first.

#include "layouts.glsl"

#define WORDS (THREADS / 32)

layout(local_size_x = THREADS) in;
layout(std430, binding = KEYS_IN_BINDING) readonly buffer KeysIn { uint keys_in[]; };
layout(std430, binding = VALUES_IN_BINDING) readonly buffer ValuesIn { uint values_in[]; };
layout(std430, binding = KEYS_OUT_BINDING) writeonly buffer KeysOut { uint keys_out[]; };
layout(std430, binding = VALUES_OUT_BINDING) writeonly buffer ValuesOut { uint values_out[]; };
layout(std430, binding = TABLE_BINDING) readonly buffer Table { uint table[]; };
layout(std430, binding = TOTALS_BINDING) readonly buffer Totals { uint totals[]; };

uniform bool value_is_index; // the value of pair i is i; values_in is not read

#include "prefix_spans.glsl"
#include "prefix_scan.glsl"
#include "sort_digits.glsl"

shared uint next_place[DIGITS];        // of the next key of this digit in this span
shared uint masks[WORDS * DIGITS];     // [word, digit]: which threads have a key of this digit

uint rank_in_round(uint thread, uint digit) {
    uint word = thread / 32u;
    uint rank = bitCount(masks[word * uint(DIGITS) + digit] & ((1u << (thread % 32u)) - 1u));
    for (uint w = 0u; w < word; ++w) rank += bitCount(masks[w * uint(DIGITS) + digit]);
    return rank;
}

// Counts the round's keys of `digit` and clears its masks for the next.
void finish_round(uint digit) {
    uint keys = 0u;
    for (uint w = 0u; w < uint(WORDS); ++w) {
        keys += bitCount(masks[w * uint(DIGITS) + digit]);
        masks[w * uint(DIGITS) + digit] = 0u;
    }
    next_place[digit] += keys;
}

void main() {
    uint thread = gl_LocalInvocationIndex; // also a digit: DIGITS == THREADS
    uint total;
    uint smaller = exclusive_scan(totals[thread], total);
    next_place[thread] = smaller + table[thread * plan.spans + gl_WorkGroupID.x];
    for (uint w = 0u; w < uint(WORDS); ++w) masks[w * uint(DIGITS) + thread] = 0u;

    uint count = plan.count;
    uint rounds = plan.rounds;
    uint i = span_start() + thread;
    for (uint r = 0u; r < rounds; ++r, i += uint(THREADS)) {
        uint key = i < count ? keys_in[i] : 0u;
        bool present = i < count && takes_part(key);
        uint digit = digit_of(key);
        synchronise();
        if (present) atomicOr(masks[(thread / 32u) * uint(DIGITS) + digit], 1u << (thread % 32u));
        synchronise();
        if (present) {
            uint place = next_place[digit] + rank_in_round(thread, digit);
            keys_out[place] = key;
            values_out[place] = value_is_index ? i : values_in[i];
        }
        synchronise();
        finish_round(thread);
    }
}
