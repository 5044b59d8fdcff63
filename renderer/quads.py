"""The quads path: one rectangle a Gaussian, along its ellipse's axes, blended front to back.

On llvmpipe most of a frame is rasterising and blending, little is the fragment's arithmetic. Measured there on
playbot-125k and hamburger, and left out: closing finished pixels by the depth buffer between slices (0 to 5 % faster),
one triangle in place of two (10 % faster on small splats, 10 % slower on large ones), half floats (5 % slower).
"""

from __future__ import annotations

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.accumulation import Accumulation
from renderer.layouts import BINDINGS
from renderer.shader_library import compile_program, set_uniforms

BATCH = 1024  # quads of one instance


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
        set_uniforms(self._program, count=count, size=target.size)
        if count:
            self._array.render(moderngl.TRIANGLES, instances=-(-count // BATCH))

    def release(self) -> None:
        """Frees everything."""
        for thing in (self._array, self._indices, self._order, self._program):
            thing.release()
