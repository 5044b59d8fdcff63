"""A triangle mesh of a neural surface's zero set: marching cubes over the cubes it crosses, then closer to it.

    cubes (`surface_mesh_cubes.py`) -> triangles -> vertices moved onto the surface -> fewer triangles
                                    -> normals and colours from the networks, at vertices or in a texture

Neighbouring cubes share their corners' values, and triangles the vertices on cubes' edges, so there are no cracks: the
mesh is open only where the surface leaves the cells. It is in the frame and the units of the surface. Sources: Lorensen
and Cline, "Marching Cubes", 1987, and Garland and Heckbert, "Surface Simplification Using Quadric Error Metrics", 1997,
both from libigl (MPL-2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import igl
import numpy as np

from scenes.errors import KilofieldError
from scenes.gaussians import Floats
from scenes.progress import Progress
from scenes.surface import NeuralSurface
from scenes.surface_mesh_cubes import Cubes, crossed_cubes, lattice_around
from scenes.surface_mesh_field import NearField
from scenes.surface_mesh_texture import Texture, baked, unwrapped
from scenes.triangle_mesh import Doubles, Indices, Mesh

StageProgress = Callable[[float, str], None]  # (done, 0 to 1; stage)
MAX_RESOLUTION = 2048  # some 10 GB for an object that fills its box
TEXTURE_SIDES = (64, 8192)  # pixels
LEAST_FACES = 4  # of a closed mesh
TEXTURED_FACES = 40_000  # charts of more take minutes, and the texture has the detail
NEWTON_STEPS = 2  # the first brings a vertex to some 0.01 spacings, the second as near as float32 can
REACH = 0.5  # spacings a vertex may move: it stays with its cube's edge


@dataclass(frozen=True)
class MeshOptions:
    """What is asked of the mesh."""

    resolution: int = 512  # cubes along the longest side of the box of all cells
    faces: int | None = None  # at most, None: all of them; with a texture `TEXTURED_FACES`
    texture: int | None = None  # pixels a side; None: colours at vertices
    largest: bool = False  # only the connected part with the largest area

    @property
    def target(self) -> int | None:
        """The number of faces wanted."""
        return TEXTURED_FACES if self.faces is None and self.texture is not None else self.faces


@dataclass(frozen=True)
class SurfaceMesh:
    """The mesh, and what the surface knows at its vertices."""

    shape: Mesh  # V vertices in world units, F faces, counter-clockwise from outside
    normals: Floats  # [V, 3] unit, outwards
    colours: Floats | None  # [V, 3] in [0, 1] as displayed (sRGB), seen head-on; None: the surface has none
    spacing: float  # of the cubes, world units
    open_edges: int  # edges with one triangle, where the surface leaves the cells
    parts_left_out: int  # by `largest`
    texture: Texture | None = None
    notes: tuple[str, ...] = ()  # what was done otherwise than asked, in words for the user


def least_resolution(surface: NeuralSurface) -> int:
    """The fewest cubes along the longest side: one a cell."""
    return int((surface.cells.max(axis=0) - surface.cells.min(axis=0)).max()) + 1


def check_options(surface: NeuralSurface, options: MeshOptions) -> None:
    """A `KilofieldError` for options that do not fit each other or `surface`."""
    if not len(surface):
        raise KilofieldError("expected a surface with cells, found none")
    least = least_resolution(surface)
    if not least <= options.resolution <= MAX_RESOLUTION:
        expected = f"{least} (one a cell) to {MAX_RESOLUTION}"
        raise KilofieldError(f"--resolution: expected {expected}, found {options.resolution}")
    if options.faces is not None and options.faces < LEAST_FACES:
        raise KilofieldError(f"--faces: expected {LEAST_FACES} or more, found {options.faces}")
    low, high = TEXTURE_SIDES
    if options.texture is not None and not low <= options.texture <= high:
        raise KilofieldError(f"--texture: expected {low} to {high} pixels, found {options.texture}")
    if options.texture is not None and surface.appearance is None:
        raise KilofieldError("--texture: expected a surface with colours, found one without")


def surface_mesh(surface: NeuralSurface, options: MeshOptions, progress: StageProgress) -> SurfaceMesh:
    """The mesh of `surface`. `KilofieldError` for options that do not fit, and where there is no zero set."""
    check_options(surface, options)
    near, lattice = NearField(surface), lattice_around(surface, options.resolution)
    stages = _Stages(progress, options)
    vertices, faces = polygons(crossed_cubes(near, lattice, stages("cubes")))
    if not len(faces):
        raise KilofieldError("expected a surface in the cells, found none: the distance has one sign everywhere")
    left_out = 0
    if options.largest:
        vertices, faces, left_out = largest_part(vertices, faces)
    vertices, normals = near.onto(vertices, REACH * lattice.spacing, NEWTON_STEPS, stages("vertices"))
    shape, notes = Mesh(vertices, faces), ()
    if options.target is not None:
        stages("fewer faces")(0.0)
        shape, notes = _fewer(shape, options)
        normals = near.onto(shape.vertices, 0.0, 0)[1]
    colours = None if surface.appearance is None else near.colour(shape.vertices, normals, stages("colours"))
    edges = open_edges(shape.faces)
    mesh = SurfaceMesh(shape, normals, colours, lattice.spacing, edges, left_out, notes=notes)
    return mesh if options.texture is None else _textured(near, mesh, options.texture, stages)


def polygons(cubes: Cubes) -> tuple[Doubles, Indices]:
    """Vertices [V, 3], on edges of cubes, world units, and faces [F, 3]: marching cubes."""
    if not len(cubes.corners):
        return np.empty((0, 3)), np.empty((0, 3), np.int64)
    used, rows = np.unique(cubes.corners, return_inverse=True)
    places = cubes.lattice.points(cubes.lattice.unravel(cubes.points[used]))
    values = cubes.values[used].astype(np.float64)
    vertices, faces, _ = igl.marching_cubes(values, places, np.ascontiguousarray(rows.reshape(-1, 8)))
    return np.asarray(vertices, np.float64), np.asarray(faces, np.int64)


def largest_part(vertices: Doubles, faces: Indices) -> tuple[Doubles, Indices, int]:
    """The connected part with the largest area, and how many others there were."""
    count, part = igl.facet_components(faces)
    area = np.bincount(part, weights=igl.doublearea(vertices, faces), minlength=count)
    used, kept = np.unique(faces[part == area.argmax()], return_inverse=True)
    return vertices[used], kept.reshape(-1, 3).astype(np.int64), count - 1


def open_edges(faces: Indices) -> int:
    """How many edges have one triangle only."""
    ends = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    keys = np.sort(ends[:, 0] * (faces.max() + 1) + ends[:, 1])
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    return int((np.diff(first, append=len(keys)) == 1).sum())


def simplified(shape: Mesh, faces: int) -> Mesh:
    """At most `faces` triangles, or as few as can be: edges collapse where that moves the surface least (quadrics)."""
    vertices, triangles, _, _ = igl.qslim(shape.vertices, shape.faces.astype(np.int32), faces)
    return Mesh(np.ascontiguousarray(vertices), np.ascontiguousarray(triangles, np.int64))


def _fewer(shape: Mesh, options: MeshOptions) -> tuple[Mesh, tuple[str, ...]]:
    """The shape with the number of faces wanted, and a note where it has another."""
    target, count = options.target, len(shape.faces)
    if target is None or count <= target:
        asked = options.faces is not None and count < options.faces
        return shape, (f"--faces {options.faces}: the mesh has only {count:,}",) if asked else ()
    fewer = simplified(shape, target)
    if len(fewer.faces) > target:
        return fewer, (f"--faces {target}: no fewer than {len(fewer.faces):,} without changing its topology",)
    return fewer, ()


def _textured(near: NearField, mesh: SurfaceMesh, side: int, stages: _Stages) -> SurfaceMesh:
    stages("charts")(0.0)
    charts = unwrapped(mesh.shape, mesh.normals, side)
    return replace(mesh, texture=baked(near, mesh.shape, charts, side, stages("texture")))


class _Stages:
    """Progress over stages of about known lengths."""

    def __init__(self, progress: StageProgress, options: MeshOptions) -> None:
        self._progress = progress
        fewer, textured = options.target is not None, options.texture is not None
        # seconds of each on an object of 24 cells and 512 cubes, of which only the ratios matter
        lengths = {"cubes": 12, "vertices": 5, "fewer faces": 20 * fewer, "colours": 1 if fewer else 8}
        lengths |= {"charts": 10 * textured, "texture": 20 * textured}
        self._shares = _shares(list(lengths), list(lengths.values()))

    def __call__(self, stage: str) -> Progress:
        """Where `stage` says how far it is."""
        start, stop = self._shares[stage]
        self._progress(start, stage)
        return lambda share: self._progress(start + (stop - start) * share, stage)


def _shares(names: Sequence[str], lengths: Sequence[float]) -> dict[str, tuple[float, float]]:
    ends = np.cumsum([0.0, *lengths]) / sum(lengths)
    return {name: (float(ends[i]), float(ends[i + 1])) for i, name in enumerate(names)}
