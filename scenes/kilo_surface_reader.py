"""The surface in the bytes of a .kilo: all cells, those of some chunks, or those that are whole."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.bank import MlpBank
from scenes.errors import SceneFileError
from scenes.gaussians import Floats
from scenes.kilo_container import Source, read_json_manifest
from scenes.kilo_node import check_between, whole_streams
from scenes.kilo_pack import columns_of_weights
from scenes.kilo_salvage import Damage, Lost, fatal
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
from scenes.kilo_surface_writer import coded_weights
from scenes.octree import morton_codes
from scenes.progress import Progress, silent
from scenes.surface import NeuralSurface, WeightCoding

Cells = NDArray[np.int64]


@dataclass(frozen=True)
class BankKey:
    """What the weights of all chunks are read with."""

    coding: WeightCoding | None  # None: they are half floats
    tables: NDArray[np.int64]  # [P] the rANS table of each weight


@dataclass(frozen=True)
class CellPart:
    """What one chunk holds."""

    cells: Cells  # [k, 3]
    geometry: Floats  # [k, P]
    appearance: Floats | None  # [k, Q]; None without a bank, or when it is damaged


def read_cells(
    source: Source,
    chunks: Collection[int] | None = None,
    limits: SurfaceLimits = LIMITS,
    progress: Progress = silent,
) -> NeuralSurface:
    """The surface, or some chunks of it; see `scenes.kilo_surface.read_surface`. Raises `SceneFileError`."""
    json, end = read_json_manifest(source)
    manifest = parse_surface(source, json, end, limits)
    if chunks is None:
        check_between(source, manifest.start, manifest.streams(), end, None)
    reader = SurfaceReader(source, manifest, progress)
    found = [reader.chunk(index) for index in _selected(len(manifest.chunks), chunks)]
    return reader.surface([part for part in found if part is not None])


def salvage_cells(
    source: Source, damage: Damage, limits: SurfaceLimits = LIMITS, progress: Progress = silent
) -> NeuralSurface:
    """The cells whose place and shape are whole; `damage` has the rest. Those without colour are grey.

    Raises `SceneFileError` when there are none.
    """
    try:
        json, end = read_json_manifest(source)
        manifest = parse_surface(source, json, end, limits, whole=False)
    except SceneFileError as error:
        damage.errors.append(error)
        raise fatal(error) from error
    damage.unit, damage.count = "cells", manifest.count
    check_between(source, manifest.start, manifest.streams(), end, damage)
    reader = SurfaceReader(source, manifest, progress, damage)
    found = [reader.chunk(index) for index in range(len(manifest.chunks))]
    if reader.geometry is None:
        raise fatal(next(error for error in damage.errors if error.place.startswith("geometry ")))
    parts = [part for part in found if part is not None]
    if not parts:
        raise source.error("chunks", "one that is whole", f"none of {len(found)}; nothing is salvaged")
    damage.kept = sum(len(part.cells) for part in parts)
    damage.grey = sum(len(part.cells) for part in parts if manifest.appearance and part.appearance is None)
    return reader.surface(parts)


def survey_cells(source: Source) -> Damage:
    """How much `salvage_cells` would read, by checksums alone. Raises `SceneFileError`."""
    json, end = read_json_manifest(source)
    manifest = parse_surface(source, json, end, whole=False)
    whole = whole_streams(source, manifest.start, manifest.streams()) | {None}
    colour = manifest.appearance
    coloured = colour is not None and {colour.steps, colour.mean, colour.tables} <= whole
    damage = Damage("cells", count=manifest.count)
    shape = manifest.geometry
    for chunk in manifest.chunks if {shape.steps, shape.mean, shape.tables} <= whole else ():
        if {chunk.coordinates, chunk.geometry} <= whole:
            damage.kept += chunk.cells
            damage.grey += chunk.cells if colour and not (coloured and chunk.appearance in whole) else 0
    return damage


def _selected(count: int, chunks: Collection[int] | None) -> list[int]:
    """Chunks in the order of the file."""
    wanted = list(range(count)) if chunks is None else sorted(set(chunks))
    if any(not 0 <= chunk < count for chunk in wanted):
        raise ValueError(f"chunks: expected some of 0 to {count - 1}, found {wanted}")
    return wanted


class SurfaceReader(StreamReader):
    """Reads the chunks of one file, in its order."""

    def __init__(
        self, source: Source, manifest: SurfaceManifest, progress: Progress, damage: Damage | None = None
    ) -> None:
        super().__init__(source, manifest.start, progress, damage)
        self.manifest = manifest
        self._last = -1  # the Morton code of the last cell read
        self.geometry = self._key("geometry", manifest.geometry)
        self.appearance = self._key("appearance", manifest.appearance) if manifest.appearance else None

    def chunk(self, index: int) -> CellPart | None:
        """A chunk's cells; None once it is noted that their places or shapes are damaged."""
        manifest, place = self.manifest, f"chunk {index}"
        chunk = manifest.chunks[index]
        cells = self.attempt(self._cells, chunk, f"{place} coordinates")
        geometry = self.attempt(self._weights, chunk.geometry, f"{place} geometry", manifest.geometry, self.geometry)
        appearance = None
        if manifest.appearance and chunk.appearance:
            bank, key = manifest.appearance, self.appearance
            appearance = self.attempt(self._weights, chunk.appearance, f"{place} appearance", bank, key)
        if cells is None or geometry is None:
            self._lose("", index, chunk.coordinates, chunk.geometry)
            return None
        if chunk.appearance and appearance is None:
            self._lose("the colour", index, chunk.appearance)
        return CellPart(cells, geometry, appearance)

    def _lose(self, what: str, chunk: int, *streams: Stream | None) -> None:
        assert self.damage is not None  # without it what is wrong was raised
        self.damage.lost.append(Lost(what, chunk, self.is_cut(*streams)))

    def surface(self, parts: list[CellPart]) -> NeuralSurface:
        """The surface of some chunks; cells without colour are grey, and without any there is no appearance."""
        manifest, size = self.manifest, sum(len(part.cells) for part in parts)
        geometry, appearance = self.geometry, self.appearance
        assert geometry is not None  # else it was raised, or is by who salvages
        coloured = [part.appearance for part in parts]
        colour = colour_coding = None
        if manifest.appearance and appearance and (size == 0 or any(part is not None for part in coloured)):
            colour = MlpBank(manifest.appearance.shape, _stacked(manifest.appearance, parts, coloured))
            colour_coding = None if any(part is None for part in coloured) else appearance.coding  # grey is not coded
        return NeuralSurface(
            manifest.grid,
            np.concatenate([np.empty((0, 3), np.int64), *(part.cells for part in parts)]),
            manifest.overlap,
            MlpBank(manifest.geometry.shape, _stacked(manifest.geometry, parts, [part.geometry for part in parts])),
            colour,
            geometry.coding,
            colour_coding,
        )

    def _cells(self, chunk: SurfaceChunk, place: str) -> Cells:
        """[k, 3] in the grid and in the order of their Morton codes."""
        size = self.manifest.grid.size
        cells = self.array(chunk.coordinates, place, bits=octree_bits(size)).astype(np.int64)
        if (cells >= size).any():
            raise self.source.error(place, f"cells of a grid of {list(size)}", "others")
        codes = morton_codes(cells).astype(np.int64)
        if (np.diff(codes, prepend=self._last) <= 0).any():
            raise self.source.error(place, "cells in the order of their Morton codes, no two the same", "others")
        self._last = int(codes[-1])
        return cells

    def _key(self, name: str, bank: BankEntry) -> BankKey | None:
        """None once it is noted that it is damaged."""
        tables = self.attempt(self._tables, name, bank)
        if bank.steps is None:
            return None if tables is None else BankKey(None, tables)
        steps = self.attempt(self.floats, bank.steps, f"{name} steps")
        mean: Floats | None = np.zeros(bank.shape.parameters, np.float32)
        if bank.mean is not None:
            mean = self.attempt(self.floats, bank.mean, f"{name} mean")
        if tables is None or steps is None or mean is None:
            return None
        return BankKey(WeightCoding(mean, steps), tables)

    def _tables(self, name: str, bank: BankEntry) -> NDArray[np.int64]:
        if bank.tables is None:
            return columns_of_weights(bank.shape)
        tables = self.array(bank.tables, f"{name} tables").astype(np.int64)
        if tables.min() < 0:
            raise self.source.error(f"{name} tables", "numbers from 0 to 127", f"{tables.min()}")
        return tables

    def _weights(self, stream: Stream, place: str, bank: BankEntry, key: BankKey | None) -> Floats | None:
        """[k, P] of one chunk; without a key None, once it is sure that the stream has its checksum."""
        if key is None:
            self.stored(stream, place)
            return None
        if key.coding is None:
            return self.floats(stream, place)
        weights = coded_weights(self.array(stream, place, key.tables), key.coding, bank.shape)
        if not np.isfinite(weights).all():
            raise self.source.error(place, "finite weights", "others")
        return weights


def _stacked(bank: BankEntry, parts: list[CellPart], weights: Sequence[Floats | None]) -> Floats:
    """[K, P] of all `parts`; zeros where there are no `weights`, of which a network makes 0."""
    if len(parts) == 1 and weights[0] is not None:
        return weights[0]
    width = bank.shape.parameters
    found = [
        np.zeros((len(part.cells), width), np.float32) if mine is None else mine
        for part, mine in zip(parts, weights, strict=True)
    ]
    return np.concatenate([np.empty((0, width), np.float32), *found])
