"""How fast the cells' networks wave before they learn, chosen by FreSh instead of fixed (see `fitting/fresh.py`).

geometry    a factor of the first layer's weights: the networks' sines are its only waves
appearance  the frequency of the positional encoding

The targets are what the teacher says on regular grids in the boxes of some cells: distances, or colours seen head-on.
They are cut off at the box, as are the untrained networks they are compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from fitting.fresh import Choice, Samples, choose, grid_points
from fitting.kiloneus.cells import world_points
from fitting.kiloneus.features import start
from fitting.kiloneus.output_layer import shared_size
from fitting.kiloneus.teacher import Teacher
from scenes.bank import BankShape, MlpBank
from scenes.gaussians import Floats
from scenes.surface import CellGrid

SCALES = (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0)  # of the first layer's weights
ENCODINGS = ((0.5,), (1.0,), (2.0,), (4.0,), (8.0,))  # radians per local unit; equal parameters
CELLS = 16  # that are looked at
SIDE = 16  # places an axis in each
LOCAL = grid_points((SIDE,) * 3).reshape(-1, 3)
T = TypeVar("T")


@dataclass(frozen=True)
class Look:
    """The cells [K, 3] of a grid, some of which are looked at, and whom to ask."""

    teacher: Teacher
    grid: CellGrid
    cells: NDArray[np.int64]
    overlap: float
    seed: int

    def choose_scale(self, shape: BankShape) -> Choice[float]:
        """The factor of the first layer's weights that suits the distances."""
        distances = [self.teacher.distance(points)[0][:, None] for points in self._points()]
        return _chosen(distances, SCALES, lambda scale: (shape, scale))

    def choose_encoding(self, shape: BankShape) -> Choice[tuple[float, ...]]:
        """The encoding of the place that suits the colours; what depends on the view is left out."""
        plain = replace(shape, code=0)
        return _chosen(self._colours(), ENCODINGS, lambda waves: (replace(plain, frequencies=waves), 1.0))

    def _points(self) -> list[Floats]:
        """[S, 3] of each cell that is looked at, world units."""
        drawn = np.random.default_rng(self.seed).permutation(len(self.cells))[:CELLS]
        reach = 0.5 * (1 + self.overlap)
        return [world_points(self.grid, cell + 0.5 + reach * LOCAL) for cell in self.cells[drawn]]

    def _colours(self) -> list[Floats]:
        found = []
        for points in self._points():
            normals = self.teacher.distance(points)[1]
            found.append(self.teacher.colour(points, normals, -normals))
        return found


def _chosen(
    targets: Sequence[Floats], candidates: Sequence[T], network: Callable[[T], tuple[BankShape, float]]
) -> Choice[T]:
    """For signals [S, C] of cells; `network` tells a candidate's shape and the scale of its first layer."""
    grids = [target.reshape(SIDE, SIDE, SIDE, -1) for target in targets]
    return choose(grids, candidates, lambda candidate, seed: _untrained(*network(candidate), seed))


def _untrained(shape: BankShape, scale: float, seed: int) -> Samples:
    """[SIDE, SIDE, SIDE, D] of a network as cells start, with an output layer that is random and not zero."""
    first = shared_size(shape)
    weights = start(shape, seed, scale)
    generator = torch.Generator().manual_seed(seed)
    weights[first:] = torch.randn(len(weights) - first, generator=generator, dtype=weights.dtype)
    bank = MlpBank(replace(shape, output_activation="none"), weights[None].float().numpy())
    none = np.zeros((len(LOCAL), 0), np.float32)
    return bank.evaluate(np.zeros(len(LOCAL), np.int64), LOCAL, none).reshape(SIDE, SIDE, SIDE, -1)
