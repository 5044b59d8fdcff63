"""Rays against the objects of a path-traced scene, in numpy: the twin of `shaders/path_shapes.glsl` and, for neural
surfaces, of `shaders/path_march.comp` and its passes, by `renderer/surface_reference.py`.

A ray goes into an object's frame without being made unit again, so that distances along it stay those of the world.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renderer.path_bvh import Tree, trace_tree
from renderer.path_layouts import RELATIVE_OFFSET, SHAPE_NUMBERS, UNLIMITED
from renderer.path_scene import PathScene
from renderer.surface_reference import trace
from scenes.triangle_mesh import linear_of_srgb

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
TINY = 1e-12  # of a direction, in place of 0


@dataclass
class Met:
    """What N rays met first; where `number` is -1, nothing, and the rest means nothing."""

    distance: Doubles  # [N] world units
    number: Ints  # [N] of the object, or -1
    normals: Doubles  # [N, 3] unit, world, out of the object
    colours: Doubles  # [N, 3] the object's own, linear; 0 where it has none or nobody asked


class Shapes:
    """The objects of a scene, ready to be met."""

    def __init__(self, scene: PathScene) -> None:
        self._scene = scene
        objects = scene.objects
        self._frames = np.stack([objects[name] for name in ("row_x", "row_y", "row_z")], axis=1).astype(np.float64)
        self._trees = {
            int(first): _tree(scene, int(first)) for first in np.unique(objects["first"][_of(objects, "mesh")])
        }

    def meet(self, origins: Doubles, directions: Doubles, most: Doubles, colours: bool = True) -> Met:
        """The nearest of all objects nearer than `most` [N]; unit `directions` [N, 3].

        `colours`: whether those of surfaces are wanted.
        """
        count = len(origins)
        met = Met(most.copy(), np.full(count, -1), np.zeros((count, 3)), np.zeros((count, 3)))
        for number, entry in enumerate(self._scene.objects):
            if entry["kind"] != SHAPE_NUMBERS["surface"]:
                self._meet_shape(met, number, origins, directions)
        for number in np.flatnonzero(_of(self._scene.objects, "surface")):
            self._meet_surface(met, int(number), origins, directions, colours)
        return met

    def blocked(self, origins: Doubles, directions: Doubles, most: Doubles) -> NDArray[np.bool_]:
        """[N] whether anything is nearer than `most` [N]."""
        return self.meet(origins, directions, most, colours=False).number >= 0

    def beginning(self, met: Met, points: Doubles, directions: Doubles) -> Doubles:
        """[N, 3] where rays in `directions` leave from `points` on what was met, so that they do not meet it again."""
        size = np.abs(points).max(axis=1)
        step = self._scene.objects["offset"][met.number].astype(np.float64) + RELATIVE_OFFSET * size
        side = np.where((directions * met.normals).sum(axis=1) < 0, -1.0, 1.0)
        return points + (side * step)[:, None] * met.normals

    def _meet_shape(self, met: Met, number: int, origins: Doubles, directions: Doubles) -> None:
        frame, entry = self._frames[number], self._scene.objects[number]
        o, d = origins @ frame[:, :3].T + frame[:, 3], directions @ frame[:, :3].T
        kind = int(entry["kind"])
        if kind == SHAPE_NUMBERS["mesh"]:
            distance, normals = self._meet_mesh(int(entry["first"]), o, d, met.distance)
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                distance, normals = _SIMPLE[kind](o, d)
        nearer = distance < met.distance
        met.distance[nearer], met.number[nearer] = distance[nearer], number
        met.normals[nearer] = _unit(normals[nearer] @ frame[:, :3])

    def _meet_mesh(self, first: int, o: Doubles, d: Doubles, most: Doubles) -> tuple[Doubles, Doubles]:
        tree = self._trees[first]
        hits = trace_tree(tree, o, d, most)
        a, b, c = np.moveaxis(tree.triangles[np.maximum(hits.triangle, 0)], 1, 0)
        return np.where(hits.triangle >= 0, hits.distance, np.inf), np.cross(b - a, c - a)

    def _meet_surface(self, met: Met, number: int, origins: Doubles, directions: Doubles, colours: bool) -> None:
        frame, entry = self._frames[number], self._scene.objects[number]
        surface = self._scene.surfaces[int(entry["first"])]
        o, d = origins @ frame[:, :3].T + frame[:, 3], directions @ frame[:, :3].T
        scale = np.linalg.norm(d, axis=1)  # object units of a world unit
        hits = trace(surface, o, d / scale[:, None])
        distance = hits.distance / scale
        nearer = distance < met.distance
        met.distance[nearer], met.number[nearer] = distance[nearer], number
        met.normals[nearer] = _unit(hits.normals[nearer] @ frame[:, :3])
        met.colours[nearer] = 0
        if colours and self._scene.materials["own_colour"][entry["material"]] and nearer.any():
            unit = (d / scale[:, None])[nearer].astype(np.float32)
            seen = surface.colour(hits.points[nearer].astype(np.float32), hits.normals[nearer], unit)
            met.colours[nearer] = linear_of_srgb(np.clip(seen, 0, 1).astype(np.float64))


def nowhere(count: int) -> Doubles:
    """[N] how far rays without an end may go."""
    return np.full(count, UNLIMITED)


def _plane(o: Doubles, d: Doubles) -> tuple[Doubles, Doubles]:
    distance = -o[:, 2] / d[:, 2]
    return np.where(distance > 0, distance, np.inf), _up(o)


def _rectangle(o: Doubles, d: Doubles) -> tuple[Doubles, Doubles]:
    distance, normals = _plane(o, d)
    inside = (np.abs(o[:, :2] + distance[:, None] * d[:, :2]) <= 0.5).all(axis=1)
    return np.where(inside, distance, np.inf), normals


def _sphere(o: Doubles, d: Doubles) -> tuple[Doubles, Doubles]:
    """Without the cancellation of the textbook (Haines et al., Ray Tracing Gems, 2019, chapter 7)."""
    a, b = (d * d).sum(axis=1), -(o * d).sum(axis=1)
    nearest = o + (b / a)[:, None] * d
    room = 1 - (nearest * nearest).sum(axis=1)
    q = b + np.where(b < 0, -1.0, 1.0) * np.sqrt(a * np.maximum(room, 0))
    two = np.stack([((o * o).sum(axis=1) - 1) / q, q / a])
    two = np.where((two > 0) & (room > 0), two, np.inf)
    distance = two.min(axis=0)
    return distance, o + np.where(np.isfinite(distance), distance, 0)[:, None] * d


def _box(o: Doubles, d: Doubles) -> tuple[Doubles, Doubles]:
    slope = np.where(np.abs(d) < TINY, np.where(d < 0, -TINY, TINY), d)
    ends = np.stack([-1 - o, 1 - o]) / slope
    near, far = ends.min(axis=0), ends.max(axis=0)
    entry, leave = near.max(axis=1), far.min(axis=1)
    outside = entry > 0
    distance = np.where(outside, entry, leave)
    axis = np.where(outside, near.argmax(axis=1), far.argmin(axis=1))
    # out of the box: against the ray where it comes in, along it where it leaves
    sign = np.where(outside, -1.0, 1.0) * np.where(np.take_along_axis(slope, axis[:, None], 1)[:, 0] < 0, -1.0, 1.0)
    return np.where((entry <= leave) & (distance > 0), distance, np.inf), np.eye(3)[axis] * sign[:, None]


_SIMPLE = {
    SHAPE_NUMBERS["plane"]: _plane,
    SHAPE_NUMBERS["rectangle"]: _rectangle,
    SHAPE_NUMBERS["sphere"]: _sphere,
    SHAPE_NUMBERS["box"]: _box,
}


def _up(o: Doubles) -> Doubles:
    return np.broadcast_to(np.array([0.0, 0.0, 1.0]), o.shape)


def _unit(vectors: Doubles) -> Doubles:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def _of(objects: NDArray[np.void], kind: str) -> NDArray[np.bool_]:
    return objects["kind"] == SHAPE_NUMBERS[kind]


def _tree(scene: PathScene, root: int) -> Tree:
    """A mesh's tree out of the tables of all, with its root at 0."""
    nodes, triangles = scene.nodes[root:], scene.triangles
    leaf = nodes["count"] > 0
    corner = triangles["corner"][:, :3].astype(np.float64)
    corners = np.stack([corner, corner + triangles["first"][:, :3], corner + triangles["second"][:, :3]], axis=1)
    return Tree(
        nodes["lowest"][:, :3].astype(np.float64),
        nodes["highest"][:, :3].astype(np.float64),
        nodes["first"].astype(np.int64) - np.where(leaf, 0, root),
        nodes["count"].astype(np.int64),
        corners,
        np.arange(len(corners)),
    )
