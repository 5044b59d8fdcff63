"""Gaussians in a .ply, in the layout INRIA's 3D Gaussian splatting made the common one.

One element `vertex`; a row as we write it, all float32, little-endian:

    property            bytes       what
    x y z               12          position, world units
    nx ny nz            12          0, kept for readers that count bytes
    f_dc_0..2           12          SH coefficient 0 of red, green, blue
    f_rest_0..M-1       4 M         the other K - 1 coefficients, channel-major: all of red, all of green, all of blue;
                                    M = 3 (K - 1) = 0, 9, 24 or 45
    opacity             4           logit
    scale_0..2          12          ln of the standard deviation
    rot_0..3            16          quaternion w x y z

Read are these properties in any order and number type, with or without normals, f_rest and scale_2; others are ignored.
`comment antialiased 1` in the header marks a scene trained with the mip filter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import numpy as np

from scenes.atomic import replacing
from scenes.content import Content, empty_gaussians, keep_valid
from scenes.errors import SceneFileError
from scenes.gaussians import Floats, Gaussians
from scenes.ply_elements import PlyHeader, element_blocks, read_header
from scenes.progress import Progress, silent

POSITION = ("x", "y", "z")
NORMAL = ("nx", "ny", "nz")
DC = ("f_dc_0", "f_dc_1", "f_dc_2")
SCALE = ("scale_0", "scale_1", "scale_2")
ROTATION = ("rot_0", "rot_1", "rot_2", "rot_3")
REQUIRED = (*POSITION, *DC, "opacity", *SCALE[:2], *ROTATION)
REST_COUNTS = (0, 9, 24, 45)  # 3 channels times 0, 3, 8 or 15 coefficients
BLOCK = 4096  # rows: 1 MB of them stays in the cache while its columns are picked out, three times as fast as without
ANTIALIASED = "antialiased 1"

# A 2D Gaussian is a disc. A thousandth of its shorter side is thinner than a pixel even at grazing angles, does not
# depend on the scene's units, and its square still counts in a float32 covariance.
DISC_LOG_THICKNESS = np.float32(np.log(1e-3))


def read_ply(path: str | os.PathLike[str]) -> Content:
    """The Gaussians of a .ply in INRIA's layout; `SceneFileError` if it is not one."""
    return read_gaussians(read_header(path))


def read_gaussians(header: PlyHeader, progress: Progress = silent) -> Content:
    """The Gaussians under a header that has been read already; `progress` is told the share of the columns."""
    vertex = header.element("vertex")
    if vertex is None:
        raise SceneFileError(header.path, "header", "element vertex", "none")
    missing = [name for name in REQUIRED if name not in vertex.properties]
    if missing:
        raise SceneFileError(header.path, "element vertex", "properties of Gaussians", f"no {', '.join(missing)}")
    rest = rest_names(header.path, "vertex", vertex.properties)
    degree = REST_COUNTS.index(len(rest))
    blocks = element_blocks(header, "vertex", BLOCK)
    gaussians = empty_gaussians(vertex.count, degree, ANTIALIASED in header.comments)
    disc = SCALE[2] not in vertex.properties
    columns = [(name, column) for name, column in _columns(gaussians, rest) if not (disc and name == SCALE[2])]
    for part, rows in blocks:
        with np.errstate(over="ignore", invalid="ignore"):  # a double beyond float32 becomes infinite, and is dropped
            for name, column in columns:
                column[part] = rows[name]
        progress(part.stop / vertex.count)
    if disc:
        gaussians.log_scales[:, 2] = gaussians.log_scales[:, :2].min(axis=1) + DISC_LOG_THICKNESS
    return keep_valid(header.path, gaussians)


def _columns(gaussians: Gaussians, rest: Sequence[str]) -> list[tuple[str, Floats]]:
    """The property of each number of `gaussians`, and the numbers [N] of it, to be read or written."""
    arrays = [
        (POSITION, gaussians.positions),
        (DC, gaussians.sh[:, 0]),
        (SCALE, gaussians.log_scales),
        (ROTATION, gaussians.rotations),
    ]
    columns = [(name, array[:, i]) for names, array in arrays for i, name in enumerate(names)]
    others = len(rest) // 3  # channel-major in the file
    columns += [(name, gaussians.sh[:, 1 + i % others, i // others]) for i, name in enumerate(rest)]
    return [*columns, ("opacity", gaussians.opacity_logits)]


def rest_names(path: str, element: str, properties: dict[str, str]) -> tuple[str, ...]:
    """The f_rest properties in order, of which there must be 0, 9, 24 or 45."""
    count = sum(re.fullmatch(r"f_rest_\d+", name) is not None for name in properties)
    if count not in REST_COUNTS:
        raise SceneFileError(path, f"element {element}", "0, 9, 24 or 45 f_rest properties", str(count))
    names = tuple(f"f_rest_{i}" for i in range(count))
    missing = [name for name in names if name not in properties]
    if missing:
        raise SceneFileError(path, f"element {element}", f"f_rest_0 to f_rest_{count - 1}", f"no {', '.join(missing)}")
    return names


def write_ply(path: str | os.PathLike[str], gaussians: Gaussians) -> None:
    """Writes INRIA's layout, binary little-endian; `path` is replaced only when all of it is on the disk."""
    rest = tuple(f"f_rest_{i}" for i in range(REST_COUNTS[gaussians.sh_degree]))
    names = (*POSITION, *NORMAL, *DC, *rest, "opacity", *SCALE, *ROTATION)
    columns = [(names.index(name), column) for name, column in _columns(gaussians, rest)]
    table = np.zeros((BLOCK, len(names)), "<f4")
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(_header(gaussians, names))
        for start in range(0, len(gaussians), BLOCK):
            rows = table[: len(gaussians) - start]
            for at, column in columns:
                rows[:, at] = column[start : start + BLOCK]
            file.write(rows.data)


def _header(gaussians: Gaussians, names: Sequence[str]) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0", *([f"comment {ANTIALIASED}"] if gaussians.antialiased else [])]
    lines += [f"element vertex {len(gaussians)}", *(f"property float {name}" for name in names), "end_header", ""]
    return "\n".join(lines).encode("ascii")
