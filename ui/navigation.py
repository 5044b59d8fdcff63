"""The camera the user steers: orbit or fly, what drags, wheel and held keys do to it, glides, and the way home.

Lengths are world units, angles radians, positions on screen pixels. Nothing here knows of a window.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from scenes.cameras import Camera
from scenes.extent import Extent
from ui.fly import Fly
from ui.heading import Vector
from ui.orbit import Orbit

FOV_LIMITS = (math.radians(10.0), math.radians(120.0))
FIRST_FOV = math.radians(50.0)
ZOOM_LIMITS = (0.01, 50.0)  # of the scene's radius
WHEEL_ZOOM = 0.88  # times the distance, a notch
WHEEL_SPEED = 1.2  # times the fly speed, a notch
SPEED_LIMITS = (0.01, 20.0)  # of the scene's radius, a second
FIRST_SPEED = 0.5
FAST, SLOW = 4.0, 0.25  # Shift and Alt
KEY_TURN = math.radians(60.0)  # a second
KEY_ROLL = math.radians(45.0)
KEY_ZOOM = 0.4  # times the distance, after a second
GLIDE_SECONDS = 0.3

# What a held key pushes: right, down, forward; turn right, turn up; roll clockwise.
HELD: dict[str, tuple[float, float, float, float, float, float]] = {
    "forward": (0, 0, 1, 0, 0, 0),
    "back": (0, 0, -1, 0, 0, 0),
    "left": (-1, 0, 0, 0, 0, 0),
    "right": (1, 0, 0, 0, 0, 0),
    "down": (0, 1, 0, 0, 0, 0),
    "up": (0, -1, 0, 0, 0, 0),
    "turn right": (0, 0, 0, 1, 0, 0),
    "turn left": (0, 0, 0, -1, 0, 0),
    "turn up": (0, 0, 0, 0, 1, 0),
    "turn down": (0, 0, 0, 0, -1, 0),
    "roll clockwise": (0, 0, 0, 0, 0, 1),
    "roll anticlockwise": (0, 0, 0, 0, 0, -1),
}


class Navigator:
    """The state of the camera. `mode` is "orbit" or "fly"; `aspect` is the picture's width / height."""

    def __init__(self, extent: Extent, aspect: float = 1.0) -> None:
        self.mode = "orbit"
        self.aspect = aspect
        self.fov_y = FIRST_FOV
        self.speed = FIRST_SPEED  # of flying, in scene radii a second
        self._glide: tuple[Orbit, Orbit, float] | None = None  # from, to, seconds since
        self.go_home(extent)

    def go_home(self, extent: Extent) -> None:
        """The first view of a scene, at once."""
        self.extent = extent
        self.up = extent.up
        self._glide = None
        self._set(Orbit.around(extent, self.fov_y, self.aspect))

    def set_extent(self, extent: Extent) -> None:
        """Another scene, seen from where the camera is."""
        self.extent = extent

    def camera(self) -> Camera:
        """The camera now; its near plane is the scene's."""
        camera = (self._orbit if self.mode == "orbit" else self._fly).camera(self.fov_y)
        return replace(camera, near=self.extent.near)

    @property
    def orbit(self) -> Orbit:
        """The orbit the camera is on; in fly mode around a point as far ahead as the last pivot was away."""
        return self._orbit if self.mode == "orbit" else Orbit.of(self.camera(), self._orbit.distance, self.up)

    def set_mode(self, mode: str) -> None:
        """To "orbit" or "fly"; the picture stays the same."""
        self._set(self.orbit)
        self.mode = mode

    def set_up(self, up: Vector) -> None:
        """Another axis [3] is up; the camera glides to level on it and keeps looking where it does."""
        self._take_up(up)
        self.level()

    def set_fov(self, fov_y: float) -> None:
        """The vertical field of view, held within limits; an orbiting camera keeps its place."""
        self.fov_y = min(max(fov_y, FOV_LIMITS[0]), FOV_LIMITS[1])

    def change_speed(self, notches: float) -> None:
        """Of flying: faster for positive notches."""
        self.speed = min(max(self.speed * WHEEL_SPEED**notches, SPEED_LIMITS[0]), SPEED_LIMITS[1])

    def level(self) -> None:
        """Glides to no roll."""
        orbit = self.orbit
        self._start_glide(replace(orbit, heading=replace(orbit.heading, roll=0.0)))

    def reset(self) -> None:
        """Glides to the first view, with the first field of view and the scene's own up axis."""
        self.fov_y = FIRST_FOV
        self._take_up(self.extent.up)
        self._start_glide(Orbit.around(self.extent, self.fov_y, self.aspect))

    def frame_scene(self) -> None:
        """Glides to where all of the scene is in the picture, from the same direction."""
        self._start_glide(Orbit.around(self.extent, self.fov_y, self.aspect, self.orbit.heading))

    def focus(self, point: Vector) -> None:
        """Glides sideways until `point` [3] is in the middle, and makes it the pivot."""
        distance = float(self.orbit.heading.rotation()[2] @ (point - self.camera().position))
        self._start_glide(replace(self.orbit, pivot=point, distance=max(distance, self._zoom_limits()[0])))

    def drag(self, button: str, dx: float, dy: float, height: float) -> None:
        """A drag by dx, dy px in a picture of `height` px: "turn" orbits or looks around, "pan" moves across the view.

        A pan keeps what is at the pivot's depth under the cursor.
        """
        self._glide = None
        if button == "pan":
            world = 2 * self.orbit.distance * math.tan(0.5 * self.fov_y) / height
            self._pan(-dx * world, -dy * world)
        elif self.mode == "orbit":
            self._orbit = self._orbit.turned(math.pi * dx / height, -math.pi * dy / height)
        else:
            self._fly = self._fly.turned(self.fov_y * dx / height, -self.fov_y * dy / height)

    def wheel(self, notches: float) -> None:
        """Nearer for positive notches when orbiting, faster when flying."""
        if self.mode == "fly":
            self.change_speed(notches)
            return
        self._glide = None
        self._orbit = self._orbit.zoomed(WHEEL_ZOOM**notches, *self._zoom_limits())

    def step(self, held: Collection[str], seconds: float, fast: bool = False, slow: bool = False) -> bool:
        """What held keys (names of `HELD`) and glides do in `seconds`; True while the camera is on its way."""
        push = np.array([(0.0,) * 6, *(HELD[name] for name in held)]).sum(axis=0)
        if push.any():
            self._glide = None
            push *= seconds * (FAST if fast else 1.0) * (SLOW if slow else 1.0)
            self._push(push[:3], *push[3:])
            return True
        return self._continue_glide(seconds)

    def _push(self, move: Vector, right: float, upward: float, clockwise: float) -> None:
        if self.mode == "fly":
            step = self.speed * self.extent.radius * move
            turned = self._fly.turned(KEY_TURN * right, KEY_TURN * upward)
            self._fly = turned.rolled(KEY_ROLL * clockwise).moved(*step)
            return
        across = self._orbit.distance * math.tan(0.5 * self.fov_y) * move
        orbit = self._orbit.turned(KEY_TURN * right, KEY_TURN * upward).rolled(KEY_ROLL * clockwise)
        self._orbit = orbit.panned(*across[:2]).zoomed(KEY_ZOOM ** move[2], *self._zoom_limits())

    def _pan(self, right: float, down: float) -> None:
        if self.mode == "orbit":
            self._orbit = self._orbit.panned(right, down)
        else:
            self._fly = self._fly.moved(right, down, 0.0)

    def _zoom_limits(self) -> tuple[float, float]:
        return ZOOM_LIMITS[0] * self.extent.radius, ZOOM_LIMITS[1] * self.extent.radius

    def _take_up(self, up: Vector) -> None:
        """The same view as angles over another ground."""
        orbit = Orbit.of(self.camera(), self.orbit.distance, up)
        self.up = up
        self._set(orbit)

    def _start_glide(self, target: Orbit) -> None:
        self._glide = (self.orbit, target, 0.0)

    def _continue_glide(self, seconds: float) -> bool:
        if self._glide is None:
            return False
        start, target, passed = self._glide
        passed += seconds
        t = min(passed / GLIDE_SECONDS, 1.0)
        self._set(start.towards(target, t * t * (3 - 2 * t)))  # smoothstep: no jerk at either end
        self._glide = None if t >= 1 else (start, target, passed)
        return True

    def _set(self, orbit: Orbit) -> None:
        self._orbit = orbit
        self._fly = Fly(orbit.heading, orbit.eye)
