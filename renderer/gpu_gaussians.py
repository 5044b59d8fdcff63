"""Gaussians in video memory: geometry and SH, float32, one entry a Gaussian in the scene's own order.

Storage buffers have a size limit that can be as low as 128 MB (llvmpipe), which SH of degree 3 passes at 700 thousand
Gaussians. So passes over Gaussians bind them in chunks. The records of all Gaussians are bound at once when they are
blended, which gives the limit: `max_gaussians`, 4.19 million on llvmpipe, 67 million at the 2 GB usual on hardware.
"""

from __future__ import annotations

from collections.abc import Iterator

import moderngl
import numpy as np

from renderer.layouts import BINDINGS, GEOMETRY, GROUP, RECORD
from scenes.errors import KilofieldError
from scenes.gaussians import Floats, Gaussians, sh_count


def max_gaussians(context: moderngl.Context) -> int:
    """The most Gaussians a scene may have on this device."""
    return int(context.info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"]) // RECORD.bytes


class GpuGaussians:
    """Buffers for `count` Gaussians with SH of `sh_degree`.

    `radii` [N] is the longest standard deviation of each Gaussian in world units; it and `positions` [N, 3] stay on the
    CPU for culling and sorting.
    """

    def __init__(self, context: moderngl.Context, positions: Floats, sh_degree: int, antialiased: bool) -> None:
        count = len(positions)
        if count > max_gaussians(context):
            raise KilofieldError(
                f"scene: expected at most {max_gaussians(context):,} Gaussians on this device, found {count:,}"
            )
        self.positions = np.ascontiguousarray(positions)
        self.radii = np.zeros(count, np.float32)
        self.sh_degree = sh_degree
        self.antialiased = antialiased
        self.geometry = _reserve(context, count * GEOMETRY.bytes)
        self.harmonics = _reserve(context, count * self._harmonics_bytes)
        limit = int(context.info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"])
        largest = limit // max(GEOMETRY.bytes, self._harmonics_bytes)
        self.chunk = min(largest, 2**20) // (4 * GROUP) * (4 * GROUP)

    @classmethod
    def upload(cls, context: moderngl.Context, gaussians: Gaussians) -> GpuGaussians:
        """Plain Gaussians, as they are."""
        gpu = cls(context, gaussians.positions, gaussians.sh_degree, gaussians.antialiased)
        geometry = np.zeros(len(gaussians), GEOMETRY.dtype)
        geometry["position_opacity"][:, :3] = gaussians.positions
        geometry["position_opacity"][:, 3] = gaussians.opacity_logits
        geometry["rotation"] = gaussians.rotations
        geometry["log_scale"][:, :3] = gaussians.log_scales
        if len(gaussians):
            gpu.geometry.write(geometry)
            gpu.harmonics.write(np.ascontiguousarray(gaussians.sh))
            gpu.set_log_scales(gaussians.log_scales)
        return gpu

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def _harmonics_bytes(self) -> int:
        return 12 * sh_count(self.sh_degree)

    @property
    def bytes(self) -> int:
        """Video memory of the buffers."""
        return self.geometry.size + self.harmonics.size

    def set_log_scales(self, log_scales: Floats) -> None:
        """Sets `radii` from log scales [N, 3]; a scale beyond float32 counts as the largest float."""
        with np.errstate(over="ignore"):
            self.radii = np.minimum(np.exp(log_scales.max(axis=1)), np.finfo(np.float32).max)

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
        sh = np.frombuffer(self.harmonics.read(), np.float32, len(self) * self._harmonics_bytes // 4)
        return Gaussians(
            positions=np.ascontiguousarray(geometry["position_opacity"][:, :3]),
            log_scales=np.ascontiguousarray(geometry["log_scale"][:, :3]),
            rotations=np.ascontiguousarray(geometry["rotation"]),
            opacity_logits=np.ascontiguousarray(geometry["position_opacity"][:, 3]),
            sh=sh.reshape(len(self), sh_count(self.sh_degree), 3).copy(),
            antialiased=self.antialiased,
        )

    def release(self) -> None:
        """Frees the buffers."""
        self.geometry.release()
        self.harmonics.release()


def _reserve(context: moderngl.Context, size: int) -> moderngl.Buffer:
    """A buffer of at least one element's worth: OpenGL has no empty buffers."""
    try:
        return context.buffer(reserve=max(size, 256))
    except moderngl.Error as error:
        raise KilofieldError(f"video memory: expected {size / 1e6:.0f} MB for the scene, found none left") from error
