"""The images a picture of a surface is made in; row 0 is the top."""

from __future__ import annotations

from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.accumulation import picture_texture
from renderer.video_memory import memory_for

_FOURS = ("hits", "normals", "marches", "other_marches")


class SurfaceTargets:
    """`picture` (another's) and, of its size, what the passes of `renderer/surface_passes.py` hand to each other."""

    def __init__(self, context: moderngl.Context, picture: moderngl.Texture, keeps_marches: bool) -> None:
        self.size: tuple[int, int] = picture.size
        self._textures = {"picture": picture}
        self._own: list[moderngl.Texture] = []
        for name in _FOURS if keeps_marches else _FOURS[:2]:
            self._keep(name, picture_texture(context, self.size, "f4"))
        with memory_for(context, 8 * self.size[0] * self.size[1], "counts of a picture"):
            self._keep("counts", context.texture(self.size, 2, dtype="u4"))

    def _keep(self, name: str, texture: moderngl.Texture) -> None:
        self._textures[name] = texture
        self._own.append(texture)

    def bind(self, **units: int) -> None:
        """Binds images by name to the units the shader has them at; those there are none of are passed over."""
        for name, unit in units.items():
            if name in self._textures:
                self._textures[name].bind_to_image(unit)

    def texture(self, name: str) -> moderngl.Texture:
        """An image."""
        return self._textures[name]

    def read(self, name: str) -> NDArray[Any]:
        """[H, W, C] an image, float32 or uint32."""
        texture = self._textures[name]
        dtype = np.uint32 if name == "counts" else np.float32
        width, height = self.size
        return np.frombuffer(texture.read(alignment=1), dtype).reshape(height, width, -1).copy()

    @property
    def bytes(self) -> int:
        """Video memory of them, the picture aside."""
        pixels = self.size[0] * self.size[1]
        return sum(4 * texture.components * pixels for texture in self._own)

    def release(self) -> None:
        """Frees all but the picture."""
        for texture in self._own:
            texture.release()
