"""A scene to be lit: surfaces, Gaussians, plain shapes, their materials, lights and a camera.

These are the words of `docs/scene-format.md`; `scenes/scene_file_read.py` and `scenes/scene_file_write.py` are the
file, `scenes/stage.py` has what the files that it names hold. Everything is frozen and compares by value, so that a
renderer sees whether anything changed.

Light is linear, with the primaries of BT.709; radiance and power have no unit but each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from scenes.cameras import Camera, look_at

Colour: TypeAlias = tuple[float, float, float]  # linear RGB
Vector: TypeAlias = tuple[float, float, float]
Matrix: TypeAlias = tuple[tuple[float, float, float, float], ...]  # [4] rows
ToneMapping: TypeAlias = Literal["linear", "aces", "agx"]
TONE_MAPPINGS: tuple[ToneMapping, ...] = ("linear", "aces", "agx")

IDENTITY: Matrix = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
SMOOTHEST = 0.03  # roughness; less is a mirror
MOST_BOUNCES = 64
SUN_DEGREES = 0.53  # across, as seen from the earth


@dataclass(frozen=True)
class Captured:
    """The surface's own colours as light that it sends out, whatever falls on it."""


@dataclass(frozen=True)
class Diffuse:
    """Lambert's, on both sides."""

    albedo: Colour | None = (0.8, 0.8, 0.8)  # 0 to 1; None: the surface's own colours


@dataclass(frozen=True)
class Metal:
    """GGX with Smith's shadowing and Schlick's Fresnel term; on both sides."""

    colour: Colour = (0.9, 0.9, 0.9)  # reflectance straight on, 0 to 1
    roughness: float = 0.2  # 0 to 1, the square root of GGX's alpha; under `SMOOTHEST` a mirror


@dataclass(frozen=True)
class Glass:
    """A smooth dielectric, solid inside the shape."""

    ior: float = 1.5  # index of refraction, inside over outside
    tint: Colour = (1.0, 1.0, 1.0)  # 0 to 1, of what passes through the boundary, each time


Material: TypeAlias = Captured | Diffuse | Metal | Glass


@dataclass(frozen=True)
class Surface:
    """A neural surface of a .kilo."""

    file: Path
    material: Material = field(default_factory=Captured)
    transform: Matrix = IDENTITY  # world from the file's frame
    name: str = ""


@dataclass(frozen=True)
class GaussianScene:
    """Gaussians of a .ply or .kilo: drawn over what is behind them, neither lit nor casting shadows."""

    file: Path
    transform: Matrix = IDENTITY  # rotation, translation and one scale
    name: str = ""


@dataclass(frozen=True)
class Plane:
    """All points p with normal . p = offset, in its own frame; without end."""

    normal: Vector = (0.0, 0.0, 1.0)  # any length but 0; glass is on the other side
    offset: float = 0.0  # for the unit normal
    material: Material = field(default_factory=Diffuse)
    transform: Matrix = IDENTITY
    name: str = ""


@dataclass(frozen=True)
class Sphere:
    """Around the origin of its frame."""

    radius: float = 1.0
    material: Material = field(default_factory=Diffuse)
    transform: Matrix = IDENTITY
    name: str = ""


@dataclass(frozen=True)
class Box:
    """Around the origin of its frame, along its axes."""

    size: Vector = (1.0, 1.0, 1.0)
    material: Material = field(default_factory=Diffuse)
    transform: Matrix = IDENTITY
    name: str = ""


@dataclass(frozen=True)
class MeshObject:
    """The triangles of a mesh file, flat; glass where they face away."""

    file: Path
    material: Material = field(default_factory=Diffuse)
    transform: Matrix = IDENTITY
    name: str = ""


SceneObject: TypeAlias = Surface | GaussianScene | Plane | Sphere | Box | MeshObject


