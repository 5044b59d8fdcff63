"""Where a visitor could stand in a place: a garden, a street, a flat with windows; found in a grid of what is solid.

What tells a place from an object is its background: whoever sees one stands inside it. The grid covers the middle,
where nearly all Gaussians are; trained scenes are fine where their cameras were and coarse far away. Not covered:
places whose up is far from an axis, and rooms without a view, which `views.py` tells by their closed middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from scenes.gaussians import Gaussians, rotation_matrices

Doubles = NDArray[np.float64]
Booleans = NDArray[np.bool_]

FAINT = 0.1  # opacity below which a Gaussian is no part of anything
MIDDLE = 0.8  # of the Gaussians lie within a distance of the median;
BEYOND = 3.0  # times that distance begins the background,
BACKGROUND = 0.02  # which has this share of the scene's area: 0 in six objects measured, 0.05 to 0.32 in four places
CORE = 0.01  # of the other Gaussians lie outside the grid at each end of an axis
CELLS = 192  # along the grid's longest axis
LARGEST_SHARE = 0.995  # of the Gaussians keep their area as weight, as in `scenes/extent.py`
LARGEST = 1e12  # world units: no scene reaches as far
SAMPLES = 64  # points at most that stand for a Gaussian larger than a cell
BLOCK = 500_000  # Gaussians whose points are held at a time
OPAQUE = 0.5  # optical depth across a cell that is solid
LEVEL = 0.9  # cosine with an axis of what counts as level with it
NARROWEST = 1.5  # cells between the eye and anything solid, at least;
CLEARANCE = 0.25  # of the eye's height over the ground, too
CANDIDATES = 6000
COMPASS = 12  # directions a visitor looks around in, level
DOWNWARD = 0.35  # and with this slope down: on a terrace most level looks end nowhere
SURROUNDED = 0.6  # of all these looks end at something solid
ROOF = 2.0  # times as high as one sees around, at most, is a ceiling
UNDER_ROOF = (0.3, 0.75)  # of the way from floor to ceiling, where eyes are
OUT_OF_DOORS = (0.1, 0.35)  # of how far one sees around: measured in two gardens, where that is 5 and 8 metres
FEWEST = 30  # places to stand, or nobody stands there


@dataclass(frozen=True)
class _Grid:
    solid: Booleans  # [X, Y, Z]
    origin: Doubles  # [3] world, a corner
    cell: float  # edge, world units

    def world(self, cells: NDArray[np.integer]) -> Doubles:
        """The middles [M, 3] of cells."""
        return self.origin + (cells + 0.5) * self.cell

    def ahead(self, cells: NDArray[np.integer], directions: Doubles) -> Doubles:
        """[M] how far looks from `cells` [M, 3] along unit `directions` [M, 3] go, in world units; inf: out."""
        sights = np.full(len(cells), np.inf)
        going = np.arange(len(cells))
        for step in range(1, int(np.linalg.norm(self.solid.shape)) + 1):
            reached = np.rint(cells[going] + step * directions[going]).astype(int)
            inside = ((reached >= 0) & (reached < self.solid.shape)).all(axis=1)
            going, reached = going[inside], reached[inside]
            ends = self.solid[tuple(reached.T)]
            sights[going[ends]] = step * self.cell
            going = going[~ends]
            if not len(going):
                break
        return sights


@dataclass(frozen=True)
class Place:
    """What surrounds its visitor."""

    up: Doubles  # [3] unit, one of +-x, +-y, +-z
    eyes: Doubles  # [M, 3] free points at eye height, surrounded and over ground
    vantages: Doubles  # [L, 3] free points anywhere in the middle
    grid: _Grid
    sight: float  # how far a visitor sees, world units: the median over eyes and directions

    @property
    def radius(self) -> float:
        """That of an object seen from as far: cameras stand two radii from an object."""
        return 0.5 * self.sight

    def ahead(self, eyes: Doubles, directions: Doubles) -> Doubles:
        """[M] how far a look from each of `eyes` [M, 3] along `directions` [M, 3] goes; inf: out of the middle."""
        cells = np.floor((eyes - self.grid.origin) / self.grid.cell).astype(int)
        return self.grid.ahead(cells, directions / np.linalg.norm(directions, axis=1, keepdims=True))


def find_place(gaussians: Gaussians, seed: int) -> Place | None:
    """The place that `gaussians` show; None if they show an object, or no room to stand; the same for the same seed."""
    kept = gaussians.select(gaussians.finite() & (gaussians.opacity_logits > np.log(FAINT / (1 - FAINT))))
    if len(kept) < FEWEST or not has_background(kept):
        return None
    rng = np.random.default_rng((seed, 4))
    grid = _solid_grid(kept, rng)
    up, middle = ground_up(kept, grid)
    air = _Air.of(grid, up, middle)
    anywhere, sights = _surrounded(grid, air.drawn(air.grounded, rng), up)
    if len(anywhere) < FEWEST:
        return None
    sight = float(np.median(sights))
    low, high = air.eye_heights(anywhere, sight)
    eyes, _ = _surrounded(grid, air.drawn(air.grounded & (air.height >= low) & (air.height <= high), rng), up)
    return Place(up, grid.world(eyes), grid.world(anywhere), grid, sight) if len(eyes) >= FEWEST else None


def _surrounded(grid: _Grid, cells: NDArray[np.int64], up: Doubles) -> tuple[NDArray[np.int64], Doubles]:
    """Those of `cells` [M, 3] from which most looks around end at something, and how far the level ones go, [L]."""
    looks = _compass(up)
    looks = np.concatenate([looks, (looks - DOWNWARD * up) / np.sqrt(1 + DOWNWARD**2)])
    around = np.stack([grid.ahead(cells, np.tile(look, (len(cells), 1))) for look in looks], axis=1)
    kept = np.isfinite(around).mean(axis=1) >= SURROUNDED
    ahead = around[kept, :COMPASS]
    return cells[kept], ahead[np.isfinite(ahead)]


@dataclass(frozen=True)
class _Air:
    """What is between solid cells, [X, Y, Z] each, in world units."""

    height: Doubles  # over what is below; inf: nothing is
    ceiling: Doubles  # from there to what is above; inf: nothing is
    grounded: Booleans  # free, with room around and the ground, or something low, below

    @classmethod
    def of(cls, grid: _Grid, up: Doubles, middle: float) -> _Air:
        """That of `grid`; the ground is under the `middle`, along `up`, of all Gaussians."""
        axis, forward = int(np.flatnonzero(up)[0]), slice(None, None, int(up.sum()))
        upwards = tuple(forward if i == axis else slice(None) for i in range(3))
        solid = grid.solid[upwards]
        height = grid.cell * _runs(solid, axis)[upwards]
        ceiling = height + grid.cell * np.flip(_runs(np.flip(solid, axis), axis), axis)[upwards]
        clearance = grid.cell * np.asarray(distance_transform_edt(~grid.solid))
        roomy = clearance >= np.maximum(NARROWEST * grid.cell, CLEARANCE * np.where(np.isinf(height), 0, height))
        heights = grid.origin[axis] + (np.arange(solid.shape[axis]) + 0.5) * grid.cell
        level = heights.reshape([-1 if i == axis else 1 for i in range(3)])
        grounded = ~grid.solid & roomy & (up.sum() * level - height <= middle)
        return cls(height, ceiling, grounded & np.isfinite(height))

    def eye_heights(self, cells: NDArray[np.int64], sight: float) -> tuple[float, float]:
        """Between which heights a visitor's eyes are, who moves among `cells` and sees as far as `sight`."""
        ceilings = self.ceiling[tuple(cells.T)]
        roofed = ceilings <= ROOF * sight
        if roofed.mean() < 0.5:
            return OUT_OF_DOORS[0] * sight, OUT_OF_DOORS[1] * sight
        ceiling = float(np.median(ceilings[roofed]))
        return UNDER_ROOF[0] * ceiling, UNDER_ROOF[1] * ceiling

    def drawn(self, among: Booleans, rng: np.random.Generator) -> NDArray[np.int64]:
        """[at most CANDIDATES, 3] of the cells that are `among`."""
        cells = np.argwhere(among)
        return cells[np.sort(rng.permutation(len(cells))[:CANDIDATES])]


