"""The cubes of a fine lattice that a neural surface's zero set passes through, found without looking at the others.

    cells -> blocks of cubes -> those whose middle is near the surface -> halved, and halved again -> cubes
          -> values at their corners, each corner once -> cubes with both signs -> neighbours that were missed

A block is left out when the distance at its middle is more than `MARGIN` times its half diagonal: distances are
nearly, but not exactly, such that they change no faster than one walks. What that may have lost is found again by
following the surface: where it leaves a cube through a face, the cube beyond is looked at too. Only cubes with a corner
in a cell count, so the surface ends less than a cube beyond the cells, where it does not close before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from scenes.gaussians import Floats
from scenes.progress import Progress, silent
from scenes.surface import NeuralSurface
from scenes.surface_mesh_field import NearField
from scenes.triangle_mesh import Doubles, Indices

MARGIN = 1.25
CORNERS = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)])
# Cubes' corners have values at least this far from zero, in spacings: vertices of neighbouring edges do not coincide
LEAST_VALUE = 0.01
REFINING, LOOKING = 0.25, 0.95  # shares of the progress at which blocks are done, and corners


@dataclass(frozen=True)
class Lattice:
    """Points in rows of the same spacing along all axes, around the cells of a surface."""

    origin: Doubles  # [3] lowest point, world units
    spacing: float  # world units
    size: tuple[int, int, int]  # cubes along x, y, z; one more point each

    def points(self, index: NDArray[np.integer] | NDArray[np.floating]) -> Doubles:
        """World places of [N, 3] points, or of what lies between them."""
        return self.origin + self.spacing * index.astype(np.float64)

    @property
    def strides(self) -> Indices:
        """[3] by which x, y, z count in the number of a point, and of the cube above it."""
        _, y, z = (n + 1 for n in self.size)
        return np.array([y * z, z, 1], np.int64)

    def unravel(self, keys: Indices) -> Indices:
        """[N, 3] of the numbers [N] of points."""
        return np.stack(np.unravel_index(keys, tuple(n + 1 for n in self.size)), axis=1).astype(np.int64)


@dataclass(frozen=True)
class Cubes:
    """The M cubes the surface crosses, and the field at their corners."""

    lattice: Lattice
    points: Indices  # [P] numbers of lattice points, ascending
    values: Floats  # [P] distance there, in spacings; none is nearer to zero than `LEAST_VALUE`
    corners: Indices  # [M, 8] rows of `points`, in the order of `CORNERS`


def lattice_around(surface: NeuralSurface, resolution: int) -> Lattice:
    """`resolution` cubes along the longest side of the box of all cells, and one more around."""
    low, high = surface.cells.min(axis=0), surface.cells.max(axis=0) + 1
    grid = surface.grid
    spacing = float((high - low).max() * grid.edge / resolution)
    size = np.ceil((high - low) * grid.edge / spacing - 1e-9).astype(int) + 2
    middle = np.asarray(grid.origin) + grid.edge * 0.5 * (low + high)
    return Lattice(middle - 0.5 * spacing * size, spacing, (int(size[0]), int(size[1]), int(size[2])))


def crossed_cubes(near: NearField, lattice: Lattice, progress: Progress = silent) -> Cubes:
    """The cubes with corners on both sides of the zero set.

    `lattice.spacing` is at most the edge of a cell. The lattice has fewer than 2^31 points a side squared.
    """
    if lattice.spacing > near.surface.grid.edge * (1 + 1e-6):
        raise ValueError(f"expected a spacing up to a cell's edge, found {lattice.spacing}")
    cubes = _near_cubes(near, lattice, lambda share: progress(REFINING * share))
    known = _Known(near, lattice)
    corners = known.corners(cubes, lambda share: progress(REFINING + (LOOKING - REFINING) * share))
    while True:
        missed = _beyond(near, lattice, cubes, known.values[corners])
        if not len(missed):
            break
        cubes = np.union1d(cubes, missed)
        corners = known.corners(cubes)
    signs = known.values[corners] < 0
    progress(1.0)
    return Cubes(lattice, known.keys, known.values, corners[signs.any(axis=1) & ~signs.all(axis=1)])


def _near_cubes(near: NearField, lattice: Lattice, progress: Progress) -> Indices:
    """Numbers, ascending, of the cubes the surface may pass through."""
    side = 1
    while 2 * side * lattice.spacing <= near.surface.grid.edge:
        side *= 2
    blocks, levels, level = _blocks_at_cells(near.surface, lattice, side), side.bit_length() - 1, 0
    while side > 1:
        middles = lattice.points(blocks + 0.5 * side)
        distance = near.distance(middles, lambda share, level=level: progress((level + share) / levels))
        blocks = blocks[np.abs(distance) <= MARGIN * 0.5 * np.sqrt(3) * side * lattice.spacing]
        side, level = side // 2, level + 1
        blocks = (blocks[:, None] + side * np.array(list(product((0, 1), repeat=3)))).reshape(-1, 3)
    blocks = blocks[(blocks < lattice.size).all(axis=1)]
    return np.sort(blocks[_at_cells(near, lattice, blocks)] @ lattice.strides)


def _blocks_at_cells(surface: NeuralSurface, lattice: Lattice, side: int) -> Indices:
    """[N, 3] lowest points of the blocks of `side` cubes that reach into occupied cells."""
    grid = surface.grid
    corner = (np.asarray(grid.origin) + grid.edge * surface.cells - lattice.origin) / (lattice.spacing * side)
    # a thousandth of a cube more on both sides is for rounding
    first = np.floor(corner - 1e-3).astype(np.int64)
    last = np.floor(corner + grid.edge / (lattice.spacing * side) + 1e-3).astype(np.int64)
    steps = range(int((last - first).max()) + 1)
    every = np.concatenate([np.minimum(first + step, last) for step in product(steps, repeat=3)])
    every = every[(every >= 0).all(axis=1) & (every * side < lattice.size).all(axis=1)]
    return side * np.unique(every, axis=0)


def _at_cells(near: NearField, lattice: Lattice, cubes: Indices) -> NDArray[np.bool_]:
    """Whether cubes [N, 3] have a corner in an occupied cell."""
    axes = [np.floor(near.surface.grid.places(_line(lattice, axis))[:, axis]).astype(np.int64) for axis in range(3)]
    axes = [np.clip(cells, -1, size) for cells, size in zip(axes, near.surface.grid.size, strict=True)]
    found = np.zeros(len(cubes), np.bool_)
    for corner in CORNERS:
        cells = np.stack([axes[a][cubes[:, a] + corner[a]] for a in range(3)], axis=1)
        found |= near.occupied(cells)
    return found


def _line(lattice: Lattice, axis: int) -> Floats:
    """[size + 1, 3] the lattice points along one axis."""
    index = np.zeros((lattice.size[axis] + 1, 3))
    index[:, axis] = np.arange(lattice.size[axis] + 1)
    return lattice.points(index).astype(np.float32)


def _beyond(near: NearField, lattice: Lattice, cubes: Indices, values: Floats) -> Indices:
    """Numbers of the cubes that are not among `cubes` [M] but whose face with one of them the surface crosses."""
    missed = []
    signs = values < 0
    for axis, side in product(range(3), (0, 1)):
        face = signs[:, CORNERS[:, axis] == side]
        rows = np.flatnonzero(face.any(axis=1) & ~face.all(axis=1))
        index = lattice.unravel(cubes[rows])[:, axis] + (2 * side - 1)
        rows = rows[(index >= 0) & (index < lattice.size[axis])]
        missed.append(_absent(cubes[rows] + (2 * side - 1) * lattice.strides[axis], cubes))
    found = np.unique(np.concatenate(missed))
    return found[_at_cells(near, lattice, lattice.unravel(found))]


@dataclass
class _Known:
    """The field at lattice points, each evaluated once: neighbouring cubes agree on it to the last bit."""

    near: NearField
    lattice: Lattice
    keys: Indices = field(default_factory=lambda: np.empty(0, np.int64))  # [P] numbers of points, ascending
    values: Floats = field(default_factory=lambda: np.empty(0, np.float32))  # [P] in spacings

    def corners(self, cubes: Indices, progress: Progress = silent) -> Indices:
        """[M, 8] rows of `keys` at the corners of `cubes` [M]; what is not known of them is evaluated."""
        self._add(_corner_points(self.lattice, cubes), progress)
        offsets = CORNERS @ self.lattice.strides
        rows = np.empty((len(cubes), 8), np.int64)
        for column, offset in enumerate(offsets):
            rows[:, column] = np.searchsorted(self.keys, cubes + offset)
        return rows

    def _add(self, wanted: Indices, progress: Progress) -> None:
        fresh = _absent(wanted, self.keys)
        points = self.lattice.points(self.lattice.unravel(fresh))
        values = self.near.distance(points, progress) / np.float32(self.lattice.spacing)
        away = np.where(values < 0, -1, 1) * np.maximum(np.abs(values), np.float32(LEAST_VALUE))
        keys = np.concatenate([self.keys, fresh])
        order = np.argsort(keys, kind="stable")
        self.keys, self.values = keys[order], np.concatenate([self.values, away.astype(np.float32)])[order]


def _absent(wanted: Indices, known: Indices) -> Indices:
    """Those of `wanted` that `known`, ascending, lacks."""
    if not len(known):
        return wanted
    rows = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return wanted[known[rows] != wanted]


def _corner_points(lattice: Lattice, cubes: Indices) -> Indices:
    """Numbers, ascending, of the points that are corners of `cubes` (ascending): marked layer by layer, not sorted."""
    layer = lattice.strides[0]
    offsets = CORNERS[CORNERS[:, 0] == 0] @ lattice.strides
    starts = np.searchsorted(cubes, layer * np.arange(lattice.size[0] + 2))
    found = []
    for x in range(lattice.size[0] + 1):
        marks = np.zeros(layer, np.bool_)
        for below in (x - 1, x):
            if below >= 0:
                mine = cubes[starts[below] : starts[below + 1]] - layer * below
                for offset in offsets:
                    marks[mine + offset] = True
        found.append(layer * x + np.flatnonzero(marks))
    return np.concatenate(found)
