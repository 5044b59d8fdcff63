"""Where rays need samples: voxels near the surface, in a grid on the box [-1, 1]^3.

    EMPTY   far outside, or where no photograph shows anything: skipped
    NEAR    a section here can hide something
    INSIDE  so deep that nothing gets there: the ray ends

Within near voxels the distances at their centres, mixed linearly, tell the same more finely. As the sharpness grows the
layer gets thinner, and rays need fewer samples. Sections have one length and lie at the same depths whatever is
skipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from fitting.hash_grid_numba import in_pieces
from fitting.kiloneus.volume import Rays, Samples

EMPTY, NEAR, INSIDE = 0, 1, 2
SLACK = 1.5  # times the half diagonal of a voxel: how far a distance may be from the one at its centre,
MARGIN = 0.4  # times its edge: and from what is mixed of those at the centres around
BEYOND = 3.0  # edges of a voxel: the distance taken where a voxel is not allowed
HIDDEN = 2e-3  # alpha of a section, or light at a depth, that does not count
BLOCK = 1 << 15  # points at a time
RAYS = 1 << 10  # rays at a time


@dataclass
class Occupancy:
    """The grid."""

    allowed: NDArray[np.bool_]  # [n, n, n] voxels that can hold the object at all
    state: NDArray[np.uint8]  # [n, n, n] by x, y, z
    distances: NDArray[np.float32]  # [n, n, n] at the centres
    outside: float  # distances beyond which sections are skipped,
    inside: float  # and beyond which, negated, rays end
    _moved: dict[torch.device, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)

    @classmethod
    def everywhere(cls, allowed: NDArray[np.bool_]) -> Occupancy:
        """All that is allowed is near."""
        distances = np.where(allowed, 0, BEYOND * 2 / len(allowed)).astype(np.float32)
        return cls(allowed, np.where(allowed, NEAR, EMPTY).astype(np.uint8), distances, math.inf, math.inf)

    @classmethod
    def of_tensors(cls, allowed: NDArray[np.bool_], tensors: dict[str, Tensor]) -> Occupancy:
        """What `tensors()` was."""
        outside, inside = tensors["reach"].tolist()
        return cls(allowed, tensors["state"].numpy().copy(), tensors["distances"].numpy().copy(), outside, inside)

    def tensors(self) -> dict[str, Tensor]:
        """All but what is allowed, for a checkpoint."""
        reached = torch.tensor([self.outside, self.inside], dtype=torch.float64)
        arrays = {"state": self.state, "distances": self.distances}
        return {"reach": reached, **{name: torch.from_numpy(a) for name, a in arrays.items()}}

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
        slack, margin = SLACK * 3**0.5 / self.voxels, MARGIN * 2 / self.voxels
        self.outside, self.inside = outside + margin, inside + margin
        sdf = np.concatenate(found) if found else np.zeros(0, np.float32)
        states = np.where(sdf > outside + slack, EMPTY, np.where(sdf < -inside - slack, INSIDE, NEAR))
        self.state.flat[chosen] = states.astype(np.uint8)
        self.distances.flat[chosen] = sdf
        self._moved.clear()

    def on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """States and distances as tensors."""
        if device not in self._moved:
            self._moved[device] = (torch.from_numpy(self.state).to(device), torch.from_numpy(self.distances).to(device))
        return self._moved[device]


def reach(sharpness: float, length: float) -> tuple[float, float]:
    """How far outside and how deep inside the surface a section can add `HIDDEN` to the picture.

    Outside at distance f a section hides about s length exp(-s f); at depth f inside exp(-s f) of the light is left.
    """
    return max(math.log(max(sharpness * length, HIDDEN) / HIDDEN), 0.0) / sharpness, -math.log(HIDDEN) / sharpness


def march(occupancy: Occupancy, rays: Rays, length: float, offsets: Tensor) -> Samples:
    """Sections of `length` where the grid says near; `offsets` [R] in [0, 1) shifts those of a ray by a share of it."""
    if rays.origins.device.type != "cpu":
        return march_torch(occupancy, rays, length, offsets)
    starts = np.cumsum(_counts(occupancy, rays, length, offsets))
    depths = np.empty(starts[-1], np.float32)
    _run(occupancy, rays, length, offsets, starts, depths, True)
    return Samples(torch.from_numpy(starts), torch.from_numpy(depths), length)


def hits(occupancy: Occupancy, rays: Rays) -> NDArray[np.bool_]:
    """[R] which rays meet a near voxel, looked at once in the length of a voxel's edge."""
    length, offsets = 2 / occupancy.voxels, torch.full((len(rays),), 0.5, device=rays.origins.device)
    if rays.origins.device.type != "cpu":
        return (march_torch(occupancy, rays, length, offsets).starts.diff() > 0).cpu().numpy()
    return _counts(occupancy, rays, length, offsets)[1:] > 0


def _counts(occupancy: Occupancy, rays: Rays, length: float, offsets: Tensor) -> NDArray[np.int64]:
    """[1 + R] 0, and the sections of each ray."""
    counts = np.zeros(len(rays) + 1, np.int64)
    _run(occupancy, rays, length, offsets, counts[1:], np.empty(0, np.float32), False)
    return counts


