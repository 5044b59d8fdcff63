"""Where a scene is, how big it is and which way is up, guessed from its Gaussians alone.

A trained scene has floaters far outside, so nothing here is a minimum or a maximum: every figure is a percentile
weighted by how much of a picture a Gaussian covers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.cameras import NEAR
from scenes.gaussians import Gaussians

Doubles = NDArray[np.float64]

RADIUS_SHARE = 0.95  # of the weight lies within the radius
NEAR_SHARE = 0.02  # of the radius
EDGE_SHARE = 0.10  # of the weight is cut from each end of an axis before its middle is taken
FLOATERS = 0.01  # of the weight may lie below the ground
GROUND_WIDTH = 0.9  # of the scene's width; measured on five trained scenes: grounds 0.94 to 1.24, most sides < 0.85
LARGEST_SHARE = 0.995  # of the Gaussians keep their size as weight; a few sky-sized ones must not own the scene
LARGEST_LOG_VOLUME = 300.0  # beyond any scene; what is larger would overflow
UP_HABIT = (0.0, -1.0, 0.0)  # COLMAP's first camera stands upright with y down, and INRIA's scenes keep its frame


@dataclass(frozen=True)
class Extent:
    """The ball most of a scene lies in, and its up axis."""

    centre: Doubles  # [3] world
    radius: float  # world units, > 0
    up: Doubles  # [3] unit, one of +-x, +-y, +-z

    @property
    def near(self) -> float:
        """The near plane for cameras we place ourselves, world units: 3DGS's, but less where it would cut the scene."""
        return min(NEAR, NEAR_SHARE * self.radius)


def scene_extent(gaussians: Gaussians) -> Extent:
    """The ball around the middle that holds 95 % of the visible weight, and the likeliest up axis.

    Gaussians with attributes that are not finite are left out. Without any weight left the ball is the unit ball at the
    origin, and around a single point its radius is 1.
    """
    positions, weights = _weighted_positions(gaussians)
    if not len(positions):
        return Extent(np.zeros(3), 1.0, np.array(UP_HABIT))
    ends = [weighted_quantiles(x, weights, EDGE_SHARE, 1 - EDGE_SHARE) for x in positions.T]
    centre = np.mean(ends, axis=1)
    distances = np.linalg.norm(positions - centre, axis=1)
    radius = weighted_quantile(distances, weights, RADIUS_SHARE) or 1.0
    return Extent(centre, radius, up_axis(positions, weights))


def weighted_quantile(values: Doubles, weights: Doubles, share: float) -> float:
    """The smallest of `values` [N] that has at least `share` of the `weights` [N] at or below it."""
    return weighted_quantiles(values, weights, share)[0]


def weighted_quantiles(values: Doubles, weights: Doubles, *shares: float) -> list[float]:
    """`weighted_quantile` for each of `shares`, sorting once."""
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    return [float(values[order[np.searchsorted(cumulative, share * cumulative[-1])]]) for share in shares]


def _weighted_positions(gaussians: Gaussians) -> tuple[Doubles, Doubles]:
    """Positions [M, 3] and weights [M] > 0: opacity times the cross-section, which is what pictures show."""
    kept = gaussians.select(gaussians.finite())
    if not len(kept):
        return np.zeros((0, 3)), np.zeros(0)
    opacity = np.exp(-np.logaddexp(0, -kept.opacity_logits.astype(np.float64)))
    log_volume = np.minimum(kept.log_scales.astype(np.float64).sum(axis=1), LARGEST_LOG_VOLUME)
    cross_section = np.exp(2 / 3 * log_volume)
    weights = opacity * np.minimum(cross_section, np.quantile(cross_section, LARGEST_SHARE))
    seen = weights > 0
    return kept.positions[seen].astype(np.float64), weights[seen]


def up_axis(positions: Doubles, weights: Doubles) -> Doubles:
    """The likeliest up axis [3] of `positions` [N, 3] with `weights` [N]: away from the ground.

    The ground, or whatever the scene stands on, is the end of an axis where a tenth of the weight lies in the thinnest
    layer, among the ends whose layer is about as wide as the scene. Without one it is the habit of COLMAP and INRIA.
    """
    candidates = []
    for axis in range(3):
        for sign in (1.0, -1.0):
            thickness, width = _bottom_layer(sign * positions[:, axis], np.delete(positions, axis, 1), weights)
            if width >= GROUND_WIDTH:
                candidates.append((thickness, axis, sign))
    if not candidates:
        return np.array(UP_HABIT)
    _, axis, sign = min(candidates)
    return np.where(np.arange(3) == axis, sign, 0.0)


def _bottom_layer(heights: Doubles, across: Doubles, weights: Doubles) -> tuple[float, float]:
    """How thick the lowest tenth of the weight is, and how wide, both as shares of the whole.

    `heights` is [N] and `across` [N, 2], the coordinates at right angles to them.
    """
    lowest, top, highest = weighted_quantiles(heights, weights, FLOATERS, EDGE_SHARE, 1 - FLOATERS)
    if highest <= lowest:
        return 0.0, 0.0  # the scene is flat along this axis: both ends are as good, so neither is the ground
    inside = heights <= top
    layer = [_spread(x[inside], weights[inside]) for x in across.T]
    whole = [max(_spread(x, weights), np.finfo(float).tiny) for x in across.T]
    return (top - lowest) / (highest - lowest), float(np.sqrt(layer[0] / whole[0] * (layer[1] / whole[1])))


def _spread(values: Doubles, weights: Doubles) -> float:
    """The distance between the ends of what is neither in the first nor the last tenth of the weight."""
    low, high = weighted_quantiles(values, weights, EDGE_SHARE, 1 - EDGE_SHARE)
    return high - low
