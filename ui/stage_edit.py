"""Changes of a scene file's description: where things are, what they are, which there are. Nothing here knows of a
window.

Things are numbered: first the objects in their order, then the lights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from scenes.scene_file import (
    Box,
    GaussianScene,
    Light,
    Plane,
    RectangleLight,
    SceneDescription,
    SceneObject,
    Sphere,
    SphereLight,
    Vector,
    matrix_of,
    placed,
    transform_of,
)
from scenes.scene_file_read import FLATTEST
from scenes.scene_file_write import KINDS

Doubles: TypeAlias = NDArray[np.float64]
Thing: TypeAlias = SceneObject | Light

SQUARE = 1e-6  # cosine between axes of a transform up to which it has a rotation and scales
NEW = ("plane", "sphere", "box", "rectangle light", "sphere light")
HISTORY = 200  # descriptions kept
BRIGHT = 20.0  # radiance of a new light


@dataclass
class History:
    """Descriptions before and after the one there is; what follows soon on the same change replaces it."""

    now: SceneDescription

    def __post_init__(self) -> None:
        self.saved = self.now
        self._before: list[SceneDescription] = []
        self._after: list[SceneDescription] = []
        self._what: object = None

    def change(self, scene: SceneDescription, what: object = None) -> None:
        """Another description; `what` is the same while one thing is dragged, None stands alone."""
        if scene == self.now:
            return
        if what is None or what != self._what:
            self._before = [*self._before[1 - HISTORY :], self.now]
        self._after, self._what, self.now = [], what, scene

    def settle(self) -> None:
        """What is changed next is another change."""
        self._what = None

    def undo(self) -> bool:
        """Back; False at the first."""
        return self._go(self._before, self._after)

    def redo(self) -> bool:
        """Forth; False at the last."""
        return self._go(self._after, self._before)

    def _go(self, source: list[SceneDescription], target: list[SceneDescription]) -> bool:
        if not source:
            return False
        target.append(self.now)
        self.now, self._what = source.pop(), None
        return True

    @property
    def dirty(self) -> bool:
        """Not as saved."""
        return self.now != self.saved


def things_of(scene: SceneDescription) -> tuple[Thing, ...]:
    """Objects and lights."""
    return (*scene.objects, *scene.lights)


def title_of(scene: SceneDescription, number: int) -> str:
    """Its name, or its kind and which one of that it is."""
    things = things_of(scene)
    thing = things[number]
    kinds = [_kind(other) for other in things]
    return thing.name or f"{kinds[number]} {kinds[: number + 1].count(kinds[number])}"


def _kind(thing: Thing) -> str:
    return KINDS[type(thing)] + (" light" if isinstance(thing, RectangleLight | SphereLight) else "")


def with_thing(scene: SceneDescription, number: int, thing: Thing | None) -> SceneDescription:
    """With another thing in its place, or without it."""
    objects, lights = list(scene.objects), list(scene.lights)
    things, place = (objects, number) if number < len(objects) else (lights, number - len(objects))
    things[place : place + 1] = [] if thing is None else [thing]  # pyright: ignore[reportCallIssue, reportArgumentType]
    return replace(scene, objects=tuple(objects), lights=tuple(lights))


def added(scene: SceneDescription, thing: Thing) -> tuple[SceneDescription, int]:
    """With one thing more, and its number."""
    if isinstance(thing, RectangleLight | SphereLight):
        return replace(scene, lights=(*scene.lights, thing)), len(scene.objects) + len(scene.lights)
    return replace(scene, objects=(*scene.objects, thing)), len(scene.objects)


def new_thing(kind: str, place: Vector, size: float) -> Thing:
    """One of `NEW` at a place, about as large as `size`."""
    if kind == "plane":
        return Plane(transform=placed(place))
    if kind == "sphere":
        return Sphere(0.5 * size, transform=placed(place))
    if kind == "box":
        return Box((size, size, size), transform=placed(place))
    if kind == "sphere light":
        return SphereLight((BRIGHT, BRIGHT, BRIGHT), 0.1 * size, place)
    return RectangleLight((BRIGHT, BRIGHT, BRIGHT), (size, size), placed(place, (1, 0, 0), 180))


def world_of(thing: Thing) -> Doubles:
    """[4, 4] world from its frame."""
    return matrix_of(placed(thing.position, scale=thing.radius) if isinstance(thing, SphereLight) else thing.transform)


def put(thing: Thing, world: Doubles) -> Thing:
    """The thing in another place. What cannot be is left as it was: a flat one; Gaussians keep one scale for all axes,
    and balls of light have their radius as scale.
    """
    if not np.isfinite(world).all():
        return thing
    linear = world[:3, :3]
    volume = abs(float(np.linalg.det(linear)))
    if volume <= FLATTEST * float(np.prod(np.linalg.norm(linear, axis=0))):
        return thing
    if isinstance(thing, SphereLight):
        x, y, z = world[:3, 3].tolist()
        return replace(thing, position=(x, y, z), radius=float(np.cbrt(volume)))
    if isinstance(thing, GaussianScene):
        world = _similar(world)
    return replace(thing, transform=transform_of(world))


def _similar(world: Doubles) -> Doubles:
    """The nearest rotation, times one scale."""
    left, scales, right = np.linalg.svd(world[:3, :3])
    left[:, -1] *= np.sign(np.linalg.det(left @ right))
    result = world.copy()
    result[:3, :3] = float(np.prod(scales)) ** (1 / 3) * left @ right
    return result


@dataclass(frozen=True)
class Placement:
    """A transform by numbers: scaled, turned about x, then y, then z, and moved."""

    position: Vector
    degrees: Vector
    scale: Vector

    def matrix(self) -> Doubles:
        """[4, 4]"""
        world = np.eye(4)
        for axis, angle in zip(np.eye(3), self.degrees, strict=True):
            world = matrix_of(placed(axis=(axis[0], axis[1], axis[2]), degrees=angle)) @ world
        world[:3, :3] *= self.scale
        world[:3, 3] = self.position
        return world


def placement_of(world: Doubles) -> Placement | None:
    """The numbers of a transform [4, 4]; None where it is slanted and no such numbers make it."""
    linear = world[:3, :3]
    scale = np.linalg.norm(linear, axis=0)
    scale[0] *= np.sign(np.linalg.det(linear))
    rotation = linear / scale
    if np.abs(rotation.T @ rotation - np.eye(3)).max() > SQUARE:
        return None
    level = math.hypot(rotation[0, 0], rotation[1, 0])
    y = math.atan2(-rotation[2, 0], level)
    if level > SQUARE:
        x, z = math.atan2(rotation[2, 1], rotation[2, 2]), math.atan2(rotation[1, 0], rotation[0, 0])
    else:  # x and z turn about the same axis
        x, z = math.atan2(-rotation[1, 2], rotation[1, 1]), 0.0
    px, py, pz = world[:3, 3].tolist()
    sx, sy, sz = scale.tolist()
    degrees = (math.degrees(x) + 0.0, math.degrees(y) + 0.0, math.degrees(z) + 0.0)  # no -0
    return Placement((px, py, pz), degrees, (sx, sy, sz))


def direction_of(frame: Doubles, turn: float, height: float) -> Vector:
    """A unit direction by degrees to the right of the front and above the horizon; `frame` [3, 3]: right, up, front."""
    turn, height = math.radians(turn), math.radians(height)
    local = (math.sin(turn) * math.cos(height), math.sin(height), math.cos(turn) * math.cos(height))
    x, y, z = (np.array(local) @ frame).tolist()
    return x, y, z


def angles_of(frame: Doubles, direction: Vector) -> tuple[float, float]:
    """The degrees of `direction_of`."""
    right, up, front = frame @ (np.array(direction) / np.linalg.norm(direction))
    return math.degrees(math.atan2(right, front)), math.degrees(math.asin(min(max(up, -1.0), 1.0)))
