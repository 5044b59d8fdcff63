"""Where the scene is in the window, and where points of the world are in it; screen coordinates, y down."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scenes.cameras import Camera

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Rect:
    """A part of the window."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre."""
        return self.x + 0.5 * self.width, self.y + 0.5 * self.height

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    def holds(self, x: float, y: float) -> bool:
        """Whether a position is inside."""
        return self.x <= x < self.right and self.y <= y < self.bottom


def halves(rect: Rect) -> list[tuple[Rect, Rect]]:
    """Two pictures side by side in `rect`, each the middle of one as wide as `rect`: where it is seen, and where all of
    it would be.
    """
    half = 0.5 * rect.width
    return [
        (replace(rect, x=rect.x + i * half, width=half), replace(rect, x=rect.x + (i - 0.5) * half)) for i in (0, 1)
    ]


def project_points(points: Points, camera: Camera, rect: Rect) -> tuple[Points, Points]:
    """Screen coordinates [N, 2] of world points [N, 3], and their depths [N]; what has no place is NaN.

    Depth is along the view axis, for equirectangular cameras the distance. Behind a pinhole camera nothing has a place.
    """
    seen = points @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]
    x, y, z = seen.T
    fx, fy, cx, cy = camera.intrinsics(1, 1)  # of a picture 1 x 1; a pixel's aspect is put right below
    if camera.projection == "equirectangular":
        distance = np.linalg.norm(seen, axis=1)
        u, v = np.arctan2(x, z) * fx + cx, np.arctan2(y, np.hypot(x, z)) * fy + cy
        return np.stack([rect.x + u * rect.width, rect.y + v * rect.height], axis=1), distance
    depth = np.ones_like(z) if camera.projection == "orthographic" else np.where(z > 0, z, np.nan)
    u = rect.x + cx * rect.width + fx * rect.height * x / depth
    v = rect.y + cy * rect.height + fy * rect.height * y / depth
    return np.stack([u, v], axis=1), z
