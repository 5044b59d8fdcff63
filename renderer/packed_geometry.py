"""A Gaussian's attributes in 32 bytes, and SH as half floats: what plain and decoded scenes are in video memory.

The twin is `shaders/gaussian_packed.glsl`. Positions stay float32; the other attributes are 16-bit numbers over the
ranges in `layouts.py`, rounded to the nearest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renderer.layouts import GEOMETRY, LOG_SCALE_LIMIT, LOGIT_LIMIT
from scenes.gaussians import Floats, Gaussians

Words = NDArray[np.uint32]


@dataclass(frozen=True)
class PackedGaussians:
    """N Gaussians as they go into video memory, made by the CPU, and what the CPU keeps of them for its own sort."""

    positions: Floats  # [N, 3]
    radii: Floats  # [N] longest standard deviation, world units
    areas: Floats  # [N] product of the two longest
    geometry: NDArray[np.void]  # [N] of GEOMETRY
    harmonics: Words  # [N, words] half floats
    sh_degree: int
    antialiased: bool

    @classmethod
    def of(cls, gaussians: Gaussians, clusters: NDArray[np.integer] | None = None) -> PackedGaussians:
        """Packs; `clusters` [N] only serve to tell clusters apart in a picture."""
        return cls(
            np.ascontiguousarray(gaussians.positions),
            *radii_and_areas(gaussians.log_scales),
            pack_geometry(gaussians, clusters),
            pack_harmonics(gaussians.sh),
            gaussians.sh_degree,
            gaussians.antialiased,
        )

    def __len__(self) -> int:
        return len(self.positions)


HALF_MAX = 65504.0


def pack_geometry(gaussians: Gaussians, clusters: NDArray[np.integer] | None = None) -> NDArray[np.void]:
    """[N] of `GEOMETRY`; `clusters` [N] only serve to tell clusters apart in a picture, modulo 65,536."""
    packed = np.zeros(len(gaussians), GEOMETRY.dtype)
    packed["position_cluster"][:, :3] = np.ascontiguousarray(gaussians.positions, np.float32).view(np.uint32)
    logits = _shares(gaussians.opacity_logits, LOGIT_LIMIT) << 16
    packed["position_cluster"][:, 3] = logits if clusters is None else logits | clusters.astype(np.uint32) & 0xFFFF
    scales = _shares(gaussians.log_scales, LOG_SCALE_LIMIT)
    norms = np.linalg.norm(gaussians.rotations, axis=1, keepdims=True)
    rotations = np.rint(np.clip(gaussians.rotations / norms, -1, 1) * 32767 + 32768).astype(np.uint32)
    packed["shape"][:, 0] = scales[:, 0] | scales[:, 1] << 16
    packed["shape"][:, 1] = scales[:, 2]
    packed["shape"][:, 2] = rotations[:, 0] | rotations[:, 1] << 16
    packed["shape"][:, 3] = rotations[:, 2] | rotations[:, 3] << 16
    return packed


def unpack_log_scales(packed: NDArray[np.void]) -> Floats:
    """[N, 3] natural logarithms."""
    x_y, z = packed["shape"][:, 0], packed["shape"][:, 1]
    return _values(np.stack([x_y & 0xFFFF, x_y >> 16, z & 0xFFFF], axis=1), LOG_SCALE_LIMIT)


def unpack_geometry(packed: NDArray[np.void], sh: Floats, antialiased: bool) -> Gaussians:
    """Plain Gaussians again, with SH [N, K, 3]."""
    words = np.stack([packed["shape"][:, 2] & 0xFFFF, packed["shape"][:, 2] >> 16], axis=1)
    more = np.stack([packed["shape"][:, 3] & 0xFFFF, packed["shape"][:, 3] >> 16], axis=1)
    rotations = ((np.concatenate([words, more], axis=1).astype(np.float32) - 32768) / 32767).astype(np.float32)
    return Gaussians(
        positions=np.ascontiguousarray(packed["position_cluster"][:, :3]).view(np.float32),
        log_scales=unpack_log_scales(packed),
        rotations=rotations,
        opacity_logits=_values(packed["position_cluster"][:, 3] >> 16, LOGIT_LIMIT),
        sh=sh,
        antialiased=antialiased,
    )


def harmonic_words(coefficients: int) -> int:
    """32-bit words of one Gaussian's SH."""
    return (3 * coefficients + 1) // 2


def pack_harmonics(sh: Floats) -> Words:
    """[N, words] SH [N, K, 3] as half floats, two a word, the first in the low bits."""
    count, coefficients, _ = sh.shape
    halves = np.zeros((count, 2 * harmonic_words(coefficients)), np.float16)
    halves[:, : 3 * coefficients] = np.clip(sh, -HALF_MAX, HALF_MAX).reshape(count, 3 * coefficients)
    return halves.view(np.uint32)


def unpack_harmonics(words: Words, coefficients: int) -> Floats:
    """[N, K, 3] from words [N, words]."""
    halves = np.ascontiguousarray(words).view(np.float16)[:, : 3 * coefficients]
    return halves.astype(np.float32).reshape(len(words), coefficients, 3)


def radii_and_areas(log_scales: Floats) -> tuple[Floats, Floats]:
    """[N] the longest standard deviation, and the product of the two longest; at most the largest float32."""
    ordered = np.sort(log_scales, axis=1)
    with np.errstate(over="ignore"):
        values = np.exp(ordered[:, 2]), np.exp(ordered[:, 2] + ordered[:, 1])
    radii, areas = (np.minimum(value, np.finfo(np.float32).max).astype(np.float32) for value in values)
    return radii, areas


def _shares(values: Floats, limit: float) -> Words:
    return np.rint(np.clip(0.5 * values.astype(np.float64) / limit + 0.5, 0, 1) * 65535).astype(np.uint32)


def _values(shares: NDArray[np.integer], limit: float) -> Floats:
    return (limit * (2.0 * shares / 65535 - 1)).astype(np.float32)
