"""Gaussians in an .spz, Niantic's format, versions 1 to 4; how they are written is in `scenes/spz_writer.py`.

Versions 1 to 3 are one gzip stream of a header and the attributes; version 4 is a plain header, and the attributes as
zstd streams of their own. Little-endian.

    header           bytes  what
    magic            4      NGSP
    version          4      1 to 4
    count            4      N Gaussians
    SH degree        1      0 to 4
    fractional bits  1      of positions
    flags            1      1 trained with the mip filter, 2 has extensions
    streams          1      version 4: 5 or 6; before: 0
    table            4      version 4: where the table of streams is
    reserved         12     version 4: 0

    then, version 4  extension records {u32 type, u32 bytes, payload}; table of {u64 stored, u64 raw} a stream

    attribute        bytes  what
    positions        9 N    int24 x y z / 2^fractional bits; version 1: 6 N, half floats
    alphas           N      255 times the opacity
    colours          3 N    r g b: 255 (0.5 + 0.15 f_dc)
    scales           3 N    16 (10 + ln of the standard deviation)
    rotations        4 N    version 3 and 4: u32, from the top bits down the index of the largest of x y z w, then the
                            rest as sign and 9 bits of 511 sqrt(2) |q|; before: 3 N, x y z as 127.5 (q + 1), w follows
    SH               3 (K - 1) N  128 + 128 c, coefficient-major, channel fastest

Axes are right, up, back unless the extension 0xADBE0003 says otherwise; here they become right, down, front as in .ply.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenes.content import (
    LOGITS_OF_BYTES,
    MAX_SH_DEGREE,
    Content,
    ReadOptions,
    blocks,
    check_count,
    empty_gaussians,
    keep_valid,
)
from scenes.errors import SceneFileError
from scenes.gaussians import Floats, Gaussians
from scenes.placing import placed, sh_matrices
from scenes.quaternions import LARGEST_REST, from_smallest_three

MAGIC = b"NGSP"
GZIP = b"\x1f\x8b"
OLD_HEADER, HEADER = struct.Struct("<4sIIBBBB"), struct.Struct("<4sIIBBBBI12x")
ANTIALIASED, EXTENSIONS = 1, 2
STREAM = struct.Struct("<QQ")
EXTENSION = struct.Struct("<II")
COORDINATES = 0xADBE0003
# What x, y and z point to, by the number the extension has: Right or Left, Up or Down, Front or Back.
FRAMES = [
    *("LDB", "RDB", "LUB", "RUB", "LDF", "RDF", "LUF", "RUF"),
    *("LFD", "RFD", "LFU", "RFU", "LBD", "RBD", "LBU", "RBU"),
]
COLOUR_SCALE = 0.15
LARGEST_DEGREE = 4  # of the format; what is above 3 is left out
FLIPS = np.array([1, -1, -1], np.float32)  # right up back to right down front, and back
RIGHT_UP_BACK = "RUB"

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class SpzHeader:
    """The numbers at the start of a file."""

    path: Path
    version: int
    count: int
    degree: int
    fractional_bits: int
    flags: int
    streams: int = 0
    table: int = 0

    def sizes(self) -> dict[str, int]:
        """The bytes of each attribute, in the order of the file."""
        per = {
            "positions": 6 if self.version == 1 else 9,
            "alphas": 1,
            "colours": 3,
            "scales": 3,
            "rotations": 4 if self.version >= 3 else 3,
            "SH": 3 * ((self.degree + 1) ** 2 - 1),
        }
        return {name: size * self.count for name, size in per.items()}


def read_spz(path: Path, options: ReadOptions) -> Content:
    """The Gaussians of an .spz of any version; `SceneFileError` if it is not one."""
    with path.open("rb") as file:
        plain = file.read(len(MAGIC)) == MAGIC
    header, attributes, frame = _read_plain(path, options) if plain else _read_gzip(path, options)
    return _content(header, attributes, frame)


def read_spz_header(path: Path, options: ReadOptions | None = None) -> SpzHeader:
    """The header of an .spz of any version alone."""
    options = options or ReadOptions()
    with path.open("rb") as file:
        start = file.read(HEADER.size)
    if start.startswith(GZIP):
        return _header(path, OLD_HEADER.unpack(_GzipStream(path).take("header", OLD_HEADER.size)), (1, 2, 3), options)
    if len(start) < HEADER.size:
        raise SceneFileError(path, "header", f"{HEADER.size} bytes", str(len(start)))
    return _header(path, HEADER.unpack(start), (4,), options)


def _read_plain(path: Path, options: ReadOptions) -> tuple[SpzHeader, dict[str, Bytes], str]:
    """Version 4."""
    content = np.memmap(path, np.uint8, "r").data
    if len(content) < HEADER.size:
        raise SceneFileError(path, "header", f"{HEADER.size} bytes", str(len(content)))
    header = _header(path, HEADER.unpack_from(content), (4,), options)
    sizes = [(name, size) for name, size in header.sizes().items() if size]
    end = header.table + STREAM.size * header.streams
    if not HEADER.size <= header.table <= end <= len(content):
        expected = f"a table within {len(content)} bytes, after the header"
        raise SceneFileError(path, "header", expected, f"{header.streams} streams at byte {header.table}")
    if header.streams < len(sizes):
        raise SceneFileError(path, "header", f"{len(sizes)} streams", str(header.streams))
    attributes = {}
    for index, (name, size) in enumerate(sizes):
        stored, raw = STREAM.unpack_from(content, header.table + STREAM.size * index)
        if raw != size:
            raise SceneFileError(path, f"stream of {name}", f"{size} bytes for {header.count} Gaussians", str(raw))
        if stored > len(content) - end:
            raise SceneFileError(path, f"stream of {name}", f"{stored} bytes", str(len(content) - end))
        attributes[name] = _unzstd(path, name, content[end : end + stored], size)
        end += stored
    frame = _frame(path, content[HEADER.size : header.table]) if header.flags & EXTENSIONS else RIGHT_UP_BACK
    return header, attributes, frame


def _unzstd(path: Path, name: str, stored: memoryview, size: int) -> Bytes:
    import zstandard  # slow to import, and no other format needs it

    try:
        if zstandard.frame_content_size(stored) not in (-1, size):
            raise SceneFileError(path, f"stream of {name}", f"{size} bytes", "a zstd frame of another size")
        raw = zstandard.ZstdDecompressor().decompress(stored, max_output_size=size)
    except zstandard.ZstdError as error:
        raise SceneFileError(path, f"stream of {name}", f"a zstd stream of {size} bytes", "a damaged one") from error
    if len(raw) != size:
        raise SceneFileError(path, f"stream of {name}", f"{size} bytes", str(len(raw)))
    return np.frombuffer(raw, np.uint8)


def _read_gzip(path: Path, options: ReadOptions) -> tuple[SpzHeader, dict[str, Bytes], str]:
    """Versions 1 to 3."""
    stream = _GzipStream(path)
    header = _header(path, OLD_HEADER.unpack(stream.take("header", OLD_HEADER.size)), (1, 2, 3), options)
    # deflate makes at most 1,032 of a byte: a claim beyond that is false, and is not allocated for
    claimed, possible = sum(header.sizes().values()), 1032 * path.stat().st_size
    if claimed > possible:
        raise SceneFileError(path, "header", f"at most {possible} bytes of attributes", f"{header.count} Gaussians")
    attributes = {name: np.frombuffer(stream.take(name, size), np.uint8) for name, size in header.sizes().items()}
    rest = stream.rest()
    frame = _frame(path, memoryview(rest)) if header.flags & EXTENSIONS else RIGHT_UP_BACK
    return header, attributes, frame


def gzip_start(start: bytes, size: int) -> bytes:
    """Up to `size` bytes of what a gzip file that begins with `start` holds; fewer where it is damaged."""
    try:
        return zlib.decompressobj(wbits=31).decompress(start, size)
    except zlib.error:
        return b""


class _GzipStream:
    """The content of a gzip file piece by piece, no more of it than is asked for."""

    PIECE = 1 << 20
    LARGEST_REST = 1 << 20  # extensions

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pieces = self._read()
        self._whole = False
        self._left = memoryview(b"")

    def _read(self) -> Iterator[bytes]:
        inflate = zlib.decompressobj(wbits=31)
        with self._path.open("rb") as file:
            while not inflate.eof:
                stored = inflate.unconsumed_tail or file.read(self.PIECE)
                if not stored:
                    return
                try:
                    yield inflate.decompress(stored, self.PIECE)
                except zlib.error as error:
                    raise SceneFileError(self._path, "gzip stream", "a whole one", "a damaged one") from error
        self._whole = True

    def take(self, name: str, size: int) -> bytearray:
        """The next `size` bytes, which are called `name`."""
        found = bytearray(size)
        have = 0
        while have < size:
            if not self._left:
                piece = next(self._pieces, None)
                if piece is None:
                    raise SceneFileError(self._path, name, f"{size} bytes", str(have))
                self._left = memoryview(piece)
            part = self._left[: size - have]
            found[have : have + len(part)] = part
            have, self._left = have + len(part), self._left[len(part) :]
        return found

    def rest(self) -> bytes:
        """What follows, up to a limit; with it the file's checksum has been compared."""
        rest = bytes(self._left)
        for piece in self._pieces:
            rest += piece
            if len(rest) > self.LARGEST_REST:
                raise SceneFileError(self._path, "extensions", f"at most {self.LARGEST_REST} bytes", "more")
        if not self._whole:
            raise SceneFileError(self._path, "gzip stream", "a whole one", "one that is cut off")
        return rest


