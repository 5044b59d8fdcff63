"""The range of depths worth showing: from where the scene begins to where it ends, seen from a camera."""

from __future__ import annotations

import numpy as np

from scenes.cameras import Camera
from scenes.extent import Extent

LEAST = 1e-3  # of the scene's radius: a range of nothing has no greys


def depth_range(camera: Camera, extent: Extent) -> tuple[float, float]:
    """Nearest and farthest depth, world units, of the scene's ball in front of the near plane."""
    offset = camera.camera_from_world[:3, :3] @ extent.centre + camera.camera_from_world[:3, 3]
    middle = float(np.linalg.norm(offset) if camera.projection == "equirectangular" else offset[2])
    nearest = max(middle - extent.radius, camera.near)
    return nearest, max(middle + extent.radius, nearest + LEAST * extent.radius)
