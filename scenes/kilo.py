"""Reading and writing .kilo files of kind `gaussians`; `docs/kilo-format.md` says the format byte by byte.

The parts: `kilo_container` (header, manifest as JSON), `kilo_manifest` (its meaning, checked), `kilo_streams` (arrays
as bytes), `rans` and `octree` (the coders), `kilo_reader` and `kilo_writer`, `kilo_salvage` (of damaged files).
"""

from __future__ import annotations

import io
import os
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.atomic import replacing
from scenes.content import ReadOptions
from scenes.errors import SceneFileError
from scenes.kilo_container import MEMORY, open_source, opened, read_json_manifest
from scenes.kilo_manifest import MAX_GAUSSIANS, parse_manifest
from scenes.kilo_reader import read_gaussians, salvage_gaussians, survey_gaussians
from scenes.kilo_salvage import Damage, hinted
from scenes.kilo_writer import KiloReport, canonical_order, encode_kilo
from scenes.neural_gaussians import NeuralGaussians
from scenes.progress import Progress, silent

__all__ = [
    "KiloReport",
    "canonical_order",
    "open_kilo",
    "pack_kilo",
    "read_kilo",
    "read_manifest",
    "salvage_kilo",
    "unpack_kilo",
    "write_kilo",
]


def write_kilo(
    path: str | os.PathLike[str],
    scene: NeuralGaussians,
    *,
    tool: dict[str, Any] | None = None,
    chunks: list[int] | None = None,
    tiers: NDArray[np.integer] | None = None,
) -> KiloReport:
    """Write `scene` and say where the bytes went.

    `chunks` are the clusters each chunk has, in order (default: one chunk of all). `tiers` [N] is 0 for the most
    important Gaussians and grows; every prefix of the file that ends with a tier is a picture (default: one tier).
    `tool` is free-form JSON about how the file was made. `read_kilo` gives `canonical_order(scene, tiers)` back.
    Raises `ValueError` for a scene the format cannot hold exactly, `KilofieldError` for a path it cannot write.
    """
    data, report = encode_kilo(scene, tool=tool, chunks=chunks, tiers=tiers)
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return report


def pack_kilo(
    scene: NeuralGaussians,
    *,
    tool: dict[str, Any] | None = None,
    chunks: list[int] | None = None,
    tiers: NDArray[np.integer] | None = None,
) -> bytes:
    """The bytes `write_kilo` would write."""
    return encode_kilo(scene, tool=tool, chunks=chunks, tiers=tiers)[0]


def read_kilo(
    path: str | os.PathLike[str],
    chunks: Collection[int] | None = None,
    tiers: Collection[int] | None = None,
    *,
    max_gaussians: int = MAX_GAUSSIANS,
    progress: Progress = silent,
) -> NeuralGaussians:
    """The scene in a .kilo file; `progress` is told the share of its bytes that are decoded.

    With `chunks` or `tiers`, only those are read from the file: the clusters of other chunks have no Gaussians, boxes
    of size 1 and networks of zeros. A tier a chunk does not have is left out. Raises `SceneFileError`.
    """
    with opened(path) as file:
        return read_gaussians(open_source(file, os.fspath(path)), chunks, tiers, max_gaussians, progress)


def salvage_kilo(
    path: str | os.PathLike[str],
    damage: Damage,
    *,
    max_gaussians: int = MAX_GAUSSIANS,
    progress: Progress = silent,
) -> NeuralGaussians:
    """What is whole of the scene in a damaged or truncated .kilo; `damage` has what is not, whatever comes of it.

    Chunks whose boxes or networks are damaged are left out, with their clusters, and tiers of which any stream is. A
    whole file is read as by `read_kilo`. Raises `SceneFileError` when nothing can be read.
    """
    with opened(path) as file:
        return salvage_gaussians(open_source(file, os.fspath(path)), damage, max_gaussians, progress)


def open_kilo(
    path: str | os.PathLike[str], options: ReadOptions, progress: Progress = silent
) -> tuple[NeuralGaussians, tuple[str, ...]]:
    """The scene as commands open it, and what is missing of it, one sentence each: something only with `salvage`.

    Without, `SceneFileError` says whether something could be salvaged.
    """
    most = options.max_gaussians
    if options.salvage:
        damage = Damage()
        return salvage_kilo(path, damage, max_gaussians=most, progress=progress), damage.notes()
    try:
        return read_kilo(path, max_gaussians=most, progress=progress), ()
    except SceneFileError as error:
        raise _hinted(path, error) from error


def _hinted(path: str | os.PathLike[str], error: SceneFileError) -> SceneFileError:
    with opened(path) as file:
        return hinted(error, lambda: survey_gaussians(open_source(file, os.fspath(path))))


def unpack_kilo(data: bytes, *, max_gaussians: int = MAX_GAUSSIANS) -> NeuralGaussians:
    """The scene in the bytes of a .kilo file. Raises `SceneFileError`."""
    return read_gaussians(open_source(io.BytesIO(data), MEMORY), max_gaussians=max_gaussians)


def read_manifest(path: str | os.PathLike[str], *, whole: bool = True) -> dict[str, Any]:
    """The manifest of a .kilo file, checked against the file but for the streams' contents. Raises `SceneFileError`.

    A file that need not be `whole` may be shorter or longer than its streams.
    """
    with opened(path) as file:
        source = open_source(file, os.fspath(path))
        json, end = read_json_manifest(source)
        parse_manifest(source, json, end, whole=whole)
        return json
