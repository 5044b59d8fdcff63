"""Reading scene files: see `docs/scene-format.md`."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from scenes.cameras import PROJECTIONS
from scenes.files import brief
from scenes.located_json import Located, read_located
from scenes.scene_file import (
    MOST_BOUNCES,
    TONE_MAPPINGS,
    Box,
    Captured,
    Colour,
    ConstantSky,
    Diffuse,
    Environment,
    EnvironmentImage,
    GaussianScene,
    Glass,
    Light,
    Material,
    Matrix,
    MeshObject,
    Metal,
    Plane,
    RectangleLight,
    SceneCamera,
    SceneDescription,
    SceneObject,
    Sky,
    Sphere,
    SphereLight,
    Surface,
    Vector,
    matrix_of,
    placed,
    transform_of,
)

SUFFIX = ".json"
KEYS = ("objects", "lights", "environment", "materials", "camera", "up", "exposure", "tone_mapping", "bounces", "clamp")
OBJECT_KEYS = {
    "surface": ("file",),
    "gaussians": ("file",),
    "plane": ("normal", "offset"),
    "sphere": ("radius",),
    "box": ("size",),
    "mesh": ("file",),
}
MATERIAL_KEYS = {
    "captured": (),
    "diffuse": ("albedo",),
    "metal": ("colour", "roughness"),
    "glass": ("ior", "tint"),
}
LIGHT_KEYS = {
    "rectangle": ("size", "transform"),
    "sphere": ("radius", "position"),
}
ENVIRONMENT_KEYS = {
    "sky": ("sun_direction", "sky", "sun", "sun_degrees", "ground"),
    "image": ("file", "strength", "turn_degrees"),
    "constant": ("radiance",),
}
CAMERA_KEYS = ("position", "target", "up", "fov_y_degrees", "projection", "view_height", "near")
FLATTEST = 1e-9  # determinant of a transform over the product of its columns' lengths; less is singular
LARGEST = 1e12  # of lengths, places, factors and radiance; squares of it are normal float32
SHORTEST = 1e-12  # of a direction; squares of it are normal float32
UNEVEN = 1e-4  # relative, of the scales along the axes of a frame that should have one


def read_scene_file(path: str | os.PathLike[str]) -> SceneDescription:
    """The scene; `SceneFileError` with file, line and what was expected.

    Files that it names are looked for, not read: `scenes/stage.py` does.
    """
    return _Scene(read_located(path)).read()


class _Scene:
    def __init__(self, root: Located) -> None:
        self._keys = root.keys(KEYS)
        self._folder = root.path.parent
        self._materials: Mapping[str, Material] = self._named_materials()

    def read(self) -> SceneDescription:
        default, keys = SceneDescription(), self._keys
        objects = keys["objects"].items() if "objects" in keys else []
        lights = keys["lights"].items() if "lights" in keys else []
        return SceneDescription(
            objects=tuple(map(self._object, objects)),
            lights=tuple(map(_light, lights)),
            environment=self._environment(keys["environment"]) if "environment" in keys else default.environment,
            camera=_camera(keys["camera"]) if "camera" in keys else None,
            up=_direction(keys["up"]) if "up" in keys else default.up,
            exposure=_number(keys, "exposure", default.exposure, -100, 100),
            tone_mapping=next(t for t in TONE_MAPPINGS if t == keys["tone_mapping"].choice(TONE_MAPPINGS))
            if "tone_mapping" in keys
            else default.tone_mapping,
            bounces=keys["bounces"].whole(1, MOST_BOUNCES) if "bounces" in keys else default.bounces,
            clamp=keys["clamp"].number(0, LARGEST, above=True) if "clamp" in keys else default.clamp,
        )

    def _named_materials(self) -> dict[str, Material]:
        if "materials" not in self._keys:
            return {}
        named = self._keys["materials"]
        if not isinstance(named.value, dict):
            raise named.error("an object")
        return {name: _material(value) for name, value in named.value.items()}

    def _object(self, entry: Located) -> SceneObject:
        kind = entry.need("kind").choice(tuple(OBJECT_KEYS))
        material = () if kind == "gaussians" else ("material",)
        keys = entry.keys(("kind", "name", "transform", *material, *OBJECT_KEYS[kind]))
        name = keys["name"].text() if "name" in keys else ""
        transform = _transform(keys["transform"]) if "transform" in keys else transform_of(np.eye(4))
        if kind == "gaussians":
            if "transform" in keys:
                _check_similarity(keys["transform"], transform)
            return GaussianScene(self._file(entry), transform, name)
        if kind == "surface":
            looks = self._material(keys["material"]) if "material" in keys else Captured()
            return Surface(self._file(entry), looks, transform, name)
        looks = self._material(keys["material"], own_colours=False) if "material" in keys else Diffuse()
        if kind == "mesh":
            return MeshObject(self._file(entry), looks, transform, name)
        if kind == "sphere":
            return Sphere(_number(keys, "radius", 1.0, 0, above=True), looks, transform, name)
        if kind == "box":
            return Box(_sizes(keys["size"], 3) if "size" in keys else (1.0, 1.0, 1.0), looks, transform, name)
        normal = _direction(keys["normal"]) if "normal" in keys else (0.0, 0.0, 1.0)
        return Plane(normal, _number(keys, "offset", 0.0), looks, transform, name)

    def _material(self, entry: Located, own_colours: bool = True) -> Material:
        """One of the named ones, a kind's name, or an object; `own_colours`: whether the shape has any."""
        if isinstance(entry.value, str):
            if entry.value in self._materials:
                found = self._materials[entry.value]
            elif entry.value in MATERIAL_KEYS:
                found = _material_of(entry.value, {})
            else:
                raise entry.error(f"a material: {', '.join([*self._materials, *MATERIAL_KEYS])}, or an object")
        else:
            found = _material(entry)
        if not own_colours and (isinstance(found, Captured) or (isinstance(found, Diffuse) and found.albedo is None)):
            raise entry.error("a material with a colour: only a surface has captured ones")
        return found

    def _file(self, entry: Located) -> Path:
        named = entry.need("file")
        path = self._folder / named.text()
        if not os.path.isfile(path):  # Path.is_file raises for names that are too long
            place = brief(os.fspath(path), 200)
            raise named.error("a file", f"a folder at {place}" if os.path.isdir(path) else f"nothing at {place}")
        return path

    def _environment(self, entry: Located) -> Environment:
        kind = entry.need("kind").choice(tuple(ENVIRONMENT_KEYS))
        keys = entry.keys(("kind", *ENVIRONMENT_KEYS[kind]))
        if kind == "constant":
            return ConstantSky(_colour(keys["radiance"], LARGEST) if "radiance" in keys else (1.0, 1.0, 1.0))
        if kind == "image":
            strength = _number(keys, "strength", 1.0, 0, above=True)
            return EnvironmentImage(self._file(entry), strength, _number(keys, "turn_degrees", 0.0))
        default = Sky()
        return Sky(
            sun_direction=_direction(keys["sun_direction"]) if "sun_direction" in keys else default.sun_direction,
            sky=_number(keys, "sky", default.sky, 0),
            sun=_number(keys, "sun", default.sun, 0),
            sun_degrees=_number(keys, "sun_degrees", default.sun_degrees, 0.01, 90),
            ground=_colour(keys["ground"], 1) if "ground" in keys else default.ground,
        )


