"""Writing Gaussians as .compressed.ply; the elements and bits are in `scenes/compressed_ply.py`.

Gaussians come in Morton order, so that the boxes of 256 are small and their 11, 10 and 11 bits fine.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import plyfile
from numpy.typing import NDArray

from scenes.atomic import replacing
from scenes.compressed_ply import AXES, CHUNK, COLOURS, PACKED, SCALES, SH_RANGE
from scenes.content import blocks, sigmoid
from scenes.gaussians import SH_C0, Floats, Gaussians
from scenes.ordering import morton_order
from scenes.ply import ANTIALIASED
from scenes.quaternions import to_smallest_three

LARGEST_LOG_SCALE = 20.0  # beyond it other readers see no number

Words = NDArray[np.uint32]


def write_compressed_ply(path: Path, gaussians: Gaussians) -> None:
    """Writes `gaussians`; log scales beyond 20 become 20, as for all who read the format."""
    order, ranges = morton_order(gaussians.positions), []
    packed = np.empty((len(gaussians), len(PACKED)), np.uint32)
    sh = np.empty((len(gaussians), 3 * (gaussians.sh.shape[1] - 1)), np.uint8)
    for block in blocks(len(gaussians)):  # whole chunks, and the rest
        part = gaussians.select(order[block])
        chunk, packed[block] = _pack(part)
        ranges.append(chunk)
        sh[block] = _sh_bytes(part.sh[:, 1:])
    elements = [
        _element("chunk", np.concatenate(ranges), _range_names(), "<f4"),
        _element("vertex", packed, PACKED, "<u4"),
    ]
    if gaussians.sh_degree:
        elements.append(_element("sh", sh, [f"f_rest_{i}" for i in range(sh.shape[1])], "u1"))
    comments = [ANTIALIASED] if gaussians.antialiased else []
    with replacing(path) as temporary:
        plyfile.PlyData(elements, byte_order="<", comments=comments).write(os.fspath(temporary))


def _element(
    name: str, table: NDArray[np.generic], columns: list[str] | tuple[str, ...], kind: str
) -> plyfile.PlyElement:
    rows = np.ascontiguousarray(table, kind).view([(column, kind) for column in columns])[:, 0]
    return plyfile.PlyElement.describe(rows, name)


def _range_names() -> list[str]:
    return [f"{end}_{name}" for names in (AXES, SCALES, COLOURS) for end in ("min", "max") for name in names]


def _pack(gaussians: Gaussians) -> tuple[Floats, Words]:
    """The ranges [chunks, 18] and the packed words [N, 4]."""
    colours = np.float32(0.5) + np.float32(SH_C0) * gaussians.sh[:, 0]
    scales = np.clip(gaussians.log_scales, -LARGEST_LOG_SCALE, LARGEST_LOG_SCALE)
    parts = [_normalised(values) for values in (gaussians.positions, scales, colours)]
    (_, position), (_, scale), (_, colour) = parts
    colour = np.concatenate([colour, sigmoid(gaussians.opacity_logits)[:, None]], axis=1)
    largest, rest = to_smallest_three(gaussians.rotations)
    rotation = _packed(rest * np.float32(0.5**0.5) + np.float32(0.5), (10, 10, 10))
    words = [
        _packed(position, (11, 10, 11)),
        rotation | largest.astype(np.uint32) << np.uint32(30),
        _packed(scale, (11, 10, 11)),
        _packed(colour, (8, 8, 8, 8)),
    ]
    return np.concatenate([ranges for ranges, _ in parts], axis=1), np.stack(words, axis=1)


def _normalised(values: Floats) -> tuple[Floats, Floats]:
    """The range [chunks, 6] of `values` [N, 3] in each chunk, min before max, and where each lies in it, 0 to 1."""
    starts = np.arange(0, len(values), CHUNK)
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    chunk = np.arange(len(values)) // CHUNK
    size = np.where(high > low, high.astype(np.float64) - low, 1)
    return np.concatenate([low, high], axis=1), ((values - low[chunk]) / size[chunk]).astype(np.float32)


def _packed(fractions: Floats, widths: tuple[int, ...]) -> Words:
    """[N] words of the `fractions` [N, len(widths)], 0 to 1, as bit fields of these widths; the last is lowest."""
    words = np.zeros(len(fractions), np.uint32)
    for column, width in enumerate(widths):
        most = 2**width - 1
        field = np.clip(np.rint(fractions[:, column] * np.float32(most)), 0, most).astype(np.uint32)
        words = (words << np.uint32(width)) | field
    return words


def _sh_bytes(sh: Floats) -> NDArray[np.uint8]:
    """[N, 3 (K - 1)] the bins of coefficients [N, K - 1, 3], channel-major."""
    rest = sh.transpose(0, 2, 1).reshape(len(sh), -1)
    return np.clip(np.floor((rest / np.float32(SH_RANGE) + np.float32(0.5)) * 256), 0, 255).astype(np.uint8)
