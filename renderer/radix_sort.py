"""Stable radix sort of pairs on the GPU, least significant digit first, with nothing read back.

A pass takes a digit of up to 8 bits: count the digits of each span, scan the counts over the spans, move every pair to
its place (`sort_histogram.comp`, `prefix_rows.comp`, `sort_scatter.comp`). Equal keys always keep the order of the
input. Only OpenGL 4.3 is needed: no subgroups, and no workgroup waits for another, which OpenGL does not promise to end
(so not one pass a digit as in Adinets and Merrill, Onesweep, 2022).

Binding points 0 to 7 are free to use before and after, not kept.
"""

from __future__ import annotations

import moderngl
import numpy as np

from renderer.prefix_sum import DEFINES, THREADS, Spans, allocate, bind
from renderer.shader_library import compile_compute, set_uniforms

DIGIT_BITS = 8
DIGITS = 2**DIGIT_BITS
KEY_BITS = 32
assert DIGITS == THREADS, "a thread of the sort's shaders counts one digit"


def digit_widths(bits: int) -> list[int]:
    """Bits of the digit of each pass, lowest first, as even as can be: 13 -> [7, 6]. Narrow digits scatter less."""
    if not 1 <= bits <= KEY_BITS:
        raise ValueError(f"sort: expected 1 to {KEY_BITS} bits, found {bits}")
    passes = -(-bits // DIGIT_BITS)
    return [-(-(bits - k) // passes) for k in range(passes)]


class RadixSort:
    """Sorts up to `capacity` pairs. After a sort, `keys` and `values` hold the pairs and `count` their number.

    All three are uints; `count` in its first element, what follows there is of no use to others. They stay valid until
    the next sort or `reserve`. Entries past the count are of no meaning.
    """

    def __init__(self, context: moderngl.Context) -> None:
        self.context = context
        self._spans = Spans(context, THREADS)
        self._histogram = compile_compute(context, "sort_histogram.comp", DEFINES)
        self._scatter = compile_compute(context, "sort_scatter.comp", DEFINES)
        self._totals = allocate(context, DIGITS, "sort")
        self._no_count = context.buffer(np.full(1, 0xFFFFFFFF, np.uint32))  # for counts that the CPU limits
        self.count = self._spans.plan
        self._buffers: list[moderngl.Buffer] = []  # two pairs of keys and values that passes go back and forth between
        self._allocate(0)

    @property
    def bytes(self) -> int:
        """Video memory of pairs and table."""
        return sum(buffer.size for buffer in (*self._buffers, self._table))

    def reserve(self, capacity: int) -> None:
        """Room for `capacity` pairs, 16 bytes each. Raises `KilofieldError` where the device has none."""
        if capacity != self.capacity:
            self._release_buffers()
            self._allocate(capacity)

    def _allocate(self, capacity: int) -> None:
        self.capacity = 0
        self._buffers = []
        for _ in range(4):
            self._buffers.append(allocate(self.context, capacity, "sort"))
        self._table = allocate(self.context, DIGITS * self._spans.most(capacity), "sort")
        self.capacity = capacity
        self.keys, self.values = self._buffers[:2]

    def sort_drawn(self, keys: moderngl.Buffer, count: int) -> None:
        """Sorts the first `count` `keys` that are not `NOT_DRAWN`, ascending; the values are their indices.

        `keys` is only read. What shaders wrote into it before is seen.
        """
        if count > self.capacity:
            raise ValueError(f"sort: expected at most {self.capacity:,} keys, found {count:,}")
        self._check(keys)
        self._spans.cut(self._no_count, count)
        shift = 0
        pairs = (keys, keys)
        for width in digit_widths(KEY_BITS):
            pairs = self._pass(pairs, shift, width, first=shift == 0)
            if shift == 0:
                self._spans.cut(self._totals, self.capacity, sources=DIGITS)
            shift += width
        self.keys, self.values = pairs

    def sort_pairs(self, keys: moderngl.Buffer, values: moderngl.Buffer, count: moderngl.Buffer, bits: int) -> None:
        """Sorts the first `count[0]` pairs, at most `capacity`, ascending by the low `bits` bits of `keys`.

        `keys` and `values` are only read. What shaders wrote into them and into `count` before is seen.
        """
        self._check(keys, values)
        widths = digit_widths(bits)
        self._spans.cut(count, self.capacity)
        shift = 0
        pairs = (keys, values)
        for width in widths:
            pairs = self._pass(pairs, shift, width)
            shift += width
        self.keys, self.values = pairs

    def _check(self, *inputs: moderngl.Buffer) -> None:
        if any(buffer is own for buffer in inputs for own in self._buffers):
            raise ValueError("sort: expected buffers other than the sorter's own, which it writes to")

    def _pass(
        self, pairs: tuple[moderngl.Buffer, moderngl.Buffer], shift: int, width: int, first: bool = False
    ) -> tuple[moderngl.Buffer, moderngl.Buffer]:
        """One pass from `pairs` into the own pair of buffers they are not in, which it returns."""
        keys, values = self._buffers[2:] if pairs[0] is self._buffers[0] else self._buffers[:2]
        for shader in (self._histogram, self._scatter):
            set_uniforms(shader, digit_shift=shift, digit_mask=2**width - 1, drawn_only=first, value_is_index=first)
        bind(keys_in=pairs[0], table=self._table)
        self._spans.run(self._histogram)
        self._spans.scan_rows(self._table, self._totals, DIGITS)
        bind(values_in=pairs[1], keys_out=keys, values_out=values)
        self._spans.run(self._scatter)
        return keys, values

    def _release_buffers(self) -> None:
        for buffer in (*self._buffers, self._table):
            buffer.release()

    def release(self) -> None:
        """Frees everything in video memory."""
        self._release_buffers()
        for thing in (self._totals, self._no_count, self._histogram, self._scatter, self._spans):
            thing.release()