def _material(entry: Located) -> Material:
    kind = entry.need("kind").choice(tuple(MATERIAL_KEYS))
    return _material_of(kind, entry.keys(("kind", *MATERIAL_KEYS[kind])))


def _material_of(kind: str, keys: Mapping[str, Located]) -> Material:
    if kind == "captured":
        return Captured()
    if kind == "diffuse":
        if "albedo" in keys and keys["albedo"].value == "captured":
            return Diffuse(None)
        return Diffuse(_colour(keys["albedo"], 1)) if "albedo" in keys else Diffuse()
    if kind == "metal":
        colour = _colour(keys["colour"], 1) if "colour" in keys else Metal().colour
        return Metal(colour, _number(keys, "roughness", Metal().roughness, 0, 1))
    tint = _colour(keys["tint"], 1) if "tint" in keys else Glass().tint
    return Glass(_number(keys, "ior", Glass().ior, 1, 4), tint)


def _light(entry: Located) -> Light:
    kind = entry.need("kind").choice(tuple(LIGHT_KEYS))
    keys = entry.keys(("kind", "name", "radiance", "power", *LIGHT_KEYS[kind]))
    name = keys["name"].text() if "name" in keys else ""
    if kind == "sphere":
        radius = _number(keys, "radius", 0.1, 0, above=True)
        position = _vector(keys["position"]) if "position" in keys else (0.0, 0.0, 0.0)
        return SphereLight(_radiance(entry, keys, 4 * math.pi * radius**2), radius, position, name)
    width, height = keys["size"].numbers(2, most=LARGEST) if "size" in keys else (1.0, 1.0)
    if not (width > 0 and height > 0):
        raise keys["size"].error("2 numbers above 0")
    transform = _transform(keys["transform"]) if "transform" in keys else transform_of(np.eye(4))
    matrix = matrix_of(transform)
    area = float(np.linalg.norm(np.cross(width * matrix[:3, 0], height * matrix[:3, 1])))
    return RectangleLight(_radiance(entry, keys, area), (width, height), transform, name)


