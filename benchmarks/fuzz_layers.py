"""Changes inside of containers, whose checksums, lengths and compression are mended: fuzzing that gets past them.

zip, gzip, zlib in .png, zstd in .spz, the CRCs of .kilo, the chunks of .glb, the header of .npy and of .ply. What is in
a container is changed by what knows it, so that a JSON in a zip has its values changed, and not its compressed bytes.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import zstandard

from benchmarks.fuzz_json import changed_json
from benchmarks.fuzz_mutations import changed as changed_bytes
from scenes.kilo_container import build
from scenes.spz import HEADER, STREAM
from tests.kilo_damage import mutate_manifest, mutate_streams, parts

INSIDE = 0.75  # share of the changes that are made inside where there is an inside
BOMB = bytes(12 << 20)  # a thousandth of it once compressed
NAMES = ("../x", "/etc/passwd", "C:\\x", "a\0b", "meta.json", "", "x/" * 200, "é", "means_l.webp")
PNG = b"\x89PNG\r\n\x1a\n"
# What is raised where an input is no longer what its first bytes say
BROKEN = (ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, NotImplementedError)
BROKEN += (OSError, RecursionError, RuntimeError, TypeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error)
BROKEN += (zstandard.ZstdError,)

Others = Sequence[bytes]
Inner = Callable[[bytes], bytes]


def changed(rng: random.Random, data: bytes, others: Others, depth: int = 0) -> bytes:
    """`data` changed: inside of what contains it, or where it lies."""
    layer = next((layer for magic, layer in LAYERS if data.startswith(magic)), None)
    if layer is None or depth > 2 or rng.random() > INSIDE:
        return changed_bytes(rng, data, others)
    try:
        return layer(rng, data, lambda inside: changed(rng, inside, others, depth + 1))
    except BROKEN:
        return changed_bytes(rng, data, others)


def changed_files(rng: random.Random, files: Mapping[str, bytes], main: str, others: Others) -> dict[str, bytes]:
    """A folder with one of its files changed, `main` as often as all others together; now and then one is gone."""
    name = main if main in files and rng.random() < 0.5 else rng.choice(sorted(files))
    if name != main and rng.random() < 0.03:
        return {other: content for other, content in files.items() if other != name}
    return {**files, name: changed(rng, files[name], others)}


# Layers


def _zip(rng: random.Random, data: bytes, inner: Inner) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        entries = [(info.filename, file.read(info), info.compress_type) for info in file.infolist()]
    at = rng.randrange(len(entries))
    name, content, method = entries[at]
    what = rng.random()
    if what < 0.8:
        entries[at] = (name, inner(content), method)
    elif what < 0.86:
        entries[at] = (rng.choice(NAMES), content, method)
    elif what < 0.9:
        del entries[at]
    elif what < 0.94:
        entries.append((name, inner(content), method))
    elif what < 0.945:
        entries[at] = (name, content + BOMB, zipfile.ZIP_DEFLATED)
    else:
        entries[at] = (name, content, rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)))
    return zipped(entries)


def zipped(entries: Sequence[tuple[str, bytes, int]]) -> bytes:
    """A zip of names, contents and methods; names may be anything, and come twice."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        for name, content, method in entries:
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, method
            file.NameToInfo.clear()  # it would warn of names that come twice
            file.writestr(info, content)
    return target.getvalue()


def _gzip(rng: random.Random, data: bytes, inner: Inner) -> bytes:
    content = inner(gzip.decompress(data))
    if rng.random() < 0.02:
        content += BOMB
    return gzip.compress(content, 1, mtime=0)


def _spz(rng: random.Random, data: bytes, inner: Inner) -> bytes:
    """Version 4: one of its zstd streams changed and packed again, its lengths in the table too."""
    header, table, streams = data[: HEADER.size], *_spz_streams(data)
    between = data[HEADER.size : HEADER.unpack_from(data)[8]]
    what, at = rng.random(), rng.randrange(len(streams))
    if what < 0.3:
        header = changed_bytes(rng, header, [])
    elif what < 0.5:
        streams[at] = changed_bytes(rng, streams[at], [])
    elif what < 0.9:
        raw = changed_bytes(rng, zstandard.ZstdDecompressor().decompress(streams[at]), [])
        raw += BOMB if rng.random() < 0.03 else b""
        sized = rng.random() < 0.5
        streams[at] = zstandard.ZstdCompressor(write_content_size=sized).compress(raw)
        table[at] = (len(streams[at]), len(raw) if rng.random() < 0.3 else table[at][1])
    else:
        table[at] = (rng.choice((0, 1, 2**63, 2**64 - 1, len(data))), table[at][1])
    return header + between + b"".join(STREAM.pack(*row) for row in table) + b"".join(streams)


