"""Flying: the camera moves along its own axes and looks where it is turned."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scenes.cameras import Camera
from ui.heading import Heading, Vector


@dataclass(frozen=True)
class Fly:
    """A camera at `eye`."""

    heading: Heading
    eye: Vector  # [3] world

    @classmethod
    def of(cls, camera: Camera, up: Vector) -> Fly:
        """The flight a camera is on."""
        return cls(Heading.of(camera.camera_from_world[:3, :3], up), camera.position)

    def camera(self, fov_y: float) -> Camera:
        """The camera, with a vertical field of view in radians."""
        return self.heading.camera(self.eye, fov_y)

    def turned(self, right: float, upward: float) -> Fly:
        """Looking this many radians further right and up, from the same place."""
        return replace(self, heading=self.heading.turned(right, upward))

    def rolled(self, clockwise: float) -> Fly:
        """About the view."""
        return replace(self, heading=self.heading.rolled(clockwise))

    def moved(self, right: float, down: float, forward: float) -> Fly:
        """Moved along the camera's own axes, in world units."""
        return replace(self, eye=self.eye + np.array([right, down, forward]) @ self.heading.rotation())
