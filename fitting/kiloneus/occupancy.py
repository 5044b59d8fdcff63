"""Where rays need samples: voxels near the surface, in a grid on the box [-1, 1]^3.

    EMPTY   far outside, or where no photograph shows anything: skipped
    NEAR    a section here can hide something
    INSIDE  so deep that nothing gets there: the ray ends

As the sharpness grows the layer of near voxels gets thinner, and rays need fewer samples. Sections have one length and
lie at the same depths whatever is skipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from fitting.hash_grid_numba import in_pieces
from fitting.kiloneus.volume import Rays, Samples

EMPTY, NEAR, INSIDE = 0, 1, 2
SLACK = 1.5  # times the half diagonal of a voxel: how far a distance may be from the one at its centre
HIDDEN = 1e-3  # alpha of a section, or light at a depth, that does not count
BLOCK = 1 << 15  # points or rays at a time


@dataclass
class Occupancy:
    """The grid."""

    allowed: NDArray[np.bool_]  # [n, n, n] voxels that can hold the object at all
    state: NDArray[np.uint8]  # [n, n, n] by x, y, z

    @classmethod
    def everywhere(cls, allowed: NDArray[np.bool_]) -> Occupancy:
        """All that is allowed is near."""
        return cls(allowed, np.where(allowed, NEAR, EMPTY).astype(np.uint8))

    @property
    def voxels(self) -> int:
        """Along an edge."""
        return len(self.state)

    def centres(self, chosen: NDArray[np.int64]) -> Tensor:
        """[M, 3] of the voxels with flat indices `chosen`."""
        places = np.stack(np.unravel_index(chosen, self.state.shape), axis=1)
        return torch.from_numpy(((places + 0.5) * (2 / self.voxels) - 1).astype(np.float32))

    def update(
        self, distance: Callable[[Tensor], Tensor], sharpness: float, length: float, device: torch.device
    ) -> None:
        """Looks at the field again: `distance` of [M, 3] points, rendered with `sharpness` in sections of `length`."""
        chosen = np.flatnonzero(self.allowed)
        blocks = [chosen[i : i + BLOCK] for i in range(0, len(chosen), BLOCK)]
        found = in_pieces(lambda block: distance(self.centres(block).to(device)).cpu().numpy(), blocks)
        outside, inside = reach(sharpness, length)
        slack = SLACK * 3**0.5 / self.voxels
        sdf = np.concatenate(found) if found else np.zeros(0, np.float32)
        states = np.where(sdf > outside + slack, EMPTY, np.where(sdf < -inside - slack, INSIDE, NEAR))
        self.state.flat[chosen] = states.astype(np.uint8)


def reach(sharpness: float, length: float) -> tuple[float, float]:
    """How far outside and how deep inside the surface a section can add `HIDDEN` to the picture.

    Outside at distance f a section hides about s length exp(-s f); at depth f inside exp(-s f) of the light is left.
    """
    return max(math.log(max(sharpness * length, HIDDEN) / HIDDEN), 0.0) / sharpness, -math.log(HIDDEN) / sharpness


def march(occupancy: Occupancy, rays: Rays, length: float, offsets: Tensor) -> Samples:
    """Sections of `length` where the grid says near; `offsets` [R] in [0, 1) shifts those of a ray by a share of it."""
    if rays.origins.device.type != "cpu":
        return march_torch(torch.from_numpy(occupancy.state).to(rays.origins.device), rays, length, offsets)
    arrays = tuple(np.ascontiguousarray(t.numpy()) for t in (rays.origins, rays.directions, offsets))
    bounds = [(i, min(i + BLOCK // 32, len(rays))) for i in range(0, len(rays), BLOCK // 32)]
    counts = np.zeros(len(rays) + 1, np.int64)
    depths = np.empty(0, np.float32)
    in_pieces(lambda b: _march(*b, occupancy.state, *arrays, np.float32(length), counts[1:], depths, False), bounds)
    starts = np.cumsum(counts)
    depths = np.empty(starts[-1], np.float32)
    in_pieces(lambda b: _march(*b, occupancy.state, *arrays, np.float32(length), starts, depths, True), bounds)
    return Samples(torch.from_numpy(starts), torch.from_numpy(depths), length)


@njit(nogil=True, cache=True, error_model="numpy")
def _march(first, last, state, origins, directions, offsets, length, counts, depths, filling):
    """Counts the sections of each ray into `counts`, or writes their depths from `counts[ray]` on."""
    voxels = state.shape[0]
    half = np.float32(0.5 * voxels)
    for ray in range(first, last):
        enter, leave = np.float32(0), np.float32(np.inf)
        for axis in range(3):
            slope = np.float32(1) / directions[ray, axis]
            a, b = (np.float32(-1) - origins[ray, axis]) * slope, (np.float32(1) - origins[ray, axis]) * slope
            enter, leave = max(enter, min(a, b)), min(leave, max(a, b))
        count = 0
        if leave > enter:
            steps = int(np.ceil((leave - enter) / length))
            for step in range(steps):
                depth = enter + (np.float32(step) + offsets[ray]) * length
                if depth >= leave:
                    break
                x = min(max(int((origins[ray, 0] + depth * directions[ray, 0] + np.float32(1)) * half), 0), voxels - 1)
                y = min(max(int((origins[ray, 1] + depth * directions[ray, 1] + np.float32(1)) * half), 0), voxels - 1)
                z = min(max(int((origins[ray, 2] + depth * directions[ray, 2] + np.float32(1)) * half), 0), voxels - 1)
                found = state[x, y, z]
                if found == INSIDE:
                    break
                if found == NEAR:
                    if filling:
                        depths[counts[ray] + count] = depth
                    count += 1
        if not filling:
            counts[ray] = count


def march_torch(state: Tensor, rays: Rays, length: float, offsets: Tensor) -> Samples:
    """`march` in plain torch, on any device: all steps of all rays at once. `state` [n, n, n]."""
    voxels = len(state)
    slopes = 1 / rays.directions
    ends = torch.stack([(-1 - rays.origins) * slopes, (1 - rays.origins) * slopes])
    enter, leave = ends.amin(dim=0).amax(dim=1).clamp(min=0), ends.amax(dim=0).amin(dim=1)
    most = int(((leave - enter) / length).clamp(min=0).max().ceil()) if len(rays) else 0
    steps = torch.arange(most, device=state.device, dtype=torch.float32)
    depths = enter[:, None] + (steps + offsets[:, None]) * length  # [R, S]
    points = rays.origins[:, None] + depths[:, :, None] * rays.directions[:, None]
    x, y, z = ((points + 1) * (0.5 * voxels)).int().clamp(0, voxels - 1).unbind(2)
    found = state[x, y, z]
    passed = torch.cumsum((found == INSIDE).int(), dim=1) == 0
    taken = (found == NEAR) & passed & (depths < leave[:, None])
    starts = torch.cat([taken.new_zeros(1, dtype=torch.int64), taken.sum(dim=1).cumsum(dim=0)])
    return Samples(starts, depths[taken], length)
