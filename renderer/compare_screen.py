"""The pictures of two scenes on one screen: one of them, a split, side by side, or a map of their difference.

Both are kept as floats, so that what `renderer/picture_difference.py` measures is not what 8 bits make of them. OpenGL
4.1 is enough.
"""

from __future__ import annotations

from collections.abc import Callable

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.accumulation import check_size
from renderer.shader_library import compile_program, set_uniforms

MODES = ("a", "b", "split", "sides", "difference")  # their numbers are the shader's

# matplotlib's magma (van der Walt and Smith 2015, CC0) at 17 equal steps
HEAT = (
    (0.001, 0.000, 0.014),
    (0.040, 0.031, 0.134),
    (0.113, 0.065, 0.277),
    (0.212, 0.062, 0.419),
    (0.317, 0.072, 0.485),
    (0.415, 0.110, 0.505),
    (0.513, 0.148, 0.508),
    (0.614, 0.182, 0.499),
    (0.716, 0.215, 0.475),
    (0.817, 0.256, 0.436),
    (0.904, 0.320, 0.388),
    (0.961, 0.418, 0.360),
    (0.987, 0.536, 0.382),
    (0.996, 0.654, 0.446),
    (0.997, 0.770, 0.535),
    (0.992, 0.884, 0.640),
    (0.987, 0.991, 0.750),
)

Paint = Callable[[moderngl.Framebuffer], None]


class CompareScreen:
    """Two float pictures of one size, and what is made of them."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._program = compile_program(context, "screen_triangle.vert", "compare_screen.frag")
        self._array = context.vertex_array(self._program, [])
        set_uniforms(self._program, picture_a=0, picture_b=1, map=list(HEAT), steps=len(HEAT) - 1)
        self._textures: list[moderngl.Texture] = []
        self._framebuffers: list[moderngl.Framebuffer] = []
        self.size = (0, 0)  # width, height of the two pictures

    @property
    def pictures(self) -> tuple[moderngl.Texture, moderngl.Texture]:
        """A and B, RGB in floats not clipped, row 0 at the bottom; after `paint`."""
        return self._textures[0], self._textures[1]

    def paint(self, size: tuple[int, int], paint_a: Paint, paint_b: Paint) -> None:
        """Lets both be painted at `size` (width, height); raises `KilofieldError` for a size no framebuffer has."""
        check_size(self._context, *size)
        if self.size != size:
            self._release_pictures()
            self._textures = [self._context.texture(size, 4, dtype="f4") for _ in range(2)]
            for texture in self._textures:
                texture.repeat_x = texture.repeat_y = False
            self._framebuffers = [self._context.framebuffer([texture]) for texture in self._textures]
            self.size = size
        for framebuffer, paint in zip(self._framebuffers, (paint_a, paint_b), strict=True):
            paint(framebuffer)

    def swap(self) -> None:
        """What was painted as A is B, and the other way round."""
        self._textures.reverse()
        self._framebuffers.reverse()

    def draw(self, target: moderngl.Framebuffer, mode: str, split: float = 0.5, highest: float = 1.0) -> None:
        """Fills all of `target` with what `mode`, one of `MODES`, makes of the pictures.

        `split` is the share of the width left of the bar, `highest` the difference (of the channel that differs most,
        0 to 1) that gets the map's last colour. "sides" takes pictures of half the target's width.
        """
        target.use()
        target.viewport = (0, 0, *target.size)
        self._context.enable_only(moderngl.NOTHING)
        for unit, picture in enumerate(self._textures):
            picture.use(unit)
        width = target.size[0]
        set_uniforms(
            self._program,
            mode=MODES.index(mode),
            split=split_column(split, width),
            size=target.size,
            highest=highest,
        )
        self._array.render(moderngl.TRIANGLES, vertices=3)

    def _release_pictures(self) -> None:
        if self.size != (0, 0):
            for thing in (*self._framebuffers, *self._textures):
                thing.release()
            self.size = (0, 0)

    def release(self) -> None:
        """Frees everything."""
        self._release_pictures()
        self._array.release()
        self._program.release()


def split_column(split: float, width: int) -> int:
    """How many columns of a screen `width` pixels wide show A when `split` is the share left of the bar."""
    return round(min(max(split, 0.0), 1.0) * width)


def heat(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """[..., 3] the map's colours of `values` [...], 0 to 1; beyond, the ends'. The twin of the shader's."""
    place = np.clip(values, 0, 1) * (len(HEAT) - 1)
    return np.stack([np.interp(place, np.arange(len(HEAT)), channel) for channel in np.transpose(HEAT)], axis=-1)
