"""Gaussians in a .glb or .gltf with the extension KHR_gaussian_splatting; the container is `scenes/gltf_container.py`.

A primitive of mode 0 (points) with that extension has these attributes, each an accessor:

    POSITION                                    VEC3    world units
    KHR_gaussian_splatting:ROTATION             VEC4    quaternion x y z w
    KHR_gaussian_splatting:SCALE                VEC3    standard deviations; a file with a negative one has logarithms,
                                                        as a draft of the extension had it
    KHR_gaussian_splatting:OPACITY              SCALAR  after the sigmoid
    KHR_gaussian_splatting:SH_DEGREE_l_COEF_n   VEC3    SH coefficient n of band l, red green blue
    COLOR_0                                     VEC4    colour and opacity for viewers that know points only

Axes are left, up, front; here they become right, down, front as in .ply: half a turn about z.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.content import Content, ReadOptions, check_count, empty_gaussians, keep_valid, logits_of
from scenes.errors import SceneFileError
from scenes.files import brief
from scenes.gaussians import Floats, Gaussians, rotation_matrices
from scenes.gltf_container import Gltf, whole
from scenes.json_entry import JsonEntry, shown
from scenes.merging import merged
from scenes.placing import place

EXTENSION = "KHR_gaussian_splatting"
COLOUR_SPACE = "srgb_rec709_display"
POINTS = 0
HALF_TURN = np.diag([-1.0, -1.0, 1.0])  # left up front to right down front, and back
MAX_DEPTH = 64  # of nodes in one another
LARGEST_NUMBER = 1e12  # in the world's matrix of a node; squares of it are normal float32
SAME_SCALE = 1e-4  # relative: how far the axes of a node's matrix may be from equally long and at right angles
SMALLEST_SCALE = np.float32(1e-30)  # a scale of 0 has no logarithm, and is drawn as a point either way

Matrix = NDArray[np.float64]


def read_gltf(path: Path, options: ReadOptions) -> Content:
    """The Gaussians of all nodes of the scene; `SceneFileError` if there are none."""
    gltf = Gltf(path)
    found = list(_primitives(gltf))
    if not found:
        raise SceneFileError(path, "meshes", f"a primitive with {EXTENSION}", "none")
    counts = [gltf.count(_attributes(primitive).value("POSITION")) for primitive, _ in found]
    check_count(path, "primitives", sum(counts), options)
    parts = []
    for primitive, matrix in found:
        parts.append(_gaussians(gltf, primitive))
        _place(gltf, primitive, parts[-1], matrix)
    return replace(keep_valid(path, merged(parts), "primitives"), files=tuple(gltf.read_files))


def is_of_gaussians(path: Path) -> bool:
    """Whether a glTF has Gaussians, and not just meshes. Raises `SceneFileError` for one that is damaged."""
    return bool(list(_primitives(Gltf(path))))


def _primitives(gltf: Gltf) -> list[tuple[JsonEntry, Matrix]]:
    """The primitives that are Gaussians, and the matrix [4, 4] of the node each is in, once for each node."""
    count = gltf.length("nodes")
    scene = gltf.item("scenes", gltf.root.values.get("scene", 0)).values if gltf.length("scenes") else {}
    roots = _list(gltf, "scenes, nodes", scene.get("nodes", []) if gltf.length("scenes") else list(range(count)))
    found: list[tuple[JsonEntry, Matrix]] = []
    world = np.eye(4)
    if len(roots) > count:
        raise SceneFileError(gltf.path, "scenes, nodes", f"at most {count}, as there are nodes", str(len(roots)))
    waiting = deque((root, world, 0) for root in roots)
    while waiting:
        index, above, depth = waiting.popleft()
        node = gltf.item("nodes", index)
        if depth > MAX_DEPTH or len(found) > MAX_DEPTH * 1024:
            raise SceneFileError(gltf.path, node.place, f"at most {MAX_DEPTH} nodes in one another", "more")
        matrix = _placed_node(above, node)
        if "mesh" in node.values:
            found += [(primitive, matrix) for primitive in _of_mesh(gltf, node.value("mesh"))]
        children = _list(gltf, node.place, node.values.get("children", []))
        waiting.extend((child, matrix, depth + 1) for child in children[: count + 1])
        if len(waiting) > count:  # a tree has every node once
            raise SceneFileError(gltf.path, node.place, "a tree of nodes", "a node that is in several")
    return found


def _list(gltf: Gltf, place: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise SceneFileError(gltf.path, place, "a list", shown(value))
    return value


def _of_mesh(gltf: Gltf, index: Any) -> list[JsonEntry]:
    mesh = gltf.item("meshes", index)
    primitives = _list(gltf, mesh.place, mesh.value("primitives"))
    entries = [JsonEntry.of(gltf.path, f"{mesh.place}, primitive {i}", p) for i, p in enumerate(primitives)]
    return [entry for entry in entries if EXTENSION in _object(entry, "extensions")]


def _object(entry: JsonEntry, key: str) -> dict[str, Any]:
    return JsonEntry.of(entry.path, f"{entry.place}, {key}", entry.values.get(key, {})).values


def _attributes(primitive: JsonEntry) -> JsonEntry:
    return JsonEntry.of(primitive.path, f"{primitive.place}, attributes", primitive.value("attributes"))


def _placed_node(above: Matrix, node: JsonEntry) -> Matrix:
    """[4, 4] the world from a node, of what is around it; the same array where the node moves nothing."""
    if not {"matrix", "translation", "rotation", "scale"} & set(node.values):
        return above
    with np.errstate(over="ignore", invalid="ignore"):
        matrix = above @ _matrix(node)
    if not np.abs(matrix).max() <= LARGEST_NUMBER:
        raise SceneFileError(node.path, node.place, f"a matrix of numbers within {LARGEST_NUMBER:g}", "one beyond")
    return matrix


def _matrix(node: JsonEntry) -> Matrix:
    """[4, 4] of a node: its matrix, or its translation, rotation and scale."""
    if "matrix" in node.values:
        return node.array("matrix", (16,)).reshape(4, 4).T  # column by column in the file
    matrix = np.eye(4)
    if "rotation" in node.values:
        x, y, z, w = node.array("rotation", (4,))
        matrix[:3, :3] = _rotation_matrix(node, np.array([w, x, y, z]))
    if "scale" in node.values:
        matrix[:3, :3] *= node.array("scale", (3,))
    if "translation" in node.values:
        matrix[:3, 3] = node.array("translation", (3,))
    return matrix


def _rotation_matrix(node: JsonEntry, quaternion: Matrix) -> Matrix:
    if not 0.5 < np.linalg.norm(np.clip(quaternion, -2, 2)) < 2:
        raise node.error("rotation", "a unit quaternion", " ".join(f"{x:g}" for x in quaternion[[1, 2, 3, 0]]))
    return rotation_matrices(quaternion[None])[0]


def _place(gltf: Gltf, primitive: JsonEntry, gaussians: Gaussians, matrix: Matrix) -> None:
    """From the axes of the file into the world, in the axes of .ply."""
    linear = HALF_TURN @ matrix[:3, :3]
    scale = float(np.cbrt(abs(np.linalg.det(linear))))
    if not scale > 0 or not np.allclose(linear @ linear.T, scale**2 * np.eye(3), rtol=0, atol=SAME_SCALE * scale**2):
        raise SceneFileError(gltf.path, primitive.place, "a node that scales all axes alike", "one that does not")
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is dropped
        place(gaussians, linear / scale, scale, HALF_TURN @ matrix[:3, 3])


def _gaussians(gltf: Gltf, primitive: JsonEntry) -> Gaussians:
    """In the axes of the file."""
    extension = JsonEntry.of(gltf.path, f"{primitive.place}, {EXTENSION}", _object(primitive, "extensions")[EXTENSION])
    if whole(primitive, "mode", 4) != POINTS:
        raise primitive.error("mode", f"{POINTS}, points", str(primitive.values.get("mode", 4)))
    colours = extension.values.get("colorSpace", COLOUR_SPACE)
    if colours != COLOUR_SPACE:
        raise extension.error("colorSpace", COLOUR_SPACE, shown(colours))
    if extension.values.get("extensions"):
        raise extension.error(
            "extensions", "none, so no compression", brief(", ".join(_object(extension, "extensions")))
        )
    attributes = _attributes(primitive)
    count, degree = gltf.count(attributes.value("POSITION")), _degree(attributes)
    gaussians = empty_gaussians(count, degree)

    def column(name: str, numbers: int) -> Floats:
        values = gltf.array(attributes.value(name), numbers)
        if len(values) != count:
            raise attributes.error(name, f"{count} elements, as POSITION has", str(len(values)))
        return values

    gaussians.positions[:] = column("POSITION", 3)
    gaussians.rotations[:] = column(f"{EXTENSION}:ROTATION", 4)[:, [3, 0, 1, 2]]
    gaussians.opacity_logits[:] = _logits(column(f"{EXTENSION}:OPACITY", 1)[:, 0])
    gaussians.log_scales[:] = _log_scales(column(f"{EXTENSION}:SCALE", 3))
    for index, name in enumerate(sh_names(degree)):
        gaussians.sh[:, index] = column(name, 3)
    return gaussians


def _degree(attributes: JsonEntry) -> int:
    """The highest band that has its first coefficient."""
    return max([band for band in (1, 2, 3) if f"{EXTENSION}:SH_DEGREE_{band}_COEF_0" in attributes.values], default=0)


def sh_names(degree: int) -> list[str]:
    """The attributes of the SH coefficients up to `degree`, in order."""
    bands = range(degree + 1)
    return [f"{EXTENSION}:SH_DEGREE_{band}_COEF_{n}" for band in bands for n in range(2 * band + 1)]


def _log_scales(stored: Floats) -> Floats:
    if (stored < 0).any():
        return stored
    with np.errstate(invalid="ignore"):  # NaN stays NaN, and is dropped
        return np.log(np.maximum(stored, SMALLEST_SCALE))


def _logits(alpha: Floats) -> Floats:
    """Of opacities that may have been bytes or floats: the logits of floats are kept as far as they are finite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logits = np.log(alpha) - np.log1p(-alpha)
    ends = (alpha <= 0) | (alpha >= 1)
    logits[ends] = logits_of(alpha[ends])
    return logits
