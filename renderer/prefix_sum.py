"""Prefix sums on the GPU, of as many values as a buffer says: the CPU never learns how many.

The work is cut into at most `MAX_SPANS` spans of whole rounds, one a workgroup (as in AMD's FidelityFX Parallel Sort),
so that no dispatch passes OpenGL's 65,535 workgroups and no workgroup waits for another: reduce each span, scan the
spans' sums, scan each span. The radix sort shares `Spans`.

Binding points 0 to 7 are free to use before and after, not kept.
"""

from __future__ import annotations

import moderngl
import numpy as np

from renderer.shader_library import compile_compute, set_uniforms
from renderer.video_memory import memory_for
from scenes.errors import KilofieldError

THREADS = 256  # of a workgroup; the digits of the radix sort too
PER_THREAD = 4  # values of one thread in a round of the prefix sum
MAX_SPANS = 2048  # enough to fill a large GPU, few enough that the sort's table of 256 rows stays small
LEAST_ROUNDS = 4  # of a span, when there are enough elements

# a set of its own, all of OpenGL 4.3's eight
BINDINGS = {
    "KEYS_IN": 0,
    "VALUES_IN": 1,
    "KEYS_OUT": 2,
    "VALUES_OUT": 3,
    "TABLE": 4,
    "TOTALS": 5,
    "PLAN": 6,
    "COUNTED": 7,
}
DEFINES = {
    "THREADS": THREADS,
    "DIGITS": THREADS,
    "PER_THREAD": PER_THREAD,
    **{f"{name}_BINDING": number for name, number in BINDINGS.items()},
}
PLAN_UINTS = 6  # see prefix_spans.glsl
PLAN_ARGUMENTS = 4  # bytes: where the indirect dispatch's arguments start

READ_BY_ANYTHING = (
    moderngl.SHADER_STORAGE_BARRIER_BIT
    | moderngl.COMMAND_BARRIER_BIT
    | moderngl.VERTEX_ATTRIB_ARRAY_BARRIER_BIT
    | moderngl.BUFFER_UPDATE_BARRIER_BIT
)


def bind(**buffers: moderngl.Buffer) -> None:
    """Binds each buffer to its place in `BINDINGS`, by the name in lower case."""
    for name, buffer in buffers.items():
        buffer.bind_to_storage_buffer(BINDINGS[name.upper()])


def allocate(context: moderngl.Context, uints: int, purpose: str) -> moderngl.Buffer:
    """A buffer of `uints`, at least one.

    Raises `KilofieldError` where one so large cannot be bound, or there is no room.
    """
    size = 4 * max(uints, 1)
    limit = int(context.info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"])
    if size > limit:
        raise KilofieldError(f"{purpose}: expected at most {limit // 4:,} entries on this device, found {uints:,}")
    with memory_for(context, size, f"{uints:,} entries of the {purpose}"):
        return context.buffer(reserve=size)


class Spans:
    """Cuts elements into spans and runs shaders on them, `round_size` elements a round."""

    def __init__(self, context: moderngl.Context, round_size: int) -> None:
        self.context = context
        self.round_size = round_size
        self.plan = context.buffer(np.zeros(PLAN_UINTS, np.uint32))  # its first uint is the number of elements
        self._planner = compile_compute(context, "prefix_plan.comp", DEFINES)
        self._rows = compile_compute(context, "prefix_rows.comp", DEFINES)

    def most(self, capacity: int) -> int:
        """The most spans that `capacity` elements are cut into."""
        return max(1, min(MAX_SPANS, -(-capacity // (self.round_size * LEAST_ROUNDS))))

    def cut(self, counts: moderngl.Buffer, limit: int, sources: int = 1) -> None:
        """Plans for as many elements as the first `sources` uints of `counts` sum up to, at most `limit`.

        Whatever a shader has written before is visible afterwards, to shaders and as indirect arguments.
        """
        self._barrier()
        bind(counted=counts, plan=self.plan)
        set_uniforms(self._planner, sources=sources, limit=limit)
        set_uniforms(self._planner, round_size=self.round_size, least_rounds=LEAST_ROUNDS, most_spans=MAX_SPANS)
        self._planner.run()
        self._barrier()

    def run(self, shader: moderngl.ComputeShader) -> None:
        """One workgroup a span; the shader's other buffers are bound already."""
        bind(plan=self.plan)
        shader.run_indirect(self.plan, PLAN_ARGUMENTS)
        self._barrier()

    def scan_rows(self, table: moderngl.Buffer, totals: moderngl.Buffer, rows: int) -> None:
        """Turns `table` [rows, spans] into the sums over the spans before each, and writes `totals` [rows]."""
        bind(plan=self.plan, table=table, totals=totals)
        self._rows.run(rows)
        self._barrier()

    def _barrier(self) -> None:
        self.context.memory_barrier(READ_BY_ANYTHING)

    def release(self) -> None:
        """Frees the plan and the shaders."""
        for thing in (self.plan, self._planner, self._rows):
            thing.release()


class PrefixSum:
    """Exclusive prefix sums: `sums[i] = values[0] + ... + values[i - 1]`.

    `sums` is valid up to the number of values; the first uint of `total` is the sum of all. Both are modulo 2^32: a sum
    that passes 4,294,967,295 wraps, so whoever sums numbers that large must bound them first.
    """

    def __init__(self, context: moderngl.Context) -> None:
        self.context = context
        self._spans = Spans(context, THREADS * PER_THREAD)
        self._reduce = compile_compute(context, "prefix_reduce.comp", DEFINES)
        self._apply = compile_compute(context, "prefix_apply.comp", DEFINES)
        self.total = allocate(context, 1, "prefix sum")
        self._allocate(0)

    def reserve(self, capacity: int) -> None:
        """Room for `capacity` values. Raises `KilofieldError` where the device has none."""
        if capacity != self.capacity:
            self._release_buffers()
            self._allocate(capacity)

    def _allocate(self, capacity: int) -> None:
        self.capacity = 0
        self.sums = allocate(self.context, capacity, "prefix sum")
        self._table = allocate(self.context, self._spans.most(capacity), "prefix sum")
        self.capacity = capacity

    def run(self, values: moderngl.Buffer, count: moderngl.Buffer) -> None:
        """Sums the first `count[0]` uints of `values`, at most `capacity`, into `sums` and `total`.

        `values` and `count` are only read. What shaders wrote into them before is seen.
        """
        self._spans.cut(count, self.capacity)
        bind(values_in=values, values_out=self.sums, table=self._table)
        self._spans.run(self._reduce)
        self._spans.scan_rows(self._table, self.total, 1)
        self._spans.run(self._apply)

    def _release_buffers(self) -> None:
        self.sums.release()
        self._table.release()

    def release(self) -> None:
        """Frees everything in video memory."""
        self._release_buffers()
        for thing in (self.total, self._reduce, self._apply, self._spans):
            thing.release()