def _header(path: Path, fields: tuple[bytes | int, ...], versions: tuple[int, ...], options: ReadOptions) -> SpzHeader:
    magic, *numbers = fields
    if magic != MAGIC:
        raise SceneFileError(path, "header", "the letters NGSP", repr(magic)[2:-1])
    header = SpzHeader(path, *(int(number) for number in numbers))
    if header.version not in versions:
        expected = "4 in a plain file" if versions == (4,) else "1 to 3 in a gzip file"
        raise SceneFileError(path, "header, version", expected, str(header.version))
    check_count(path, "header", header.count, options)
    if header.degree > LARGEST_DEGREE:
        raise SceneFileError(path, "header, SH degree", f"0 to {LARGEST_DEGREE}", str(header.degree))
    if header.fractional_bits > 23:
        raise SceneFileError(path, "header, fractional bits", "0 to 23", str(header.fractional_bits))
    return header


def _frame(path: Path, records: memoryview) -> str:
    """What the axes point to, from the extension records."""
    frame, at = RIGHT_UP_BACK, 0
    while at < len(records):
        if len(records) - at < EXTENSION.size:
            raise SceneFileError(path, "extensions", "whole records", f"{len(records) - at} bytes after the last")
        kind, size = EXTENSION.unpack_from(records, at)
        at += EXTENSION.size
        if size > len(records) - at:
            raise SceneFileError(path, f"extension {kind:#010x}", f"{size} bytes", str(len(records) - at))
        if kind == COORDINATES:
            frame = _named_frame(path, bytes(records[at : at + size]))
        at += size
    return frame


