"""The quads path: one rectangle a Gaussian, along its ellipse's axes, blended front to back.

Quads are drawn in batches, nearest first. Between batches the pixels that are finished are closed by the depth buffer,
which is what "stop at T < 1e-4" is in 3DGS: on solid scenes most fragments lie behind finished pixels.
"""

from __future__ import annotations

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.accumulation import Accumulation
from renderer.layouts import BINDINGS
from renderer.shader_library import compile_program, set_uniforms

BATCH = 1024  # quads of one instance
FIRST_SLICE = 8  # the nearest 1/8 of the quads are drawn before finished pixels are first closed


class Quads:
    """Draws records in a given order."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._program = compile_program(
            context, "gaussian_quads.vert", "gaussian_quads.frag", vertex_defines={"BATCH": BATCH}
        )
        corners = np.arange(BATCH, dtype=np.uint32)[:, None] * 4 + np.array([0, 1, 2, 2, 1, 3], np.uint32)
        self._indices = context.buffer(corners)
        self._array = context.vertex_array(self._program, [], index_buffer=self._indices)
        self._order = context.buffer(reserve=4 * BATCH)

    def upload_order(self, order: NDArray[np.uint32]) -> None:
        """[V] the records to draw, nearest first."""
        if self._order.size < order.nbytes:
            self._order.release()
            self._order = self._context.buffer(reserve=order.nbytes + order.nbytes // 4)
        if len(order):
            self._order.write(order)

    def draw(self, records: moderngl.Buffer, count: int, target: Accumulation) -> None:
        """Blends the first `count` records of the order into `target`, which has begun."""
        records.bind_to_storage_buffer(BINDINGS["RECORDS"])
        self._order.bind_to_storage_buffer(BINDINGS["ORDER"])
        first, step = 0, -(-count // FIRST_SLICE)
        while first < count:
            if first:
                target.close_saturated()
            self._draw_slice(first, min(step, count - first), target)
            first += step

    def _draw_slice(self, first: int, count: int, target: Accumulation) -> None:
        set_uniforms(self._program, first=first, count=count, size=target.size)
        self._array.render(moderngl.TRIANGLES, instances=-(-count // BATCH))

    def release(self) -> None:
        """Frees everything."""
        for thing in (self._array, self._indices, self._order, self._program):
            thing.release()
