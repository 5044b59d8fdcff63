"""Holds a frame to a budget of pixels: what would cost more is drawn nearest first until the budget is spent.

The projection adds up the pixels of all footprints (`FRAME_COUNTS.cost`). Only a frame over the budget goes through the
rest, by indirect dispatches of no workgroups else: footprints in drawing order, their prefix sums, and a search.
"""

from __future__ import annotations

import moderngl

from renderer.draw_order import DrawOrder
from renderer.layouts import BINDINGS, COST_PIXELS
from renderer.prefix_sum import READ_BY_ANYTHING, PrefixSum, allocate
from renderer.projection import FrameBuffers
from renderer.shader_library import compile_compute, set_uniforms

DISPATCH = 12  # bytes of the arguments of a dispatch


class OverdrawGuard:
    """Cuts draw orders that live on the GPU."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._begin = compile_compute(context, "guard_begin.comp")
        self._cost = compile_compute(context, "guard_cost.comp")
        self._cut = compile_compute(context, "guard_cut.comp")
        self._sums = PrefixSum(context)
        self._costs = context.buffer(reserve=4)
        self._summed, self._afforded = context.buffer(bytes(16)), context.buffer(bytes(16))
        self._arguments = context.buffer(bytes(DISPATCH))

    def run(self, frame: FrameBuffers, order: DrawOrder, size: tuple[int, int], budget: float) -> DrawOrder:
        """The part of `order` that covers at most `budget` pixels of a picture of `size`; usually all of it."""
        self._reserve(frame.count)
        units = min(int(budget / COST_PIXELS), 2**32 - 1)
        for name, buffer in (
            ("COUNTS", frame.counts),
            ("COUNT", order.count),
            ("SUMMED", self._summed),
            ("ARGUMENTS", self._arguments),
        ):
            buffer.bind_to_storage_buffer(BINDINGS[name])
        set_uniforms(self._begin, budget=units)
        self._begin.run(1)
        self._context.memory_barrier(READ_BY_ANYTHING)
        self._add_up(frame, order, size)
        for name, buffer in (
            ("COUNTS", frame.counts),
            ("COUNT", order.count),
            ("SUMMED", self._summed),
            ("COSTS", self._sums.sums),
            ("AFFORDED", self._afforded),
        ):
            buffer.bind_to_storage_buffer(BINDINGS[name])
        set_uniforms(self._cut, budget=units)
        self._cut.run(1)
        self._context.memory_barrier(READ_BY_ANYTHING)
        return DrawOrder(order.order, self._afforded)

    def _add_up(self, frame: FrameBuffers, order: DrawOrder, size: tuple[int, int]) -> None:
        frame.records.bind_to_storage_buffer(BINDINGS["RECORDS"])
        order.order.bind_to_storage_buffer(BINDINGS["ORDER"])
        self._costs.bind_to_storage_buffer(BINDINGS["COSTS"])
        set_uniforms(self._cost, size=size)
        self._cost.run_indirect(self._arguments)
        self._sums.run(self._costs, self._summed)

    def _reserve(self, count: int) -> None:
        if self._sums.capacity < count:
            self._sums.reserve(count)
            self._costs.release()
            self._costs = allocate(self._context, count, "overdraw budget")

    def release(self) -> None:
        """Frees everything."""
        own = (self._begin, self._cost, self._cut, self._sums, self._costs)
        for thing in (*own, self._summed, self._afforded, self._arguments):
            thing.release()
