"""Where a camera looks, as angles over a level ground: what orbiting and flying share.

The camera's axes are OpenCV's (x right, y down, z forward). `up` is a unit vector of the world. Yaw turns to the right
seen from above, pitch looks upward, roll turns the camera clockwise about its own view; all in radians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scenes.cameras import Camera

Vector = NDArray[np.float64]

STEEPEST = math.radians(89.0)  # short of straight up and down, so that up never flips
NO_DIRECTION = 1e-6  # a unit vector's part over ground that is only rounding

UP_AXES: dict[str, Vector] = {
    f"{sign}{'xyz'[axis]}": float(f"{sign}1") * np.eye(3)[axis] for axis in range(3) for sign in "+-"
}


@dataclass(frozen=True)
class Heading:
    """A view direction and the roll about it."""

    up: Vector  # [3] unit, world
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def turned(self, right: float, upward: float) -> Heading:
        """Turned by these radians; the pitch stays short of straight up and down."""
        pitch = min(max(self.pitch + upward, -STEEPEST), STEEPEST)
        return replace(self, yaw=_wrapped(self.yaw + right), pitch=pitch)

    def rolled(self, clockwise: float) -> Heading:
        """The camera turned about its own view by these radians."""
        return replace(self, roll=_wrapped(self.roll + clockwise))

    def rotation(self) -> Vector:
        """[3, 3] camera from world: its rows are the camera's right, down and forward in the world."""
        north, east = ground_axes(self.up)
        ahead = math.cos(self.yaw) * north + math.sin(self.yaw) * east
        forward = math.cos(self.pitch) * ahead + math.sin(self.pitch) * self.up
        right = math.cos(self.yaw) * east - math.sin(self.yaw) * north
        down = np.cross(forward, right)
        cosine, sine = math.cos(self.roll), math.sin(self.roll)
        return np.stack([cosine * right + sine * down, cosine * down - sine * right, forward])

    def camera(self, eye: Vector, fov_y: float) -> Camera:
        """The camera at `eye` with this heading."""
        pose = np.eye(4)
        pose[:3, :3] = self.rotation()
        pose[:3, 3] = -pose[:3, :3] @ eye
        return Camera(pose, fov_y)

    @classmethod
    def of(cls, rotation: Vector, up: Vector) -> Heading:
        """The heading of a camera-from-world rotation [3, 3]; a pitch beyond `STEEPEST` is held there."""
        north, east = ground_axes(up)
        forward = rotation[2]
        climb = float(forward @ up)
        over_ground = math.hypot(forward @ north, forward @ east)
        pitch = math.atan2(climb, over_ground)
        # Straight up or down the view has no direction over ground; the top of the picture then says where ahead is.
        ahead = forward if over_ground > NO_DIRECTION else math.copysign(1.0, climb) * rotation[1]
        level = cls(up, math.atan2(ahead @ east, ahead @ north), min(max(pitch, -STEEPEST), STEEPEST))
        right, down, _ = level.rotation()
        return level.rolled(math.atan2(rotation[0] @ down, rotation[0] @ right))


def ground_axes(up: Vector) -> tuple[Vector, Vector]:
    """North and east: two unit axes [3] at right angles to `up`, east to the right when one faces north."""
    north = np.cross(np.eye(3)[np.argmin(np.abs(up))], up)
    north /= np.linalg.norm(north)
    return north, np.cross(north, up)


def blend_angles(a: float, b: float, t: float) -> float:
    """From angle `a` at t = 0 to `b` at t = 1, the shorter way round."""
    return a + t * _wrapped(b - a)


def _wrapped(angle: float) -> float:
    """The same angle in (-pi, pi]."""
    return math.pi - (math.pi - angle) % (2 * math.pi)
