"""A scene as tables, for the path tracer and its twin: objects, materials, lights, trees of triangles, surroundings.

Every object is a simple shape in a frame of its own: the plane z = 0, the ball and the cube from -1 to 1, the square
from -0.5 to 0.5 in z = 0, a mesh as its file has it, a neural surface as its file has it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from renderer.path_bvh import Tree, build_tree
from renderer.path_environment import Surroundings, surroundings_of
from renderer.path_layouts import LIGHT, MATERIAL, MATERIAL_NUMBERS, NODE, OBJECT, SHAPE_NUMBERS, TRIANGLE
from renderer.reference_views import LUMINANCE
from scenes.errors import KilofieldError
from scenes.scene_file import (
    SMOOTHEST,
    Box,
    Captured,
    Diffuse,
    GaussianScene,
    Glass,
    Light,
    Material,
    MeshObject,
    Metal,
    Plane,
    RectangleLight,
    SceneDescription,
    SceneObject,
    Sphere,
    SphereLight,
    Surface,
    matrix_of,
)
from scenes.stage import Stage
from scenes.surface import NeuralSurface
from scenes.triangle_mesh import Mesh

Doubles = NDArray[np.float64]

SHAPE_OFFSET = 4e-6  # of a shape's size: what float32 loses in its frame
SURFACE_OFFSET = 2e-4  # of a neural surface's diagonal: well beyond the march's tolerance, where it begins outside
MOST_OBJECTS = 1024


@dataclass(frozen=True)
class PathScene:
    """What is the same for all rays; the tables have the dtypes of `renderer/path_layouts.py`."""

    objects: NDArray[np.void]  # [O]
    materials: NDArray[np.void]  # [M]
    lights: NDArray[np.void]  # [L]
    nodes: NDArray[np.void]  # of all meshes
    triangles: NDArray[np.void]
    surfaces: tuple[NeuralSurface, ...]  # in the order of their objects; the same one may come twice
    surroundings: Surroundings
    sky_share: float  # of the choices of a light
    sun_share: float
    bounces: int
    clamp: float | None


class SceneTables:
    """What takes long to make of a scene, kept for the next one that is like it: trees, and the table of the sky."""

    def __init__(self) -> None:
        self._trees: dict[Path, tuple[Mesh, Tree]] = {}
        self._sky: tuple[Stage, Surroundings] | None = None

    def tree(self, file: Path, mesh: Mesh) -> Tree:
        """Over the triangles of a mesh."""
        if file not in self._trees or self._trees[file][0] is not mesh:
            self._trees[file] = mesh, build_tree(mesh.corners)
        return self._trees[file][1]

    def surroundings(self, stage: Stage) -> Surroundings:
        """Light from afar."""
        if self._sky is None or not _same_sky(self._sky[0], stage):
            self._sky = stage, surroundings_of(stage)
        return self._sky[1]


def _same_sky(a: Stage, b: Stage) -> bool:
    same = a.scene.environment == b.scene.environment and a.scene.up == b.scene.up
    return same and a.environment is b.environment


def path_scene(stage: Stage, tables: SceneTables | None = None) -> PathScene:
    """The tables of a scene; Gaussians are not in them. Raises `KilofieldError` for more than can be."""
    return _Tables(stage, tables or SceneTables()).made()


class _Tables:
    def __init__(self, stage: Stage, kept: SceneTables) -> None:
        self._stage, self._kept = stage, kept
        self._materials: dict[Material | None, int] = {}
        self._objects: list[NDArray[np.void]] = []
        self._surfaces: list[NeuralSurface] = []
        self._nodes: list[NDArray[np.void]] = []
        self._triangles: list[NDArray[np.void]] = []
        self._roots: dict[Path, int] = {}

    def made(self) -> PathScene:
        scene, surroundings = self._stage.scene, self._kept.surroundings(self._stage)
        for thing in scene.objects:
            if not isinstance(thing, GaussianScene):
                self._add(thing)
        for number, light in enumerate(scene.lights):
            self._add_light(light, number)
        if len(self._objects) > MOST_OBJECTS:
            raise KilofieldError(
                f"scene: expected at most {MOST_OBJECTS} objects and lights, found {len(self._objects)}"
            )
        sky, sun, lamps = _shares(scene, surroundings)
        return PathScene(
            _table(self._objects, OBJECT.dtype),
            _table([_material(material) for material in self._materials], MATERIAL.dtype),
            _lights(scene.lights, lamps),
            _table(self._nodes, NODE.dtype),
            _table(self._triangles, TRIANGLE.dtype),
            tuple(self._surfaces),
            surroundings,
            sky,
            sun,
            scene.bounces,
            scene.clamp,
        )

    def _add(self, thing: SceneObject) -> None:
        assert not isinstance(thing, GaussianScene)
        world = matrix_of(thing.transform)
        first, size = 0, 2.0
        if isinstance(thing, Surface):
            surface = self._stage.surfaces[thing.file]
            first, shape, own = len(self._surfaces), "surface", np.eye(4)
            size = surface.grid.edge * float(np.linalg.norm(surface.grid.size))
            self._surfaces.append(surface)
        elif isinstance(thing, MeshObject):
            mesh = self._stage.meshes[thing.file]
            first, shape, own, size = self._root(thing.file), "mesh", np.eye(4), mesh.diagonal
        elif isinstance(thing, Plane):
            shape, own = "plane", _plane_frame(thing)
        elif isinstance(thing, Sphere):
            shape, own = "sphere", np.diag([thing.radius] * 3 + [1.0])
        else:
            assert isinstance(thing, Box)
            shape, own = "box", np.diag([*(0.5 * np.array(thing.size)), 1.0])
        material = self._materials.setdefault(thing.material, len(self._materials))
        self._objects.append(_object(shape, world @ own, size, material, 0, first))

    def _add_light(self, light: Light, number: int) -> None:
        material = self._materials.setdefault(None, len(self._materials))
        if isinstance(light, RectangleLight):
            world = matrix_of(light.transform) @ np.diag([*light.size, 1.0, 1.0])
            self._objects.append(_object("rectangle", world, 1.0, material, number + 1, 0))
        else:
            world = np.diag([light.radius] * 3 + [1.0])
            world[:3, 3] = light.position
            self._objects.append(_object("sphere", world, 2.0, material, number + 1, 0))

    def _root(self, file: Path) -> int:
        """The first node of a mesh's tree among those of all meshes."""
        if file not in self._roots:
            nodes, triangles = (sum(map(len, parts)) for parts in (self._nodes, self._triangles))
            tree = self._kept.tree(file, self._stage.meshes[file])
            self._roots[file] = nodes
            self._nodes.append(_node_table(tree, nodes, triangles))
            self._triangles.append(_triangle_table(tree))
        return self._roots[file]


