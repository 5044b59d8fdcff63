"""A neural surface: a signed distance field and its colour in the networks of thousands of small cells (KiloNeuS).

    point -> cell of a coarse grid -> its geometry network -> signed distance, and its gradient: the normal
                                   -> its appearance network (position, normal, direction) -> colour

Cells that the surface does not touch do not exist. A cell's networks know a little more than the cell: near a face the
networks of both sides are blended with smooth weights (of all up to eight sides near a corner), so that distance,
normal and colour pass from cell to cell without a seam. This is the slow, obvious twin in numpy;
`shaders/surface_field.glsl` is the one that renders. KiloNeuS: Esposito et al., arXiv 2206.10885; blending is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenes.bank import MlpBank
from scenes.bank_gradient import evaluate_with_gradient
from scenes.gaussians import Floats

EMPTY = -1  # in the volume of networks: no cell
APPEARANCE_CODE = 6  # of an appearance bank that depends on the view: normal, then viewing direction


@dataclass(frozen=True)
class CellGrid:
    """Cubic cells on a box."""

    origin: tuple[float, float, float]  # lowest corner, world units
    edge: float  # of a cell, world units
    size: tuple[int, int, int]  # cells along x, y, z

    @property
    def corner(self) -> Floats:
        """[3] the highest corner, world units."""
        return (np.asarray(self.origin) + self.edge * np.asarray(self.size)).astype(np.float32)

    def places(self, points: Floats) -> Floats:
        """[N, 3] `points` in units of cells from the origin."""
        return ((points - np.asarray(self.origin, np.float32)) / np.float32(self.edge)).astype(np.float32)


@dataclass(frozen=True)
class WeightCoding:
    """What the weights of a bank are integers of: weight = mean + integer * step, in float32."""

    mean: Floats  # [P] of all networks, about
    steps: Floats  # [P], or [B] where all weights of a block have the same


class Contribution(NamedTuple):
    """What one of up to eight sides of a blend gives to some of the points."""

    rows: NDArray[np.int64]  # [n] the points
    network: NDArray[np.int32]  # [n]
    local: Floats  # [n, 3]
    share: Floats  # [n] weight in the blend, of a sum that may stay under 1
    slope: Floats  # [n, 3] of the share, a cell


@dataclass(frozen=True)
class Sample:
    """The field at N points; where there is no cell, `inside` is False and the rest means nothing."""

    inside: NDArray[np.bool_]  # [N] in an occupied cell
    distance: Floats  # [N] signed, world units, negative inside the object
    gradient: Floats  # [N, 3] of the distance; about of length 1
    evaluations: NDArray[np.int32]  # [N] networks that were read


@dataclass(frozen=True)
class NeuralSurface:
    """K occupied cells and their networks.

    Local coordinates are -1 to 1 on a cell enlarged by `overlap` on each side. The geometry bank gives the distance in
    units of `grid.edge`. The appearance bank ends in tanh; colour = 0.5 + 0.5 * output. Its code is empty (a colour
    for every direction) or holds the unit normal and the unit direction from the camera to the point.
    """

    grid: CellGrid
    cells: NDArray[np.int64]  # [K, 3] in the order of their Morton codes, no two the same
    overlap: float  # half edges by which a cell's networks reach beyond it, 0 to 0.5; 0: one network a point
    geometry: MlpBank
    appearance: MlpBank | None = None
    geometry_coding: WeightCoding | None = None
    appearance_coding: WeightCoding | None = None

    def __post_init__(self) -> None:
        count = len(self.cells)
        if self.cells.shape != (count, 3) or len(self.geometry) != count:
            raise ValueError(f"surface: expected as many networks as cells, found {len(self.geometry)} and {count}")
        if self.appearance is not None and len(self.appearance) != count:
            raise ValueError(f"surface: expected {count} appearance networks, found {len(self.appearance)}")
        if (self.cells < 0).any() or (self.cells >= self.grid.size).any():
            raise ValueError(f"surface: expected cells within {self.grid.size}")
        if not 0 <= self.overlap <= 0.5:
            raise ValueError(f"surface: expected an overlap from 0 to 0.5, found {self.overlap}")

    def __len__(self) -> int:
        return len(self.cells)

    @cached_property
    def networks(self) -> NDArray[np.int32]:
        """[X, Y, Z] the network of each cell, or `EMPTY`."""
        volume = np.full(self.grid.size, EMPTY, np.int32)
        volume[tuple(self.cells.T)] = np.arange(len(self), dtype=np.int32)
        return volume

    def sample(self, points: Floats) -> Sample:
        """The distance and its gradient at `points` [N, 3], in world units."""
        places = self.grid.places(points.astype(np.float32))
        inside = self._network_at(np.floor(places).astype(np.int64)) != EMPTY
        total, total_slope = np.zeros(len(points), np.float32), np.zeros((len(points), 3), np.float32)
        weight, weight_slope = np.zeros(len(points), np.float32), np.zeros((len(points), 3), np.float32)
        evaluations = np.zeros(len(points), np.int32)
        for part in self.contributions(places, inside):
            values, slopes = evaluate_with_gradient(self.geometry, part.network, part.local)
            value, slope = values[:, 0], slopes[:, :, 0] * np.float32(2 / (1 + self.overlap))
            total[part.rows] += part.share * value
            total_slope[part.rows] += part.share[:, None] * slope + value[:, None] * part.slope
            weight[part.rows] += part.share
            weight_slope[part.rows] += part.slope
            evaluations[part.rows] += 1
        weight = np.where(inside, weight, 1)
        distance = total / weight
        gradient = (total_slope - distance[:, None] * weight_slope) / weight[:, None]
        distance *= np.float32(self.grid.edge)
        return Sample(inside, distance.astype(np.float32), gradient.astype(np.float32), evaluations)

    def colour(self, points: Floats, normals: Floats, directions: Floats) -> Floats:
        """RGB [N, 3] in [0, 1] at `points`; grey where there is no cell or no appearance."""
        result = np.full((len(points), 3), 0.5, np.float32)
        if self.appearance is None:
            return result
        places = self.grid.places(points.astype(np.float32))
        inside = self._network_at(np.floor(places).astype(np.int64)) != EMPTY
        codes = np.concatenate([normals, directions], axis=1).astype(np.float32)[:, : self.appearance.shape.code]
        total, weight = np.zeros((len(points), 3), np.float32), np.zeros(len(points), np.float32)
        for part in self.contributions(places, inside):
            total[part.rows] += part.share[:, None] * self.appearance.evaluate(
                part.network, part.local, codes[part.rows]
            )
            weight[part.rows] += part.share
        result[inside] += 0.5 * total[inside] / weight[inside, None]
        return result

    def _network_at(self, cells: NDArray[np.int64]) -> NDArray[np.int32]:
        """[N] networks of `cells` [N, 3], `EMPTY` beyond the grid too."""
        within = ((cells >= 0) & (cells < self.grid.size)).all(axis=1)
        found = np.full(len(cells), EMPTY, np.int32)
        found[within] = self.networks[tuple(cells[within].T)]
        return found

    def contributions(self, places: Floats, inside: NDArray[np.bool_]) -> Iterator[Contribution]:
        """The parts of the blend at `places` [N, 3], in cells: own cell, across a face, an edge, a corner."""
        cells = np.floor(places).astype(np.int64)
        offset = 2 * (places - cells) - 1  # -1 to 1 in the cell
        side = np.where(offset < 0, -1, 1)
        share, slope = blend_share(np.abs(offset), self.overlap)
        slope = 2 * side * slope  # by places
        for corner in product((0, 1), repeat=3):
            beyond = np.array(corner) == 1
            factors = np.where(beyond, share, 1 - share)
            slopes = np.where(beyond, slope, -slope)
            network = self._network_at(cells + side * beyond)
            rows = np.flatnonzero(inside & (network != EMPTY) & (factors.prod(axis=1) > 0))
            factors, slopes = factors[rows], slopes[rows]
            weight_slope = np.stack([slopes[:, a] * np.delete(factors, a, axis=1).prod(axis=1) for a in range(3)], 1)
            local = (offset[rows] - 2 * side[rows] * beyond) / np.float32(1 + self.overlap)
            yield Contribution(rows, network[rows], local.astype(np.float32), factors.prod(axis=1), weight_slope)


def blend_share(amount: Floats, overlap: float) -> tuple[Floats, Floats]:
    """The share of the neighbour across a face, and its slope by `amount`.

    `amount` is 0 in the middle of the cell and 1 on its face. The share is 0 up to 1 - overlap and 1/2 on the face,
    along the smooth step 3 t^2 - 2 t^3 that reaches 1 where the neighbour's own share becomes 1.
    """
    if overlap == 0:
        return np.zeros_like(amount), np.zeros_like(amount)
    t = np.maximum(amount - np.float32(1 - overlap), 0) / np.float32(2 * overlap)
    return (t * t * (3 - 2 * t)).astype(np.float32), (6 * t * (1 - t) / (2 * overlap)).astype(np.float32)