def _run(
    occupancy: Occupancy,
    rays: Rays,
    length: float,
    offsets: Tensor,
    counts: NDArray[np.int64],
    depths: NDArray[np.float32],
    filling: bool,
) -> None:
    """The kernel over all rays."""
    grid = (occupancy.state, occupancy.distances, np.float32(occupancy.outside), np.float32(-occupancy.inside))
    arrays = tuple(np.ascontiguousarray(t.numpy()) for t in (rays.origins, rays.directions, offsets))
    given: tuple[Any, ...] = (*grid, *arrays, np.float32(length), counts, depths, filling)
    kernel_of_rays: Any = _march
    bounds = [(i, min(i + RAYS, len(rays))) for i in range(0, len(rays), RAYS)]
    in_pieces(lambda rows: kernel_of_rays(*rows, *given), bounds)


kernel = njit(nogil=True, cache=True, error_model="numpy")


@kernel
def _mixed(distances, x, y, z):
    """The distance at a place in voxels, whose centres are at halves, mixed of the eight around; clamped at the rim."""
    last = np.float32(len(distances) - 1)
    x = min(max(x - np.float32(0.5), np.float32(0)), last)
    y = min(max(y - np.float32(0.5), np.float32(0)), last)
    z = min(max(z - np.float32(0.5), np.float32(0)), last)
    i, j, k = int(x), int(y), int(z)
    a, b, c = x - np.float32(i), y - np.float32(j), z - np.float32(k)
    i1, j1, k1 = min(i + 1, int(last)), min(j + 1, int(last)), min(k + 1, int(last))
    one = np.float32(1)
    low = (distances[i, j, k] * (one - a) + distances[i1, j, k] * a) * (one - b)
    low += (distances[i, j1, k] * (one - a) + distances[i1, j1, k] * a) * b
    high = (distances[i, j, k1] * (one - a) + distances[i1, j, k1] * a) * (one - b)
    high += (distances[i, j1, k1] * (one - a) + distances[i1, j1, k1] * a) * b
    return low * (one - c) + high * c


@kernel
def _span(origin, direction):
    """Where a ray enters the box and where it leaves it; in this order only if it does."""
    enter, leave = np.float32(0), np.float32(np.inf)
    for axis in range(3):
        slope = np.float32(1) / direction[axis]
        a, b = (np.float32(-1) - origin[axis]) * slope, (np.float32(1) - origin[axis]) * slope
        enter, leave = max(enter, min(a, b)), min(leave, max(a, b))
    return enter, leave


@kernel
def _march(
    first, last, state, distances, outside, inside, origins, directions, offsets, length, counts, depths, filling
):
    """Counts the sections of each ray into `counts`, or writes their depths from `counts[ray]` on."""
    voxels = len(state)
    half, top = np.float32(0.5 * voxels), voxels - 1
    for ray in range(first, last):
        enter, leave = _span(origins[ray], directions[ray])
        count = 0
        steps = int(np.ceil((leave - enter) / length)) if leave > enter else 0
        for step in range(steps):
            depth = enter + (np.float32(step) + offsets[ray]) * length
            if depth >= leave:
                break
            x = (origins[ray, 0] + depth * directions[ray, 0] + np.float32(1)) * half
            y = (origins[ray, 1] + depth * directions[ray, 1] + np.float32(1)) * half
            z = (origins[ray, 2] + depth * directions[ray, 2] + np.float32(1)) * half
            found = state[min(max(int(x), 0), top), min(max(int(y), 0), top), min(max(int(z), 0), top)]
            if found == INSIDE:
                break
            if found == NEAR:
                distance = _mixed(distances, x, y, z)
                if distance < inside:
                    break
                if distance <= outside:
                    if filling:
                        depths[counts[ray] + count] = depth
                    count += 1
        if not filling:
            counts[ray] = count


def march_torch(occupancy: Occupancy, rays: Rays, length: float, offsets: Tensor) -> Samples:
    """`march` in plain torch, on any device: all steps of all rays at once."""
    device, voxels = rays.origins.device, occupancy.voxels
    slopes = 1 / rays.directions
    ends = torch.stack([(-1 - rays.origins) * slopes, (1 - rays.origins) * slopes])
    enter, leave = ends.amin(dim=0).amax(dim=1).clamp(min=0), ends.amax(dim=0).amin(dim=1)
    most = int(((leave - enter) / length).clamp(min=0).max().ceil()) if len(rays) else 0
    steps = torch.arange(most, device=device, dtype=torch.float32)
    depths = enter[:, None] + (steps + offsets[:, None]) * length  # [R, S]
    points = rays.origins[:, None] + depths[:, :, None] * rays.directions[:, None]
    x, y, z = ((points + 1) * (0.5 * voxels)).int().clamp(0, voxels - 1).unbind(2)
    state, distances = occupancy.on(device)
    found = state[x, y, z]
    places = points.flip(2)[None, None]  # grid_sample names the last dimension first
    distance = grid_sample(distances[None, None], places, padding_mode="border", align_corners=False)[0, 0, 0]  # [R, S]
    deep = (found == INSIDE) | ((found == NEAR) & (distance < -occupancy.inside))
    passed = torch.cumsum((deep & (depths < leave[:, None])).int(), dim=1) == 0
    taken = (found == NEAR) & passed & (depths < leave[:, None]) & (distance <= occupancy.outside)
    starts = torch.cat([taken.new_zeros(1, dtype=torch.int64), taken.sum(dim=1).cumsum(dim=0)])
    return Samples(starts, depths[taken], length)
