"""Which cells of a grid a surface touches, and places in them to learn it from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from fitting.kiloneus.teacher import Teacher
from scenes.gaussians import Floats
from scenes.octree import morton_codes
from scenes.progress import Progress, silent
from scenes.surface import CellGrid

PROBES = 6  # points an axis at which a cell is looked at
MARGIN = 0.02  # of the longest side, around the surface
NEAR = 0.6  # of a cell's places lie near the surface
SPREAD = 0.12  # standard deviation of their distance from it, cells
BLOCK = 1 << 18


@dataclass(frozen=True)
class Places:
    """What the teacher says at S places of each of K cells; local coordinates are those of the enlarged cell."""

    local: Floats  # [K, S, 3]
    distance: Floats  # [K, S] in cells
    gradient: Floats  # [K, S, 3] unit


def grid_around(bounds: Floats, cells: int) -> CellGrid:
    """Cubic cells, `cells` of them along the longest side of `bounds` [2, 3] and a margin."""
    low, high = bounds.astype(np.float64)
    longest = float((high - low).max())
    margin = MARGIN * longest
    edge = (longest + 2 * margin) / cells
    size = np.maximum(np.ceil((high - low + 2 * margin) / edge - 1e-6), 1).astype(int)
    origin = 0.5 * (low + high) - 0.5 * size * edge
    return CellGrid((origin[0], origin[1], origin[2]), edge, (int(size[0]), int(size[1]), int(size[2])))


def occupied_cells(teacher: Teacher, grid: CellGrid, overlap: float, progress: Progress = silent) -> NDArray[np.int64]:
    """[K, 3] the cells whose enlarged box the surface may pass through, in the order of their Morton codes.

    A cell is looked at in `PROBES`^3 points; it is kept when the surface may be nearer to one than the points are to
    each other, so none that holds a piece of surface is lost.
    """
    every = np.array(list(product(*map(range, grid.size))))
    reach = 0.5 * (1 + overlap)
    near = np.abs(_distance(teacher, grid, every + 0.5, silent)) <= np.sqrt(3) * reach
    every = every[near]
    line = np.linspace(-1, 1, PROBES + 1)
    line = reach * 0.5 * (line[1:] + line[:-1])
    probes = np.array(list(product(line, repeat=3)))
    points = (every[:, None] + 0.5 + probes).reshape(-1, 3)
    nearest = np.abs(_distance(teacher, grid, points, progress)).reshape(len(every), -1).min(axis=1)
    kept = every[nearest <= np.sqrt(3) * reach / PROBES]
    return kept[np.argsort(morton_codes(kept))]


def _distance(teacher: Teacher, grid: CellGrid, places: NDArray[np.float64], progress: Progress) -> Floats:
    """[N] distances in cells at `places` [N, 3] in cells."""
    found = ask(lambda points: teacher.distance(points)[0], [world_points(grid, places)], progress)[0]
    return (found / grid.edge).astype(np.float32)


def world_points(grid: CellGrid, places: NDArray[np.floating]) -> Floats:
    """`places` [..., 3] in cells from the grid's origin, as points in world units."""
    return (np.asarray(grid.origin) + grid.edge * places).astype(np.float32)


def draw_places(
    teacher: Teacher,
    grid: CellGrid,
    cells: NDArray[np.int64],
    overlap: float,
    count: int,
    seed: int,
    progress: Progress = silent,
) -> Places:
    """`count` places in each cell and what the teacher says there: some anywhere, most near the surface.

    Those near it are places anywhere, moved onto the surface along the gradient and off it again by a little; what
    then lies outside the enlarged cell stays where it was.
    """
    rng = np.random.default_rng(seed)
    centres = cells[:, None] + 0.5
    reach = np.float32(0.5 * (1 + overlap))
    local = rng.uniform(-1, 1, (len(cells), count, 3)).astype(np.float32)
    near = round(NEAR * count)
    points = world_points(grid, centres + reach * local[:, :near])
    distance, gradient = ask(teacher.distance, [points], lambda share: progress(0.5 * share))
    off = (distance / grid.edge + SPREAD * rng.normal(size=distance.shape))[..., None]
    moved = (local[:, :near] - off * gradient / reach).astype(np.float32)
    within = (np.abs(moved) <= 1).all(axis=2, keepdims=True)
    local[:, :near] = np.where(within, moved, local[:, :near])
    points = world_points(grid, centres + reach * local)
    distance, gradient = ask(teacher.distance, [points], lambda share: progress(0.5 + 0.5 * share))
    return Places(local, (distance / grid.edge).astype(np.float32), gradient)


def ask(
    answer: Callable[..., Floats | tuple[Floats, ...]], arrays: Sequence[Floats], progress: Progress
) -> list[Floats]:
    """What a teacher's `answer` gives for all rows of `arrays` [..., 3], a block at a time, in their shape."""
    shape, flat = arrays[0].shape[:-1], [array.reshape(-1, 3) for array in arrays]
    parts: list[tuple[Floats, ...]] = []
    for first in range(0, max(len(flat[0]), 1), BLOCK):
        found = answer(*(array[first : first + BLOCK] for array in flat))
        parts.append(found if isinstance(found, tuple) else (found,))
        progress(min((first + BLOCK) / max(len(flat[0]), 1), 1.0))
    whole = [np.concatenate(each) for each in zip(*parts, strict=True)]
    return [array.reshape(*shape, *array.shape[1:]) for array in whole]
