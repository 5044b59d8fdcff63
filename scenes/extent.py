"""Where a scene is, how big it is and which way is up, guessed from its Gaussians alone.

A trained scene has floaters far outside, so nothing here is a minimum or a maximum: every figure is a percentile
weighted by how much of a picture a Gaussian covers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.gaussians import Gaussians

Doubles = NDArray[np.float64]

RADIUS_SHARE = 0.95  # of the weight lies within the radius
EDGE_SHARE = 0.10  # of the weight is cut from each end of an axis before its middle is taken
LARGEST_SHARE = 0.995  # of the Gaussians keep their size as weight; a few sky-sized ones must not own the scene
UP_HABIT = (0.0, -1.0, 0.0)  # COLMAP's first camera stands upright with y down, and INRIA's scenes keep its frame


@dataclass(frozen=True)
class Extent:
    """The ball most of a scene lies in, and its up axis."""

    centre: Doubles  # [3] world
    radius: float  # world units, > 0
    up: Doubles  # [3] unit, one of +-x, +-y, +-z


def scene_extent(gaussians: Gaussians) -> Extent:
    """The ball around the middle that holds 95 % of the visible weight, and the likeliest up axis.

    Gaussians with attributes that are not finite are left out; without any weight left the ball is the unit ball at the
    origin.
    """
    positions, weights = _weighted_positions(gaussians)
    if not len(positions):
        return Extent(np.zeros(3), 1.0, np.array(UP_HABIT))
    ends = [[weighted_quantile(x, weights, share) for share in (EDGE_SHARE, 1 - EDGE_SHARE)] for x in positions.T]
    centre = np.mean(ends, axis=1)
    distances = np.linalg.norm(positions - centre, axis=1)
    radius = weighted_quantile(distances, weights, RADIUS_SHARE) or 1.0
    return Extent(centre, radius, up_axis(positions, weights))


def weighted_quantile(values: Doubles, weights: Doubles, share: float) -> float:
    """The smallest of `values` [N] that has at least `share` of the `weights` [N] at or below it."""
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulative, share * cumulative[-1])])


def _weighted_positions(gaussians: Gaussians) -> tuple[Doubles, Doubles]:
    """Positions [M, 3] and weights [M] > 0: opacity times the cross-section, which is what pictures show."""
    kept = gaussians.select(gaussians.finite())
    if not len(kept):
        return np.zeros((0, 3)), np.zeros(0)
    opacity = 1 / (1 + np.exp(-kept.opacity_logits.astype(np.float64)))
    cross_section = np.exp(2 / 3 * kept.log_scales.astype(np.float64).sum(axis=1))  # volume^(2/3)
    weights = opacity * np.minimum(cross_section, np.quantile(cross_section, LARGEST_SHARE))
    seen = weights > 0
    return kept.positions[seen].astype(np.float64), weights[seen]


def up_axis(positions: Doubles, weights: Doubles) -> Doubles:
    """The likeliest up axis [3] of weighted points: the habit of COLMAP and INRIA."""
    return np.array(UP_HABIT)
