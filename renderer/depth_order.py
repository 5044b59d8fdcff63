"""Which Gaussians a camera may see, nearest first: culling and sorting in numpy, from positions kept on the CPU."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from renderer.reference import DILATION, FRUSTUM_MARGIN
from scenes.cameras import Camera
from scenes.gaussians import Floats

REACH = 3.33  # deviations: sqrt(2 ln 255), where the most opaque Gaussian falls to 1/255


def depth_order(
    positions: Floats, radii: Floats, camera: Camera, width: int, height: int, scale: float = 1.0
) -> NDArray[np.uint32]:
    """[V] the Gaussians with positions [N, 3] that may touch the picture, by depth of their centre, nearest first.

    `radii` [N] are the longest standard deviations in world units, `scale` multiplies them. Equal depths stay in the
    order of the scene. What is dropped is behind the near plane or certainly outside; what is kept may be outside.
    """
    pose = camera.camera_from_world.astype(np.float32)
    view = positions @ pose[:3, :3].T + pose[:3, 3]  # [N, 3]
    depth = view[:, 2]
    front = np.flatnonzero(depth > camera.near)
    view, depth = view[front], depth[front]
    with np.errstate(over="ignore"):  # what overflows is larger than any picture, and is kept
        inside = _may_touch(view / depth[:, None], radii[front] * np.float32(scale) / depth, camera, width, height)
    return _sorted_by_depth(depth[inside], front[inside])


def _sorted_by_depth(depth: Floats, index: NDArray[np.int64]) -> NDArray[np.uint32]:
    """[V] `index` by `depth` > 0, then by itself. Depth and index share one integer: 7 times numpy's stable argsort."""
    keys = depth.view(np.uint32).astype(np.uint64) << np.uint64(32)  # floats above 0 sort as their bits do
    keys |= index.astype(np.uint64)
    keys.sort()
    return keys.astype(np.uint32)


def slope_limits(camera: Camera, width: int, height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the most [2] x/z and y/z at which the projection is linearised: the frustum, a little wider."""
    low, high = camera.slopes(width, height)
    margin = FRUSTUM_MARGIN * 0.5 * (high - low)
    return low - margin, high + margin


def _may_touch(slope: Floats, angular: Floats, camera: Camera, width: int, height: int) -> NDArray[np.bool_]:
    """[V] whether an ellipse at view direction `slope` [V, 3] with radius / depth `angular` [V] can touch the picture.

    The norm of the Jacobian's rows, with their slope clamped, bounds how far a deviation reaches in pixels.
    """
    focal, centre = np.reshape(camera.intrinsics(width, height), (2, 2)).astype(np.float32)
    stretch = focal * np.hypot(1.0, np.max(np.abs(slope_limits(camera, width, height)), axis=0)).astype(np.float32)
    touches = np.ones(len(slope), bool)
    for axis, size in enumerate((width, height)):
        bound = np.float32(REACH) * np.sqrt((stretch[axis] * angular) ** 2 + np.float32(DILATION))
        pixel = focal[axis] * slope[:, axis] + centre[axis]
        touches &= (pixel >= -bound) & (pixel <= size + bound)
    return touches