def _radiance(entry: Located, keys: Mapping[str, Located], area: float) -> Colour:
    """Of a light of this area: as given, or by its power, which is pi times area times radiance (Lambert)."""
    given = [key for key in ("radiance", "power") if key in keys]
    if len(given) != 1:
        raise entry.error("power or radiance", " and ".join(given) or "neither")
    colour = _colour(keys[given[0]], LARGEST)
    if not any(colour):
        raise keys[given[0]].error("light: a number above 0 among three")
    if given[0] == "radiance":
        return colour
    smallest = max(colour) / (math.pi * LARGEST)  # from less, radiance is more than can be calculated with
    if not area > smallest:
        raise entry.error(f"a light of more than {smallest:.2g} square units for its power", f"{area:.2g}")
    red, green, blue = (power / (math.pi * area) for power in colour)
    return red, green, blue


def _camera(entry: Located) -> SceneCamera:
    keys = entry.keys(CAMERA_KEYS)
    position, target = _vector(entry.need("position")), _vector(entry.need("target"))
    if not math.dist(position, target) > SHORTEST * max(math.hypot(*position), math.hypot(*target), 1.0):
        raise keys["target"].error("a place other than the position")
    return SceneCamera(
        position,
        target,
        up=_direction(keys["up"]) if "up" in keys else None,
        fov_y_degrees=_number(keys, "fov_y_degrees", 40.0, 0.01, 175),
        projection=keys["projection"].choice(PROJECTIONS) if "projection" in keys else PROJECTIONS[0],
        view_height=_number(keys, "view_height", 1.0, 0, above=True),
        near=_number(keys, "near", 0.01, 0, above=True),
    )


def _transform(entry: Located) -> Matrix:
    keys = entry.keys(("translate", "rotate", "scale", "matrix"))
    if "matrix" in keys and len(keys) > 1:
        raise entry.error("either matrix, or translate, rotate and scale", ", ".join(keys))
    result = _matrix(keys["matrix"]) if "matrix" in keys else _parts(keys)
    linear = matrix_of(result)[:3, :3]
    volume = float(np.prod(np.linalg.norm(linear, axis=0)))
    if not abs(np.linalg.det(linear)) > FLATTEST * volume:
        place = keys.get("matrix", keys.get("scale", entry))
        raise place.error("a transform that can be undone", f"a singular one, {place.shown()}")
    return result


def _matrix(entry: Located) -> Matrix:
    rows = entry.items()
    if len(rows) != 4:
        raise entry.error("4 rows of 4 numbers")
    matrix = np.array([row.numbers(4, -LARGEST, LARGEST) for row in rows])
    if not np.array_equal(matrix[3], (0, 0, 0, 1)):
        raise rows[3].error("the row 0, 0, 0, 1")
    return transform_of(matrix)


def _parts(keys: Mapping[str, Located]) -> Matrix:
    axis, degrees = (0.0, 0.0, 1.0), 0.0
    scale: float | Vector = 1.0
    if "rotate" in keys:
        keys["rotate"].keys(("axis", "degrees"))
        axis, degrees = (
            _direction(keys["rotate"].need("axis")),
            keys["rotate"].need("degrees").number(-LARGEST, LARGEST),
        )
    if "scale" in keys:
        one = isinstance(keys["scale"].value, int | float)
        scale = keys["scale"].number(-LARGEST, LARGEST) if one else _vector(keys["scale"])
    return placed(_vector(keys["translate"]) if "translate" in keys else (0.0, 0.0, 0.0), axis, degrees, scale)


def _check_similarity(entry: Located, transform: Matrix) -> None:
    linear = matrix_of(transform)[:3, :3]
    square = linear.T @ linear
    even = np.allclose(square, square[0, 0] * np.eye(3), rtol=0, atol=UNEVEN * square[0, 0])
    if not even or np.linalg.det(linear) < 0:
        raise entry.error("one scale along all axes and no mirror, for Gaussians")


def _number(
    keys: Mapping[str, Located],
    key: str,
    default: float,
    least: float = -LARGEST,
    most: float = LARGEST,
    above: bool = False,
) -> float:
    return keys[key].number(least, most, above) if key in keys else default


def _vector(entry: Located) -> Vector:
    x, y, z = entry.numbers(3, -LARGEST, LARGEST)
    return x, y, z


def _direction(entry: Located) -> Vector:
    vector = _vector(entry)
    if not math.hypot(*vector) > SHORTEST:
        raise entry.error("a direction, not 0")
    return vector


def _sizes(entry: Located, count: int) -> Vector:
    x, y, z = entry.numbers(count, most=LARGEST)
    if not (x > 0 and y > 0 and z > 0):
        raise entry.error(f"{count} numbers above 0")
    return x, y, z


def _colour(entry: Located, most: float) -> Colour:
    """Three numbers, or one for a grey."""
    if isinstance(entry.value, int | float) and not isinstance(entry.value, bool):
        grey = entry.number(0, most)
        return grey, grey, grey
    red, green, blue = entry.numbers(3, 0, most)
    return red, green, blue