def _named_frame(path: Path, payload: bytes) -> str:
    number = int.from_bytes(payload, "little")
    if len(payload) != 4 or number > len(FRAMES):
        raise SceneFileError(
            path, "extension of the coordinate system", f"0 to {len(FRAMES)}", payload[:8].hex() or "nothing"
        )
    return FRAMES[number - 1] if number else RIGHT_UP_BACK  # 0 is unspecified


def _content(header: SpzHeader, attributes: dict[str, Bytes], frame: str) -> Content:
    degree = min(header.degree, MAX_SH_DEGREE)
    gaussians = empty_gaussians(header.count, degree, bool(header.flags & ANTIALIASED))
    rows = {name: values.reshape(header.count, -1) for name, values in attributes.items()}
    flips = FLIPS if frame == RIGHT_UP_BACK else np.ones(3, np.float32)
    for block in blocks(header.count):
        with np.errstate(invalid="ignore"):  # a half float that is not a number stays none
            _decode(header, {name: values[block] for name, values in rows.items()}, gaussians, block, flips)
    if frame != RIGHT_UP_BACK:
        with np.errstate(over="ignore", invalid="ignore"):  # half floats of version 1 may not be finite
            gaussians = placed(gaussians, _to_ply(frame))
    found = keep_valid(header.path, gaussians, "attributes")
    notes = (f"SH of degree {header.degree} were left out above {degree}",) if header.degree > degree else ()
    return replace(found, notes=notes)


