"""In which order records are drawn, from whichever sort made it: on the GPU, or numpy's."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DrawOrder:
    """Records nearest first, and how many, in video memory."""

    order: moderngl.Buffer  # uint32, record indices
    count: moderngl.Buffer  # its first uint32: how many of `order` are drawn


class UploadedOrder:
    """The buffers of an order made by the CPU."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._order = context.buffer(reserve=4096)
        self._count = context.buffer(reserve=16)

    def upload(self, order: NDArray[np.uint32]) -> DrawOrder:
        """All of `order` [V]."""
        if self._order.size < order.nbytes:
            self._order.release()
            self._order = self._context.buffer(reserve=order.nbytes + order.nbytes // 4)
        if len(order):
            self._order.write(order)
        self._count.write(np.array([len(order), 0, 0, 0], np.uint32))
        return DrawOrder(self._order, self._count)

    def release(self) -> None:
        """Frees everything."""
        self._order.release()
        self._count.release()
