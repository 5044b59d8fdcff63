"""Which cubes of cells are empty: what a ray may skip at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenes.surface import EMPTY, NeuralSurface


def chebyshev_distances(occupied: NDArray[np.bool_]) -> NDArray[np.int32]:
    """[X, Y, Z] cells to the nearest occupied one, the longest of the three ways; of a grid without any, its size.

    A cube of 2 d - 1 cells a side around a cell at distance d is empty.
    """
    distances = np.zeros(occupied.shape, np.int32)
    reached = occupied
    for _ in range(max(occupied.shape)):
        if reached.all():
            break
        distances += ~reached
        reached = _grown(reached)
    return distances


def _grown(reached: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells that are reached or touch one that is, by a face, an edge or a corner."""
    for axis in range(3):
        before, after = (np.swapaxes(a, 0, axis) for a in (reached, reached.copy()))
        after[1:] |= before[:-1]
        after[:-1] |= before[1:]
        reached = np.swapaxes(after, 0, axis)
    return reached


def cell_codes(surface: NeuralSurface, skip: bool = True) -> NDArray[np.int32]:
    """[X, Y, Z] the network of each cell, or minus the distance to the nearest cell that has one.

    Without `skip` that distance is 1 everywhere.
    """
    occupied = surface.networks != EMPTY
    distances = chebyshev_distances(occupied) if skip else np.ones_like(surface.networks)
    return np.where(occupied, surface.networks, -distances).astype(np.int32)
