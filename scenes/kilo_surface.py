"""Reading and writing .kilo files of kind `surface`; `docs/kilo-format.md` says the format byte by byte.

The parts: `kilo_container` (header, manifest as JSON), `kilo_surface_manifest` (its meaning, checked),
`kilo_surface_reader`, `kilo_surface_writer`, and what all kinds share: `kilo_node`, `kilo_pack`, `kilo_streams`,
`kilo_salvage` (of damaged files), `rans`, `octree`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Collection
from typing import Any

from scenes.atomic import replacing
from scenes.content import ReadOptions
from scenes.errors import SceneFileError
from scenes.kilo_container import MEMORY, open_source, opened, read_json_manifest
from scenes.kilo_salvage import Damage, hinted
from scenes.kilo_surface_manifest import LIMITS, SurfaceLimits, parse_surface
from scenes.kilo_surface_reader import read_cells, salvage_cells, survey_cells
from scenes.kilo_surface_writer import SurfaceReport, canonical_surface, coded_weights, encode_surface, integers_of
from scenes.progress import Progress, silent
from scenes.surface import NeuralSurface

__all__ = [
    "SurfaceLimits",
    "SurfaceReport",
    "canonical_surface",
    "coded_weights",
    "integers_of",
    "open_surface",
    "pack_surface",
    "read_surface",
    "read_surface_manifest",
    "salvage_surface",
    "unpack_surface",
    "write_surface",
]


def write_surface(
    path: str | os.PathLike[str],
    surface: NeuralSurface,
    *,
    tool: dict[str, Any] | None = None,
    chunks: list[int] | None = None,
) -> SurfaceReport:
    """Write `surface` and say where the bytes went.

    `chunks` are the cells each chunk has, in order (default: one chunk of all). `tool` is free-form JSON about how the
    file was made. `read_surface` gives `canonical_surface(surface)` back. Raises `ValueError` for a surface the format
    cannot hold exactly, `KilofieldError` for a path it cannot write.
    """
    data, report = encode_surface(surface, tool=tool, chunks=chunks)
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return report


def pack_surface(
    surface: NeuralSurface, *, tool: dict[str, Any] | None = None, chunks: list[int] | None = None
) -> bytes:
    """The bytes `write_surface` would write."""
    return encode_surface(surface, tool=tool, chunks=chunks)[0]


def read_surface(
    path: str | os.PathLike[str],
    chunks: Collection[int] | None = None,
    *,
    limits: SurfaceLimits = LIMITS,
    progress: Progress = silent,
) -> NeuralSurface:
    """The surface in a .kilo file; `progress` is told the share of its bytes that are decoded.

    With `chunks`, only those are read from the file, and the surface has only their cells. Raises `SceneFileError`;
    `ValueError` for a chunk the file does not have.
    """
    with opened(path) as file:
        return read_cells(open_source(file, os.fspath(path)), chunks, limits, progress)


def salvage_surface(
    path: str | os.PathLike[str], damage: Damage, *, limits: SurfaceLimits = LIMITS, progress: Progress = silent
) -> NeuralSurface:
    """What is whole of the surface in a damaged or truncated .kilo; `damage` has what is not, whatever comes of it.

    Chunks whose coordinates or geometry are damaged are left out; those whose appearance is are grey. A whole file is
    read as by `read_surface`. Raises `SceneFileError` when nothing can be read.
    """
    with opened(path) as file:
        return salvage_cells(open_source(file, os.fspath(path)), damage, limits, progress)


def open_surface(
    path: str | os.PathLike[str], options: ReadOptions, progress: Progress = silent
) -> tuple[NeuralSurface, tuple[str, ...]]:
    """The surface as commands open it, and what is missing of it, one sentence each: something only with `salvage`.

    Without, `SceneFileError` says whether something could be salvaged.
    """
    if options.salvage:
        damage = Damage()
        return salvage_surface(path, damage, progress=progress), damage.notes()
    try:
        return read_surface(path, progress=progress), ()
    except SceneFileError as error:
        raise _hinted(path, error) from error


def _hinted(path: str | os.PathLike[str], error: SceneFileError) -> SceneFileError:
    with opened(path) as file:
        return hinted(error, lambda: survey_cells(open_source(file, os.fspath(path))))


def unpack_surface(data: bytes, *, limits: SurfaceLimits = LIMITS) -> NeuralSurface:
    """The surface in the bytes of a .kilo file. Raises `SceneFileError`."""
    return read_cells(open_source(io.BytesIO(data), MEMORY), limits=limits)


def read_surface_manifest(path: str | os.PathLike[str], *, whole: bool = True) -> dict[str, Any]:
    """The manifest of a .kilo file, checked against the file but for the streams' contents. Raises `SceneFileError`.

    A file that need not be `whole` may be shorter or longer than its streams.
    """
    with opened(path) as file:
        source = open_source(file, os.fspath(path))
        json, end = read_json_manifest(source)
        parse_surface(source, json, end, whole=whole)
        return json