def _table(parts: list[NDArray[np.void]], dtype: np.dtype) -> NDArray[np.void]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


def _object(shape: str, world: Doubles, size: float, material: int, light: int, first: int) -> NDArray[np.void]:
    entry = np.zeros(1, OBJECT.dtype)
    rows = np.linalg.inv(world)
    for name, row in zip(("row_x", "row_y", "row_z"), rows[:3], strict=True):
        entry[name] = row
    entry["kind"], entry["material"], entry["light"], entry["first"] = SHAPE_NUMBERS[shape], material, light, first
    scale = float(np.linalg.norm(world[:3, :3], axis=0).max())
    if shape == "surface":
        entry["offset"] = SURFACE_OFFSET * size * float(np.cbrt(abs(np.linalg.det(world[:3, :3]))))
    elif shape != "plane":
        entry["offset"] = SHAPE_OFFSET * size * scale
    return entry


def _shares(scene: SceneDescription, surroundings: Surroundings) -> tuple[float, float, float]:
    """Of the choices of a light: sky, sun, and all lamps together.

    Half the choices are shared evenly by those there are, which bounds the noise anywhere; the other half by a guess of
    the irradiance that each gives where the camera looks, or where the objects are on average.
    """
    sun = surroundings.sun
    guess = np.array([math.pi * surroundings.brightness, 0.0 if sun is None else sun.irradiance @ LUMINANCE, 0.0])
    focus = _focus(scene)
    for light in scene.lights:
        middle = light.position if isinstance(light, SphereLight) else matrix_of(light.transform)[:3, 3]
        area = _light_area(light)
        guess[2] += area * np.dot(light.radiance, LUMINANCE) / max(float(np.square(middle - focus).sum()), area)
    there = guess > 0
    if not there.any():
        return 0.0, 0.0, 0.0
    sky, sunshine, lamps = (0.5 * there / there.sum() + 0.5 * guess / guess.sum()).tolist()
    return sky, sunshine, lamps


