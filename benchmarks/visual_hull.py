"""Where a photographed object can be: the voxels that every photograph's alpha mask covers, and their colours.

Laurentini 1994, "The visual hull concept for silhouette-based image understanding". Photographs must have an alpha
channel and look at the object from around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.captures import Frame
from scenes.errors import KilofieldError
from scenes.gaussians import Floats

Doubles = NDArray[np.float64]

COARSE = 64  # voxels an axis, to find the object
REACH = 0.5  # of the cameras' distance to the middle: the half width of the box it is sought in
MASK = 0.5  # alpha from which a pixel shows the object
COVERED = 0.98  # of the photographs must show the object where a voxel is; the others may round a thin part away


@dataclass(frozen=True)
class Hull:
    """The object's outer voxels."""

    centres: Doubles  # [N, 3] world units
    colours: Doubles  # [N, 3] in [0, 1], the mean over the photographs
    voxel: float  # edge, world units


def visual_hull(frames: Sequence[Frame], voxels: int) -> Hull:
    """The hull's surface at a resolution of `voxels` along the object's longest side."""
    images = [frame.image() for frame in frames]
    middle, reach = _middle(frames)
    found = _grid(middle - reach, middle + reach, 2 * reach / COARSE)
    inside, _ = _covered(found.reshape(-1, 3), frames, images)
    if not inside.any():
        raise KilofieldError(f"{frames[0].path.parent}: expected alpha masks around one object, found none in common")
    kept, margin = found.reshape(-1, 3)[inside], 2 * reach / COARSE
    low, high = kept.min(axis=0) - margin, kept.max(axis=0) + margin
    voxel = float((high - low).max() / voxels)
    grid = _grid(low, high, voxel)
    inside, colours = _covered(grid.reshape(-1, 3), frames, images)
    outer = _surface(inside.reshape(grid.shape[:3])).ravel()
    return Hull(grid.reshape(-1, 3)[outer], colours[outer], voxel)


def _middle(frames: Sequence[Frame]) -> tuple[Doubles, float]:
    """The point nearest to all optical axes [3], and how far from it the object is sought."""
    eyes = np.array([frame.camera.position for frame in frames])
    axes = np.array([frame.camera.camera_from_world[2, :3] for frame in frames])
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]  # [F, 3, 3] takes away what lies along the axis
    middle = np.linalg.lstsq(across.sum(axis=0), np.einsum("fij,fj->i", across, eyes), rcond=None)[0]
    return middle, REACH * float(np.linalg.norm(eyes - middle, axis=1).mean())


def _grid(low: Doubles, high: Doubles, voxel: float) -> Doubles:
    """[X, Y, Z, 3] the centres of the voxels of a box."""
    axes = [np.arange(a + 0.5 * voxel, b, voxel) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=3)


def _covered(points: Doubles, frames: Sequence[Frame], images: Sequence[Floats]) -> tuple[NDArray[np.bool_], Doubles]:
    """[N] whether enough photographs show the object at each of `points` [N, 3], and [N, 3] their mean colour there."""
    hits, colours = np.zeros(len(points)), np.zeros((len(points), 3))
    possible = np.arange(len(points))
    for done, (frame, image) in enumerate(zip(frames, images, strict=True)):
        rgba = _looked_up(points[possible], frame, image)
        shown = rgba[:, 3] >= MASK
        hits[possible] += shown
        colours[possible] += np.where(shown[:, None], rgba[:, :3], 0)
        misses = done + 1 - hits[possible]
        possible = possible[misses <= (1 - COVERED) * len(frames)]
    inside = np.zeros(len(points), bool)
    inside[possible] = True
    return inside, colours / np.maximum(hits, 1)[:, None]


def _looked_up(points: Doubles, frame: Frame, image: Floats) -> Floats:
    """[N, 4] the pixels that `points` [N, 3] fall on; 0 outside the picture and behind the camera."""
    fx, fy, cx, cy = frame.camera.intrinsics(frame.width, frame.height)
    x, y, z = (points @ frame.camera.camera_from_world[:3, :3].T + frame.camera.camera_from_world[:3, 3]).T
    depth = np.where(z > 0, z, np.inf)
    column, row = np.floor(fx * x / depth + cx), np.floor(fy * y / depth + cy)
    within = (z > 0) & (column >= 0) & (column < frame.width) & (row >= 0) & (row < frame.height)
    pixels = image[np.where(within, row, 0).astype(int), np.where(within, column, 0).astype(int)]
    return np.where(within[:, None], pixels, 0)


def _surface(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[X, Y, Z] the voxels inside that touch one outside with a face."""
    padded = np.pad(inside, 1)
    buried = inside.copy()
    for axis in range(3):
        for step in (1, -1):
            buried &= np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1]
    return inside & ~buried
