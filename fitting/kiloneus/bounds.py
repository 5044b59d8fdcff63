"""Where the object is: the cube of the world that is fitted, and the voxels of it that can be anything but empty.

Photographs with alpha give the visual hull (Laurentini 1994, "The visual hull concept for silhouette-based image
understanding"): what every mask covers. Without alpha the cube is the one around the sphere that the files name or
the cameras see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt

from fitting.hash_grid_numba import in_pieces
from fitting.kiloneus.neus_photographs import SceneFrame, View, is_masked
from scenes.common_view import Sphere
from scenes.errors import KilofieldError
from scenes.gaussians import Floats
from scenes.photographs import Photograph

Doubles = NDArray[np.float64]
Solid = NDArray[np.bool_]

COARSE = 64  # voxels an axis, to find the object
MASK = 0.1  # alpha from which a pixel shows something
COVERED = 0.98  # of the photographs that see a voxel must show something there; others may round a thin part away
MARGIN = 1.06  # of the cube around the hull
GROWTH = 2  # voxels by which the hull is enlarged where samples may lie
BLOCK = 1 << 15  # points at a time


@dataclass(frozen=True)
class SceneBounds:
    """What is known before fitting."""

    frame: SceneFrame
    allowed: Solid  # [n, n, n] voxels of the cube that can hold something
    hull: Floats | None  # [n, n, n] signed distance to the hull in units of the box, negative inside; None: no masks

    @property
    def world_box(self) -> Floats:
        """[2, 3] lowest and highest corner of what is allowed, world units."""
        voxels, places = len(self.allowed), np.argwhere(self.allowed)
        box = np.stack([places.min(axis=0), places.max(axis=0) + 1]) * (2 / voxels) - 1
        return (self.frame.centre + self.frame.half * box).astype(np.float32)


def find_bounds(views: Sequence[View], sphere: Sphere | None, voxels: int) -> SceneBounds:
    """The bounds of what `views` show of what lies in `sphere`, `voxels` an axis.

    `KilofieldError` if the cameras do not look at one object (no sphere), or their masks share nothing.
    """
    if sphere is None:
        folder = views[0].photograph.path.parent
        raise KilofieldError(f"{folder}: cameras: expected them to look at one object, found no place they share")
    around = SceneFrame(np.array(sphere.centre), sphere.radius)
    if not is_masked(views):
        return SceneBounds(around, np.ones((voxels,) * 3, bool), None)
    frame = _closer(views, around)
    solid = _hull(views, frame, voxels)
    if not solid.any():
        raise KilofieldError("photographs: expected masks around one object, found one too thin to see")
    outside, inside = (np.asarray(distance_transform_edt(part)) for part in (~solid, solid))
    distance = np.where(solid, 0.5 - inside, outside - 0.5)  # from centre to centre, but half a voxel to the face
    allowed = np.asarray(binary_dilation(solid, np.ones((3, 3, 3), bool), GROWTH), bool)
    return SceneBounds(frame, allowed, (distance * (2 / voxels)).astype(np.float32))


def _closer(views: Sequence[View], around: SceneFrame) -> SceneFrame:
    """The cube of the hull that is found in `around`."""
    coarse = _hull(views, around, COARSE)
    if not coarse.any():
        raise KilofieldError("photographs: expected masks around one object, found none that all of them cover")
    places, edge = np.argwhere(coarse), 2 * around.half / COARSE
    low, high = places.min(axis=0) - 1, places.max(axis=0) + 2
    centre = around.centre - around.half + 0.5 * edge * (low + high)
    return SceneFrame(centre, 0.5 * edge * MARGIN * float((high - low).max()))


def _hull(views: Sequence[View], frame: SceneFrame, voxels: int) -> Solid:
    """[n, n, n] the voxels that the masks cover."""
    masks = [np.ascontiguousarray(v.rgba[..., 3].float().numpy()) for v in views]
    centres = (np.arange(voxels) + 0.5) * (2 / voxels) - 1
    solid = np.zeros(voxels**3, bool)
    blocks = [np.arange(i, min(i + BLOCK, voxels**3)) for i in range(0, voxels**3, BLOCK)]

    def work(block: NDArray[np.int64]) -> None:
        places = np.stack(np.unravel_index(block, (voxels,) * 3), axis=1)
        solid[block] = _covered(frame.centre + frame.half * centres[places], views, masks)

    in_pieces(work, blocks)
    return solid.reshape((voxels,) * 3)


def _covered(points: Doubles, views: Sequence[View], masks: Sequence[Floats]) -> Solid:
    """[N] whether of the photographs that have `points` [N, 3] in the picture, enough show something there."""
    misses, seen = np.zeros(len(points)), np.zeros(len(points))
    possible = np.arange(len(points))
    for view, mask in zip(views, masks, strict=True):
        within, shown = _looked_up(points[possible], view.photograph, mask)
        seen[possible] += within
        misses[possible] += within & ~shown
        possible = possible[misses[possible] <= (1 - COVERED) * len(views)]
    inside = np.zeros(len(points), bool)
    inside[possible] = seen[possible] * 2 >= len(views)
    return inside


def _looked_up(points: Doubles, photograph: Photograph, mask: Floats) -> tuple[Solid, Solid]:
    """Whether each of `points` [N, 3] is in the picture, and whether it shows something there."""
    places = photograph.pixels_of(points) * (mask.shape[1] / photograph.width, mask.shape[0] / photograph.height)
    within = np.isfinite(places[:, 0])
    column, row = np.where(within[:, None], places, 0).astype(np.int64).T
    shown = mask[np.minimum(row, mask.shape[0] - 1), np.minimum(column, mask.shape[1] - 1)] >= MASK
    return within, within & shown
