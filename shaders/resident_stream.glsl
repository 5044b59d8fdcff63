// A lane of the stream: symbols and plain bits, decoded by one thread; the encoder is renderer/resident_lanes.py.
// After J. Duda, "Asymmetric numeral systems" (arXiv 1311.2540); 32-bit states, 16-bit words.
//
// Reads: layouts.glsl. Defines: lane_begin(), lane_symbol(), lane_bits().

layout(std430, binding = STREAM_BINDING) readonly buffer Stream { uint stream[]; }; // two 16-bit words each
layout(std430, binding = TABLES_BINDING) readonly buffer Tables { uint tables[]; }; // heads, then symbol << 16 | start

uint lane_state;
uint lane_next; // word
uint lane_end;

uint stream_word(uint i) { return (stream[i >> 1] >> (16u * (i & 1u))) & 0xFFFFu; }

// The sum of the first `count` bytes from word `first` on, at most 64 of them.
uint sum_of_bytes(uint first, uint count) {
    uint sums = 0u; // of every other byte, in each half
    for (uint i = 0u; i < count; i += 4u) {
        uint bytes = stream[first + (i >> 2)];
        if (count - i < 4u) bytes &= (1u << (8u * (count - i))) - 1u;
        sums += (bytes & 0x00FF00FFu) + (bytes >> 8 & 0x00FF00FFu);
    }
    return (sums & 0xFFFFu) + (sums >> 16);
}

// Lane `lane` of the `lanes` of a job that starts at `word`.
void lane_begin(uint word, uint lanes, uint lane) {
    uint first = 2u * (word + ((lanes + 3u) >> 2)) + sum_of_bytes(word, lane);
    lane_end = first + (stream[word + (lane >> 2)] >> (8u * (lane & 3u)) & 0xFFu);
    lane_state = stream_word(first) << 16 | stream_word(first + 1u);
    lane_next = first + 2u;
}

// The last symbols of a lane come out of the state when no words are left.
void lane_refill() {
    if (lane_state >= 65536u || lane_next >= lane_end) return;
    lane_state = lane_state << 16 | stream_word(lane_next);
    ++lane_next;
}

// `bits` at most 16.
uint lane_bits(uint bits) {
    uint value = lane_state & ((1u << bits) - 1u);
    lane_state >>= bits;
    lane_refill();
    return value;
}

int lane_symbol(uint table) {
    uint head = tables[table];
    uint low = head >> 8;
    uint high = (tables[table + 1u] >> 8) - 1u; // the end mark
    uint slot = lane_state & ((1u << TABLE_PRECISION) - 1u);
    while (high - low > 1u) {
        uint middle = (low + high) >> 1;
        if ((tables[middle] & 0xFFFFu) <= slot) low = middle;
        else high = middle;
    }
    uint start = tables[low] & 0xFFFFu;
    uint frequency = (tables[low + 1u] & 0xFFFFu) - start;
    lane_state = frequency * (lane_state >> TABLE_PRECISION) + slot - start;
    lane_refill();
    int symbol = int(tables[low]) >> 16;
    uint shift = head & 0xFFu;
    return shift == 0u ? symbol : symbol << shift | int(lane_bits(shift));
}
