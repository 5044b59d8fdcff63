"""The face loss: neighbouring cells are asked to say the same on the face between them.

    weight * sum over places of faces, near the surface, of |f_a - f_b|^2

with f the distance and the gradient as one cell's network and the other's have it. That couples all cells. It is never
more than 2 |f_a - m|^2 + 2 |f_b - m|^2 for any m, and the same where m is the mean of both; so each iteration asks both
sides for the mean of what they say now, every cell for itself, and the sum can only fall (majorise and minimise).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fitting.kiloneus.cells import ask, world_points
from fitting.kiloneus.distil import NEARNESS, GeometryProblem
from fitting.kiloneus.levenberg import blocks
from fitting.kiloneus.teacher import Teacher
from scenes.surface import EMPTY, CellGrid

PLACES = 24  # of a face
SIDES = [(axis, side) for axis in range(3) for side in (1, -1)]


@dataclass
class FacedGeometry(GeometryProblem):
    """Distances and gradients at places of each cell, and the same on both sides of its faces."""

    across: GeometryProblem | None = None  # places of faces
    partner: Tensor | None = None  # [K, F] the place on the other side, of all places of all cells; itself: no cell
    met: GeometryProblem | None = None  # `across` with what is asked there, once it is known what both sides say

    @classmethod
    def of_places(
        cls,
        within: GeometryProblem,
        teacher: Teacher,
        grid: CellGrid,
        cells: NDArray[np.int64],
        weight: float,
        seed: int,
    ) -> FacedGeometry:
        """`within`, and faces that count `weight` times as much as places as near to the surface do."""
        local, partner = face_places(grid, cells, seed)
        centres = cells[:, None] + 0.5
        points = world_points(grid, centres + 0.5 * local)
        distance = torch.from_numpy(ask(lambda p: teacher.distance(p)[0], [points], lambda _: None)[0] / grid.edge)
        alone = torch.from_numpy(partner == np.arange(partner.size).reshape(partner.shape))
        importance = (2 * weight) ** 0.5 * torch.exp(-0.5 * (distance / NEARNESS).square())
        across = GeometryProblem(
            within.shape,
            torch.from_numpy((local / (1 + within.overlap)).astype(np.float32)),
            torch.zeros(*distance.shape, 4),
            torch.where(alone, 0.0, importance).float(),
            within.overlap,
            distance.shape[1],
            places=torch.arange(distance.shape[1]),
        )
        parts = {field.name: getattr(within, field.name) for field in fields(GeometryProblem)}
        return cls(**parts, across=across, partner=torch.from_numpy(partner))

    @property
    def residual_count(self) -> int:
        """With those of the faces."""
        return super().residual_count + (0 if self.met is None else 4 * self.met.drawn)

    def errors(self, weights: Tensor, cells: slice) -> Tensor:
        """[k, 4 (drawn + F)]; of faces none before the first `meet`."""
        own = super().errors(weights, cells)
        return own if self.met is None else torch.cat([own, self.met.errors(weights, cells)], dim=1)

    def slopes(self, weights: Tensor, cells: slice) -> Tensor:
        """[k, 4 (drawn + F), P - moving]"""
        own = super().slopes(weights, cells)
        return own if self.met is None else torch.cat([own, self.met.slopes(weights, cells)], dim=1)

    def meet(self, weights: Tensor) -> None:
        """From here on the faces are asked for the mean of what both sides say with `weights` [K, P]."""
        assert self.across is not None
        assert self.partner is not None
        every = blocks(len(weights), 16 * self.across.drawn * self.shape.width)
        found = torch.cat([self.across.found(weights[cells], cells) for cells in every])
        mean = 0.5 * (found + found.flatten(0, 1)[self.partner])
        self.met = replace(self.across, moving=self.moving, target=mean)

    def of_cells(self, cells: Tensor) -> GeometryProblem:
        """The problem of some of the cells, without faces: their other sides are missing."""
        parts = {field.name: getattr(self, field.name) for field in fields(GeometryProblem)}
        return GeometryProblem(**parts).of_cells(cells)


def face_places(grid: CellGrid, cells: NDArray[np.int64], seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """[K, F, 3] places on the six faces of cells [K, 3], -1 to 1 across a cell, and their partners [K, F].

    Two cells have the same places on the face between them. The partner is the number of that place, of all K F, in the
    other cell, or its own where there is none.
    """
    rng, count = np.random.default_rng((seed, 5)), len(cells)
    volume = np.pad(_networks(grid, cells), 1, constant_values=EMPTY)
    flat = rng.uniform(-1, 1, (3, count, PLACES, 2))  # on the upper faces of each cell
    local, partner = np.empty((count, 6, PLACES, 3)), np.arange(6 * count * PLACES).reshape(count, 6, PLACES)
    own = partner.copy()
    for number, (axis, side) in enumerate(SIDES):
        step = side * np.eye(3, dtype=np.int64)[axis]
        other = volume[tuple((cells + step + 1).T)]
        there = other != EMPTY
        others = [a for a in range(3) if a != axis]
        local[:, number, :, axis] = side
        source = np.where(there & (side < 0), other, np.arange(count))
        local[:, number][..., others] = flat[axis, source]
        opposite = SIDES.index((axis, -side))
        partner[there, number] = own[other[there], opposite]
    return local.reshape(count, -1, 3), partner.reshape(count, -1)


def _networks(grid: CellGrid, cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """[X, Y, Z] the number of each cell's network."""
    volume = np.full(grid.size, EMPTY, np.int64)
    volume[tuple(cells.T)] = np.arange(len(cells))
    return volume
