"""A neural surface as the bytes of a .kilo file: chunks of cells, streams and the manifest about them."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.bank import BankShape, MlpBank
from scenes.errors import SceneFileError
from scenes.gaussians import Floats
from scenes.kilo_container import MEMORY, open_source, read_json_manifest
from scenes.kilo_node import MODULATION
from scenes.kilo_pack import StreamPlacer, bounds_of, columns_of_weights, halves, shape_to_json
from scenes.kilo_streams import Packed, pack_cells, pack_floats, pack_plain, pack_symbols
from scenes.kilo_surface_manifest import KIND, octree_bits, parse_surface
from scenes.octree import morton_codes
from scenes.surface import CellGrid, NeuralSurface, WeightCoding

LARGEST = np.iinfo(np.int16).max  # integer a weight may be
SMALLEST_SPREAD = 1 / 16  # mean size of integers under which all share a table
TABLES_ENTRY = 60  # bytes the manifest takes to name one more stream


@dataclass(frozen=True)
class SurfaceReport:
    """Where the bytes of a .kilo file of a surface are."""

    cells: int  # their coordinates
    geometry: int  # weights, without their tables
    appearance: int
    tables: int  # the rANS tables of all weights
    manifest: int  # with the header
    other: int  # means, steps, padding
    total: int


def coded_weights(integers: NDArray[np.integer], coding: WeightCoding, shape: BankShape) -> Floats:
    """[K, P] weights of `integers` [K, P]: mean + integer * step, each operation in single precision."""
    with np.errstate(over="ignore", invalid="ignore"):  # a reader rejects what is too large for float32
        products: Floats = integers.astype(np.float32) * _step_of_weights(coding, shape)
        return coding.mean.astype(np.float32) + products


def integers_of(weights: Floats, coding: WeightCoding, shape: BankShape) -> NDArray[np.integer]:
    """[K, P] the integers, int8 or int16, of which `coded_weights` makes `weights` again; `ValueError` without any."""
    step = _step_of_weights(coding, shape).astype(np.float64)
    distance = weights - coding.mean.astype(np.float64)
    integers = np.rint(np.divide(distance, step, out=np.zeros_like(distance), where=step != 0))
    if not np.abs(integers).max(initial=0) <= LARGEST or not np.array_equal(
        coded_weights(integers, coding, shape), weights
    ):
        raise ValueError(f"weights: expected mean + integer * step, in float32, with integers up to {LARGEST}")
    return integers.astype(np.int8 if np.abs(integers).max(initial=0) <= 127 else np.int16)


def _step_of_weights(coding: WeightCoding, shape: BankShape) -> Floats:
    """[P]"""
    steps = coding.steps.astype(np.float32)
    return steps if len(steps) == shape.parameters else steps[columns_of_weights(shape)]


def canonical_surface(surface: NeuralSurface) -> NeuralSurface:
    """`surface` as a file gives it back: weights without a coding become half floats, the rest stays as it is."""

    def stored(bank: MlpBank, coding: WeightCoding | None) -> MlpBank:
        return bank if coding else replace(bank, weights=halves(bank.weights, "weights").astype(np.float32))

    geometry, appearance = stored(surface.geometry, surface.geometry_coding), surface.appearance
    if appearance is not None:
        appearance = stored(appearance, surface.appearance_coding)
    return replace(surface, geometry=geometry, appearance=appearance)


def encode_surface(
    surface: NeuralSurface, *, tool: dict[str, Any] | None = None, chunks: list[int] | None = None
) -> tuple[bytes, SurfaceReport]:
    """The file and where its bytes are; see `scenes.kilo_surface.write_surface`."""
    chunks = [len(surface)] if chunks is None else list(chunks)
    if min(chunks, default=0) < 1 or sum(chunks) != len(surface):
        raise ValueError(f"chunks: expected sizes that add up to {len(surface)} cells, found {chunks}")
    _check(surface)
    streams = StreamPlacer()
    data = streams.build(_manifest(surface, streams, chunks) | ({} if tool is None else {"tool": tool}))
    _check_readable(data)
    return data, SurfaceReport(**streams.sizes(data, ("cells", "geometry", "appearance")))


def _check(surface: NeuralSurface) -> None:
    """What the type does not promise but the file needs."""
    banks = surface.geometry, surface.appearance
    if not all(np.isfinite(bank.weights).all() for bank in banks if bank is not None):
        raise ValueError("surface: expected finite weights")
    codes = morton_codes(surface.cells)
    if not (codes[1:] > codes[:-1]).all():
        raise ValueError("cells: expected the order of their Morton codes, no two the same")
    _check_coding("geometry", surface.geometry, surface.geometry_coding)
    _check_coding("appearance", surface.appearance, surface.appearance_coding)


def _check_coding(name: str, bank: MlpBank | None, coding: WeightCoding | None) -> None:
    if coding is None:
        return
    if bank is None:
        raise ValueError(f"{name}: expected no coding without a bank")
    mean, blocks = (bank.shape.parameters,), (len(bank.shape.blocks()),)
    if coding.mean.shape != mean or coding.steps.shape not in (mean, blocks):
        expected, found = f"{mean} and {blocks} or {mean}", f"{coding.mean.shape} and {coding.steps.shape}"
        raise ValueError(f"{name} coding: expected {expected}, found {found}")
    if not np.isfinite(coding.mean).all() or not np.isfinite(coding.steps).all():
        raise ValueError(f"{name} coding: expected finite numbers")


def _check_readable(data: bytes) -> None:
    """Every limit of the format is kept, so that what is written can be read."""
    source = open_source(io.BytesIO(data), MEMORY)
    try:
        parse_surface(source, *read_json_manifest(source))
    except SceneFileError as error:
        raise ValueError(f"surface: {error.place}: expected {error.expected}, found {error.found}") from error


def _manifest(surface: NeuralSurface, streams: StreamPlacer, chunks: list[int]) -> dict[str, Any]:
    starts = np.concatenate([[0], np.cumsum(chunks)]).tolist()
    banks = _pack_banks(surface, starts)
    manifest: dict[str, Any] = {"kind": KIND, "count": len(surface), "grid": _grid(surface.grid)}
    manifest["overlap"] = float(surface.overlap)
    if any("modulation" in bank.shape for bank in banks.values()):
        manifest["requires"] = [MODULATION]
    for name, bank in banks.items():
        placed = {part: streams.place("other", packed) for part, packed in bank.parts.items()}
        manifest[name] = bank.shape | placed
    manifest["chunks"] = [
        _chunk(surface, first, stop, streams) | {n: streams.place(n, bank.chunks[c]) for n, bank in banks.items()}
        for c, (first, stop) in enumerate(pairwise(starts))
    ]
    return manifest


@dataclass(frozen=True)
class _PackedBank:
    shape: dict[str, Any]
    parts: dict[str, Packed]  # steps, mean, tables; those it has
    chunks: list[Packed]  # the weights of each

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(len(packed.data) for packed in (*self.parts.values(), *self.chunks))


def _grid(grid: CellGrid) -> dict[str, Any]:
    origin, size = [float(v) for v in grid.origin], [int(side) for side in grid.size]
    return {"origin": origin, "edge": float(grid.edge), "size": size}


def _pack_banks(surface: NeuralSurface, starts: list[int]) -> dict[str, _PackedBank]:
    banks = {"geometry": _pack_bank(surface.geometry, surface.geometry_coding, starts)}
    if surface.appearance is not None:
        banks["appearance"] = _pack_bank(surface.appearance, surface.appearance_coding, starts)
    return banks


def _pack_bank(bank: MlpBank, coding: WeightCoding | None, starts: list[int]) -> _PackedBank:
    """The bank in chunks that begin at `starts`, with the rANS tables that make it shortest."""
    shape = shape_to_json(bank.shape)
    if coding is None:
        weights = halves(bank.weights, "weights")
        return _PackedBank(shape, {}, [pack_plain(weights[first:stop]) for first, stop in pairwise(starts)])
    parts = {"steps": pack_floats(coding.steps)}
    if coding.mean.any():
        parts["mean"] = pack_floats(coding.mean)
    integers = integers_of(bank.weights, coding, bank.shape)
    by_block = _PackedBank(shape, parts, _pack_integers(integers, columns_of_weights(bank.shape), starts))
    tables = tables_by_spread(integers)
    by_spread = _PackedBank(
        shape, parts | {"tables": pack_plain(tables.astype(np.int8))}, _pack_integers(integers, tables, starts)
    )
    return by_spread if by_spread.size + TABLES_ENTRY < by_block.size else by_block


def _pack_integers(integers: NDArray[np.integer], tables: NDArray[np.int64], starts: list[int]) -> list[Packed]:
    return [pack_symbols(integers[first:stop], tables) for first, stop in pairwise(starts)]


def tables_by_spread(integers: NDArray[np.integer]) -> NDArray[np.int64]:
    """[P] a table for each weight of a network, shared by those whose integers [K, P] are as large on average.

    Half octaves apart. Weights of one block differ in this when some of its inputs matter less than others.
    """
    spread = np.maximum(np.abs(integers.astype(np.int32)).mean(axis=0), SMALLEST_SPREAD)
    return np.unique(np.rint(2 * np.log2(spread)), return_inverse=True)[1].astype(np.int64)


def _chunk(surface: NeuralSurface, first: int, stop: int, streams: StreamPlacer) -> dict[str, Any]:
    """A chunk without its weights."""
    cells = surface.cells[first:stop]
    corners = np.stack([cells.min(axis=0), cells.max(axis=0) + 1])
    box = np.asarray(surface.grid.origin) + surface.grid.edge * corners
    coordinates = pack_cells(cells.astype(np.uint32), octree_bits(surface.grid.size))
    return {
        "cells": [first, stop - first],
        "bounds": bounds_of(box.astype(np.float32)),
        "coordinates": streams.place("cells", coordinates),
    }