def _runs(solid: Booleans, axis: int) -> Doubles:
    """How many cells each is behind the last solid one along `axis`; inf where there is none."""
    index = np.arange(solid.shape[axis]).reshape([-1 if i == axis else 1 for i in range(3)])
    last = np.maximum.accumulate(np.where(solid, index, -1), axis=axis)
    return np.where(last < 0, np.inf, index - last)


def has_background(gaussians: Gaussians) -> bool:
    """Whether a share of the scene's area lies far beyond where most of its Gaussians are."""
    area = _areas(gaussians)
    return bool(area[_far(gaussians)].sum() > BACKGROUND * area.sum())


def _far(gaussians: Gaussians) -> Booleans:
    """[N] whether each is far beyond where most are."""
    positions = gaussians.positions.astype(np.float64)
    distance = np.linalg.norm(positions - np.median(positions, axis=0), axis=1)
    return distance > BEYOND * np.quantile(distance, MIDDLE)


def ground_up(gaussians: Gaussians, grid: _Grid) -> tuple[Doubles, float]:
    """The up axis [3], and how high along it half of the Gaussians are.

    Flat Gaussians lie level more often than upright any one way, and most things are low.
    """
    upper = grid.origin + grid.cell * np.array(grid.solid.shape)
    inside = (gaussians.positions >= grid.origin) & (gaussians.positions <= upper)
    core = gaussians.select(np.flatnonzero(inside.all(axis=1)))
    normals = rotation_matrices(core.rotations)[np.arange(len(core)), :, core.log_scales.argmin(axis=1)]
    level = (_areas(core)[:, None] * (np.abs(normals) > LEVEL)).sum(axis=0)
    axis = int(level.argmax())
    lowest, middle, highest = np.quantile(core.positions[:, axis], (2 * CORE, 0.5, 1 - 2 * CORE))
    sign = 1.0 if middle <= 0.5 * (lowest + highest) else -1.0
    return np.where(np.arange(3) == axis, sign, 0.0), float(sign * middle)