def _spz_streams(data: bytes) -> tuple[list[tuple[int, int]], list[bytes]]:
    count, start = HEADER.unpack_from(data)[7:9]
    table = [STREAM.unpack_from(data, start + STREAM.size * index) for index in range(count)]
    at, streams = start + STREAM.size * count, []
    for stored, _ in table:
        streams.append(data[at : at + stored])
        at += stored
    return table, streams


def _kilo(rng: random.Random, data: bytes, inner: Inner) -> bytes:
    manifest, streams = parts(data)
    what = rng.random()
    if what < 0.5:
        streams = mutate_streams(manifest, streams, rng)
    elif what < 0.75:
        mutate_manifest(manifest, rng)
    else:
        text = changed_json(rng, json.dumps(manifest).encode())
        return _kilo_of(text, b"".join(stream + bytes(-len(stream) % 4) for stream in streams))
    return build(manifest, streams)


def _kilo_of(text: bytes, body: bytes) -> bytes:
    stored = zlib.compress(text)
    start = b"KILO" + struct.pack("<3I", 1, len(stored), len(text))
    return start + struct.pack("<I", zlib.crc32(start + stored)) + stored + bytes(-len(stored) % 4) + body


def _glb(rng: random.Random, data: bytes, inner: Inner) -> bytes:
    size = struct.unpack_from("<I", data, 12)[0]
    text, binary = data[20 : 20 + size], data[28 + size :]
    if rng.random() < 0.75:
        text = changed_json(rng, text)
    else:
        binary = changed_bytes(rng, binary, [])
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sIIII", b"glTF", 2, 28 + len(text) + len(binary), len(text), 0x4E4F534A)
    return head + text + struct.pack("<II", len(binary), 0x004E4942) + binary


def _png(rng: random.Random, data: bytes, inner: Inner) -> bytes:
    """A chunk changed and its CRC mended; that of the pixels is unpacked first."""
    chunks, at = [], len(PNG)
    while at < len(data):
        size = struct.unpack_from(">I", data, at)[0]
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    index = rng.randrange(len(chunks))
    kind, content = chunks[index]
    if kind == b"IDAT" and rng.random() < 0.7:
        content = zlib.compress(changed_bytes(rng, zlib.decompress(content), []))
    elif rng.random() < 0.9:
        content = changed_bytes(rng, content, [])
    else:
        kind = rng.choice((b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"fdAT", b"tRNS", b"PLTE", b"IHDR"))
    chunks[index] = (kind, content)
    packed = (struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)
    return PNG + b"".join(packed)


def _npy(rng: random.Random, data: bytes, inner: Inner) -> bytes:
    size = struct.unpack_from("<H", data, 8)[0]
    header, content = data[10 : 10 + size].rstrip(), data[10 + size :]
    header = changed_bytes(rng, header, []) if rng.random() < 0.7 else header
    content = changed_bytes(rng, content, []) if rng.random() < 0.5 else content
    header += b" " * (-(11 + len(header)) % 64) + b"\n"
    return data[:8] + struct.pack("<H", len(header) & 0xFFFF) + header + content


def _ply(rng: random.Random, data: bytes, inner: Inner) -> bytes:
    """The header, whose lengths follow from nothing, or what is under it."""
    header, end, body = data.partition(b"end_header\n")
    if rng.random() < 0.6:
        header = changed_bytes(rng, header, [])
    else:
        body = changed_bytes(rng, body, [])
    return header + end + body


def _json(rng: random.Random, data: bytes, inner: Inner) -> bytes:
    return changed_json(rng, data)


LAYERS: tuple[tuple[bytes, Callable[[random.Random, bytes, Inner], bytes]], ...] = (
    *((b"PK\x03\x04", _zip), (b"\x1f\x8b", _gzip), (b"NGSP", _spz), (b"KILO", _kilo), (b"glTF", _glb), (PNG, _png)),
    *((b"\x93NUMPY", _npy), (b"ply\n", _ply), (b"{", _json), (b"[", _json)),
)


def files_made(make: Callable[[Path], object]) -> dict[str, bytes]:
    """The files that `make` writes into an empty folder, by their names in it."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
