"""Mesh files: .obj, .ply, .stl, .glb and .gltf, through trimesh, checked before and after.

Scenes of several meshes become one, each where its node puts it. Textures, materials, colours of vertices and of
triangles are kept (see `scenes/triangle_mesh.py`). Sources: trimesh (MIT); C. Loop, "Smooth Subdivision Surfaces Based
on Triangles", 1987.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import trimesh
from PIL import Image
from trimesh.remesh import subdivide_loop
from trimesh.resolvers import FilePathResolver

from scenes.errors import KilofieldError, SceneFileError
from scenes.files import brief, read_start
from scenes.gaussians import Floats
from scenes.images import DAMAGE as PICTURE_DAMAGE
from scenes.images import FORMATS, most_pixels
from scenes.mesh_checks import check_gltf, check_obj, check_ply, check_stl
from scenes.triangle_mesh import Doubles, Indices, Mesh, Paint, welded

LOGGER = logging.getLogger("kilofield.read")
SUFFIXES = (".obj", ".ply", ".stl", ".glb", ".gltf")
MAX_BYTES = 1 << 32
MAX_FACES = 20_000_000  # some 3 GB of arrays while they are welded
# float32, in which surfaces are fitted and drawn, then still resolves 0.006 % of the mesh
LEAST_SIZE = 1e-3  # diagonal, of the distance from the origin
SMALLEST, LARGEST = 1e-12, 1e12  # world units; squares of it are normal float32
# What trimesh raises for damaged files, which it parses without looking: slices that end early, shapes that do not
# multiply out, keys that are not there
DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    UnboundLocalError,
    ValueError,
)


def read_mesh(path: str | os.PathLike[str]) -> Mesh:
    """The mesh in a file; `SceneFileError` if there is none, or one with NaN, without area, or of absurd size.

    Open meshes and several components are allowed: `Mesh.closed` and `Mesh.components` tell.
    """
    path = Path(path)
    kind = _kind(path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise SceneFileError(path, "file", f"at most {MAX_BYTES} bytes", str(size))
    content, notes = _checked(path, kind)
    resolver, warnings = _Resolver(os.fspath(path)), _Warnings()
    with warnings:
        scene = _loaded(path, kind, content, resolver)
    size += resolver.bytes
    parts = [part for part in _parts(path, scene, kind in (".glb", ".gltf"), size) if len(part.faces)]
    notes += tuple(f"left out: {name}, which is not there" for name in resolver.missing)
    notes += tuple(warnings.messages)
    if not parts:
        raise SceneFileError(path, "file", "a mesh with faces", "none")
    mesh = _assembled(path, parts, notes)
    LOGGER.info("read %s: %s, %d vertices, %d faces, %d bytes", path, kind, len(mesh.vertices), len(mesh.faces), size)
    return mesh


def subdivided(mesh: Mesh, times: int) -> Mesh:
    """Loop's smooth subdivision, each triangle into four; texture coordinates and colours stay where they were.

    `KilofieldError` if the mesh is open or more than two triangles share an edge: at borders trimesh's weights do not
    add up to one where three border vertices are neighbours.
    """
    if not (mesh.closed and mesh.manifold):
        raise KilofieldError("subdivision: expected a closed mesh of two triangles an edge, found another")
    for _ in range(times):
        vertices, faces = subdivide_loop(mesh.vertices, mesh.faces, iterations=1)
        mesh = replace(
            mesh,
            vertices=vertices,
            faces=np.asarray(faces, np.int64),
            corner_uv=None if mesh.corner_uv is None else _quartered(mesh.corner_uv),
            corner_colours=None if mesh.corner_colours is None else _quartered(mesh.corner_colours).astype(np.float32),
            face_paint=None if mesh.face_paint is None else np.repeat(mesh.face_paint, 4),
        )
    return mesh


def _quartered(corners: Doubles | Floats) -> Doubles:
    """[4F, 3, D] of the values [F, 3, D] at corners, in the order of trimesh's faces: first, second, third, middle."""
    a, b, c = np.moveaxis(corners.astype(np.float64), 1, 0)
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    fours = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.stack([np.stack(four, axis=1) for four in fours], axis=1).reshape(-1, 3, corners.shape[2])


