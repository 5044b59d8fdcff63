"""Where the object is: the cube of the world that is fitted, and the voxels of it that can be anything but empty.

Photographs with alpha give the visual hull (Laurentini 1994, "The visual hull concept for silhouette-based image
understanding"): what every mask covers. Without alpha there are only the cameras: the cube lies around the point that
their axes come nearest to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt

from fitting.hash_grid_numba import in_pieces
from fitting.kiloneus.neus_photographs import SceneFrame, is_masked
from fitting.neuralgs.targets import Target
from scenes.errors import KilofieldError
from scenes.gaussians import Floats

Doubles = NDArray[np.float64]
Solid = NDArray[np.bool_]

COARSE = 64  # voxels an axis, to find the object
REACH = 0.5  # of the cameras' mean distance to the middle: half the cube in which it is sought
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


def find_bounds(targets: Sequence[Target], voxels: int) -> SceneBounds:
    """The bounds of what `targets` show, `voxels` an axis; `KilofieldError` if their masks share nothing."""
    middle, reach = middle_of_views(targets)
    if not is_masked(targets):
        return SceneBounds(SceneFrame(middle, reach), np.ones((voxels,) * 3, bool), None)
    coarse = _hull(targets, SceneFrame(middle, reach), COARSE)
    if not coarse.any():
        raise KilofieldError("photographs: expected masks around one object, found none that all of them cover")
    places = np.argwhere(coarse)
    low, high = places.min(axis=0) - 1, places.max(axis=0) + 2
    edge = 2 * reach / COARSE
    centre, half = middle - reach + 0.5 * edge * (low + high), 0.5 * edge * MARGIN * float((high - low).max())
    frame = SceneFrame(centre, half)
    solid = _hull(targets, frame, voxels)
    if not solid.any():
        raise KilofieldError("photographs: expected masks around one object, found one too thin to see")
    outside, inside = (np.asarray(distance_transform_edt(part)) for part in (~solid, solid))
    distance = np.where(solid, 0.5 - inside, outside - 0.5)  # from centre to centre, but half a voxel to the face
    allowed = np.asarray(binary_dilation(solid, np.ones((3, 3, 3), bool), GROWTH), bool)
    return SceneBounds(frame, allowed, (distance * (2 / voxels)).astype(np.float32))


def middle_of_views(targets: Sequence[Target]) -> tuple[Doubles, float]:
    """The point [3] nearest to all optical axes, and half the cube around it in which an object is sought."""
    eyes = np.array([t.camera.position for t in targets])
    axes = np.array([t.camera.camera_from_world[2, :3] for t in targets])
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]  # [V, 3, 3] takes away what lies along the axis
    middle = np.linalg.lstsq(across.sum(axis=0), np.einsum("vij,vj->i", across, eyes), rcond=None)[0]
    if ((middle - eyes) * axes).sum(axis=1).mean() <= 0:
        raise KilofieldError("photographs: expected cameras around one object, found them looking away from each other")
    return middle, REACH * float(np.linalg.norm(eyes - middle, axis=1).mean())


def _hull(targets: Sequence[Target], frame: SceneFrame, voxels: int) -> Solid:
    """[n, n, n] the voxels that the masks cover."""
    masks = [np.ascontiguousarray(t.rgba[..., 3].cpu().float().numpy()) for t in targets]
    centres = (np.arange(voxels) + 0.5) * (2 / voxels) - 1
    solid = np.zeros(voxels**3, bool)
    blocks = [np.arange(i, min(i + BLOCK, voxels**3)) for i in range(0, voxels**3, BLOCK)]

    def work(block: NDArray[np.int64]) -> None:
        places = np.stack(np.unravel_index(block, (voxels,) * 3), axis=1)
        solid[block] = _covered(frame.centre + frame.half * centres[places], targets, masks)

    in_pieces(work, blocks)
    return solid.reshape((voxels,) * 3)


def _covered(points: Doubles, targets: Sequence[Target], masks: Sequence[Floats]) -> Solid:
    """[N] whether of the photographs that have `points` [N, 3] in the picture, enough show something there."""
    misses, seen = np.zeros(len(points)), np.zeros(len(points))
    possible = np.arange(len(points))
    for target, mask in zip(targets, masks, strict=True):
        within, shown = _looked_up(points[possible], target, mask)
        seen[possible] += within
        misses[possible] += within & ~shown
        possible = possible[misses[possible] <= (1 - COVERED) * len(targets)]
    inside = np.zeros(len(points), bool)
    inside[possible] = seen[possible] * 2 >= len(targets)
    return inside


def _looked_up(points: Doubles, target: Target, mask: Floats) -> tuple[Solid, Solid]:
    """Whether each of `points` [N, 3] is in the picture, and whether it shows something there."""
    height, width = mask.shape
    fx, fy, cx, cy = target.camera.intrinsics(width, height)
    x, y, z = (points @ target.camera.camera_from_world[:3, :3].T + target.camera.camera_from_world[:3, 3]).T
    depth = np.where(z > 0, z, np.inf)
    column, row = np.floor(fx * x / depth + cx), np.floor(fy * y / depth + cy)
    within = (z > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    pixels = mask[np.where(within, row, 0).astype(int), np.where(within, column, 0).astype(int)]
    return within, within & (pixels >= MASK)
