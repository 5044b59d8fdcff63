"""Gaussians far outside a scene: they must not stretch the grid of positions that all the others are rounded to.

A few specks, which training leaves behind, are left out. What is a part of the picture, such as a sky, is kept; where
the grid cannot reach it finely, it comes nearer and shrinks alike, which from inside the scene looks the same.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fitting.neuralgs.model import MOST_BITS, STEP_SHARE
from scenes.errors import SceneFileError
from scenes.extent import Extent
from scenes.gaussians import Gaussians

FAR = 100.0  # scene radii: from here on a step aside does not change the view
SPECK = 1e-3  # three standard deviations over the distance: half a pixel where the focal length is 500 pixels
SPECK_SHARE = 1e-3  # of the Gaussians at most are specks (one always may be); more are a starry sky
COARSEST = 0.1  # scene radii between two 32-bit coordinates: cameras, too, fall into such places
LARGEST = 1e9  # world units: the rasterisers take no standard deviation above e^20, about half of that


def check_coordinates(source: Path, extent: Extent) -> None:
    """Refuses a scene, read from `source`, too large for pictures or too far off for 32-bit coordinates."""
    farthest = float(np.abs(extent.centre).max())
    if max(extent.radius, farthest) > LARGEST:
        raise SceneFileError(
            source,
            "positions",
            f"a scene within {LARGEST:g} units of the origin",
            f"one of radius {extent.radius:.3g} around {farthest:.3g}",
        )
    apart = float(np.spacing(np.float32(farthest)))
    if apart > COARSEST * extent.radius:
        raise SceneFileError(
            source,
            "positions",
            "a scene nearer to the origin",
            f"one of radius {extent.radius:.3g} at {farthest:.3g}, where 32-bit floats are {apart:.3g} apart",
        )


def without_specks(gaussians: Gaussians, extent: Extent) -> tuple[Gaussians, str]:
    """The scene without its few distant specks, and a word on them (empty when there are none)."""
    distance = _distances(gaussians, extent)
    log_reach = np.log(3) + gaussians.log_scales.max(axis=1).astype(np.float64)
    specks = (distance > FAR * extent.radius) & (log_reach < np.log(SPECK * np.maximum(distance, 1e-300)))
    if not 0 < specks.sum() <= max(1, SPECK_SHARE * len(gaussians)):
        return gaussians, ""
    count = f"{specks.sum():,} speck{'s' if specks.sum() > 1 else ''}"
    return gaussians.select(~specks), f"{count} more than {FAR:g} scene radii away left out"


def brought_nearer(gaussians: Gaussians, extent: Extent) -> tuple[Gaussians, str]:
    """The scene with what the position grid cannot reach finely brought in, and a word on it.

    Distances beyond the reach are contracted as in Mip-NeRF 360 (arXiv 2111.12077, eq. 10), to less than twice the
    reach and in the same order.
    """
    distance, reach = _distances(gaussians, extent), _reach(gaussians, extent)
    beyond = distance > reach
    if not beyond.any():
        return gaussians, ""
    factor = np.ones(len(gaussians))
    factor[beyond] = reach * (2 - reach / distance[beyond]) / distance[beyond]
    positions = extent.centre + factor[:, None] * (gaussians.positions - extent.centre)
    log_scales = gaussians.log_scales + np.log(factor)[:, None]
    kept = ~beyond[:, None]
    moved = replace(
        gaussians,
        positions=np.where(kept, gaussians.positions, positions.astype(np.float32)),
        log_scales=np.where(kept, gaussians.log_scales, log_scales.astype(np.float32)),
    )
    count = f"{beyond.sum():,} Gaussian{'s' if beyond.sum() > 1 else ''}"
    radii = f"{reach / extent.radius:,.0f} scene radii"
    return moved, f"{count} more than {radii} away brought nearer, as large to the eye"


def _distances(gaussians: Gaussians, extent: Extent) -> np.ndarray:
    """[N] from the scene's centre, world units."""
    return np.linalg.norm(gaussians.positions.astype(np.float64) - extent.centre, axis=1)


def _reach(gaussians: Gaussians, extent: Extent) -> float:
    """How far the finest grid of positions may hold Gaussians, world units: at least `FAR` radii."""
    inside = _distances(gaussians, extent) <= extent.radius
    middle_scales = np.sort(gaussians.log_scales[inside if inside.any() else slice(None)], axis=1)[:, 1]
    fine = STEP_SHARE * float(np.exp(np.median(middle_scales.astype(np.float64))))
    return max(fine * 2**MOST_BITS / 4.1, FAR * extent.radius)  # a span of four reaches, and a margin
