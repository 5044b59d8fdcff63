"""A neural surface's field, also a little beyond its cells, where a mesh of it needs to know on which side it is.

Inside a cell it is `NeuralSurface.sample`. Beyond, up to the width of a cell away, the field of the nearest place in a
cell goes on as a plane: distance there + gradient . way. Points are taken in the order of their cells, so that few
networks are at work at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenes.gaussians import Floats
from scenes.progress import Progress, silent
from scenes.surface import EMPTY, NeuralSurface
from scenes.triangle_mesh import Doubles, Indices

BLOCK = 1 << 15  # points at a time: some 40 MB with gradients of 40 neurons
WITHIN = 1e-4  # cells: how far inside its cell a nearest place is put, so that rounding does not take it out
PAD = 3  # cells around the grid, so that neighbours of what is beyond it need no check
FAR = 2.0  # cells: the distance given to points that are more than a cell away from all


class NearSample(NamedTuple):
    """The field at N points near the cells."""

    distance: Floats  # [N] world units, negative inside the object
    gradient: Floats  # [N, 3]


class NearField:
    """The field of `surface` in its cells and around them."""

    def __init__(self, surface: NeuralSurface) -> None:
        self.surface = surface
        self._occupied = np.pad(surface.networks != EMPTY, PAD)

    def distance(self, points: Doubles, progress: Progress = silent) -> Floats:
        """Signed distance [N] at `points` [N, 3], world units: a third of the work of `sample`."""
        result = np.empty(len(points), np.float32)
        for rows, inside in self._blocks(points, progress):
            if inside:
                result[rows] = self._distance_inside(points[rows])
            else:
                result[rows] = self._beyond(points[rows]).distance
        return result

    def sample(self, points: Doubles, progress: Progress = silent) -> NearSample:
        """Signed distance [N] and its gradient [N, 3] at `points` [N, 3], world units."""
        distance, gradient = np.empty(len(points), np.float32), np.empty((len(points), 3), np.float32)
        for rows, inside in self._blocks(points, progress):
            found = self.surface.sample(points[rows].astype(np.float32)) if inside else self._beyond(points[rows])
            distance[rows], gradient[rows] = found.distance, found.gradient
        return NearSample(distance, gradient)

    def colour(self, points: Doubles, normals: Floats, progress: Progress = silent) -> Floats:
        """RGB [N, 3] in [0, 1] at `points`, looked at head-on: the direction from the camera is -`normals`."""
        result = np.empty((len(points), 3), np.float32)
        for rows, inside in self._blocks(points, progress):
            places = points[rows] if inside else self._nearest(points[rows])[0]
            result[rows] = self.surface.colour(places.astype(np.float32), normals[rows], -normals[rows])
        return result

    def onto(self, points: Doubles, reach: float, steps: int, progress: Progress = silent) -> tuple[Doubles, Floats]:
        """`points` [N, 3] moved along the gradient onto the zero set, at most by `reach`; unit normals [N, 3] there.

        Newton's method; the gradients of its last step are the normals. A step of 0 gives normals alone.
        """
        start, normals = points, np.empty((len(points), 3), np.float32)
        rounds = max(steps, 1)
        for step in range(rounds):
            found = self.sample(points, lambda share, step=step: progress((step + share) / rounds))
            length = np.linalg.norm(found.gradient, axis=1, keepdims=True)
            normals = found.gradient / np.maximum(length, 1e-12)
            if step < steps:
                # a gradient is about of length 1; where it is not, a step is at most twice the distance
                way = points - found.distance[:, None] * normals / np.maximum(length, 0.5) - start
                far = np.linalg.norm(way, axis=1, keepdims=True)
                points = start + way * np.minimum(1, reach / np.maximum(far, 1e-30))
        return points, normals.astype(np.float32)

    def occupied(self, cells: Indices) -> NDArray[np.bool_]:
        """[N] whether `cells` [N, 3] exist; they may be up to `PAD` beyond the grid."""
        return self._occupied[tuple((cells + PAD).T)]

    def _blocks(self, points: Doubles, progress: Progress) -> Iterator[tuple[Indices, bool]]:
        """Rows of points in a few cells each, and whether they lie in occupied ones."""
        cells = self._cells(self._places(points))
        inside = self.occupied(cells)
        order = np.lexsort((np.ravel_multi_index(tuple((cells + PAD).T), self._occupied.shape), ~inside))
        count = int(inside.sum())
        for part, flag in ((order[:count], True), (order[count:], False)):
            first = 0 if flag else count
            for start in range(0, len(part), BLOCK):
                rows = part[start : start + BLOCK]
                yield rows, flag
                progress((first + start + len(rows)) / len(points))

    def _places(self, points: Doubles) -> Doubles:
        """[N, 3] in cells from the grid's origin, in float32 as the surface takes them."""
        return self.surface.grid.places(points.astype(np.float32)).astype(np.float64)

    def _cells(self, places: Doubles) -> Indices:
        """[N, 3] the cells of `places`, those far from the grid as some without occupied neighbours."""
        return np.clip(np.floor(places).astype(np.int64), 1 - PAD, np.asarray(self.surface.grid.size) + PAD - 2)

    def _distance_inside(self, points: Doubles) -> Floats:
        surface, count = self.surface, len(points)
        total, weight = np.zeros(count, np.float32), np.zeros(count, np.float32)
        places = surface.grid.places(points.astype(np.float32))
        for part in surface.contributions(places, np.ones(count, np.bool_)):
            codes = np.zeros((len(part.rows), 0), np.float32)
            total[part.rows] += part.share * surface.geometry.evaluate(part.network, part.local, codes)[:, 0]
            weight[part.rows] += part.share
        return total / weight * np.float32(surface.grid.edge)

    def _beyond(self, points: Doubles) -> NearSample:
        """The field at points in no cell."""
        nearest, known = self._nearest(points)
        found = self.surface.sample(nearest.astype(np.float32))
        distance = found.distance + (found.gradient * (points - nearest)).sum(axis=1)
        distance = np.where(known, distance, FAR * self.surface.grid.edge).astype(np.float32)
        return NearSample(distance, np.where(known[:, None], found.gradient, 0).astype(np.float32))

    def _nearest(self, points: Doubles) -> tuple[Doubles, NDArray[np.bool_]]:
        """[N, 3] the nearest places in the cells around those of `points`, and where there are any."""
        grid = self.surface.grid
        places = self._places(points)
        cells = self._cells(places)
        best, nearest = np.full(len(points), np.inf), places.copy()
        for way in product((-1, 0, 1), repeat=3):
            cell = cells + way
            place = np.clip(places, cell + WITHIN, cell + (1 - WITHIN))
            away = np.square(place - places).sum(axis=1)
            nearer = self.occupied(cell) & (away < best)
            best[nearer], nearest[nearer] = away[nearer], place[nearer]
        return np.asarray(grid.origin) + grid.edge * nearest, np.isfinite(best)
