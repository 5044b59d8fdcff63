"""Gaussians in video memory: geometry and SH in 16 bits, one entry a Gaussian in the scene's own order.

Storage buffers have a size limit that can be as low as 128 MB (llvmpipe), which SH of degree 3 passes at 700 thousand
Gaussians. So passes over Gaussians bind them in chunks. The records of all Gaussians are bound at once when they are
blended, which gives the limit: `max_gaussians`, 4.19 million on llvmpipe, 67 million at the 2 GB usual on hardware.
"""

from __future__ import annotations

from collections.abc import Iterator

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.layouts import BINDINGS, GEOMETRY, GROUP, RECORD
from renderer.packed_geometry import (
    harmonic_words,
    pack_geometry,
    pack_harmonics,
    unpack_geometry,
    unpack_harmonics,
)
from scenes.errors import KilofieldError
from scenes.gaussians import Floats, Gaussians, sh_count
from scenes.sizes import readable_bytes


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
    def upload(
        cls, context: moderngl.Context, gaussians: Gaussians, clusters: NDArray[np.integer] | None = None
    ) -> GpuGaussians:
        """Plain Gaussians; `clusters` [N] only serve to tell clusters apart in a picture."""
        gpu = cls(context, gaussians.positions, gaussians.sh_degree, gaussians.antialiased)
        if len(gaussians):
            gpu.geometry.write(pack_geometry(gaussians, clusters))
            gpu.harmonics.write(pack_harmonics(gaussians.sh))
            gpu.set_log_scales(gaussians.log_scales)
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


def radii_and_areas(log_scales: Floats) -> tuple[Floats, Floats]:
    """[N] the longest standard deviation, and the product of the two longest; at most the largest float32."""
    ordered = np.sort(log_scales, axis=1)
    with np.errstate(over="ignore"):
        values = np.exp(ordered[:, 2]), np.exp(ordered[:, 2] + ordered[:, 1])
    radii, areas = (np.minimum(value, np.finfo(np.float32).max).astype(np.float32) for value in values)
    return radii, areas


def reserve_buffer(context: moderngl.Context, size: int, what: str) -> moderngl.Buffer:
    """A buffer of at least one element's worth: OpenGL has no empty buffers.

    Raises `KilofieldError` that says how much was asked for, and what for, when there is no room.
    """
    try:
        return context.buffer(reserve=max(size, 256))
    except moderngl.Error as error:
        device = context.info["GL_RENDERER"]
        raise KilofieldError(
            f"video memory: expected {readable_bytes(size)} for {what}, found too little on {device}"
        ) from error