# Reading


def _kind(path: Path) -> str:
    """One of SUFFIXES, by the first bytes where they tell."""
    suffix = path.suffix.lower()
    start = read_start(path, 8)
    if start[:4] == b"glTF":
        return ".glb"
    if start[:3] == b"ply" and start[3:4] in (b"\n", b"\r", b" "):
        return ".ply"
    if suffix not in SUFFIXES:
        raise SceneFileError(path, "file", f"a mesh ({', '.join(SUFFIXES)})", suffix or "a name without a suffix")
    return suffix


def _checked(path: Path, kind: str) -> tuple[bytes, tuple[str, ...]]:
    """What trimesh is to read, and notes on what it leaves out."""
    if kind == ".obj":
        return check_obj(path), ()
    if kind == ".ply":
        return check_ply(path), ()
    if kind == ".stl":
        return check_stl(path), ()
    return path.read_bytes(), check_gltf(path, kind == ".glb")


class _Resolver(FilePathResolver):
    """Finds files beside the mesh, and remembers those that are not there, which trimesh does without in silence.

    Names that lead out of the mesh's folder count as not there.
    """

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self.missing: list[str] = []
        self.bytes = 0  # of the files that are there

    def get(self, name: str) -> bytes:
        """The bytes of a file a mesh names."""
        try:
            content = super().get(name)
        except (OSError, ValueError) as error:
            if name not in self.missing:
                self.missing.append(brief(str(name)))
            raise FileNotFoundError(name) from error
        self.bytes += len(content)
        return content


class _Warnings(logging.Handler):
    """Collects what trimesh says while it reads, which would go to the terminal."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []
        self._log = logging.getLogger("trimesh")

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a message once."""
        message = f"trimesh: {brief(record.getMessage().strip(), 120)}"
        if message not in self.messages:
            self.messages.append(message)

    def __enter__(self) -> None:
        self._propagated = self._log.propagate
        self._log.propagate = False
        self._log.addHandler(self)

    def __exit__(self, *_: object) -> None:
        self._log.removeHandler(self)
        self._log.propagate = self._propagated


def _loaded(path: Path, kind: str, content: bytes, resolver: _Resolver) -> trimesh.Scene:
    try:
        with np.errstate(all="ignore"):
            return trimesh.load_scene(io.BytesIO(content), file_type=kind[1:], resolver=resolver, process=False)
    except DAMAGE as error:
        if resolver.missing:
            found = f"no {resolver.missing[-1]} beside it"
            raise SceneFileError(path, "file", "the files it names", found) from error
        found = f"a damaged one ({brief(str(error).splitlines()[0] if str(error) else type(error).__name__)})"
        raise SceneFileError(path, "file", f"a whole {kind} mesh", found) from error


# Parts


@dataclass(frozen=True)
class _Part:
    """One mesh of the scene, in the world."""

    vertices: Doubles  # [V, 3]
    faces: Indices  # [F, 3]
    uv: Doubles | None  # [F, 3, 2]
    colours: Floats | None  # [F, 3, 3]
    paint: Paint | None


@dataclass(frozen=True)
class _Placed:
    """A mesh, and the node of the scene that it is in."""

    place: str  # in messages; "" where there is one alone
    transform: Doubles  # [4, 4] the world from the mesh
    mesh: trimesh.Trimesh


def _nodes(path: Path, scene: trimesh.Scene) -> list[_Placed]:
    """The meshes of all nodes; lines and points, which have no faces, are left out."""
    found = [_node(path, scene, node) for node in scene.graph.nodes_geometry]
    meshes = [node for node in found if isinstance(node.mesh, trimesh.Trimesh)]
    count = sum(len(node.mesh.faces) for node in meshes)
    if count > MAX_FACES:
        raise SceneFileError(path, "file", f"at most {MAX_FACES:,} faces", f"{count:,}")
    return meshes


def _node(path: Path, scene: trimesh.Scene, node: str) -> _Placed:
    place = f"part {brief(str(node))}, " if len(scene.graph.nodes_geometry) > 1 else ""
    try:
        with np.errstate(all="ignore"):  # what overflows is refused below
            transform, name = scene.graph[node]
        return _Placed(place, np.asarray(transform, np.float64).reshape(4, 4), scene.geometry[name])
    except DAMAGE as error:
        found = brief(str(error)) or type(error).__name__
        raise SceneFileError(path, f"{place}node", "a name and a matrix of 4 x 4 numbers", found) from error


