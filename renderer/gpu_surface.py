"""A neural surface in video memory: its cells, a texture, and its networks, buffers."""

from __future__ import annotations

import math

import moderngl
import numpy as np

from renderer.empty_space import cell_codes
from renderer.packed_bank import PackedShape, upload
from renderer.video_memory import memory_for
from scenes.errors import KilofieldError
from scenes.surface import NeuralSurface


class GpuSurface:
    """What `shaders/surface_field.glsl` reads of `surface`.

    Raises `KilofieldError` for a surface that does not fit the device.
    """

    def __init__(self, context: moderngl.Context, surface: NeuralSurface) -> None:
        self.surface = surface
        self.geometry_shape = PackedShape(surface.geometry.shape)
        self.appearance_shape = None if surface.appearance is None else PackedShape(surface.appearance.shape)
        self._context = context
        self._skips = True
        self.cells = self._upload_cells()
        self.geometry = upload(context, surface.geometry)
        self.appearance = None if surface.appearance is None else upload(context, surface.appearance)

    def _upload_cells(self) -> moderngl.Texture3D:
        limit = int(self._context.info["GL_MAX_3D_TEXTURE_SIZE"])
        size = self.surface.grid.size
        if max(size) > limit:
            raise KilofieldError(f"surface: expected at most {limit} cells an axis on this device, found {max(size)}")
        codes = np.ascontiguousarray(cell_codes(self.surface, self._skips).transpose(2, 1, 0))  # x fastest
        with memory_for(self._context, codes.nbytes, f"{codes.size:,} cells"):
            texture = self._context.texture3d(size, 1, codes.tobytes(), alignment=4, dtype="i4")
        texture.filter = moderngl.NEAREST, moderngl.NEAREST
        return texture

    def skip(self, skips: bool) -> None:
        """Whether rays skip cubes of empty cells, or one cell at a time."""
        if skips != self._skips:
            self._skips = skips
            self.cells.release()
            self.cells = self._upload_cells()

    def __len__(self) -> int:
        """Cells."""
        return len(self.surface)

    @property
    def bytes(self) -> int:
        """Video memory of all this."""
        networks = [buffer.size for buffer in (self.geometry, self.appearance) if buffer is not None]
        return 4 * math.prod(self.surface.grid.size) + sum(networks)

    def release(self) -> None:
        """Frees everything."""
        for thing in (self.cells, self.geometry, self.appearance):
            if thing is not None:
                thing.release()
