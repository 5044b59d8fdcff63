"""What cells give to pixels, as a sparse linear map: pixels x (cells x output weights).

A pixel's colour is a sum over what its ray meets, and there over the cells that are blended, of a share times what a
cell's output layer makes of its features. Entries, one for each of these, are sorted by cell, so that the map, its
transpose and the cells' own blocks of the normal equations are one pass each. The result does not depend on the number
of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from fitting.hash_grid_numba import in_pieces
from scenes.gaussians import Floats

kernel = njit(nogil=True, fastmath=True, cache=True, error_model="numpy")
RUNS = 16  # cells are handed out in so many runs of about as many entries


@dataclass(frozen=True)
class Sightings:
    """n entries of K cells in R pixels; F features with a 1 behind them for the bias."""

    features: Floats  # [n, F]
    share: Floats  # [n]
    pixels: NDArray[np.int64]  # [n]
    starts: NDArray[np.int64]  # [K + 1] the first entry of each cell, and n
    count: int  # R

    @classmethod
    def of(cls, features: Tensor, share: Tensor, pixels: Tensor, network: Tensor, cells: int, count: int) -> Sightings:
        """From entries in any order; `network` [n] is the cell of each."""
        order = torch.argsort(network, stable=True)
        ones = torch.ones(len(order), 1)
        starts = np.concatenate([[0], np.bincount(network.numpy(), minlength=cells).cumsum()]).astype(np.int64)
        packed = torch.cat([features[order], ones], dim=1).numpy()
        return cls(packed, share[order].numpy(), pixels[order].numpy(), starts, count)

    def outputs(self, weights: Floats) -> Floats:
        """[n, D] of `weights` [K, F, D]."""
        found = np.empty((len(self.features), weights.shape[2]), np.float32)
        self._each(lambda first, last: _outputs(self.features, self.starts, weights, first, last, found))
        return found

    def transposed(self, values: Floats) -> Floats:
        """[K, F, D] the sum of features times `values` [n, D], a cell's entries each."""
        found = np.zeros((self.cells, self.features.shape[1], values.shape[1]), np.float32)
        self._each(lambda first, last: _transposed(self.features, self.starts, values, first, last, found))
        return found

    def blocks(self, squares: Floats) -> Floats:
        """[K, D, F, F] the sum of features times features times `squares` [n, D], a cell's entries each."""
        size = self.features.shape[1]
        found = np.empty((self.cells, squares.shape[1], size, size), np.float32)

        def run(first: int, last: int) -> None:
            for cell in range(first, last):
                rows = slice(self.starts[cell], self.starts[cell + 1])
                mine = self.features[rows]
                for channel in range(squares.shape[1]):
                    found[cell, channel] = (mine * squares[rows, channel, None]).T @ mine

        self._each(run)
        return found

    def summed(self, values: Floats) -> Floats:
        """[R, D] the sum of `values` [n, D], a pixel's entries each."""
        parts = [np.bincount(self.pixels, column, self.count) for column in values.T]
        return np.stack(parts, axis=1).astype(np.float32)

    @property
    def cells(self) -> int:
        """K."""
        return len(self.starts) - 1

    def _each(self, work: Callable[[int, int], None]) -> None:
        """`work` for runs of cells with about as many entries."""
        aims = np.linspace(0, self.starts[-1], RUNS + 1)[1:-1]
        cuts = [0, *np.searchsorted(self.starts, aims).tolist(), self.cells]
        in_pieces(lambda run: work(*run), list(pairwise(np.maximum.accumulate(np.minimum(cuts, self.cells)).tolist())))


@kernel
def _outputs(features, starts, weights, first, last, found):
    for cell in range(first, last):
        mine = weights[cell]
        for entry in range(starts[cell], starts[cell + 1]):
            for channel in range(mine.shape[1]):
                total = np.float32(0)
                for feature in range(features.shape[1]):
                    total += features[entry, feature] * mine[feature, channel]
                found[entry, channel] = total


@kernel
def _transposed(features, starts, values, first, last, found):
    for cell in range(first, last):
        mine = found[cell]
        for entry in range(starts[cell], starts[cell + 1]):
            for feature in range(features.shape[1]):
                for channel in range(values.shape[1]):
                    mine[feature, channel] += features[entry, feature] * values[entry, channel]
