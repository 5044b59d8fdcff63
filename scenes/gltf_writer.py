"""Writing Gaussians as .glb with the extension KHR_gaussian_splatting; the attributes are in `scenes/gltf.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.atomic import replacing
from scenes.content import BLOCK, sigmoid, to_bytes
from scenes.errors import KilofieldError
from scenes.gaussians import SH_C0, Gaussians
from scenes.gltf import COLOUR_SPACE, EXTENSION, HALF_TURN, POINTS, sh_names
from scenes.gltf_container import BIN_CHUNK, CHUNK, GLB_HEADER, JSON_CHUNK, MAGIC
from scenes.placing import placed
from scenes.quaternions import unit_quaternions

FLOAT, BYTE = 5126, 5121
KINDS = {
    "VEC4 bytes": (BYTE, "VEC4", 4),
    "VEC4": (FLOAT, "VEC4", 16),
    "VEC3": (FLOAT, "VEC3", 12),
    "SCALAR": (FLOAT, "SCALAR", 4),
}


def write_glb(path: Path, gaussians: Gaussians) -> None:
    """Writes one primitive in one node. The format has no word for scenes trained with the mip filter."""
    turned = placed(gaussians, HALF_TURN)
    columns = _columns(turned)
    sizes = [_size(kind, len(gaussians)) for _, kind in columns]
    document = json.dumps(_document(turned, [name for name, _ in columns], sizes), separators=(",", ":")).encode()
    document += b" " * (-len(document) % 4)
    length = GLB_HEADER.size + 2 * CHUNK.size + len(document) + sum(sizes)
    if length >= 1 << 32:
        raise KilofieldError(f"{path}: .glb has room for {(1 << 32) - 1} bytes, found {length}")
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(GLB_HEADER.pack(MAGIC, 2, length))
        file.write(CHUNK.pack(len(document), JSON_CHUNK) + document + CHUNK.pack(sum(sizes), BIN_CHUNK))
        for name, _ in columns:
            for start in range(0, len(turned), BLOCK):
                file.write(np.ascontiguousarray(_column(turned.select(slice(start, start + BLOCK)), name)).tobytes())


def _columns(gaussians: Gaussians) -> list[tuple[str, str]]:
    """Name and kind of each attribute."""
    return [
        ("POSITION", "VEC3"),
        ("COLOR_0", "VEC4 bytes"),
        (f"{EXTENSION}:ROTATION", "VEC4"),
        (f"{EXTENSION}:SCALE", "VEC3"),
        (f"{EXTENSION}:OPACITY", "SCALAR"),
        *((name, "VEC3") for name in sh_names(gaussians.sh_degree)),
    ]


def _size(kind: str, count: int) -> int:
    return KINDS[kind][2] * count


def _column(gaussians: Gaussians, name: str) -> NDArray[Any]:
    """The values of one attribute, little-endian."""
    if name == "POSITION":
        return gaussians.positions.astype("<f4")
    if name == "COLOR_0":
        colours = np.float32(0.5) + np.float32(SH_C0) * gaussians.sh[:, 0]
        return to_bytes(255 * np.concatenate([colours, sigmoid(gaussians.opacity_logits)[:, None]], axis=1))
    if name.endswith(":ROTATION"):
        return unit_quaternions(gaussians.rotations)[:, [1, 2, 3, 0]].astype("<f4")
    if name.endswith(":SCALE"):
        return np.exp(gaussians.log_scales).astype("<f4")
    if name.endswith(":OPACITY"):
        return sigmoid(gaussians.opacity_logits).astype("<f4")
    return gaussians.sh[:, sh_names(gaussians.sh_degree).index(name)].astype("<f4")


def _document(gaussians: Gaussians, names: list[str], sizes: list[int]) -> dict[str, Any]:
    offsets = np.cumsum([0, *sizes]).tolist()
    kinds = dict(_columns(gaussians))
    accessors = []
    for index, name in enumerate(names):
        component, kind, _ = KINDS[kinds[name]]
        accessors.append({"bufferView": index, "componentType": component, "count": len(gaussians), "type": kind})
        if component == BYTE:
            accessors[-1]["normalized"] = True
    accessors[0] |= {
        "min": gaussians.positions.min(axis=0).tolist(),
        "max": gaussians.positions.max(axis=0).tolist(),
    }
    attributes = {name: index for index, name in enumerate(names)}
    extension = {
        "kernel": "ellipse",
        "colorSpace": COLOUR_SPACE,
        "projection": "perspective",
        "sortingMethod": "cameraDistance",
    }
    primitive = {"attributes": attributes, "mode": POINTS, "extensions": {EXTENSION: extension}}
    views = [
        {"buffer": 0, "byteOffset": o, "byteLength": n, "target": 34962} for o, n in zip(offsets, sizes, strict=False)
    ]
    return {
        "asset": {"version": "2.0", "generator": "kilofield"},
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": offsets[-1]}],
    }
