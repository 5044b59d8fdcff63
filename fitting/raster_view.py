"""What a rasteriser backend is told about a view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.cameras import NEAR, Camera


@dataclass(frozen=True)
class RasterView:
    """A camera at one resolution, with the background behind the Gaussians."""

    camera_from_world: NDArray[np.float32]  # [4, 4] rigid
    fx: float  # pixels
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    antialiased: bool = False
    near: float = NEAR  # world units

    @classmethod
    def of(
        cls,
        camera: Camera,
        width: int,
        height: int,
        background: tuple[float, float, float] = (0.0, 0.0, 0.0),
        antialiased: bool = False,
    ) -> RasterView:
        """The view of `camera` in an image of `width` x `height` pixels."""
        fx, fy, cx, cy = camera.intrinsics(width, height)
        matrix = np.ascontiguousarray(camera.camera_from_world, dtype=np.float32)
        return cls(matrix, fx, fy, cx, cy, width, height, background, antialiased, camera.near)

    @property
    def camera_position(self) -> NDArray[np.float32]:
        """[3] the camera's centre in the world."""
        rotation, translation = self.camera_from_world[:3, :3], self.camera_from_world[:3, 3]
        return np.ascontiguousarray(-rotation.T @ translation)
