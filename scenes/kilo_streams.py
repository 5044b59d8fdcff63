"""Arrays as streams of a .kilo and back: raw, zstd, rANS, octree.

A stream may hold at most `MAX_RATIO` times its stored bytes plus `MAX_FREE` once decoded, so that a small file can
never ask for much memory; the writer takes a plainer codec where a better one would break that rule.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ParamSpec, TypeVar

import numpy as np
import zstandard
from numpy.typing import NDArray

from scenes import octree, rans
from scenes.errors import SceneFileError
from scenes.kilo_container import Source
from scenes.kilo_salvage import Damage
from scenes.progress import Progress, silent
from scenes.rans_tables import CodecError

Array = NDArray[Any]

DTYPES = {"int8": "<i1", "int16": "<i2", "uint32": "<u4", "float16": "<f2", "float32": "<f4"}
CODECS = ("raw", "zstd", "rans", "octree")
MAX_RATIO = 1024
MAX_FREE = 1 << 16
ZSTD_LEVEL = 19


@dataclass(frozen=True)
class Stream:
    """What the manifest says about a stream."""

    dtype: str
    shape: tuple[int, ...]
    codec: str
    offset: int  # from the start of the data
    stored: int  # bytes in the file
    raw: int  # bytes decoded
    crc: int  # CRC-32 of the stored bytes

    @property
    def stop(self) -> int:
        """The offset behind the last stored byte."""
        return self.offset + self.stored

    def to_json(self) -> dict[str, Any]:
        """The manifest's form."""
        return asdict(self) | {"shape": list(self.shape)}


@dataclass(frozen=True)
class Packed:
    """An encoded array that has no place in the file yet."""

    dtype: str
    shape: tuple[int, ...]
    codec: str
    data: bytes

    def placed(self, offset: int) -> Stream:
        """The stream at `offset`."""
        raw = int(np.prod(self.shape)) * np.dtype(DTYPES[self.dtype]).itemsize
        return Stream(self.dtype, self.shape, self.codec, offset, len(self.data), raw, zlib.crc32(self.data))


def allowed_raw(stored: int) -> int:
    """The most bytes a stream of `stored` bytes may decode to."""
    return MAX_RATIO * stored + MAX_FREE


def pack_floats(array: Array) -> Packed:
    """Floats bit for bit: as halves where that loses nothing, and with zstd where that is shorter."""
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    exact = np.array_equal(half.astype(np.float32), array)
    return pack_plain(half if exact else array.astype(np.float32))


def pack_plain(array: Array) -> Packed:
    """Any array, raw or with zstd, whichever is shorter."""
    name = next(n for n, code in DTYPES.items() if np.dtype(code) == array.dtype)
    raw = np.ascontiguousarray(array, DTYPES[name]).tobytes()
    data = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_content_size=False).compress(raw)
    if len(data) < len(raw) <= allowed_raw(len(data)):
        return Packed(name, array.shape, "zstd", data)
    return Packed(name, array.shape, "raw", raw)


def pack_symbols(array: Array, columns: Array) -> Packed:
    """Integers [n, m]; column j is coded with table `columns[j]`."""
    try:
        data = rans.encode(array, np.tile(columns, len(array)), int(columns.max(initial=-1)) + 1)
    except CodecError:  # more different values than a table holds
        return pack_plain(array)
    return _smaller(array, "rans", data)


def pack_cells(cells: Array, bits: int) -> Packed:
    """Cells [n, 3] uint32, an octree when they are in Morton order."""
    codes = octree.morton_codes(cells)
    if (codes[1:] < codes[:-1]).any():
        return pack_plain(cells)
    try:
        data, _ = octree.encode_cells(cells, bits)
    except CodecError:  # more points in one cell than a table holds
        return pack_plain(cells)
    return _smaller(cells, "octree", data)


def _smaller(array: Array, codec: str, data: bytes) -> Packed:
    """`data` where it pays and keeps to the limit, else the array by itself."""
    plain_bytes = array.size * array.itemsize
    if len(data) < plain_bytes <= allowed_raw(len(data)):
        name = next(n for n, code in DTYPES.items() if np.dtype(code) == array.dtype)
        return Packed(name, array.shape, codec, data)
    return pack_plain(array)


def stored_bytes(source: Source, start: int, stream: Stream, place: str) -> bytes:
    """The bytes of `stream`, which are all there and have its checksum. Raises `SceneFileError` naming `place`."""
    begin = start + stream.offset
    there = min(max(source.size - begin, 0), stream.stored)
    data = source.read(begin, stream.stored) if there == stream.stored else b""
    if len(data) != stream.stored:
        raise source.error(place, f"{stream.stored} bytes", f"{len(data) or there}, cut short")
    crc = zlib.crc32(data)
    if crc != stream.crc:
        raise source.error(place, f"checksum {stream.crc:08x}", f"{crc:08x}, damaged")
    return data


