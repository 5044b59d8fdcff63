// The digit that a pass of the radix sort sorts by, and which keys take part.
// Defines: digit_of(), takes_part().

uniform uint digit_shift;
uniform uint digit_mask;    // 2^bits - 1, at most DIGITS - 1
uniform bool drawn_only;    // keys equal to NOT_DRAWN are dropped

uint digit_of(uint key) { return (key >> digit_shift) & digit_mask; }

bool takes_part(uint key) { return !drawn_only || key != NOT_DRAWN; }