@dataclass(frozen=True)
class RectangleLight:
    """In the middle of the xy plane of its frame; shines where z is above 0, and is black behind."""

    radiance: Colour
    size: tuple[float, float] = (1.0, 1.0)
    transform: Matrix = IDENTITY
    name: str = ""


@dataclass(frozen=True)
class SphereLight:
    """Shines outwards."""

    radiance: Colour
    radius: float = 0.1
    position: Vector = (0.0, 0.0, 0.0)
    name: str = ""


Light: TypeAlias = RectangleLight | SphereLight


@dataclass(frozen=True)
class Sky:
    """A clear sky and a sun, by the formulas of `scenes/sky.py`."""

    sun_direction: Vector = (0.4, -0.5, 0.75)  # towards the sun, any length but 0
    sky: float = 1.0  # factor of the sky's radiance
    sun: float = 1.0  # factor of the sun's; 0: none
    sun_degrees: float = SUN_DEGREES  # across
    ground: Colour = (0.3, 0.3, 0.3)  # 0 to 1, albedo of what is below the horizon


@dataclass(frozen=True)
class EnvironmentImage:
    """Light from afar, by an equirectangular picture."""

    file: Path  # .exr, .hdr or .png
    strength: float = 1.0
    turn_degrees: float = 0.0  # about the scene's up, counter-clockwise seen from above


@dataclass(frozen=True)
class ConstantSky:
    """The same radiance from everywhere; black: none."""

    radiance: Colour = (1.0, 1.0, 1.0)


Environment: TypeAlias = Sky | EnvironmentImage | ConstantSky


@dataclass(frozen=True)
class SceneCamera:
    """Where from, where to."""

    position: Vector
    target: Vector
    up: Vector | None = None  # None: the scene's
    fov_y_degrees: float = 40.0  # from the lower to the upper edge
    projection: str = "pinhole"  # one of `scenes.cameras.PROJECTIONS`
    view_height: float = 1.0  # world units, orthographic only
    near: float = 0.01  # world units


@dataclass(frozen=True)
class SceneDescription:
    """All of a scene file; paths are as they can be opened from here."""

    objects: tuple[SceneObject, ...] = ()
    lights: tuple[Light, ...] = ()
    environment: Environment = field(default_factory=Sky)
    camera: SceneCamera | None = None
    up: Vector = (0.0, 0.0, 1.0)  # of environment and camera, any length but 0
    exposure: float = 0.0  # stops: light is multiplied by 2^exposure before tone mapping
    tone_mapping: ToneMapping = "agx"
    bounces: int = 5  # scatterings of a path at most
    clamp: float | None = None  # most that a path adds after two scatterings; None: no limit, and nothing is lost

    def view(self) -> Camera | None:
        """The camera as renderers take it."""
        wanted = self.camera
        if wanted is None:
            return None
        camera = look_at(
            np.array(wanted.position),
            np.array(wanted.target),
            np.array(wanted.up or self.up),
            math.radians(wanted.fov_y_degrees),
        )
        return Camera(
            camera.camera_from_world,
            camera.fov_y,
            near=wanted.near,
            projection=wanted.projection,
            view_height=wanted.view_height,
        )


def matrix_of(transform: Matrix) -> NDArray[np.float64]:
    """[4, 4] the same."""
    return np.array(transform, np.float64)


def transform_of(matrix: NDArray[np.floating]) -> Matrix:
    """The rows of a matrix [4, 4]."""
    rows = np.asarray(matrix, np.float64).tolist()
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in rows)


def placed(
    translate: Vector = (0.0, 0.0, 0.0),
    axis: Vector = (0.0, 0.0, 1.0),
    degrees: float = 0.0,
    scale: float | Vector = 1.0,
) -> Matrix:
    """First scaled, then rotated about `axis` (counter-clockwise seen from its tip), then moved."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = math.radians(degrees)
    rotation = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross  # Rodrigues
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.asarray(scale)
    matrix[:3, 3] = translate
    return transform_of(matrix)
