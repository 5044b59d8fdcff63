"""Writing Gaussians as .spz, version 3 (gzip) or 4 (zstd); the bytes are in `scenes/spz.py`.

Positions have 12 bits behind the point as other writers have, about a quarter of a millimetre; fewer where a scene is
too large for 24 bits in all, more where its Gaussians are so small that it would show. SH coefficients have 8 bits and
range over [-1, 1]; fewer bits are the same bytes, rounded so that they compress better (5 and 4 are others' habit).
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenes.atomic import replacing
from scenes.content import blocks, sigmoid, to_bytes
from scenes.errors import KilofieldError
from scenes.gaussians import Gaussians
from scenes.quaternions import LARGEST_REST, to_smallest_three
from scenes.spz import (
    ANTIALIASED,
    COLOUR_SCALE,
    FLIPS,
    HEADER,
    MAGIC,
    OLD_HEADER,
    STREAM,
    Bytes,
    SpzHeader,
    sh_signs,
)

USUAL_BITS, LARGEST_BITS = 12, 23  # behind the point, of positions
STEPS_ACROSS = 16  # steps of a position in the standard deviation of a Gaussian of median size
VERSIONS = (3, 4)
ZSTD_LEVEL = 12  # as the library of the format has it
GZIP_LEVEL = 6


def write_spz(path: Path, gaussians: Gaussians, version: int = 4, sh_bits: tuple[int, int] = (8, 8)) -> None:
    """Writes `gaussians`; `sh_bits` are those of SH band 1 and of the bands above, 1 to 8."""
    if version not in VERSIONS:
        raise ValueError(f"version: expected one of {VERSIONS}, found {version}")
    flags = ANTIALIASED if gaussians.antialiased else 0
    bits = _fractional_bits(path, gaussians)
    header = SpzHeader(path, version, len(gaussians), gaussians.sh_degree, bits, flags)
    rows = {name: np.empty((len(gaussians), size // len(gaussians)), np.uint8) for name, size in header.sizes().items()}
    for block in blocks(len(gaussians)):
        _encode(gaussians.select(block), bits, sh_bits, {name: values[block] for name, values in rows.items()})
    streams = [values for values in rows.values() if values.size]
    with replacing(path) as temporary, temporary.open("wb") as file:
        for part in _plain(header, streams) if version == 4 else _gzip(header, streams):
            file.write(part)


def _fractional_bits(path: Path, gaussians: Gaussians) -> int:
    farthest = float(np.abs(gaussians.positions).max())
    fitting = int(np.floor(np.log2((2**23 - 1) / max(farthest, 1e-30))))
    if fitting < 0:
        raise KilofieldError(f"{path}: .spz has room for positions within {2**23 - 1}, found {farthest:.6g}")
    median = float(np.median(gaussians.log_scales.mean(axis=1, dtype=np.float64)))
    wanted = int(np.ceil(np.log2(STEPS_ACROSS) - median / np.log(2))) if np.isfinite(median) else USUAL_BITS
    return min(max(wanted, USUAL_BITS), fitting, LARGEST_BITS)


def _encode(gaussians: Gaussians, bits: int, sh_bits: tuple[int, int], into: dict[str, Bytes]) -> None:
    """Fills the rows of each attribute."""
    fixed = np.rint(gaussians.positions * FLIPS * np.float32(2.0**bits)).astype("<i4")
    into["positions"][:] = fixed[..., None].view(np.uint8)[..., :3].reshape(len(fixed), 9)
    into["alphas"][:, 0] = to_bytes(255 * sigmoid(gaussians.opacity_logits))
    into["colours"][:] = to_bytes(gaussians.sh[:, 0] * np.float32(255 * COLOUR_SCALE) + np.float32(127.5))
    into["scales"][:] = to_bytes((gaussians.log_scales + np.float32(10)) * np.float32(16))
    into["rotations"][:] = _rotations(gaussians)
    if gaussians.sh_degree:
        signs = sh_signs(FLIPS, gaussians.sh_degree)
        into["SH"][:] = _sh_bytes(gaussians.sh[:, 1:] * signs[:, None], sh_bits).reshape(len(fixed), -1)


def _rotations(gaussians: Gaussians) -> Bytes:
    """[N, 4] the index of the largest of x, y, z, w, and sign and size of the rest, the last of them lowest."""
    xyzw = np.concatenate([gaussians.rotations[:, 1:] * FLIPS, gaussians.rotations[:, :1]], axis=1)
    largest, rest = to_smallest_three(xyzw)
    sizes = np.minimum(np.rint(np.abs(rest) * np.float32(511 / LARGEST_REST)), 511).astype(np.uint32)
    fields = sizes | (np.signbit(rest).astype(np.uint32) << np.uint32(9))
    packed = largest.astype(np.uint32) << np.uint32(30)
    for column, shift in enumerate((20, 10, 0)):
        packed |= fields[:, column] << np.uint32(shift)
    return packed.astype("<u4")[:, None].view(np.uint8)


def _sh_bytes(sh: NDArray[np.float32], bits: tuple[int, int]) -> Bytes:
    """[N, K - 1, 3] 128 + 128 c, each band rounded to the multiple of a power of two that its bits leave."""
    stored = sh * np.float32(128)
    for rows, kept in ((slice(0, 3), bits[0]), (slice(3, None), bits[1])):
        step = np.float32(2 ** (8 - kept))
        stored[:, rows] = np.rint(stored[:, rows] / step) * step
    return to_bytes(stored + np.float32(128))


def _plain(header: SpzHeader, streams: list[Bytes]) -> list[bytes]:
    """The parts of a file of version 4."""
    import zstandard  # slow to import, and no other format needs it

    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    stored = [compressor.compress(values.tobytes()) for values in streams]
    sizes = [STREAM.pack(len(part), values.size) for part, values in zip(stored, streams, strict=True)]
    start = HEADER.pack(MAGIC, *_fields(header), len(streams), HEADER.size)
    return [start, *sizes, *stored]


def _gzip(header: SpzHeader, streams: list[Bytes]) -> list[bytes]:
    """The parts of a file of version 3."""
    deflate = zlib.compressobj(GZIP_LEVEL, wbits=31)
    parts = [np.frombuffer(OLD_HEADER.pack(MAGIC, *_fields(header), 0), np.uint8), *streams]
    return [*(deflate.compress(part.tobytes()) for part in parts), deflate.flush()]


def _fields(header: SpzHeader) -> tuple[int, ...]:
    return header.version, header.count, header.degree, header.fractional_bits, header.flags