def _parts(path: Path, scene: trimesh.Scene, linear: bool, size: int) -> Iterator[_Part]:
    """The meshes of a scene; `size` is that of the file and those beside it, bytes."""
    for node in _nodes(path, scene):
        try:
            part = _part(path, node.place, node.mesh, linear, size)
        except DAMAGE as error:
            raise SceneFileError(path, f"{node.place}colours", "colours for each vertex", brief(str(error))) from error
        yield _moved(path, node.place, part, node.transform)


def _part(path: Path, place: str, geometry: trimesh.Trimesh, linear: bool, size: int) -> _Part:
    vertices = np.asarray(geometry.vertices, np.float64).reshape(-1, 3)
    faces = np.asarray(geometry.faces, np.int64).reshape(-1, 3)
    _check_finite(path, place, vertices)
    wrong = np.flatnonzero(((faces < 0) | (faces >= len(vertices))).any(axis=1))
    if len(wrong):
        expected = f"vertices 0 to {len(vertices) - 1}"
        raise SceneFileError(path, f"{place}face {wrong[0]}", expected, ", ".join(map(str, faces[wrong[0]])))
    uv, colours = _corner_uv(geometry, faces), _corner_colours(geometry, faces)
    paint = _paint(path, geometry, linear, size)
    if paint is None and colours is not None:
        paint = Paint(linear=linear)
    return _Part(vertices, faces, uv, colours, paint)


def _check_finite(path: Path, place: str, vertices: Doubles) -> None:
    wrong = np.flatnonzero(~np.isfinite(vertices).all(axis=1))
    if len(wrong):
        found = ", ".join(f"{x:g}" for x in vertices[wrong[0]])
        raise SceneFileError(path, f"{place}vertex {wrong[0]}", "3 finite numbers", found)


def _corner_uv(geometry: trimesh.Trimesh, faces: Indices) -> Doubles | None:
    uv = getattr(geometry.visual, "uv", None)
    if uv is None or len(uv) != len(geometry.vertices):
        return None
    return np.nan_to_num(np.asarray(uv, np.float64)[:, :2])[faces]


def _corner_colours(geometry: trimesh.Trimesh, faces: Indices) -> Floats | None:
    """[F, 3, 3] of colours at vertices or of faces, wherever trimesh put them."""
    visual: Any = geometry.visual
    if visual.kind == "face":
        colours = np.repeat(np.asarray(visual.face_colors)[:, None], 3, axis=1)
    else:
        beside = getattr(visual, "vertex_attributes", {}).get("color", geometry.vertex_attributes.get("color"))
        colours = visual.vertex_colors if visual.kind == "vertex" else beside
        if colours is None or len(colours) != len(geometry.vertices):
            return None
        colours = np.asarray(colours)[faces]
    whole = np.iinfo(colours.dtype).max if colours.dtype.kind in "iu" else 1
    return np.clip(np.nan_to_num(colours[..., :3] / np.float32(whole)), 0, 1).astype(np.float32)


def _paint(path: Path, geometry: trimesh.Trimesh, linear: bool, size: int) -> Paint | None:
    """What the material says. A picture of an .obj stands for itself: exporters write any Kd beside it."""
    material: Any = getattr(geometry.visual, "material", None)
    if material is None:
        return None
    if linear:
        factor = material.baseColorFactor
        colour = (1.0, 1.0, 1.0) if factor is None else tuple(np.asarray(factor)[:3] / 255)
        return Paint(colour, _picture(path, material.baseColorTexture, size), linear=True)
    image = getattr(material, "image", None)
    if image is not None and image.format is not None:  # trimesh makes an image of its own where there is none
        return Paint(picture=_picture(path, image, size))
    stated = getattr(material, "kwargs", {}).get("kd")
    return Paint(tuple(np.asarray(material.diffuse)[:3] / 255)) if stated is not None else None


