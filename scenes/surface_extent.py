"""Where a neural surface is, how big it is and which way is up, from its cells alone."""

from __future__ import annotations

import numpy as np

from scenes.extent import UP_HABIT, Extent, up_axis
from scenes.surface import NeuralSurface

UP_OF_OBJECTS = (0.0, 1.0, 0.0)  # what stands on no ground mostly comes from a mesh, and meshes have y up


def surface_extent(surface: NeuralSurface) -> Extent:
    """The ball around the middle of the box of all cells that holds them, and the likeliest up axis.

    Without cells it is the ball around the grid.
    """
    grid = surface.grid
    cells = surface.cells if len(surface) else np.array([[0, 0, 0], np.array(grid.size) - 1])
    low, high = cells.min(axis=0), cells.max(axis=0) + 1
    middle = 0.5 * (low + high)
    centres = cells.astype(np.float64) + 0.5
    reach = np.linalg.norm(np.abs(centres - middle) + 0.5, axis=1).max()
    up = up_axis(centres, np.ones(len(centres)))
    if np.array_equal(up, UP_HABIT):
        up = np.array(UP_OF_OBJECTS)
    return Extent(np.asarray(grid.origin) + grid.edge * middle, float(grid.edge * reach), up)
