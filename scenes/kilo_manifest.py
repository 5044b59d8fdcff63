"""The manifest of a .kilo of kind `gaussians`: from untrusted JSON to checked dataclasses.

Every number is checked against the file or a limit here, so that what reads the streams can take memory for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scenes.bank import BankShape
from scenes.kilo_container import Source, aligned
from scenes.kilo_node import (
    FLOATS,
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
from scenes.neural_gaussians import AttributeLayout, PositionGrid
from scenes.octree import MAX_BITS

KIND = "gaussians"
MAX_GAUSSIANS = MAX_LENGTH
MAX_NETWORKS = 1 << 20


@dataclass(frozen=True)
class Tier:
    """A part of a chunk's Gaussians, in falling importance."""

    counts: tuple[int, ...]  # Gaussians of each cluster of the chunk
    positions: Stream
    codes: Stream | None


@dataclass(frozen=True)
class Chunk:
    """Consecutive clusters that can be read by themselves."""

    first: int
    clusters: int
    boxes: Stream
    weights: Stream
    steps: Stream | None
    tiers: tuple[Tier, ...]


@dataclass(frozen=True)
class Manifest:
    """A checked manifest of kind `gaussians`."""

    start: int  # of the data, in bytes from the start of the file
    count: int
    sh_degree: int
    antialiased: bool
    grid: PositionGrid | None
    shape: BankShape
    networks: int
    outputs: Stream
    chunks: tuple[Chunk, ...]

    def streams(self) -> Streams:
        """Every stream with the name messages give it."""
        found: list[tuple[str, Stream | None]] = [("outputs", self.outputs)]
        for c, chunk in enumerate(self.chunks):
            found += [(f"chunk {c} {name}", getattr(chunk, name)) for name in ("boxes", "weights", "steps")]
            for t, tier in enumerate(chunk.tiers):
                found += [(f"chunk {c} tier {t} {name}", getattr(tier, name)) for name in ("positions", "codes")]
        return [(name, stream) for name, stream in found if stream is not None]


def parse_manifest(
    source: Source, json: Any, end: int, max_gaussians: int = MAX_GAUSSIANS, whole: bool = True
) -> Manifest:
    """The checked manifest of a file; `end` is the offset behind it. Raises `SceneFileError`.

    A file that need not be `whole` may be shorter or longer than its streams.
    """
    root = Node(source, "", json)
    root["kind"].choice((KIND,))
    check_features(root)
    count = root["count"].integer(0, MAX_GAUSSIANS)
    if count > max_gaussians:
        root["count"].fail(f"at most {max_gaussians} Gaussians (--max-gaussians)")
    degree = root["sh_degree"].integer(0, 3)
    grid = _grid(root["grid"]) if root.has("grid") else None
    shape = bank_shape(root["bank"], AttributeLayout(degree).outputs)
    networks = root["bank"]["networks"].integer(1, MAX_NETWORKS)
    outputs = checked_stream(root["outputs"], (2, shape.outputs), FLOATS, ("raw", "zstd"))
    chunks = _chunks(root["chunks"], networks, count, shape, grid is not None)
    antialiased = root["antialiased"].flag() if root.has("antialiased") else False
    manifest = Manifest(aligned(end), count, degree, antialiased, grid, shape, networks, outputs, chunks)
    check_layout(source, manifest.start, manifest.streams(), whole=whole)
    return manifest


def _grid(node: Node) -> PositionGrid:
    x, y, z = (value.number() for value in node["origin"].items(3, 3))
    step = node["step"].number()
    if not step > 0:
        node["step"].fail("a number above 0")
    return PositionGrid((x, y, z), step, node["bits"].integer(1, MAX_BITS))


def _chunks(node: Node, networks: int, count: int, shape: BankShape, on_grid: bool) -> tuple[Chunk, ...]:
    chunks, first, found = [], 0, 0
    for item in node.items(1, networks):
        chunk = _chunk(item, first, networks, count, shape, on_grid)
        chunks.append(chunk)
        first += chunk.clusters
        found += sum(sum(tier.counts) for tier in chunk.tiers)
    if len({chunk.steps is None for chunk in chunks}) > 1:
        node.fail("weight steps in all chunks or in none")
    if first != networks:
        node.fail(f"chunks of {networks} clusters")
    if found != count:
        node.fail(f"tiers of {count} Gaussians")
    return tuple(chunks)


def _chunk(node: Node, first: int, networks: int, count: int, shape: BankShape, on_grid: bool) -> Chunk:
    start, size = node["clusters"].items(2, 2)
    start.integer(first, first)
    clusters = size.integer(1, networks - first)
    check_box(node["bounds"])
    stepped = node.has("steps")
    weights = ("int8",) if stepped else ("float16",)
    return Chunk(
        first,
        clusters,
        boxes=checked_stream(node["boxes"], (clusters, 2, 3), FLOATS, ("raw", "zstd")),
        weights=checked_stream(
            node["weights"], (clusters, shape.parameters), weights, ("raw", "zstd", "rans") if stepped else CODECS[:2]
        ),
        steps=checked_stream(node["steps"], (clusters, len(shape.blocks())), FLOATS, CODECS[:2]) if stepped else None,
        tiers=tuple(_tier(tier, clusters, count, shape.code, on_grid) for tier in node["tiers"].items(1, 256)),
    )


def _tier(node: Node, clusters: int, count: int, code: int, on_grid: bool) -> Tier:
    counts = tuple(n.integer(0, count) for n in node["counts"].items(clusters, clusters))
    size = sum(counts)
    dtypes, codecs = (("uint32",), ("raw", "zstd", "octree")) if on_grid else (("float16",), CODECS[:2])
    positions = checked_stream(node["positions"], (size, 3), dtypes, codecs)
    codes = checked_stream(node["codes"], (size, code), ("int16",), ("raw", "zstd", "rans")) if code else None
    return Tier(counts, positions, codes)
