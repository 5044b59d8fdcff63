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

import numpy as np
import plyfile
from numpy.typing import NDArray

from scenes.atomic import replacing
from scenes.content import Content, keep_valid
from scenes.errors import SceneFileError
from scenes.gaussians import Floats, Gaussians
from scenes.ply_elements import PlyHeader, read_element, read_header
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
    table = _Table(read_element(header, "vertex"), len(REQUIRED) + len(rest), progress)
    gaussians = Gaussians(
        positions=table.columns(POSITION),
        log_scales=table.log_scales(),
        rotations=table.columns(ROTATION),
        opacity_logits=table.columns(("opacity",))[:, 0],
        sh=sh_from_channels(table.columns(DC), table.columns(rest)),
        antialiased=ANTIALIASED in header.comments,
    )
    return keep_valid(header.path, gaussians)


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


def sh_from_channels(dc: Floats, rest: Floats) -> Floats:
    """SH [N, K, 3] of the constant band [N, 3] and the channel-major others [N, 3 (K - 1)]."""
    coefficients = rest.reshape(len(dc), 3, rest.shape[1] // 3).transpose(0, 2, 1)  # [N, K - 1, 3]
    return np.concatenate([dc[:, None], coefficients], axis=1)


class _Table:
    """The rows of a file, of which `wanted` columns will be taken."""

    def __init__(self, rows: NDArray[np.void], wanted: int, progress: Progress) -> None:
        self._rows, self._progress = rows, progress
        self._values, self._taken = max(wanted * len(rows), 1), 0

    def columns(self, names: tuple[str, ...]) -> Floats:
        """[N, len(names)] float32."""
        columns = np.empty((len(self._rows), len(names)), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # a double beyond float32 becomes infinite, and is dropped
            for start in range(0, len(self._rows), BLOCK):
                block = self._rows[start : start + BLOCK]
                for column, name in enumerate(names):
                    columns[start : start + BLOCK, column] = block[name]
                self._taken += len(names) * len(block)
                self._progress(min(self._taken / self._values, 1.0))
        return columns

    def log_scales(self) -> Floats:
        """[N, 3], of discs too."""
        if SCALE[2] in (self._rows.dtype.names or ()):
            return self.columns(SCALE)
        sides = self.columns(SCALE[:2])
        return np.concatenate([sides, sides.min(axis=1, keepdims=True) + DISC_LOG_THICKNESS], axis=1)


def write_ply(path: str | os.PathLike[str], gaussians: Gaussians) -> None:
    """Writes INRIA's layout, binary little-endian; `path` is replaced only when all of it is on the disk."""
    count, others = len(gaussians), gaussians.sh.shape[1] - 1
    rest = gaussians.sh[:, 1:].transpose(0, 2, 1).reshape(count, 3 * others)  # channel-major
    names = (*POSITION, *NORMAL, *DC, *(f"f_rest_{i}" for i in range(rest.shape[1])), "opacity", *SCALE, *ROTATION)
    normals = np.zeros_like(gaussians.positions)
    opacity = gaussians.opacity_logits[:, None]
    parts = [gaussians.positions, normals, gaussians.sh[:, 0], rest, opacity, gaussians.log_scales, gaussians.rotations]
    table = np.concatenate(parts, axis=1).astype("<f4", copy=False)
    vertex = plyfile.PlyElement.describe(table.view([(name, "<f4") for name in names])[:, 0], "vertex")
    content = plyfile.PlyData([vertex], byte_order="<", comments=[ANTIALIASED] if gaussians.antialiased else [])
    with replacing(path) as temporary:
        content.write(os.fspath(temporary))
