"""What the first view should hold: more of the scene than its extent, whose ball leaves out thin and outlying parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scenes.extent import Extent
from scenes.gaussians import Gaussians

OPAQUE = 0.0  # logit: at least half opaque
OUTLIERS = 1.0  # % of the opaque Gaussians left out at each end of an axis, and outside the ball
LARGEST_RATIO = 1.6  # to the extent's radius; beyond it the rest is surroundings, not the thing itself


def framing(gaussians: Gaussians, extent: Extent) -> Extent:
    """The ball around 99 % of the opaque Gaussians, or `extent` where that is mostly surroundings."""
    positions = gaussians.positions[gaussians.opacity_logits >= OPAQUE].astype(np.float64)
    if not len(positions):
        return extent
    centre = np.percentile(positions, [OUTLIERS, 100 - OUTLIERS], axis=0).mean(axis=0)
    radius = float(np.percentile(np.linalg.norm(positions - centre, axis=1), 100 - OUTLIERS))
    if not 0 < radius <= LARGEST_RATIO * extent.radius:
        return extent
    return replace(extent, centre=centre, radius=radius)
