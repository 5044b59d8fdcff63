"""The outside of a .kilo file: header, JSON manifest, aligned streams, and the checks on all of them.

    0   4  "KILO"
    4   4  u32 version
    8   4  u32 stored bytes of the manifest
    12  4  u32 bytes of the manifest as JSON; more than stored when it is deflated (zlib)
    16  4  u32 CRC-32 of bytes 0 to 15 and the stored manifest
    20     the manifest, zeros up to a multiple of 4: here the data starts
           streams, each at a multiple of 4 from the start of the data, zeros between

What the manifest says is `kilo_manifest`; how arrays become streams is `kilo_streams`.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from scenes.errors import SceneFileError
from scenes.files import check_kind

MAGIC = b"KILO"
VERSION = 1
HEADER = struct.Struct("<4s4I")
ALIGNMENT = 4
MAX_MANIFEST_BYTES = 1 << 24
MAX_JSON_DEPTH = 16
MEMORY = "memory"  # the name of a file that has none


@dataclass(frozen=True)
class Source:
    """An open .kilo: a binary file, its name for messages and its size in bytes."""

    file: BinaryIO
    name: str
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Bytes `offset` to `offset + length`, which the caller has checked to lie in the file."""
        self.file.seek(offset)
        return self.file.read(length)

    def error(self, place: str, expected: str, found: str) -> SceneFileError:
        """An error at `place` of this file."""
        return SceneFileError(self.name, place, expected, found)


def opened(path: str | os.PathLike[str]) -> BinaryIO:
    """The file at `path`. Raises `SceneFileError`."""
    try:
        check_kind(path)
        return Path(path).open("rb")
    except OSError as error:
        raise SceneFileError(path, "file", "a readable file", error.strerror or "none") from error


def open_source(file: BinaryIO, name: str) -> Source:
    """The source for a file opened in binary mode."""
    return Source(file, name, file.seek(0, os.SEEK_END))


def aligned(offset: int) -> int:
    """The next multiple of 4."""
    return -(-offset // ALIGNMENT) * ALIGNMENT


def build(manifest: dict[str, Any], streams: list[bytes]) -> bytes:
    """The file made of `manifest` and of `streams`, which it describes already, in file order."""
    text = json.dumps(manifest, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    deflated = zlib.compress(text, 9)
    stored = deflated if len(deflated) < len(text) else text
    parts = [_header(stored, len(text)) + stored]
    for stream in streams:
        parts.append(bytes(-len(parts[-1]) % ALIGNMENT))
        parts.append(stream)
    return b"".join(parts)


def _header(stored: bytes, length: int) -> bytes:
    start = HEADER.pack(MAGIC, VERSION, len(stored), length, 0)[:-4]
    return start + struct.pack("<I", zlib.crc32(start + stored))


def checksum_of_manifest(source: Source) -> int:
    """The CRC-32 in the header, of header and manifest, which has all others; of a file whose manifest was read."""
    return HEADER.unpack(source.read(0, HEADER.size))[-1]


def read_json_manifest(source: Source) -> tuple[Any, int]:
    """The manifest as parsed but not yet understood, and the offset behind its last byte. Raises `SceneFileError`."""
    header = source.read(0, HEADER.size)
    if header[:4] != MAGIC:
        raise source.error("header", "a .kilo that starts with 'KILO'", _shown(header[:4]))
    if len(header) < HEADER.size:
        raise source.error("header", f"{HEADER.size} bytes", f"{len(header)}, cut short")
    _, version, stored, length, crc = HEADER.unpack(header)
    whole = HEADER.size + stored <= source.size and max(stored, length) <= MAX_MANIFEST_BYTES
    body = source.read(HEADER.size, stored) if whole else b""
    actual = zlib.crc32(header[:-4] + body)
    if version != VERSION:
        found = f"version {version}" + ("" if whole and actual == crc else " (or a damaged header)")
        raise source.error("header", f"version {VERSION}, the newest this program reads", found)
    if max(stored, length) > MAX_MANIFEST_BYTES:
        raise source.error("manifest", f"at most {MAX_MANIFEST_BYTES} bytes", f"{max(stored, length)}")
    if not whole:
        raise source.error("manifest", f"a file of {HEADER.size + stored} bytes or more", f"{source.size}, cut short")
    if actual != crc:
        raise source.error("manifest", f"checksum {crc:08x}", f"{actual:08x}, damaged")
    return _parse(source, _inflate(source, body, length)), HEADER.size + stored


def _shown(start: bytes) -> str:
    return repr(start.decode("latin-1")) if start else "an empty file"


def _inflate(source: Source, body: bytes, length: int) -> bytes:
    if len(body) == length:
        return body
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(body, length + 1)
    except zlib.error as error:
        raise source.error("manifest", "a deflated manifest", str(error)) from error
    if len(text) != length or not inflater.eof or inflater.unused_data:
        raise source.error("manifest", f"{length} bytes of JSON", f"{len(text)} or another end")
    return text


def _parse(source: Source, text: bytes) -> Any:
    bytes_ = np.frombuffer(text, np.uint8)
    opened = np.isin(bytes_, list(b"[{")).astype(np.int32) - np.isin(bytes_, list(b"]}"))
    deepest = int(opened.cumsum().max(initial=0))  # brackets in strings count too, which only makes it stricter
    if deepest > MAX_JSON_DEPTH:
        raise source.error("manifest", f"JSON nested at most {MAX_JSON_DEPTH} deep", f"{deepest}")
    try:
        return json.loads(text.decode("utf-8"), parse_constant=_reject_constant)
    except ValueError as error:  # also UnicodeDecodeError, JSONDecodeError and numbers of too many digits
        raise source.error("manifest", "JSON", str(error).splitlines()[0]) from error


def _reject_constant(name: str) -> None:
    raise ValueError(f"the number {name}")
