"""Gaussians in Morton order: those near each other in space are near each other in the file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenes.content import blocks
from scenes.gaussians import Floats
from scenes.octree import morton_codes

CELLS = (1 << 21) - 1  # along each side of the scene's box: 63 bits in all


def morton_order(positions: Floats) -> NDArray[np.intp]:
    """[N] the indices of `positions` [N, 3] in Morton order of a fine grid over their box; equals stay in order."""
    low = positions.min(axis=0).astype(np.float64)
    size = float((positions.max(axis=0) - low).max()) or 1.0
    codes = np.empty(len(positions), np.uint64)
    for block in blocks(len(positions)):
        codes[block] = morton_codes(((positions[block] - low) / size * CELLS).astype(np.uint32))
    return np.argsort(codes, kind="stable")
