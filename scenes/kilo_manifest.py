"""The manifest of a .kilo: from untrusted JSON to checked dataclasses.

Every number is checked against the file or a limit here, so that what reads the streams can take memory for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scenes.bank import ACTIVATIONS, MAX_MODULATION, OUTPUT_ACTIVATIONS, BankShape
from scenes.kilo_container import ALIGNMENT, Source, aligned
from scenes.kilo_streams import CODECS, DTYPES, Stream, allowed_raw
from scenes.neural_gaussians import AttributeLayout, PositionGrid
from scenes.octree import MAX_BITS

MODULATION = "modulation"
FEATURES = frozenset({MODULATION})  # what `requires` may name; later versions add to it
MAX_GAUSSIANS = 100_000_000
MAX_DECODED = 1 << 34  # bytes of all streams together
MAX_NETWORKS = 1 << 20
MAX_SIZE = 4096  # of a network's width and code
MAX_LAYERS = 64
MAX_FREQUENCIES = 64
_FLOATS = ("float16", "float32")


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

    def streams(self) -> list[tuple[str, Stream]]:
        """Every stream with the name messages give it."""
        found: list[tuple[str, Stream | None]] = [("outputs", self.outputs)]
        for c, chunk in enumerate(self.chunks):
            found += [(f"chunk {c} {name}", getattr(chunk, name)) for name in ("boxes", "weights", "steps")]
            for t, tier in enumerate(chunk.tiers):
                found += [(f"chunk {c} tier {t} {name}", getattr(tier, name)) for name in ("positions", "codes")]
        return [(name, stream) for name, stream in found if stream is not None]


class _Node:
    """A value in the manifest, its place for messages, and the checks on it."""

    def __init__(self, source: Source, place: str, value: Any) -> None:
        self.source, self.place, self.value = source, place, value

    def fail(self, expected: str) -> Any:
        text = repr(self.value)
        raise self.source.error(f"manifest {self.place}", expected, text if len(text) <= 40 else text[:37] + "...")

    def __getitem__(self, key: str) -> _Node:
        if not isinstance(self.value, dict):
            self.fail("an object")
        place = f"{self.place}.{key}" if self.place else key
        return _Node(self.source, place, self.value.get(key))

    def has(self, key: str) -> bool:
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def items(self, low: int, high: int) -> list[_Node]:
        if not isinstance(self.value, list) or not low <= len(self.value) <= high:
            self.fail(f"a list of {low}" + (f" to {high}" if high > low else ""))
        return [_Node(self.source, f"{self.place}[{i}]", value) for i, value in enumerate(self.value)]

    def integer(self, low: int, high: int) -> int:
        if type(self.value) is not int or not low <= self.value <= high:
            self.fail(f"an integer from {low} to {high}")
        return self.value

    def number(self) -> float:
        if type(self.value) not in (int, float) or not -1e30 < self.value < 1e30:
            self.fail("a number within 1e30")
        return float(self.value)

    def choice(self, choices: tuple[str, ...]) -> str:
        if self.value not in choices or not isinstance(self.value, str):
            self.fail("one of " + ", ".join(choices))
        return self.value

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            self.fail("true or false")
        return self.value


def parse_manifest(source: Source, json: Any, end: int, max_gaussians: int = MAX_GAUSSIANS) -> Manifest:
    """The checked manifest of a file; `end` is the offset behind it. Raises `SceneFileError`."""
    root = _Node(source, "", json)
    root["kind"].choice(("gaussians",))
    for feature in root["requires"].items(0, 64) if root.has("requires") else ():
        if feature.value not in FEATURES or not isinstance(feature.value, str):
            feature.fail("a feature this program has")
    count = root["count"].integer(0, max_gaussians)
    degree = root["sh_degree"].integer(0, 3)
    grid = _grid(root["grid"]) if root.has("grid") else None
    shape = _shape(root["bank"], degree)
    networks = root["bank"]["networks"].integer(1, MAX_NETWORKS)
    outputs = _stream(root["outputs"], (2, shape.outputs), _FLOATS, ("raw", "zstd"))
    chunks = _chunks(root["chunks"], networks, count, shape, grid is not None)
    antialiased = root["antialiased"].flag() if root.has("antialiased") else False
    manifest = Manifest(aligned(end), count, degree, antialiased, grid, shape, networks, outputs, chunks)
    _check_layout(source, manifest)
    return manifest


def _grid(node: _Node) -> PositionGrid:
    x, y, z = (value.number() for value in node["origin"].items(3, 3))
    step = node["step"].number()
    if not step > 0:
        node["step"].fail("a number above 0")
    return PositionGrid((x, y, z), step, node["bits"].integer(1, MAX_BITS))


def _shape(node: _Node, degree: int) -> BankShape:
    outputs = AttributeLayout(degree).outputs
    width = node["width"].integer(0, MAX_SIZE)
    if width % 4:
        node["width"].fail("a multiple of 4")
    code, linear = node["code"].integer(0, MAX_SIZE), node["linear"].flag()
    if linear and not code:
        node["linear"].fail("false without a code")
    layers = node["layers"].integer(0, MAX_LAYERS)
    return BankShape(
        frequencies=tuple(f.number() for f in node["frequencies"].items(0, MAX_FREQUENCIES)),
        code=code,
        width=width,
        layers=layers,
        outputs=node["outputs"].integer(outputs, outputs),
        linear=linear,
        activation=node["activation"].choice(ACTIVATIONS),
        output_activation=node["output_activation"].choice(OUTPUT_ACTIVATIONS),
        modulation=_modulation(node["modulation"], layers * width) if node.has("modulation") else (),
    )


def _modulation(node: _Node, hidden: int) -> tuple[int, ...]:
    if not hidden:
        node.fail("none without hidden layers")
    return tuple(side.integer(1, MAX_MODULATION) for side in node.items(3, 3))


def _stream(node: _Node, shape: tuple[int, ...], dtypes: tuple[str, ...], codecs: tuple[str, ...]) -> Stream:
    dtype, codec = node["dtype"].choice(dtypes), node["codec"].choice(codecs)
    if [n.integer(0, MAX_GAUSSIANS) for n in node["shape"].items(len(shape), len(shape))] != list(shape):
        node["shape"].fail(f"{list(shape)}")
    raw = np.dtype(DTYPES[dtype]).itemsize
    for size in shape:
        raw *= size
    limit = 1 << 53  # integers up to here are exact in JSON as JavaScript reads it
    offset, stored = node["offset"].integer(0, limit), node["stored"].integer(0, limit)
    node["raw"].integer(raw, raw)
    if raw > allowed_raw(stored):
        node["raw"].fail(f"at most {allowed_raw(stored)} for {stored} stored")
    if codec == "raw":
        node["stored"].integer(raw, raw)
    return Stream(dtype, shape, codec, offset, stored, raw, node["crc"].integer(0, 0xFFFFFFFF))


def _chunks(node: _Node, networks: int, count: int, shape: BankShape, on_grid: bool) -> tuple[Chunk, ...]:
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


def _chunk(node: _Node, first: int, networks: int, count: int, shape: BankShape, on_grid: bool) -> Chunk:
    start, size = node["clusters"].items(2, 2)
    start.integer(first, first)
    clusters = size.integer(1, networks - first)
    for corner in node["bounds"].items(2, 2):
        for value in corner.items(3, 3):
            value.number()
    stepped = node.has("steps")
    weights = ("int8",) if stepped else ("float16",)
    return Chunk(
        first,
        clusters,
        boxes=_stream(node["boxes"], (clusters, 2, 3), _FLOATS, ("raw", "zstd")),
        weights=_stream(
            node["weights"], (clusters, shape.parameters), weights, ("raw", "zstd", "rans") if stepped else CODECS[:2]
        ),
        steps=_stream(node["steps"], (clusters, len(shape.blocks())), _FLOATS, CODECS[:2]) if stepped else None,
        tiers=tuple(_tier(tier, clusters, count, shape.code, on_grid) for tier in node["tiers"].items(1, 256)),
    )


def _tier(node: _Node, clusters: int, count: int, code: int, on_grid: bool) -> Tier:
    counts = tuple(n.integer(0, count) for n in node["counts"].items(clusters, clusters))
    size = sum(counts)
    dtypes, codecs = (("uint32",), ("raw", "zstd", "octree")) if on_grid else (("float16",), CODECS[:2])
    positions = _stream(node["positions"], (size, 3), dtypes, codecs)
    codes = _stream(node["codes"], (size, code), ("int16",), ("raw", "zstd", "rans")) if code else None
    return Tier(counts, positions, codes)


def _check_layout(source: Source, manifest: Manifest) -> None:
    """Streams lie one behind another, aligned, nothing between them but padding, and the file ends with the last."""
    start, end, decoded = manifest.start, 0, 0
    for place, stream in _in_file_order(manifest):
        if stream.offset != aligned(end):
            raise source.error(f"manifest {place}", f"offset {aligned(end)}", f"{stream.offset}")
        if start + stream.stop > source.size:
            raise source.error(place, f"a file of {start + stream.stop} bytes or more", f"{source.size}, cut short")
        end = stream.stop
        decoded += stream.raw
    if start + end != source.size:
        raise source.error("file", f"{start + end} bytes", f"{source.size}")
    if decoded > MAX_DECODED:
        raise source.error("manifest", f"streams of at most {MAX_DECODED} bytes", f"{decoded}")


def _in_file_order(manifest: Manifest) -> list[tuple[str, Stream]]:
    return sorted(manifest.streams(), key=lambda item: (item[1].offset, item[1].stop))


def check_padding(source: Source, manifest: Manifest, end: int) -> None:
    """All bytes between the manifest, which ends at `end`, and the streams are 0: no byte is without a check."""
    for _, stream in _in_file_order(manifest):
        padding = source.read(end, manifest.start + stream.offset - end)
        if any(padding):
            raise source.error(f"byte {end}", f"zeros up to a multiple of {ALIGNMENT}", padding.hex())
        end = manifest.start + stream.stop
