"""Gaussians in video memory: geometry and SH in 16 bits, one entry a Gaussian in the scene's own order.

Storage buffers have a size limit that can be as low as 128 MB (llvmpipe), which SH of degree 3 passes at 700 thousand
Gaussians. So passes over Gaussians bind them in chunks. The records of all Gaussians are bound at once when they are
blended, which gives the limit: `max_gaussians`, 4.19 million on llvmpipe, 67 million at the 2 GB usual on hardware.
"""

from __future__ import annotations

from collections.abc import Iterator

import moderngl
import numpy as np

from renderer.layouts import BINDINGS, GEOMETRY, GROUP, RECORD
from renderer.packed_geometry import (
    PackedGaussians,
    harmonic_words,
    radii_and_areas,
    unpack_geometry,
    unpack_harmonics,
)
from renderer.video_memory import reserve_buffer
from scenes.errors import KilofieldError
from scenes.gaussians import Floats, Gaussians, sh_count


def max_gaussians(context: moderngl.Context) -> int:
    """The most Gaussians a scene may have on this device."""
    return int(context.info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"]) // RECORD.bytes


class GpuGaussians:
    """Buffers for `count` Gaussians with SH of `sh_degree`.

    `positions` [N, 3], `radii` [N], the longest standard deviation of each Gaussian in world units, and `areas` [N],
    the product of the two longest, stay on the CPU for culling and sorting there.
    """

    residency = "decoded"

    def __init__(self, context: moderngl.Context, positions: Floats, sh_degree: int, antialiased: bool) -> None:
        count = len(positions)
        if count > max_gaussians(context):
            raise KilofieldError(
                f"scene: expected at most {max_gaussians(context):,} Gaussians on this device, found {count:,}"
            )
        self.positions = np.ascontiguousarray(positions)
        self.radii = self.areas = np.zeros(count, np.float32)
        self.sh_degree = sh_degree
        self.antialiased = antialiased
        self.geometry = reserve_buffer(context, count * GEOMETRY.bytes, f"{count:,} Gaussians")
        self.harmonics = reserve_buffer(context, count * self._harmonics_bytes, f"SH of {count:,} Gaussians")
        limit = int(context.info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"])
        largest = limit // max(GEOMETRY.bytes, self._harmonics_bytes)
        self.chunk = min(largest, 2**20) // (4 * GROUP) * (4 * GROUP)

    @classmethod
    def upload(cls, context: moderngl.Context, packed: PackedGaussians) -> GpuGaussians:
        """Plain Gaussians."""
        gpu = cls(context, packed.positions, packed.sh_degree, packed.antialiased)
        if len(packed):
            gpu.geometry.write(packed.geometry)
            gpu.harmonics.write(packed.harmonics)
            gpu.radii, gpu.areas = packed.radii, packed.areas
        return gpu

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def _harmonics_bytes(self) -> int:
        return 4 * harmonic_words(sh_count(self.sh_degree))

    @property
    def bytes(self) -> int:
        """Video memory of the buffers."""
        return self.geometry.size + self.harmonics.size

    def set_log_scales(self, log_scales: Floats) -> None:
        """Sets `radii` and `areas` from log scales [N, 3]; what is beyond float32 counts as the largest float."""
        self.radii, self.areas = radii_and_areas(log_scales)

    def chunks(self) -> Iterator[tuple[int, int]]:
        """Binds geometry and SH chunk by chunk; yields the first Gaussian and the count of each."""
        for first in range(0, len(self), self.chunk):
            count = min(self.chunk, len(self) - first)
            for buffer, binding, size in (
                (self.geometry, BINDINGS["GEOMETRY"], GEOMETRY.bytes),
                (self.harmonics, BINDINGS["HARMONICS"], self._harmonics_bytes),
            ):
                buffer.bind_to_storage_buffer(binding, offset=first * size, size=count * size)
            yield first, count

    def read(self) -> Gaussians:
        """All Gaussians back from video memory; for tests and for tools, not within a frame."""
        geometry = np.frombuffer(self.geometry.read(), GEOMETRY.dtype, len(self))
        words = np.frombuffer(self.harmonics.read(), np.uint32, len(self) * self._harmonics_bytes // 4)
        sh = unpack_harmonics(words.reshape(len(self), self._harmonics_bytes // 4), sh_count(self.sh_degree))
        return unpack_geometry(geometry, sh, self.antialiased)

    def release(self) -> None:
        """Frees the buffers."""
        self.geometry.release()
        self.harmonics.release()
