"""Orbiting: the camera looks at a pivot from a distance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scenes.cameras import Camera
from scenes.extent import Extent
from ui.heading import Heading, Vector, blend_angles

MARGIN = 1.05  # how much wider than the scene's ball the picture is
FROM_ABOVE = math.radians(-20.0)  # pitch of the first view: an object from eye height


@dataclass(frozen=True)
class Orbit:
    """A camera `distance` world units from `pivot`, which stays in the middle of the picture."""

    heading: Heading
    pivot: Vector  # [3] world
    distance: float  # > 0

    @classmethod
    def around(cls, extent: Extent, fov_y: float, aspect: float, heading: Heading | None = None) -> Orbit:
        """All of a scene in a picture of width / height `aspect`; from a little above unless `heading` is given."""
        half = 0.5 * fov_y
        narrow = min(half, math.atan(aspect * math.tan(half)))
        heading = heading or Heading(extent.up, pitch=FROM_ABOVE)
        return cls(heading, extent.centre, MARGIN * extent.radius / math.sin(narrow))

    @classmethod
    def of(cls, camera: Camera, distance: float, up: Vector) -> Orbit:
        """The orbit a camera is on when its pivot is `distance` ahead of it."""
        rotation = camera.camera_from_world[:3, :3]
        return cls(Heading.of(rotation, up), camera.position + distance * rotation[2], distance)

    @property
    def eye(self) -> Vector:
        """[3] where the camera is."""
        return self.pivot - self.distance * self.heading.rotation()[2]

    def camera(self, fov_y: float) -> Camera:
        """The camera, with a vertical field of view in radians."""
        return self.heading.camera(self.eye, fov_y)

    def turned(self, right: float, upward: float) -> Orbit:
        """Around the pivot, so that the camera looks this many radians further right and up."""
        return replace(self, heading=self.heading.turned(right, upward))

    def rolled(self, clockwise: float) -> Orbit:
        """About the line to the pivot."""
        return replace(self, heading=self.heading.rolled(clockwise))

    def panned(self, right: float, down: float) -> Orbit:
        """Camera and pivot moved across the view, in world units."""
        rotation = self.heading.rotation()
        return replace(self, pivot=self.pivot + right * rotation[0] + down * rotation[1])

    def zoomed(self, factor: float, nearest: float, farthest: float) -> Orbit:
        """The distance times `factor`, held within the limits."""
        return replace(self, distance=min(max(self.distance * factor, nearest), farthest))

    def towards(self, other: Orbit, t: float) -> Orbit:
        """Part of the way, 0 to 1, to `other` with the same up; distances by equal ratios, angles the shorter way."""
        if t >= 1:
            return other
        angles = (blend_angles(a, b, t) for a, b in zip(_angles(self.heading), _angles(other.heading), strict=True))
        pivot = (1 - t) * self.pivot + t * other.pivot
        return Orbit(Heading(other.heading.up, *angles), pivot, self.distance * (other.distance / self.distance) ** t)


def _angles(heading: Heading) -> tuple[float, float, float]:
    return heading.yaw, heading.pitch, heading.roll
