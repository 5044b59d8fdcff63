"""The manifest of a .kilo of kind `surface`: from untrusted JSON to checked dataclasses.

Every number is checked against the file or a limit here, so that what reads the streams can take memory for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scenes.bank import BankShape
from scenes.kilo_container import Source, aligned
from scenes.kilo_node import (
    FLOATS,
    MAX_DECODED,
    MAX_LENGTH,
    Node,
    Streams,
    bank_shape,
    check_box,
    check_features,
    check_layout,
    checked_stream,
)
from scenes.kilo_streams import CODECS, Stream
from scenes.octree import MAX_BITS
from scenes.surface import APPEARANCE_CODE, CellGrid

KIND = "surface"
COLOURS = 3
SMALLEST_EDGE = 1e-30  # of a cell: still above 0 in single precision


@dataclass(frozen=True)
class SurfaceLimits:
    """What a file may ask for at most."""

    cells: int = 1 << 22
    volume: int = 1 << 27  # cells of the whole grid, empty ones too: whoever renders it has a number for each
    decoded: int = MAX_DECODED  # bytes of all streams together


LIMITS = SurfaceLimits()


@dataclass(frozen=True)
class BankEntry:
    """A bank, and what its weights are integers of; without steps they are half floats."""

    shape: BankShape
    steps: Stream | None
    mean: Stream | None  # only with steps; zeros where there is none
    tables: Stream | None  # only with steps; a table for each block where there is none

    def streams(self, name: str) -> list[tuple[str, Stream | None]]:
        """Every stream of the bank `name`."""
        return [(f"{name} {part}", getattr(self, part)) for part in ("steps", "mean", "tables")]


@dataclass(frozen=True)
class SurfaceChunk:
    """Consecutive cells that can be read by themselves."""

    first: int
    cells: int
    coordinates: Stream
    geometry: Stream
    appearance: Stream | None


@dataclass(frozen=True)
class SurfaceManifest:
    """A checked manifest of kind `surface`."""

    start: int  # of the data, in bytes from the start of the file
    count: int  # cells
    grid: CellGrid
    overlap: float
    geometry: BankEntry
    appearance: BankEntry | None
    chunks: tuple[SurfaceChunk, ...]

    def streams(self) -> Streams:
        """Every stream with the name messages give it."""
        found: list[tuple[str, Stream | None]] = []
        for name, bank in (("geometry", self.geometry), ("appearance", self.appearance)):
            found += bank.streams(name) if bank else []
        for c, chunk in enumerate(self.chunks):
            found += [(f"chunk {c} {name}", getattr(chunk, name)) for name in ("coordinates", "geometry", "appearance")]
        return [(name, stream) for name, stream in found if stream is not None]


def octree_bits(size: tuple[int, int, int]) -> int:
    """The bits a coordinate of a cell takes in the octree codec."""
    return max((max(size) - 1).bit_length(), 1)


def parse_surface(
    source: Source, json: Any, end: int, limits: SurfaceLimits = LIMITS, whole: bool = True
) -> SurfaceManifest:
    """The checked manifest of a file; `end` is the offset behind it. Raises `SceneFileError`.

    A file that need not be `whole` may be shorter or longer than its streams.
    """
    root = Node(source, "", json)
    root["kind"].choice((KIND,))
    check_features(root)
    count = root["count"].integer(1, limits.cells)
    grid = _grid(root["grid"], limits.volume)
    geometry = _geometry(root["geometry"])
    appearance = _appearance(root["appearance"]) if root.has("appearance") else None
    manifest = SurfaceManifest(
        start=aligned(end),
        count=count,
        grid=grid,
        overlap=_overlap(root["overlap"]),
        geometry=geometry,
        appearance=appearance,
        chunks=_chunks(root["chunks"], count, geometry, appearance),
    )
    check_layout(source, manifest.start, manifest.streams(), limits.decoded, whole)
    return manifest


def _grid(node: Node, volume: int) -> CellGrid:
    x, y, z = (value.number() for value in node["origin"].items(3, 3))
    edge = node["edge"].number()
    if not edge >= SMALLEST_EDGE:
        node["edge"].fail(f"{SMALLEST_EDGE} or more")
    columns, rows, layers = (side.integer(1, 1 << MAX_BITS) for side in node["size"].items(3, 3))
    if math.prod((columns, rows, layers)) > volume:
        node["size"].fail(f"at most {volume} cells")
    return CellGrid((x, y, z), edge, (columns, rows, layers))


def _overlap(node: Node) -> float:
    if not 0 <= node.number() <= 0.5:
        node.fail("a number from 0 to 0.5")
    return node.number()


def _geometry(node: Node) -> BankEntry:
    node["code"].integer(0, 0)
    return _bank(node, 1)


def _appearance(node: Node) -> BankEntry:
    if node["code"].integer(0, APPEARANCE_CODE) not in (0, APPEARANCE_CODE):
        node["code"].fail(f"0 or {APPEARANCE_CODE}")
    node["output_activation"].choice(("tanh",))
    return _bank(node, COLOURS)


def _bank(node: Node, outputs: int) -> BankEntry:
    shape = bank_shape(node, outputs)
    for name in ("mean", "tables"):
        if node.has(name) and not node.has("steps"):
            node[name].fail("none without steps")

    def optional(name: str, size: int, dtypes: tuple[str, ...]) -> Stream | None:
        return checked_stream(node[name], (size,), dtypes, CODECS[:2]) if node.has(name) else None

    return BankEntry(
        shape,
        steps=optional("steps", _step_count(node["steps"], shape), FLOATS) if node.has("steps") else None,
        mean=optional("mean", shape.parameters, FLOATS),
        tables=optional("tables", shape.parameters, ("int8",)),
    )


def _step_count(node: Node, shape: BankShape) -> int:
    """One for each weight where the stream is that long, else for each block."""
    (length,) = node["shape"].items(1, 1)
    blocks = len(shape.blocks())
    return shape.parameters if length.integer(0, MAX_LENGTH) == shape.parameters else blocks


def _chunks(node: Node, count: int, geometry: BankEntry, appearance: BankEntry | None) -> tuple[SurfaceChunk, ...]:
    chunks: list[SurfaceChunk] = []
    first = 0
    for item in node.items(1, count):
        start, size = item["cells"].items(2, 2)
        start.integer(first, first)
        cells = size.integer(1, count - first)
        check_box(item["bounds"])
        coordinates = checked_stream(item["coordinates"], (cells, 3), ("uint32",), ("raw", "zstd", "octree"))
        weights = _weights(item["geometry"], cells, geometry)
        colours = _weights(item["appearance"], cells, appearance) if appearance else None
        chunks.append(SurfaceChunk(first, cells, coordinates, weights, colours))
        first += cells
    if first != count:
        node.fail(f"chunks of {count} cells")
    return tuple(chunks)


def _weights(node: Node, cells: int, bank: BankEntry) -> Stream:
    stepped = bank.steps is not None
    dtypes, codecs = (("int8", "int16"), CODECS[:3]) if stepped else (("float16",), CODECS[:2])
    return checked_stream(node, (cells, bank.shape.parameters), dtypes, codecs)
