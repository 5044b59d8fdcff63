"""Which boxes of Gaussians a frame can show, as planes; the test itself is `shaders/resident_culling.glsl`.

It keeps whatever `depth_order.DepthSorter` keeps: a Gaussian's footprint reaches at most REACH deviations from its
centre, stretched by the projection at the edge of the picture, and a little for the dilation. Times depth, that is
linear in the position, so a box is outside when all of it is on the wrong side of one plane.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderer.depth_order import REACH, slope_limits
from renderer.projection import EVERYWHERE
from renderer.reference import DILATION
from renderer.settings import POINT_RADIUS, RenderSettings
from scenes.cameras import Camera

# Pixels a footprint reaches however small the Gaussian is; one more for what float32 rounds off
MARGIN = max(REACH * float(np.sqrt(DILATION)), POINT_RADIUS) + 1.0


def cull_planes(camera: Camera, width: int, height: int) -> NDArray[np.float64]:
    """[P, 5] x, y, z, w, reach: a Gaussian with longest deviation r can be seen when x p + w + reach r >= 0 for all."""
    if camera.projection == "equirectangular":  # shows every direction
        return np.zeros((0, 5))
    x, y, z = camera.camera_from_world[:3]  # rows: of the position with a 1 behind it
    focal, centre = np.reshape(camera.intrinsics(width, height), (2, 2))
    flat = camera.projection == "orthographic"
    stretch = focal if flat else focal * np.hypot(1.0, np.max(np.abs(slope_limits(camera, width, height)), axis=0))
    across = np.array([0.0, 0.0, 0.0, 1.0]) if flat else z  # what pixels are multiplied by
    planes = [np.append(z, 0.0) - [0, 0, 0, camera.near, 0]]
    for axis, row, size in ((0, x, width), (1, y, height)):
        reach = REACH * stretch[axis]
        planes.append(np.append(focal[axis] * row + (centre[axis] + MARGIN) * across, reach))
        planes.append(np.append((size - centre[axis] + MARGIN) * across - focal[axis] * row, reach))
    return np.array(planes)


def cull_uniforms(camera: Camera, width: int, height: int, settings: RenderSettings) -> dict[str, Any]:
    """The uniforms of `shaders/resident_culling.glsl`."""
    planes = cull_planes(camera, width, height)
    padded = np.zeros((5, 5))
    padded[: len(planes)] = planes
    crop = settings.crop
    return {
        "cull_planes": len(planes),
        "cull_plane": [tuple(plane) for plane in padded[:, :4].tolist()],
        "cull_reach": padded[:, 4].tolist(),
        "cull_lowest": crop.lowest if crop else (-EVERYWHERE,) * 3,
        "cull_highest": crop.highest if crop else (EVERYWHERE,) * 3,
    }
