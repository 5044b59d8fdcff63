"""Gaussians in a .compressed.ply, as PlayCanvas and SuperSplat have it.

How it is written is in `scenes/compressed_ply_writer.py`.

    element  rows           properties                                  what
    chunk    ceil(N / 256)  float min_x min_y min_z max_x max_y max_z   box of 256 consecutive Gaussians
                            float min_scale_x .. max_scale_z            range of their log scales
                            float min_r min_g min_b max_r max_g max_b   range of their colours; 0 and 1 if absent
    vertex   N              uint packed_position   11-10-11 bits x y z  lerp(min, max)
                            uint packed_rotation   2-10-10-10 bits      index of the largest of w x y z, then the rest
                            uint packed_scale      11-10-11 bits x y z  lerp(min_scale, max_scale)
                            uint packed_color      8-8-8-8 bits r g b a lerp(min, max) = 0.5 + C0 f_dc; opacity
    sh       N, or absent   uchar f_rest_0..M-1    M = 9, 24 or 45      channel-major, (t - 0.5) * 8

Bit fields are named from the top bits down. `comment antialiased 1` marks a scene trained with the mip filter.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.content import BLOCK, Content, empty_gaussians, keep_valid, logits_of, single
from scenes.errors import SceneFileError
from scenes.gaussians import SH_C0, Floats
from scenes.ply import ANTIALIASED, REST_COUNTS, rest_names
from scenes.ply_elements import PlyElement, PlyHeader, element_blocks, read_element, read_header
from scenes.quaternions import from_smallest_three

CHUNK = 256  # Gaussians
AXES = ("x", "y", "z")
SCALES = ("scale_x", "scale_y", "scale_z")
COLOURS = ("r", "g", "b")
PACKED = ("packed_position", "packed_rotation", "packed_scale", "packed_color")
SH_RANGE = 8.0  # f_rest lies in [-4, 4]


def is_compressed(header: PlyHeader) -> bool:
    """Whether a .ply claims to be a compressed one."""
    return header.element("chunk") is not None


def read_compressed_ply(path: str | os.PathLike[str]) -> Content:
    """The Gaussians of a .compressed.ply; `SceneFileError` if it is not one."""
    return read_compressed(read_header(path))


def read_compressed(header: PlyHeader) -> Content:
    """The Gaussians under a header that has been read already."""
    vertex, rest = _check(header)
    chunks = read_element(header, "chunk")
    ranges = {names: [_range_end(chunks, end, names) for end in ("min", "max")] for names in (AXES, SCALES, COLOURS)}
    packed_rows = element_blocks(header, "vertex", BLOCK)
    sh_rows = element_blocks(header, "sh", BLOCK) if rest else ()
    gaussians = empty_gaussians(vertex.count, REST_COUNTS.index(len(rest)), ANTIALIASED in header.comments)
    for part, rows in packed_rows:
        chunk = np.arange(part.start, part.stop) // CHUNK
        packed = {name: _whole(rows[name]) for name in PACKED}
        colour = _bits(packed["packed_color"], (8, 8, 8, 8))  # [N, 4]
        gaussians.positions[part] = _lerp(ranges[AXES], chunk, _bits(packed["packed_position"], (11, 10, 11)))
        gaussians.log_scales[part] = _lerp(ranges[SCALES], chunk, _bits(packed["packed_scale"], (11, 10, 11)))
        gaussians.rotations[part] = _rotations(packed["packed_rotation"])
        gaussians.opacity_logits[part] = logits_of(colour[:, 3])
        with np.errstate(over="ignore"):
            gaussians.sh[part, 0] = (_lerp(ranges[COLOURS], chunk, colour[:, :3]) - 0.5) / SH_C0
    others = len(rest) // 3  # channel-major in the file
    for part, rows in sh_rows:
        for i, name in enumerate(rest):
            gaussians.sh[part, 1 + i % others, i // others] = SH_BYTES[_whole(rows[name]) & np.uint32(255)]
    return keep_valid(header.path, gaussians)


def _check(header: PlyHeader) -> tuple[PlyElement, tuple[str, ...]]:
    """The element vertex and the names in sh, once all have the properties and rows the format asks for."""
    chunk, vertex, sh = (header.element(name) for name in ("chunk", "vertex", "sh"))
    if chunk is None or vertex is None:
        found = f"no {'chunk' if chunk is None else 'vertex'}"
        raise SceneFileError(header.path, "header", "elements chunk and vertex", found)
    ranges = [f"{end}_{name}" for end in ("min", "max") for name in (*AXES, *SCALES)]
    for element, names in ((chunk, ranges), (vertex, PACKED)):
        missing = [name for name in names if name not in element.properties]
        if missing:
            place = f"element {element.name}"
            raise SceneFileError(header.path, place, "properties of a compressed .ply", f"no {', '.join(missing)}")
    if chunk.count != -(-vertex.count // CHUNK):
        expected = f"{-(-vertex.count // CHUNK)} rows, one per {CHUNK} of {vertex.count} Gaussians"
        raise SceneFileError(header.path, "element chunk", expected, str(chunk.count))
    if sh is not None and sh.count != vertex.count:
        raise SceneFileError(header.path, "element sh", f"{vertex.count} rows, one per Gaussian", str(sh.count))
    return vertex, rest_names(header.path, "sh", sh.properties) if sh else ()


def _whole(values: NDArray[Any]) -> NDArray[np.uint32]:
    """[N] 32 bits; of floats, which text is read as, what lies beyond becomes the nearest there is, and NaN 0."""
    if values.dtype.kind == "f":
        values = np.nan_to_num(np.clip(values.astype(np.float64), 0, 2**32 - 1))
    return values.astype(np.uint32)


def _bits(packed: NDArray[np.uint32], widths: tuple[int, ...]) -> Floats:
    """[N, len(widths)] the bit fields of 32-bit words from the top down, each divided by its largest value."""
    fields = np.empty((len(packed), len(widths)), np.float32)
    below = 32
    for column, width in enumerate(widths):
        below -= width
        fields[:, column] = ((packed >> np.uint32(below)) & np.uint32(2**width - 1)) / np.float32(2**width - 1)
    return fields


def _lerp(ends: list[Floats], chunk: NDArray[np.integer], fraction: Floats) -> Floats:
    """[N, 3] from `fraction` [N, 3] of the way between the `ends` [chunks, 3] of each one's `chunk`."""
    lowest, highest = ends
    with np.errstate(over="ignore", invalid="ignore"):  # an infinite range makes NaN, and those rows are dropped
        return (lowest[chunk] + fraction * (highest - lowest)[chunk]).astype(np.float32, copy=False)


def _range_end(chunks: NDArray[np.void], end: str, names: tuple[str, ...]) -> Floats:
    """[chunks, 3] the min or the max of each chunk; 0 or 1 where there are none."""
    columns = [f"{end}_{name}" for name in names]
    if not set(columns) <= set(chunks.dtype.names or ()):
        return np.full((len(chunks), len(names)), end == "max", np.float32)
    return np.stack([single(chunks[name]) for name in columns], axis=1)


def _rotations(packed: NDArray[np.uint32]) -> Floats:
    """Unit quaternions [N, 4] w, x, y, z."""
    rest = (_bits(packed << np.uint32(2), (10, 10, 10)) - np.float32(0.5)) * np.float32(2**0.5)  # [N, 3]
    return from_smallest_three(packed >> np.uint32(30), rest)


def _sh_bytes() -> Floats:
    """[256] the value of each byte: the middle of its bin, but the ends of the range exactly."""
    fraction = (np.arange(256) + 0.5) / 256
    fraction[[0, 255]] = 0, 1
    return ((fraction - 0.5) * SH_RANGE).astype(np.float32)


SH_BYTES = _sh_bytes()
