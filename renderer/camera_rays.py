"""The rays of a camera's pixels, for what is ray-cast."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenes.cameras import Camera

Doubles = NDArray[np.float64]


class Rays(NamedTuple):
    """A ray a pixel, rows first."""

    origins: Doubles  # [N, 3] world
    directions: Doubles  # [N, 3] world, unit
    z: Doubles  # [N] of the depth of `scenes/cameras.py`, what a unit along the ray adds
    start: Doubles  # [N] where the near plane is met, world units along the ray


def camera_rays(
    camera: Camera, width: int, height: int, jitter: tuple[float | Doubles, float | Doubles] = (0.0, 0.0)
) -> Rays:
    """[H * W] rays through the middles of the pixels, moved by `jitter` ([H * W] or one) pixels right and down."""
    fx, fy, cx, cy = camera.intrinsics(width, height)
    rows, columns = np.mgrid[:height, :width].reshape(2, -1)
    x, y = (columns + 0.5 + jitter[0] - cx) / fx, (rows + 0.5 + jitter[1] - cy) / fy
    origins = np.zeros((len(x), 3))
    if camera.projection == "orthographic":
        origins[:, :2] = np.stack([x, y], axis=1)
        directions = np.broadcast_to(np.array([0.0, 0.0, 1.0]), (len(x), 3))
    elif camera.projection == "equirectangular":
        directions = np.stack([np.cos(y) * np.sin(x), np.sin(y), np.cos(y) * np.cos(x)], axis=1)
    else:
        directions = np.stack([x, y, np.ones_like(x)], axis=1)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    z = np.ones(len(x)) if camera.projection == "equirectangular" else directions[:, 2]
    world_from_camera = camera.camera_from_world[:3, :3].T
    origins = origins @ world_from_camera.T + camera.position
    return Rays(origins, directions @ world_from_camera.T, z, camera.near / z)
