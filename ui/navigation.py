"""The camera the user steers: orbit or fly, what drags, wheel and held keys do to it, glides, and the way home.

Lengths are world units, angles radians, positions on screen pixels. Nothing here knows of a window.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from scenes.cameras import Camera, look_at
from scenes.extent import Extent
from ui.fly import Fly
from ui.heading import Heading, Vector
from ui.orbit import Orbit

FOV_LIMITS = (math.radians(10.0), math.radians(120.0))
FIRST_FOV = math.radians(50.0)
ZOOM_LIMITS = (0.01, 50.0)  # of the scene's radius
WHEEL_ZOOM = 0.88  # times the distance, a notch
WHEEL_SPEED = 1.2  # times the fly speed, a notch
MOST_NOTCHES = 10.0  # at once; touchpads send fractions, and some drivers send sudden hundreds
SPEED_LIMITS = (0.01, 20.0)  # of the scene's radius, a second
FIRST_SPEED = 0.5
FAST, SLOW = 4.0, 0.25  # Shift and Alt
KEY_TURN = math.radians(60.0)  # a second
KEY_ROLL = math.radians(45.0)
KEY_ZOOM = 0.4  # times the distance, after a second
GLIDE_SECONDS = 0.3
PARALLEL_REACH = 3.0  # of the scene's radius: how much of it before its centre a parallel view shows

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


@dataclass
class _Glide:
    """On the way from one orbit and field of view to another, and then through a camera."""

    start: tuple[Orbit, float]
    target: tuple[Orbit, float]
    through: Camera | None = None
    seconds: float = 0.0  # since it began


class Navigator:
    """The state of the camera. `mode` is "orbit" or "fly"; `aspect` is the picture's width / height.

    `projection` is one of `scenes.cameras.PROJECTIONS`: a parallel view is as high as the pinhole's is at the pivot.
    `near` is the near plane in world units, or None for the scene's own.
    """

    def __init__(self, extent: Extent, aspect: float = 1.0) -> None:
        self.mode = "orbit"
        self.aspect = aspect
        self.fov_y = FIRST_FOV
        self.projection = "pinhole"
        self.near: float | None = None
        self.speed = FIRST_SPEED  # of flying, in scene radii a second
        self.through: Camera | None = None  # that is looked through as it is, until the user moves
        self._glide: _Glide | None = None
        self.go_home(extent)

    def go_home(self, extent: Extent, first: Camera | None = None) -> None:
        """The first view of a scene, at once; through the camera `first` if there is one."""
        self.extent = extent
        self.first, self.near = first, None
        self.up = extent.up
        self._take_over()
        self._set(Orbit.around(extent, self.fov_y, self.aspect))
        if first is not None:
            self.look_through(first)
        self.at_home = True  # nobody has moved yet

    def set_extent(self, extent: Extent) -> None:
        """Another scene, seen from where the camera is."""
        self.extent = extent

    # The camera

    def camera(self) -> Camera:
        """The camera now."""
        near = self.extent.near if self.near is None else self.near
        if self.through is not None:
            return replace(self.through, near=near)
        view = self._view()
        if self.projection == "orthographic":
            view = _moved_back(view, self._room_before(view))
        return replace(view, near=near, projection=self.projection, view_height=self.view_height)

    @property
    def view_height(self) -> float:
        """World units from the picture's upper to its lower edge at the pivot's depth."""
        return 2 * self._orbit.distance * math.tan(0.5 * self.fov_y)

    @property
    def orbit(self) -> Orbit:
        """The orbit the camera is on; in fly mode around a point as far ahead as the last pivot was away."""
        return self._orbit if self.mode == "orbit" else Orbit.of(self._view(), self._orbit.distance, self.up)

    def set_mode(self, mode: str) -> None:
        """To "orbit" or "fly"; the picture stays the same."""
        self._set(self.orbit)
        self.mode = mode

    def set_projection(self, projection: str) -> None:
        """Another projection; what is at the pivot keeps its size, as far as it can."""
        self._take_over()
        self.projection = projection

    def set_up(self, up: Vector) -> None:
        """Another axis [3] is up; the camera glides to level on it and keeps looking where it does."""
        self._take_over()
        self._take_up(up)
        self.level()

    def up_in_picture(self) -> Vector:
        """[3] the direction of the world that is up in the picture now."""
        return -self.camera().camera_from_world[1, :3]

    def set_fov(self, fov_y: float) -> None:
        """The vertical field of view, held within limits; an orbiting camera keeps its place."""
        self._take_over()
        self.fov_y = min(max(fov_y, FOV_LIMITS[0]), FOV_LIMITS[1])

    def change_speed(self, notches: float) -> None:
        """Of flying: faster for positive notches."""
        self.speed = min(max(self.speed * WHEEL_SPEED**notches, SPEED_LIMITS[0]), SPEED_LIMITS[1])

    # Going somewhere

    def level(self) -> None:
        """Glides to no roll."""
        orbit = self.orbit
        self._start_glide(replace(orbit, heading=replace(orbit.heading, roll=0.0)))

    def reset(self) -> None:
        """Glides to the first view, with its field of view and the scene's own up axis."""
        self._take_up(self.extent.up)
        if self.first is not None:
            self.fly_to(self.first)
            return
        self._start_glide(Orbit.around(self.extent, FIRST_FOV, self.aspect), FIRST_FOV)

    def frame_scene(self) -> None:
        """Glides to where all of the scene is in the picture, from the same direction."""
        self._start_glide(Orbit.around(self.extent, self.fov_y, self.aspect, self.orbit.heading))

    def focus(self, point: Vector) -> None:
        """Glides sideways until `point` [3] is in the middle, and makes it the pivot."""
        view = self._view()
        depth = float(view.camera_from_world[2, :3] @ (point - view.position))
        parallel = self.projection == "orthographic"  # its depth says nothing of how large things are
        distance = self.orbit.distance if parallel else max(depth, self._zoom_limits()[0])
        self._start_glide(replace(self.orbit, pivot=point, distance=distance))

    def look_through(self, camera: Camera) -> None:
        """Shows what `camera` sees, exactly, until the user moves; then the way goes on from there."""
        self._take_over()
        self.projection, self.fov_y = camera.projection, _held_fov(camera)
        self._set(self._orbit_of(camera))
        self.through = camera

    def fly_to(self, camera: Camera) -> None:
        """Glides to `camera` and looks through it."""
        self._take_over()
        self.projection = camera.projection
        self._start_glide(self._orbit_of(camera), _held_fov(camera), camera)

    def move_to(self, eye: Vector) -> None:
        """Puts the camera at `eye` [3], looking the same way."""
        self._take_over()
        orbit = self.orbit
        self._set(replace(orbit, pivot=orbit.pivot + eye - orbit.eye))

    def look_at(self, target: Vector) -> None:
        """Turns to `target` [3] without roll, from the same place, and makes it the pivot.

        Nothing happens where that is nearer than zooming goes: too near for a direction to mean anything.
        """
        self._take_over()
        orbit = self.orbit
        distance = float(np.linalg.norm(target - orbit.eye))
        if distance >= self._zoom_limits()[0]:
            rotation = look_at(orbit.eye, target, self.up, self.fov_y).camera_from_world[:3, :3]
            self._set(replace(orbit, heading=Heading.of(rotation, self.up), pivot=target, distance=distance))

    def turn_to(self, yaw: float, pitch: float, roll: float) -> None:
        """Turns to a heading, from the same place."""
        self._take_over()
        orbit = self.orbit
        heading = Heading(self.up).turned(yaw, pitch).rolled(roll)
        self._set(replace(orbit, heading=heading, pivot=orbit.eye + orbit.distance * heading.rotation()[2]))

    # What the user does

    def drag(self, button: str, dx: float, dy: float, height: float) -> None:
        """A drag by dx, dy px in a picture of `height` px: "turn" orbits or looks around, "pan" moves across the view.

        A pan keeps what is at the pivot's depth under the cursor.
        """
        self._take_over()
        if button == "pan":
            world = self._across_at_pivot() / height
            self._pan(-dx * world, -dy * world)
        elif self.mode == "orbit":
            self._orbit = self._orbit.turned(math.pi * dx / height, -math.pi * dy / height)
        else:
            angle = math.pi if self.projection == "equirectangular" else self.fov_y
            self._fly = self._fly.turned(angle * dx / height, -angle * dy / height)

    def wheel(self, notches: float) -> None:
        """Nearer for positive notches when orbiting, faster when flying; a parallel view grows in both."""
        notches = min(max(notches, -MOST_NOTCHES), MOST_NOTCHES)
        if self.mode == "fly" and self.projection != "orthographic":
            self.change_speed(notches)
            return
        self._take_over()
        self._zoom(WHEEL_ZOOM**notches)

    def step(
        self,
        held: Collection[str],
        seconds: float,
        fast: bool = False,
        slow: bool = False,
        more: Vector | None = None,
    ) -> bool:
        """What held keys (names of `HELD`) and glides do in `seconds`; True while the camera is on its way.

        `more` [6] is pushed besides, in the order of `HELD`: a gamepad's sticks.
        """
        push = np.array([(0.0,) * 6, *(HELD[name] for name in held)]).sum(axis=0)
        push = push if more is None else push + more
        if push.any():
            self._take_over()
            push = push * seconds * (FAST if fast else 1.0) * (SLOW if slow else 1.0)
            self._push(push[:3], *push[3:])
            return True
        return self._continue_glide(seconds)

    def _push(self, move: Vector, right: float, upward: float, clockwise: float) -> None:
        if self.mode == "fly":
            step = self.speed * self.extent.radius * move
            turned = self._fly.turned(KEY_TURN * right, KEY_TURN * upward)
            self._fly = turned.rolled(KEY_ROLL * clockwise).moved(*step)
            return
        across = 0.5 * self._across_at_pivot() * move
        orbit = self._orbit.turned(KEY_TURN * right, KEY_TURN * upward).rolled(KEY_ROLL * clockwise)
        self._orbit = orbit.panned(*across[:2])
        self._zoom(KEY_ZOOM ** move[2])

    def _pan(self, right: float, down: float) -> None:
        if self.mode == "orbit":
            self._orbit = self._orbit.panned(right, down)
        else:
            self._fly = self._fly.moved(right, down, 0.0)

    def _zoom(self, factor: float) -> None:
        """In fly mode, where the eye stays, only the size of a parallel view."""
        self._orbit = self._orbit.zoomed(factor, *self._zoom_limits())

    def _zoom_limits(self) -> tuple[float, float]:
        return ZOOM_LIMITS[0] * self.extent.radius, ZOOM_LIMITS[1] * self.extent.radius

    def _across_at_pivot(self) -> float:
        """World units of the picture's height at the pivot's depth."""
        if self.projection == "equirectangular":
            return math.pi * self._orbit.distance
        return self.view_height

    # How it is done

    def _view(self) -> Camera:
        """The eye and the heading as a pinhole, whatever is looked through."""
        return (self._orbit if self.mode == "orbit" else self._fly).camera(self.fov_y)

    def _room_before(self, view: Camera) -> float:
        """How far a parallel view's camera steps back, so that its near plane cuts nothing of the scene.

        Where the user has set a near plane it is to cut, and is measured from the pinhole's eye.
        """
        if self.near is not None:
            return 0.0
        ahead = float(view.camera_from_world[2, :3] @ (self.extent.centre - view.position))
        return max(0.0, PARALLEL_REACH * self.extent.radius - ahead)

    def _orbit_of(self, camera: Camera) -> Orbit:
        """The orbit a camera is on, around what is as far ahead of it as the pivot is now."""
        pose = camera.camera_from_world
        low, high = self._zoom_limits()
        depth = float(pose[2, :3] @ self._orbit.pivot + pose[2, 3])
        depth = min(max(depth, low), high) if depth > 0 else self._orbit.distance
        orbit = Orbit.of(camera, depth, self.up)
        if camera.projection != "orthographic":
            return orbit
        return replace(orbit, distance=0.5 * camera.view_height / math.tan(0.5 * _held_fov(camera)))

    def _take_up(self, up: Vector) -> None:
        """The same view as angles over another ground."""
        orbit = Orbit.of(self._view(), self.orbit.distance, up)
        self.up = up
        self._set(orbit)

    def _take_over(self) -> None:
        """Something moves the camera: what moved it before stops, and nothing is looked through."""
        self._glide = self.through = None
        self.at_home = False

    def _start_glide(self, target: Orbit, fov_y: float | None = None, through: Camera | None = None) -> None:
        self._take_over()
        start = (self.orbit, self.fov_y)
        self._glide = _Glide(start, (target, self.fov_y if fov_y is None else fov_y), through)

    def _continue_glide(self, seconds: float) -> bool:
        glide = self._glide
        if glide is None:
            return False
        glide.seconds += seconds
        t = min(glide.seconds / GLIDE_SECONDS, 1.0)
        smooth = t * t * (3 - 2 * t)  # smoothstep: no jerk at either end
        (start, start_fov), (target, target_fov) = glide.start, glide.target
        self.fov_y = target_fov if t >= 1 else start_fov * (target_fov / start_fov) ** smooth
        self._set(start.towards(target, smooth))
        if t >= 1:
            self._glide, self.through = None, glide.through
        return True

    def _set(self, orbit: Orbit) -> None:
        self._orbit = orbit
        self._fly = Fly(orbit.heading, orbit.eye)


def _held_fov(camera: Camera) -> float:
    return min(max(camera.fov_y, FOV_LIMITS[0]), FOV_LIMITS[1])


def _moved_back(camera: Camera, distance: float) -> Camera:
    """The camera moved against its view by world units."""
    pose = camera.camera_from_world.copy()
    pose[2, 3] += distance
    return replace(camera, camera_from_world=pose)
