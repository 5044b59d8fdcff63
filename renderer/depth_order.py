"""Which records a camera may see, nearest first: culling and sorting in numpy, from positions kept on the CPU.

This is the sort of software rasterisers and of OpenGL 4.1; elsewhere `radix_sort.py` sorts on the GPU.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from renderer.reference import DILATION, FRUSTUM_MARGIN, POLE_SLOPE
from renderer.settings import POINT_RADIUS, CropBox
from scenes.cameras import Camera
from scenes.gaussians import Floats

REACH = 3.33  # deviations: sqrt(2 ln 255), where the most opaque Gaussian falls to 1/255


def depth_order(
    positions: Floats,
    radii: Floats,
    camera: Camera,
    width: int,
    height: int,
    scale: float = 1.0,
    crop: CropBox | None = None,
) -> NDArray[np.uint32]:
    """[V] the records of Gaussians with positions [N, 3] that may touch the picture, nearest first.

    `radii` [N] are the longest standard deviations in world units, `scale` multiplies them. Equal depths stay in the
    order of the scene. What is dropped is behind the near plane, outside of `crop` or certainly not in the picture;
    what is kept may be outside. Record i is Gaussian i; record N + i of an equirectangular picture is its copy one
    picture width away, which shows at the other side of the seam.
    """
    pose = camera.camera_from_world.astype(np.float32)
    view = positions @ pose[:3, :3].T + pose[:3, 3]  # [N, 3]
    depth = np.linalg.norm(view, axis=1) if camera.projection == "equirectangular" else view[:, 2]
    front = np.flatnonzero(depth > camera.near if crop is None else (depth > camera.near) & _inside(positions, crop))
    view, depth, radii = view[front], depth[front], radii[front] * np.float32(scale)
    if camera.projection == "equirectangular":
        return _with_copies(view, depth, radii, front, len(positions), camera, width, height)
    with np.errstate(over="ignore"):  # what overflows is larger than any picture, and is kept
        seen = _may_touch(view, depth, radii, camera, width, height)
    return _sorted_by_depth(depth[seen], front[seen])


def _sorted_by_depth(depth: Floats, index: NDArray[np.int64]) -> NDArray[np.uint32]:
    """[V] `index` by `depth` > 0, then by itself. Depth and index share one integer: 7 times numpy's stable argsort."""
    keys = depth.view(np.uint32).astype(np.uint64) << np.uint64(32)  # floats above 0 sort as their bits do
    keys |= index.astype(np.uint64)
    keys.sort()
    return keys.astype(np.uint32)


def _inside(positions: Floats, crop: CropBox) -> NDArray[np.bool_]:
    lowest, highest = np.array(crop.lowest, np.float32), np.array(crop.highest, np.float32)
    return np.all((positions >= lowest) & (positions <= highest), axis=1)


def slope_limits(camera: Camera, width: int, height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the most [2] x/z and y/z at which the projection is linearised: the frustum, a little wider."""
    low, high = camera.slopes(width, height)
    margin = FRUSTUM_MARGIN * 0.5 * (high - low)
    return low - margin, high + margin


def _may_touch(
    view: Floats, depth: Floats, radii: Floats, camera: Camera, width: int, height: int
) -> NDArray[np.bool_]:
    """[V] whether the ellipse of a Gaussian at `view` [V, 3] in the camera's frame can touch the picture.

    The norm of the Jacobian's rows, with their slope clamped, bounds how far a deviation reaches in pixels.
    """
    focal, centre = np.reshape(camera.intrinsics(width, height), (2, 2)).astype(np.float32)
    stretch = focal
    if camera.projection == "pinhole":
        limits = np.max(np.abs(slope_limits(camera, width, height)), axis=0)
        stretch = focal * np.hypot(1.0, limits).astype(np.float32)
        view, radii = view / depth[:, None], radii / depth
    touches = np.ones(len(view), bool)
    for axis, size in enumerate((width, height)):
        bound = _bound(stretch[axis] * radii)
        pixel = focal[axis] * view[:, axis] + centre[axis]
        touches &= (pixel >= -bound) & (pixel <= size + bound)
    return touches


def _with_copies(
    view: Floats,
    depth: Floats,
    radii: Floats,
    front: NDArray[np.int64],
    count: int,
    camera: Camera,
    width: int,
    height: int,
) -> NDArray[np.uint32]:
    """All Gaussians, and the copies of those near the seam."""
    focal, centre = np.reshape(camera.intrinsics(width, height), (2, 2)).astype(np.float32)
    pixel = focal[0] * np.arctan2(view[:, 0], view[:, 2]) + centre[0]
    across = np.maximum(np.hypot(view[:, 0], view[:, 2]), np.float32(POLE_SLOPE) * depth)
    with np.errstate(over="ignore"):
        near_seam = np.minimum(pixel, width - pixel) <= _bound(focal[0] * radii / across)
    copied = front[near_seam] + count
    return _sorted_by_depth(np.concatenate([depth, depth[near_seam]]), np.concatenate([front, copied]))


def _bound(deviation: Floats) -> Floats:
    """How many pixels a footprint reaches from its centre, at most, for a deviation of so many pixels."""
    reach = np.float32(REACH) * np.sqrt(deviation**2 + np.float32(DILATION))
    return np.maximum(reach, np.float32(POINT_RADIUS))


def affordable(
    order: NDArray[np.uint32],
    positions: Floats,
    areas: Floats,
    camera: Camera,
    width: int,
    height: int,
    scale: float,
    budget: float,
) -> int:
    """How many of the nearest records of `order` cover at most `budget` pixels together, each at most the picture.

    `areas` [N] are the products of the two longest standard deviations: a footprint is not larger than the ellipse they
    make seen from the front.
    """
    if len(order) * float(width) * height <= budget:
        return len(order)
    index = order % np.uint32(max(len(positions), 1))
    fx, fy, _, _ = camera.intrinsics(width, height)
    pixels = np.minimum(areas[index].astype(np.float64), 1e30) * (scale**2 * fx * fy)
    if camera.projection != "orthographic":
        offset = positions[index] - camera.position
        pixels /= np.maximum(np.einsum("ni,ni->n", offset, offset), 1e-30)
    footprints = np.minimum(4 * REACH**2 * (pixels + DILATION), float(width) * height)
    return int(np.searchsorted(np.cumsum(footprints), budget, side="right"))