def _areas(gaussians: Gaussians) -> Doubles:
    """[N] opacity times cross-section; the few largest count as less."""
    area = np.sort(_scales(gaussians), axis=1)[:, 1:].prod(axis=1)
    return np.minimum(area, np.quantile(area, LARGEST_SHARE)) * _opacities(gaussians)


def _scales(gaussians: Gaussians) -> Doubles:
    """[N, 3] world units; what would overflow is no less out of place at `LARGEST`."""
    return np.exp(np.minimum(gaussians.log_scales.astype(np.float64), np.log(LARGEST)))


def _opacities(gaussians: Gaussians) -> Doubles:
    return 1 / (1 + np.exp(-gaussians.opacity_logits.astype(np.float64)))


def _solid_grid(gaussians: Gaussians, rng: np.random.Generator) -> _Grid:
    """The cells that light does not pass: optical depths of points that stand for the Gaussians, added up."""
    near = gaussians.positions[~_far(gaussians)].astype(np.float64)
    low, high = np.quantile(near, (CORE, 1 - CORE), axis=0)
    cell = max(float((high - low).max()) / CELLS, 1e-9)
    origin = low - 2 * cell
    shape = np.ceil((high + 2 * cell - origin) / cell).astype(int)
    depth = np.zeros(int(shape.prod()))
    for first in range(0, len(gaussians), BLOCK):
        points, depths = _samples(gaussians.select(slice(first, first + BLOCK)), cell, rng)
        cells = np.floor((points - origin) / cell).astype(int)
        inside = ((cells >= 0) & (cells < shape)).all(axis=1)
        flat = np.ravel_multi_index(tuple(cells[inside].T), tuple(shape))
        depth += np.bincount(flat, depths[inside], minlength=len(depth))
    return _Grid((depth > OPAQUE).reshape(shape), origin, cell)


def _samples(gaussians: Gaussians, cell: float, rng: np.random.Generator) -> tuple[Doubles, Doubles]:
    """Points [P, 3] spread as the Gaussians are, and the optical depth [P] each adds to a cell it lies in."""
    scales = _scales(gaussians)
    across = np.sort(scales, axis=1)[:, 1:].prod(axis=1)
    count = np.clip(np.ceil(across / (0.5 * cell) ** 2), 1, SAMPLES).astype(int)
    depth = -np.log1p(-np.minimum(_opacities(gaussians), 0.99)) * 2 * np.pi * across / cell**2
    owner = np.repeat(np.arange(len(gaussians)), count)
    offsets = scales[owner] * rng.normal(size=(len(owner), 3)) * (count[owner] > 1)[:, None]
    turned = np.einsum("nij,nj->ni", rotation_matrices(gaussians.rotations).astype(np.float64)[owner], offsets)
    return gaussians.positions[owner] + turned, (depth / count)[owner]


def _compass(up: Doubles) -> Doubles:
    """[COMPASS, 3] unit directions at right angles to `up`."""
    east, north = np.eye(3)[up == 0]
    angles = 2 * np.pi * np.arange(COMPASS)[:, None] / COMPASS
    return np.cos(angles) * east + np.sin(angles) * north