def _picture(path: Path, image: Image.Image | None, size: int) -> Floats | None:
    if image is None:
        return None
    place = f"texture {brief(str(image.info.get('file_path', '')))}".strip()
    if image.format not in FORMATS:  # trimesh opens whatever Pillow knows
        raise SceneFileError(path, place, f"a picture in {', '.join(FORMATS)}", brief(str(image.format)))
    if not 0 < image.width * image.height <= most_pixels(image, size):
        found = f"{image.width} x {image.height}"
        raise SceneFileError(path, place, f"at most {most_pixels(image, size)} pixels in such a file", found)
    try:
        return np.divide(np.asarray(image.convert("RGB")), 255, dtype=np.float32)
    except PICTURE_DAMAGE as error:
        raise SceneFileError(path, place, "a whole picture", "a damaged one") from error


def _moved(path: Path, place: str, part: _Part, transform: Doubles) -> _Part:
    """The part where its node puts it; mirrored ones keep their outside outside."""
    with np.errstate(all="ignore"):
        vertices = part.vertices @ transform[:3, :3].T + transform[:3, 3]
    _check_finite(path, place, vertices)
    if np.linalg.det(transform[:3, :3]) >= 0:
        return replace(part, vertices=vertices)
    uv = None if part.uv is None else part.uv[:, ::-1]
    colours = None if part.colours is None else part.colours[:, ::-1]
    return replace(part, vertices=vertices, faces=part.faces[:, ::-1], uv=uv, colours=colours)


# Together


def _assembled(path: Path, parts: list[_Part], notes: tuple[str, ...]) -> Mesh:
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    faces = np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=True)])
    vertices, faces, proper = welded(np.concatenate([part.vertices for part in parts]), faces)
    _check_shape(path, vertices, faces)
    mesh = Mesh(vertices, faces, notes=notes)
    if not proper.all():
        mesh = replace(mesh, notes=(*notes, f"left out: {(~proper).sum():,} faces without area"))
    return _painted(mesh, parts, proper)


def _painted(mesh: Mesh, parts: list[_Part], proper: np.ndarray) -> Mesh:
    paints = tuple(part.paint for part in parts if part.paint is not None)
    if not paints:
        return replace(mesh, corner_uv=_joined([part.uv for part in parts], parts, 2, 0.0, proper))
    numbers = np.cumsum([part.paint is not None for part in parts]) - 1
    index = [n if part.paint is not None else -1 for part, n in zip(parts, numbers, strict=True)]
    colours = _joined([part.colours for part in parts], parts, 3, 1.0, proper)
    return replace(
        mesh,
        corner_uv=_joined([part.uv for part in parts], parts, 2, 0.0, proper),
        corner_colours=None if colours is None else colours.astype(np.float32),
        paints=paints,
        face_paint=np.repeat(index, [len(part.faces) for part in parts])[proper],
    )


def _joined(values: list[Any], parts: list[_Part], width: int, otherwise: float, proper: np.ndarray) -> Doubles | None:
    """[F, 3, width] of the parts' values; `otherwise` where a part has none, None if all have none."""
    if all(value is None for value in values):
        return None
    whole = [
        np.full((len(part.faces), 3, width), otherwise) if value is None else np.asarray(value, np.float64)
        for value, part in zip(values, parts, strict=True)
    ]
    return np.concatenate(whole)[proper]


def _check_shape(path: Path, vertices: Doubles, faces: Indices) -> None:
    if not len(faces):
        _flat(path, "each with a vertex twice")
    far = float(np.abs(vertices).max())
    if not SMALLEST <= far <= LARGEST:
        raise SceneFileError(path, "vertices", f"a size from {SMALLEST:g} to {LARGEST:g}", f"{far:g}")
    diagonal = float(np.linalg.norm(vertices.max(axis=0) - vertices.min(axis=0)))
    if diagonal < LEAST_SIZE * far:
        expected = f"a size of at least {LEAST_SIZE:g} of the distance from the origin (move it there)"
        raise SceneFileError(path, "vertices", expected, f"{diagonal:g} at {far:g}")
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    area = float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)
    if not area > 1e-9 * diagonal**2:
        _flat(path, f"{len(faces):,} in a line")


def _flat(path: Path, found: str) -> NoReturn:
    raise SceneFileError(path, "faces", "triangles with an area", found)