def read_stream(
    source: Source,
    start: int,
    stream: Stream,
    place: str,
    columns: Array | None,
    bits: int,
    progress: Progress = silent,
) -> Array:
    """The array of `stream`; `start` is where the data starts. Raises `SceneFileError` naming `place`.

    `progress` is told the share of the stream; only of rANS more than that it is done.
    """
    data = stored_bytes(source, start, stream, place)
    try:
        array = _decode(data, stream, columns, bits, progress)
    except CodecError as error:
        raise source.error(place, error.expected, error.found) from error
    except zstandard.ZstdError as error:
        raise source.error(place, "zstd", str(error).splitlines()[0]) from error
    progress(1.0)
    return array


def _decode(data: bytes, stream: Stream, columns: Array | None, bits: int, progress: Progress) -> Array:
    if stream.codec == "octree":
        return octree.decode_cells(data, bits, stream.shape[0])
    if stream.codec == "rans":
        assert columns is not None  # the manifest's reader allows this codec only where there are tables
        return _decode_symbols(data, stream, columns, progress)
    if stream.codec == "zstd":
        data = _unzstd(data, stream.raw)
    return np.frombuffer(data, DTYPES[stream.dtype]).reshape(stream.shape).copy()  # bytes cannot be written to


def _decode_symbols(data: bytes, stream: Stream, columns: Array, progress: Progress) -> Array:
    """rANS a few rows at a time: the decoder's own arrays are many times wider than the symbols."""
    info, decoder = np.iinfo(DTYPES[stream.dtype]), rans.Decoder(data)
    symbols = np.empty(stream.shape, DTYPES[stream.dtype])
    rows = decoder.rows(len(columns))
    places = decoder.places(np.tile(columns, min(rows, len(symbols))))
    for first in range(0, len(symbols), rows):
        block = symbols[first : first + rows]
        decoded = decoder.take_places(places[: block.size])
        if decoded.min() < info.min or decoded.max() > info.max:
            raise CodecError(f"values of {stream.dtype}", f"{decoded.min()} to {decoded.max()}")
        block[:] = decoded.reshape(block.shape)
        progress((first + len(block)) / len(symbols))
    decoder.finish()
    return symbols


def _unzstd(data: bytes, raw: int) -> bytes:
    size = zstandard.frame_content_size(data)  # -1 when the frame does not say
    if size not in (-1, raw) or raw == 0:
        raise CodecError(f"a zstd frame of {raw} bytes", f"{size}")
    out = zstandard.ZstdDecompressor().decompress(data, max_output_size=raw, allow_extra_data=False)
    if len(out) != raw:
        raise CodecError(f"{raw} bytes", f"{len(out)}")
    return out


P = ParamSpec("P")
T = TypeVar("T")


class StreamReader:
    """Reads the streams of one file; `progress` is told the share of its bytes that are decoded.

    With `damage` it notes there what is wrong, and goes on.
    """

    def __init__(self, source: Source, start: int, progress: Progress, damage: Damage | None = None) -> None:
        self.source, self.damage = source, damage
        self._start = start
        self._progress, self._read = progress, 0  # bytes

    def attempt(self, read: Callable[P, T], *args: P.args, **named: P.kwargs) -> T | None:
        """What `read` returns; None once what it raises is noted."""
        try:
            return read(*args, **named)
        except SceneFileError as error:
            if self.damage is None:
                raise
            self.damage.errors.append(error)
            return None

    def array(self, stream: Stream, place: str, columns: Array | None = None, bits: int = 0) -> Array:
        """The array of `stream`; see `read_stream`."""
        total = max(self.source.size - self._start, 1)
        before, self._read = self._read, self._read + stream.stored

        def progress(share: float) -> None:
            self._progress(min((before + share * stream.stored) / total, 1.0))

        return read_stream(self.source, self._start, stream, place, columns, bits, progress)

    def floats(self, stream: Stream, place: str) -> NDArray[np.float32]:
        """Finite numbers in single precision."""
        values = self.array(stream, place).astype(np.float32)
        if not np.isfinite(values).all():
            raise self.source.error(place, "finite numbers", "others")
        return values

    def stored(self, stream: Stream, place: str) -> bytes:
        """The bytes of `stream`, not decoded."""
        return stored_bytes(self.source, self._start, stream, place)

    def is_cut(self, *streams: Stream | None) -> bool:
        """Whether the file ends before one of `streams` does."""
        return any(stream is not None and self._start + stream.stop > self.source.size for stream in streams)