def _focus(scene: SceneDescription) -> Doubles:
    """[3] a place that matters."""
    if scene.camera is not None:
        return np.array(scene.camera.target)
    places = [matrix_of(thing.transform)[:3, 3] for thing in scene.objects]
    return np.mean(places, axis=0) if places else np.zeros(3)


def _light_area(light: Light) -> float:
    if isinstance(light, SphereLight):
        return 4 * math.pi * light.radius**2
    world = matrix_of(light.transform)
    return float(np.linalg.norm(np.cross(light.size[0] * world[:3, 0], light.size[1] * world[:3, 1])))


def _plane_frame(plane: Plane) -> Doubles:
    """[4, 4] in which it is z = 0."""
    normal = np.array(plane.normal) / np.linalg.norm(plane.normal)
    first = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
    first /= np.linalg.norm(first)
    frame = np.eye(4)
    frame[:3, :3] = np.stack([first, np.cross(normal, first), normal], axis=1)
    frame[:3, 3] = plane.offset * normal
    return frame


def _material(material: Material | None) -> NDArray[np.void]:
    """None: of lights."""
    entry = np.zeros(1, MATERIAL.dtype)
    if material is None:
        entry["kind"] = MATERIAL_NUMBERS["light"]
    elif isinstance(material, Captured):
        entry["kind"], entry["own_colour"] = MATERIAL_NUMBERS["captured"], 1
    elif isinstance(material, Diffuse):
        entry["kind"], entry["own_colour"] = MATERIAL_NUMBERS["diffuse"], int(material.albedo is None)
        entry["colour"][0, :3] = material.albedo or (0, 0, 0)
    elif isinstance(material, Metal):
        entry["kind"], entry["colour"][0, :3] = MATERIAL_NUMBERS["metal"], material.colour
        entry["alpha"] = material.roughness**2 if material.roughness >= SMOOTHEST else 0
    else:
        assert isinstance(material, Glass)
        entry["kind"], entry["colour"][0, :3] = MATERIAL_NUMBERS["glass"], material.tint
        entry["ior"] = material.ior
    return entry


def _lights(lights: tuple[Light, ...], share: float) -> NDArray[np.void]:
    """Chosen in proportion to the luminance of their power, `share` of all choices together."""
    table = np.zeros(len(lights), LIGHT.dtype)
    powers = np.zeros(len(lights))
    for entry, (i, light) in zip(table, enumerate(lights), strict=True):
        entry["radiance"][:3] = light.radiance
        area = _light_area(light)
        if isinstance(light, SphereLight):
            entry["corner"] = *light.position, light.radius
        else:
            world = matrix_of(light.transform) @ np.diag([*light.size, 1.0, 1.0])
            across = np.cross(world[:3, 0], world[:3, 1])
            entry["corner"][:3] = world[:3, 3] - 0.5 * (world[:3, 0] + world[:3, 1])
            entry["edge_u"][:3], entry["edge_v"][:3] = world[:3, 0], world[:3, 1]
            entry["normal"][:3] = across / area * np.sign(np.linalg.det(world[:3, :3]))
        entry["edge_u"][3] = area
        powers[i] = area * np.dot(light.radiance, LUMINANCE)
    if len(lights):
        table["share"] = share * powers / powers.sum()
        table["chosen_up_to"] = np.cumsum(powers) / powers.sum()
        table["chosen_up_to"][-1] = 1
    return table


def _node_table(tree: Tree, nodes: int, triangles: int) -> NDArray[np.void]:
    table = np.zeros(len(tree.first), NODE.dtype)
    # rounded to float32 outwards, so that nothing falls out of its box
    lowest, highest = tree.lowest.astype(np.float32), tree.highest.astype(np.float32)
    table["lowest"][:, :3] = np.nextafter(lowest, np.float32(-np.inf))
    table["highest"][:, :3] = np.nextafter(highest, np.float32(np.inf))
    table["first"] = tree.first + np.where(tree.count > 0, triangles, nodes)
    table["count"] = tree.count
    return table


def _triangle_table(tree: Tree) -> NDArray[np.void]:
    table = np.zeros(len(tree.triangles), TRIANGLE.dtype)
    corner = tree.triangles[:, 0].astype(np.float32)
    table["corner"][:, :3] = corner
    table["first"][:, :3] = tree.triangles[:, 1] - corner
    table["second"][:, :3] = tree.triangles[:, 2] - corner
    return table
