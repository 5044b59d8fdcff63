"""Reading and writing .kilo files of kind `surface`; `docs/kilo-format.md` says the format byte by byte.

The parts: `kilo_container` (header, manifest as JSON), `kilo_surface_manifest` (its meaning, checked),
`kilo_surface_writer`, and what all kinds share: `kilo_node`, `kilo_pack`, `kilo_streams`, `rans`, `octree`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.atomic import replacing
from scenes.bank import MlpBank
from scenes.gaussians import Floats
from scenes.kilo_container import MEMORY, Source, open_source, opened, read_json_manifest
from scenes.kilo_node import check_padding
from scenes.kilo_pack import columns_of_weights
from scenes.kilo_streams import Stream, StreamReader
from scenes.kilo_surface_manifest import (
    LIMITS,
    BankEntry,
    SurfaceChunk,
    SurfaceLimits,
    SurfaceManifest,
    octree_bits,
    parse_surface,
)
from scenes.kilo_surface_writer import SurfaceReport, canonical_surface, coded_weights, encode_surface, integers_of
from scenes.octree import morton_codes
from scenes.progress import Progress, silent
from scenes.surface import NeuralSurface, WeightCoding

__all__ = [
    "SurfaceLimits",
    "SurfaceReport",
    "canonical_surface",
    "coded_weights",
    "integers_of",
    "pack_surface",
    "read_surface",
    "read_surface_manifest",
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
        return _read(open_source(file, os.fspath(path)), chunks, limits, progress)


def unpack_surface(data: bytes, *, limits: SurfaceLimits = LIMITS) -> NeuralSurface:
    """The surface in the bytes of a .kilo file. Raises `SceneFileError`."""
    return _read(open_source(io.BytesIO(data), MEMORY), None, limits, silent)


def read_surface_manifest(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The manifest of a .kilo file, checked against the file but for the streams' contents. Raises `SceneFileError`."""
    with opened(path) as file:
        source = open_source(file, os.fspath(path))
        json, end = read_json_manifest(source)
        parse_surface(source, json, end)
        return json


def _read(source: Source, chunks: Collection[int] | None, limits: SurfaceLimits, progress: Progress) -> NeuralSurface:
    json, end = read_json_manifest(source)
    manifest = parse_surface(source, json, end, limits)
    if chunks is None:
        check_padding(source, manifest.start, manifest.streams(), end)
    return _Reader(source, manifest, progress).surface(_selected(manifest, chunks))


def _selected(manifest: SurfaceManifest, chunks: Collection[int] | None) -> list[tuple[str, SurfaceChunk]]:
    """Chunks in the order of the file, with the names messages give them."""
    count = len(manifest.chunks)
    wanted = range(count) if chunks is None else sorted(set(chunks))
    if any(not 0 <= chunk < count for chunk in wanted):
        raise ValueError(f"chunks: expected some of 0 to {count - 1}, found {list(wanted)}")
    return [(f"chunk {chunk}", manifest.chunks[chunk]) for chunk in wanted]


class _Reader(StreamReader):
    """Reads the chunks of one file."""

    def __init__(self, source: Source, manifest: SurfaceManifest, progress: Progress) -> None:
        super().__init__(source, manifest.start, progress)
        self.manifest = manifest

    def surface(self, chunks: list[tuple[str, SurfaceChunk]]) -> NeuralSurface:
        """The surface of the cells of `chunks`."""
        manifest = self.manifest
        cells = self._cells(chunks)
        geometry, geometry_coding = self._bank("geometry", manifest.geometry, chunks)
        appearance = appearance_coding = None
        if manifest.appearance:
            appearance, appearance_coding = self._bank("appearance", manifest.appearance, chunks)
        return NeuralSurface(
            manifest.grid, cells, manifest.overlap, geometry, appearance, geometry_coding, appearance_coding
        )

    def _cells(self, chunks: list[tuple[str, SurfaceChunk]]) -> NDArray[np.int64]:
        """[K, 3] in the grid and in the order of their Morton codes."""
        size, last = self.manifest.grid.size, -1
        found = [np.empty((0, 3), np.int64)]
        for name, chunk in chunks:
            place = f"{name} coordinates"
            cells = self.array(chunk.coordinates, place, bits=octree_bits(size)).astype(np.int64)
            if (cells >= size).any():
                raise self.source.error(place, f"cells of a grid of {list(size)}", "others")
            codes = morton_codes(cells).astype(np.int64)
            if (np.diff(codes, prepend=last) <= 0).any():
                raise self.source.error(place, "cells in the order of their Morton codes, no two the same", "others")
            last = int(codes[-1])
            found.append(cells)
        return np.concatenate(found)

    def _bank(
        self, name: str, bank: BankEntry, chunks: list[tuple[str, SurfaceChunk]]
    ) -> tuple[MlpBank, WeightCoding | None]:
        """The networks of `chunks`, and what their weights are integers of."""
        coding, tables = self._coding(name, bank), self._tables(name, bank)
        weights = np.empty((sum(chunk.cells for _, chunk in chunks), bank.shape.parameters), np.float32)
        first = 0
        for chunk_name, chunk in chunks:
            found = self._weights(getattr(chunk, name), f"{chunk_name} {name}", bank, coding, tables)
            weights[first : first + chunk.cells] = found
            first += chunk.cells
        return MlpBank(bank.shape, weights), coding

    def _coding(self, name: str, bank: BankEntry) -> WeightCoding | None:
        if bank.steps is None:
            return None
        steps = self.floats(bank.steps, f"{name} steps")
        mean = np.zeros(bank.shape.parameters, np.float32)
        return WeightCoding(mean if bank.mean is None else self.floats(bank.mean, f"{name} mean"), steps)

    def _tables(self, name: str, bank: BankEntry) -> NDArray[np.int64]:
        """[P] the rANS table of each weight."""
        if bank.tables is None:
            return columns_of_weights(bank.shape)
        tables = self.array(bank.tables, f"{name} tables").astype(np.int64)
        if tables.min() < 0:
            raise self.source.error(f"{name} tables", "numbers from 0 to 127", f"{tables.min()}")
        return tables

    def _weights(
        self, stream: Stream, place: str, bank: BankEntry, coding: WeightCoding | None, tables: NDArray[np.int64]
    ) -> Floats:
        """[k, P] of one chunk."""
        if coding is None:
            return self.floats(stream, place)
        weights = coded_weights(self.array(stream, place, tables), coding, bank.shape)
        if not np.isfinite(weights).all():
            raise self.source.error(place, "finite weights", "others")
        return weights
