"""A multiresolution hash grid: position -> features, with their derivatives by position.

Mueller et al. 2022, "Instant Neural Graphics Primitives with a Multiresolution Hash Encoding". Configuration names,
resolutions, indexing and the order of the table are tiny-cuda-nn's, so that both give the same features for the same
table:

    level l has scale s = base * growth^l - 1 and ceil(s) + 1 vertices an axis; a position x in [0, 1] is at s x + 0.5
    of its vertices (the half staggers the levels); its eight neighbours are mixed linearly
    a level whose vertices fit into 2^log2_hashmap_size entries is stored whole, x fastest; any other is hashed

Three backends of one interface: plain torch here, numba for the CPU (`hash_grid_numba.py`), tiny-cuda-nn where it can
be imported (`hash_grid_tcnn.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import torch
from torch import Tensor

PRIMES = (1, 2654435761, 805459861)  # of the spatial hash: section 3 of the paper
LARGEST_DENSE = 0x659  # vertices an axis; the cube of more does not fit into 32 bits
WORD = 0xFFFFFFFF
ALIGNMENT = 8  # entries a level is rounded up to
INITIAL = 1e-4  # features start between -INITIAL and INITIAL

Pull = Callable[[Tensor], Tensor]
Encoded = tuple[Tensor, Pull]  # features [N, L F]; and for u [N, L F] the derivative [N, 3] of features . u by position


@dataclass(frozen=True)
class HashGridShape:
    """The configuration, in tiny-cuda-nn's names."""

    n_levels: int = 12
    n_features_per_level: int = 2
    log2_hashmap_size: int = 17  # entries a level has at most
    base_resolution: int = 16  # vertices an axis, coarsest level
    per_level_scale: float = 1.3  # from level to level

    @property
    def outputs(self) -> int:
        """Features of a position."""
        return self.n_levels * self.n_features_per_level

    @cached_property
    def scales(self) -> tuple[float, ...]:
        """Edges of a cell in [0, 1], by level; in single precision like tiny-cuda-nn, which rounds them up."""
        growth = np.log2(np.float32(self.per_level_scale))
        levels = np.arange(self.n_levels, dtype=np.float32)
        return tuple(float(s) for s in np.exp2(levels * growth) * np.float32(self.base_resolution) - np.float32(1))

    @cached_property
    def resolutions(self) -> tuple[int, ...]:
        """Vertices an axis, by level."""
        return tuple(int(np.ceil(s)) + 1 for s in self.scales)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Entries of the table, by level."""
        whole = (-(-(r**3) // ALIGNMENT) * ALIGNMENT for r in self.resolutions)
        return tuple(min(w, 1 << self.log2_hashmap_size) for w in whole)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """The first entry of each level, and one past the last."""
        return (0, *(int(o) for o in np.cumsum(self.sizes)))

    def hashed(self, level: int) -> bool:
        """Whether a level has more vertices than entries."""
        resolution = self.resolutions[level]
        return resolution > LARGEST_DENSE or resolution**3 > self.sizes[level]

    def tcnn_config(self) -> dict[str, object]:
        """The same for tiny-cuda-nn."""
        return {
            "otype": "HashGrid",
            "n_levels": self.n_levels,
            "n_features_per_level": self.n_features_per_level,
            "log2_hashmap_size": self.log2_hashmap_size,
            "base_resolution": self.base_resolution,
            "per_level_scale": self.per_level_scale,
            "interpolation": "Linear",
        }

    def initial_table(self, generator: torch.Generator) -> Tensor:
        """[entries, F] small random features."""
        size = (self.offsets[-1], self.n_features_per_level)
        return (2 * torch.rand(size, generator=generator) - 1) * INITIAL


def encode(shape: HashGridShape, table: Tensor, points: Tensor) -> Encoded:
    """Features of `points` [N, 3] in [0, 1], and their pull-back, by the fastest backend for the device.

    Gradients flow into `table` [entries, F] from the features and from what the pull-back gives, not into `points`.
    """
    if points.device.type == "cuda":
        from fitting import hash_grid_tcnn  # which needs this module's names

        if hash_grid_tcnn.tiny_cuda_nn() is not None:
            return hash_grid_tcnn.encode(shape, table, points)
    features, jacobian = _backend(points.device)(shape, table, points)
    return features, lambda u: torch.einsum("nkf,nf->nk", jacobian, u)


def _backend(device: torch.device) -> Callable[[HashGridShape, Tensor, Tensor], tuple[Tensor, Tensor]]:
    if device.type != "cpu":
        return features_and_jacobian
    from fitting import hash_grid_numba  # numba loads slowly

    return hash_grid_numba.features_and_jacobian


def features_and_jacobian(shape: HashGridShape, table: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Features [N, L F] at `points` [N, 3] and their derivatives by position [N, 3, L F]; plain torch, any device."""
    features, jacobian = [], []
    for level in range(shape.n_levels):
        place = points * shape.scales[level] + 0.5
        corner = torch.floor(place)
        part = _mixed(shape, level, table, corner.long(), place - corner)
        features.append(part[0])
        jacobian.append(part[1])
    return torch.cat(features, dim=1), torch.cat(jacobian, dim=2)


def _mixed(shape: HashGridShape, level: int, table: Tensor, corner: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Features [N, F] and derivatives [N, 3, F] of one level at `share` [N, 3] of the cell after `corner` [N, 3]."""
    values, slopes = [], []
    for step in product((0, 1), repeat=3):
        found = table[entries(shape, level, corner + corner.new_tensor(step))]
        x, y, z = (share[:, a] if step[a] else 1 - share[:, a] for a in range(3))
        side = shape.scales[level] * (2 * share.new_tensor(step) - 1)
        values.append((x * y * z)[:, None] * found)
        slopes.append((side * torch.stack([y * z, x * z, x * y], dim=1))[:, :, None] * found[:, None])
    return torch.stack(values).sum(dim=0), torch.stack(slopes).sum(dim=0)


def entries(shape: HashGridShape, level: int, vertices: Tensor) -> Tensor:
    """[N] where in the table the features of `vertices` [N, 3] are, integers that wrap around at 32 bits."""
    x, y, z = (vertices & WORD).unbind(1)
    if shape.hashed(level):
        index = (x ^ (y * PRIMES[1]) ^ (z * PRIMES[2])) & WORD
    else:
        resolution = shape.resolutions[level]
        index = (x + y * resolution + z * resolution**2) & WORD
    return shape.offsets[level] + index % shape.sizes[level]