def _decode(header: SpzHeader, rows: dict[str, Bytes], into: Gaussians, block: slice, flips: Floats) -> None:
    """Fills `block` of `into`; `flips` [3] are the signs of the axes."""
    into.positions[block] = _positions(header, rows["positions"]) * flips
    into.log_scales[block] = rows["scales"] / np.float32(16) - np.float32(10)
    into.opacity_logits[block] = LOGITS_OF_BYTES[rows["alphas"][:, 0]]
    into.sh[block, 0] = (rows["colours"] / np.float32(255) - np.float32(0.5)) / np.float32(COLOUR_SCALE)
    xyzw = _smallest_three(rows["rotations"]) if header.version >= 3 else _first_three(rows["rotations"])
    into.rotations[block, 0] = xyzw[:, 3]
    into.rotations[block, 1:] = xyzw[:, :3] * flips
    others = into.sh.shape[1] - 1
    if others:
        stored = rows["SH"][:, : 3 * others].reshape(-1, others, 3)
        into.sh[block, 1:] = (stored / np.float32(128) - np.float32(1)) * sh_signs(flips, into.sh_degree)[:, None]


def sh_signs(flips: Floats, degree: int) -> Floats:
    """[K - 1] the signs by which the bands from 1 on change where the axes change by the signs `flips` [3]."""
    matrices = sh_matrices(np.diag(flips.astype(np.float64)), degree)
    return np.concatenate([np.diag(matrix) for matrix in matrices])[1:].astype(np.float32)


def _positions(header: SpzHeader, stored: Bytes) -> Floats:
    """[N, 3] in the file's axes."""
    if header.version == 1:
        return np.ascontiguousarray(stored).view("<f2").astype(np.float32)
    triple = stored.reshape(-1, 3, 3)
    words = np.zeros((len(triple), 3, 4), np.uint8)
    words[..., 1:] = triple  # in the upper bytes, so that shifting down carries the sign
    return (words.view("<i4")[..., 0] >> 8).astype(np.float32) * np.float32(2.0**-header.fractional_bits)


def _first_three(stored: Bytes) -> Floats:
    """[N, 4] x, y, z, w of version 1 and 2."""
    xyz = stored / np.float32(127.5) - np.float32(1)
    w = np.sqrt(np.maximum(np.float32(0), np.float32(1) - (xyz * xyz).sum(axis=1, keepdims=True)))
    return np.concatenate([xyz, w], axis=1).astype(np.float32, copy=False)


def _smallest_three(stored: Bytes) -> Floats:
    """[N, 4] x, y, z, w of version 3 and 4."""
    packed = np.ascontiguousarray(stored).view("<u4")[:, 0]
    fields = (packed[:, None] >> np.array([20, 10, 0], np.uint32)) & np.uint32(1023)  # [N, 3]
    sizes = (fields & np.uint32(511)).astype(np.float32) * np.float32(LARGEST_REST / 511)
    rest = np.where(fields & np.uint32(512), -sizes, sizes)
    return from_smallest_three(packed >> np.uint32(30), rest)


def _to_ply(frame: str) -> NDArray[np.float64]:
    """[3, 3] from the axes of `frame` to right, down, front."""
    ways = {"R": (1, 0, 0), "L": (-1, 0, 0), "D": (0, 1, 0), "U": (0, -1, 0), "F": (0, 0, 1), "B": (0, 0, -1)}
    return np.array([ways[letter] for letter in frame], np.float64).T
