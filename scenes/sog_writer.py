"""Writing Gaussians as .sog, version 2, in a zip; the textures are in `scenes/sog.py`.

Gaussians come in Morton order, so that neighbouring pixels are alike. The same Gaussians give the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.atomic import replacing
from scenes.codebook import levels_of, nearest_level, palette_of
from scenes.content import blocks, sigmoid, to_bytes
from scenes.gaussians import Floats, Gaussians
from scenes.ordering import morton_order
from scenes.quaternions import LARGEST_REST, to_smallest_three
from scenes.sog import LARGEST_INDEX, MAX_PALETTE, PALETTE_ROW

GENERATOR = "kilofield"
WEBP_EFFORT, WEBP_METHOD = 70, 4  # of Pillow, as libwebp has them for lossless pictures
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say, so that the same scene gives the same bytes

Texels = NDArray[np.uint8]  # [N, 3 or 4]
Order = NDArray[np.uint32]  # [N] which Gaussian comes where


def write_sog(path: Path, gaussians: Gaussians) -> None:
    """Writes `gaussians` as PlayCanvas' viewers read them, SH above band 0 through a palette of up to 65,536."""
    meta: dict[str, Any] = {"version": 2, "asset": {"generator": GENERATOR}, "count": len(gaussians)}
    if gaussians.antialiased:
        meta["antialias"] = True
    side = -(-int(np.ceil(len(gaussians) ** 0.5)) // 4) * 4
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as file:
        for name, texels, width in _textures(gaussians, meta, side):
            file.writestr(zipfile.ZipInfo(name, EPOCH), _webp(texels, width))
        file.writestr(zipfile.ZipInfo("meta.json", EPOCH), json.dumps(meta, separators=(",", ":")))


def _textures(gaussians: Gaussians, meta: dict[str, Any], side: int) -> Iterator[tuple[str, Texels, int]]:
    """Name, texels and width of each texture; `meta` is filled in on the way.

    Each attribute is put in order when it is its turn, so that no second scene is held.
    """
    order = morton_order(gaussians.positions).astype(np.uint32)
    for name, texels in _means(gaussians.positions, order, meta):
        yield name, texels, side
    meta["quats"] = {"files": ["quats.webp"]}
    yield "quats.webp", _quats(gaussians.rotations, order), side
    levels = levels_of(gaussians.log_scales)
    meta["scales"] = {"codebook": levels.tolist(), "files": ["scales.webp"]}
    yield "scales.webp", nearest_level(levels, gaussians.log_scales[order]), side
    levels = levels_of(gaussians.sh[:, 0])
    meta["sh0"] = {"codebook": levels.tolist(), "files": ["sh0.webp"]}
    colours = np.empty((len(order), 4), np.uint8)
    colours[:, :3] = nearest_level(levels, gaussians.sh[order, 0])
    colours[:, 3] = to_bytes(255 * sigmoid(gaussians.opacity_logits[order]))
    yield "sh0.webp", colours, side
    if gaussians.sh_degree:
        yield from _higher_bands(gaussians.sh[order, 1:], meta, side)


def _means(positions: Floats, order: Order, meta: dict[str, Any]) -> Iterator[tuple[str, Texels]]:
    """The low and the high bytes [N, 3]."""
    mins, maxs = _logs(positions.min(axis=0)), _logs(positions.max(axis=0))
    steps = np.empty(positions.shape, np.uint16)
    for block in blocks(len(positions)):
        logs = _logs(positions[order[block]])
        steps[block] = np.rint((logs - mins) * (65535 / np.where(maxs > mins, maxs - mins, 1)))
    files = ["means_l.webp", "means_u.webp"]
    meta["means"] = {"mins": mins.tolist(), "maxs": maxs.tolist(), "files": files}
    yield files[0], (steps & 255).astype(np.uint8)
    yield files[1], (steps >> 8).astype(np.uint8)


def _logs(positions: Floats) -> NDArray[np.float64]:
    """Rising with the coordinates: linear near 0, logarithmic far from it."""
    return np.sign(positions) * np.log1p(np.abs(positions.astype(np.float64)))


def _quats(rotations: Floats, order: Order) -> Texels:
    texels = np.empty(rotations.shape, np.uint8)
    for block in blocks(len(rotations)):
        largest, rest = to_smallest_three(rotations[order[block]])
        steps = (rest / np.float32(LARGEST_REST) + np.float32(1)) * np.float32(127.5)
        texels[block, :3] = to_bytes(steps.astype(np.float32))
        texels[block, 3] = largest + np.uint8(LARGEST_INDEX)
    return texels


def _higher_bands(sh: Floats, meta: dict[str, Any], side: int) -> Iterator[tuple[str, Texels, int]]:
    """Of coefficients [N, K - 1, 3]."""
    others = sh.shape[1]
    palette, labels = palette_of(sh.reshape(len(sh), 3 * others), palette_size(len(sh)))
    levels = levels_of(palette)
    colours = nearest_level(levels, palette).reshape(-1, others, 3)
    filled = np.zeros((-(-len(palette) // PALETTE_ROW) * PALETTE_ROW, others, 3), np.uint8)
    filled[: len(colours)] = colours
    meta["shN"] = {
        "count": len(palette),
        "bands": round((others + 1) ** 0.5) - 1,
        "codebook": levels.tolist(),
        "files": ["shN_centroids.webp", "shN_labels.webp"],
    }
    yield "shN_centroids.webp", filled.reshape(-1, 3), PALETTE_ROW * others
    parts = [labels & 255, labels >> 8, np.zeros_like(labels)]
    yield "shN_labels.webp", np.stack(parts, axis=1).astype(np.uint8), side


def palette_size(count: int) -> int:
    """How many entries the palette of `count` Gaussians may have: a power of two, at most 65,536."""
    return min(MAX_PALETTE, 1 << max(count.bit_length() - 1, 6))


def _webp(texels: Texels, width: int) -> bytes:
    """A lossless picture of `width` pixels whose first rows are `texels` [N, 3 or 4], without alpha opaque."""
    from PIL import Image

    height = -(-len(texels) // width)
    pixels = np.full((height * width, 4), 255, np.uint8)
    pixels[len(texels) :, :3] = 0
    pixels[: len(texels), : texels.shape[1]] = texels
    content = io.BytesIO()
    image = Image.fromarray(pixels.reshape(height, width, 4))
    # exact: colours are kept where alpha, which is an opacity here, is 0
    image.save(content, "WEBP", lossless=True, quality=WEBP_EFFORT, method=WEBP_METHOD, exact=True)
    return content.getvalue()
