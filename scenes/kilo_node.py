"""Checking a .kilo's manifest, value by value: what the kinds share.

From untrusted JSON to numbers that are checked against the file or a limit, so that what reads the streams can take
memory for them. The kinds are `kilo_manifest` (Gaussians) and `kilo_surface_manifest`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from scenes.bank import ACTIVATIONS, MAX_MODULATION, OUTPUT_ACTIVATIONS, BankShape
from scenes.errors import SceneFileError
from scenes.kilo_container import ALIGNMENT, Source, aligned
from scenes.kilo_salvage import Damage
from scenes.kilo_streams import DTYPES, Stream, allowed_raw, stored_bytes

MODULATION = "modulation"
FEATURES = frozenset({MODULATION})  # what `requires` may name; later versions add to it
MAX_LENGTH = 100_000_000  # of one axis of a stream's array
MAX_DECODED = 1 << 34  # bytes of all streams together
MAX_SIZE = 4096  # of a network's width and code
MAX_LAYERS = 64
MAX_FREQUENCIES = 64
FLOATS = ("float16", "float32")

Streams = list[tuple[str, Stream]]  # with the names messages give them


class Node:
    """A value in the manifest, its place for messages, and the checks on it."""

    def __init__(self, source: Source, place: str, value: Any) -> None:
        self.source, self.place, self.value = source, place, value

    def fail(self, expected: str) -> Any:
        """Raises what says that this value is not what was expected."""
        text = repr(self.value)
        raise self.source.error(f"manifest {self.place}", expected, text if len(text) <= 40 else text[:37] + "...")

    def __getitem__(self, key: str) -> Node:
        if not isinstance(self.value, dict):
            self.fail("an object")
        place = f"{self.place}.{key}" if self.place else key
        return Node(self.source, place, self.value.get(key))

    def has(self, key: str) -> bool:
        """An object with this key; `null` counts as absent."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def items(self, low: int, high: int) -> list[Node]:
        """The values of a list of `low` to `high`."""
        if not isinstance(self.value, list) or not low <= len(self.value) <= high:
            self.fail(f"a list of {low}" + (f" to {high}" if high > low else ""))
        return [Node(self.source, f"{self.place}[{i}]", value) for i, value in enumerate(self.value)]

    def integer(self, low: int, high: int) -> int:
        """A JSON integer, of these bounds included."""
        if type(self.value) is not int or not low <= self.value <= high:
            self.fail(f"an integer from {low} to {high}")
        return self.value

    def number(self) -> float:
        """Any number, of a size whose square still is one."""
        if type(self.value) not in (int, float) or not -1e30 < self.value < 1e30:
            self.fail("a number within 1e30")
        return float(self.value)

    def choice(self, choices: tuple[str, ...]) -> str:
        """One of some words."""
        if self.value not in choices or not isinstance(self.value, str):
            self.fail("one of " + ", ".join(choices))
        return self.value

    def flag(self) -> bool:
        """true or false."""
        if not isinstance(self.value, bool):
            self.fail("true or false")
        return self.value


def check_features(root: Node) -> None:
    """The file requires nothing this program does not know."""
    for feature in root["requires"].items(0, 64) if root.has("requires") else ():
        if not isinstance(feature.value, str) or feature.value not in FEATURES:
            feature.fail("a feature this program has")


def check_box(node: Node) -> None:
    """`bounds`: two corners."""
    for corner in node.items(2, 2):
        for value in corner.items(3, 3):
            value.number()


def bank_shape(node: Node, outputs: int) -> BankShape:
    """The shape of a bank's networks, which have to have so many `outputs`."""
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


def _modulation(node: Node, hidden: int) -> tuple[int, ...]:
    if not hidden:
        node.fail("none without hidden layers")
    return tuple(side.integer(1, MAX_MODULATION) for side in node.items(3, 3))


def checked_stream(node: Node, shape: tuple[int, ...], dtypes: tuple[str, ...], codecs: tuple[str, ...]) -> Stream:
    """A stream of an array of this `shape`, of one of `dtypes` and in one of `codecs`; its place is not checked."""
    dtype, codec = node["dtype"].choice(dtypes), node["codec"].choice(codecs)
    if [n.integer(0, MAX_LENGTH) for n in node["shape"].items(len(shape), len(shape))] != list(shape):
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


def check_layout(
    source: Source, start: int, streams: Streams, max_decoded: int = MAX_DECODED, whole: bool = True
) -> None:
    """Streams lie one behind another, aligned, nothing between them but padding.

    The data, from which their offsets count, starts at `start`. A file that is `whole` ends with the last of them.
    """
    end, decoded = 0, 0
    for place, stream in _in_file_order(streams):
        if stream.offset != aligned(end):
            raise source.error(f"manifest {place}", f"offset {aligned(end)}", f"{stream.offset}")
        if whole and start + stream.stop > source.size:
            raise source.error(place, f"a file of {start + stream.stop} bytes or more", f"{source.size}, cut short")
        end = stream.stop
        decoded += stream.raw
    if whole and start + end != source.size:
        raise source.error("file", f"{start + end} bytes", f"{source.size}")
    if decoded > max_decoded:
        raise source.error("manifest", f"streams of at most {max_decoded} bytes", f"{decoded}")


def _in_file_order(streams: Streams) -> Streams:
    return sorted(streams, key=lambda item: (item[1].offset, item[1].stop))


def check_between(source: Source, start: int, streams: Streams, end: int, damage: Damage | None) -> None:
    """No byte is without a check: all between the manifest, which ends at `end`, and the streams are 0.

    Notes what is wrong in `damage`, also how long the file is and should be. Without it, raises `SceneFileError`, also
    for streams that have not their checksum: that is known at once, while decoding the ones before may take long.
    """
    errors = _padding_errors(source, start, streams, end)
    if damage is None:
        for error in errors:
            raise error
        for place, stream in _in_file_order(streams):
            stored_bytes(source, start, stream, place)
        return
    damage.size, damage.streams = source.size, len(streams)
    damage.whole_size = start + max((stream.stop for _, stream in streams), default=0)
    damage.between += errors
    if damage.size > damage.whole_size:
        damage.between.append(source.error("file", f"{damage.whole_size} bytes", f"{source.size}"))
    damage.errors += damage.between


def _padding_errors(source: Source, start: int, streams: Streams, end: int) -> Iterator[SceneFileError]:
    for _, stream in _in_file_order(streams):
        padding = source.read(end, start + stream.offset - end)
        if any(padding):
            yield source.error(f"byte {end}", f"zeros up to a multiple of {ALIGNMENT}", padding.hex())
        end = start + stream.stop


def whole_streams(source: Source, start: int, streams: Streams) -> set[Stream]:
    """Those that are all there and have their checksum; whether they can be decoded is not tried."""
    found = set[Stream]()
    for place, stream in streams:
        try:
            stored_bytes(source, start, stream, place)
        except SceneFileError:
            continue
        found.add(stream)
    return found
