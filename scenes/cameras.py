"""Cameras, in OpenCV's axes: x right, y down, z forward; pixel centres at +0.5.

The files cameras come in are read by `scenes/camera_files.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEAR = 0.2  # world units; the original 3DGS culls what is nearer
PROJECTIONS = ("pinhole", "orthographic", "equirectangular")


@dataclass(frozen=True)
class Camera:
    """A camera without a resolution: the same camera serves any image size of its aspect.

    Pinhole: `fov_y` is the vertical field of view in radians. Pixels are square unless `pixel_aspect` (fx / fy) says
    otherwise; `centre` is the principal point as a fraction of width and height. `projection` can also be:

    - "orthographic": parallel rays; the picture is `view_height` world units high, `fov_y` is not used.
    - "equirectangular": all directions; columns are longitudes atan2(x, z) from -pi to pi, rows latitudes from pi / 2
      (up, y negative) to -pi / 2, whatever the other fields say. Depth is then the distance, not z.
    """

    camera_from_world: NDArray[np.float64]  # [4, 4] rigid
    fov_y: float
    pixel_aspect: float = 1.0
    centre: tuple[float, float] = (0.5, 0.5)
    name: str = ""
    near: float = NEAR  # world units; Gaussians whose centre is nearer are not drawn
    aspect: float | None = None  # width / height of the picture it was made for, when its file says
    projection: str = "pinhole"  # one of PROJECTIONS
    view_height: float = 1.0  # world units, orthographic only
    # x / z and y / z at the left, top, right and bottom edge of the picture this one is cut out of; None: it is whole
    frustum: tuple[float, float, float, float] | None = None

    def intrinsics(self, width: int, height: int) -> tuple[float, float, float, float]:
        """fx, fy, cx, cy for an image of `width` x `height`, cx and cy in pixels.

        fx and fy are pixels per unit of x / z and y / z, orthographic per world unit, equirectangular per radian.
        """
        if self.projection == "equirectangular":
            return width / (2 * np.pi), height / np.pi, 0.5 * width, 0.5 * height
        if self.projection == "orthographic":
            fy = height / self.view_height
            return fy * self.pixel_aspect, fy, self.centre[0] * width, self.centre[1] * height
        fy = 0.5 * height / np.tan(0.5 * self.fov_y)
        return float(fy * self.pixel_aspect), float(fy), self.centre[0] * width, self.centre[1] * height

    def slopes(self, width: int, height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The least and the most [2] x / z and y / z in a pinhole picture, or in the one it is cut out of."""
        if self.frustum is not None:
            return np.array(self.frustum[:2]), np.array(self.frustum[2:])
        focal, centre = np.reshape(self.intrinsics(width, height), (2, 2))
        return -centre / focal, (np.array([width, height]) - centre) / focal

    @property
    def position(self) -> NDArray[np.float64]:
        """[3] the camera's centre in the world."""
        rotation, translation = self.camera_from_world[:3, :3], self.camera_from_world[:3, 3]
        return -rotation.T @ translation


def look_at(
    eye: NDArray[np.floating],
    target: NDArray[np.floating],
    up: NDArray[np.floating],
    fov_y: float,
    name: str = "",
    near: float = NEAR,
) -> Camera:
    """A camera at `eye` that sees `target` in the middle of the picture, `up` ([3], world) pointing up in it."""
    forward = np.asarray(target, np.float64) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, up)
    if np.linalg.norm(right) < 1e-6:  # looking along the up axis: any right will do
        right = np.cross(forward, np.eye(3)[np.argmin(np.abs(forward))])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3] = rotation
    camera_from_world[:3, 3] = -rotation @ eye
    return Camera(camera_from_world, fov_y, name=name, near=near)
