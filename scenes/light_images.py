"""Pictures of light, linear and without an upper end: OpenEXR, Radiance's .hdr, and .png as sRGB.

OpenEXR files go through the format's own library (BSD). Radiance's RGBE is read here: Ward, "Real Pixels", Graphics
Gems II, 1991; run lengths as in Radiance's color.c.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.atomic import replacing
from scenes.errors import KilofieldError, SceneFileError
from scenes.files import brief, read_start
from scenes.gaussians import Floats
from scenes.images import DENSEST, FREE, read_rgba
from scenes.quiet import quiet_libraries
from scenes.triangle_mesh import linear_of_srgb

SUFFIXES = (".exr", ".hdr", ".png")
LARGEST_SIDE = 16384  # pixels
LARGEST_VALUE = 1e9  # radiance; squares of it are normal float32
LONGEST_RUN = 127  # pixels, in 2 bytes
DENSEST_LOSSY = 1 << 15  # times the file: DWAA and DWAB of one colour; the others are deflate at best
# What OpenEXR's library raises for damaged files
EXR_DAMAGE = (AttributeError, IndexError, KeyError, MemoryError, OSError, RuntimeError, TypeError, ValueError)


def read_light(path: str | os.PathLike[str]) -> Floats:
    """[H, W, 3] linear light, top row first.

    Raises `SceneFileError` for a file that is none, and for pixels that are no light: NaN, infinite or below 0.
    """
    path = Path(path)
    start = read_start(path, 16)
    if start.startswith(b"\x76\x2f\x31\x01"):
        light = _read_exr(path)
    elif start.startswith((b"#?RADIANCE", b"#?RGBE")):
        light = _read_radiance(path)
    elif path.suffix.lower() in SUFFIXES[:2]:
        raise SceneFileError(path, "file", "an OpenEXR or Radiance picture", "a file of another kind")
    else:
        light = linear_of_srgb(read_rgba(path)[..., :3].astype(np.float64)).astype(np.float32)
    _check(path, light)
    return light


def write_exr(path: str | os.PathLike[str], light: Floats) -> None:
    """Writes [H, W, 3] linear light as 32-bit floats, compressed without loss."""
    import OpenEXR  # slow to load

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    pixels = np.ascontiguousarray(light, np.float32)
    with replacing(path) as temporary:
        try:
            with OpenEXR.File(header, {"RGB": pixels}) as file:
                file.write(os.fspath(temporary))
        except RuntimeError as error:
            temporary.write_bytes(bytes(pixels.nbytes))  # has the system say why, as of a full disk; OpenEXR does not
            raise KilofieldError(f"{path}: cannot write: {brief(str(error), 120)}") from error


def _check_size(path: Path, width: int, height: int) -> None:
    if not (1 <= width <= LARGEST_SIDE and 1 <= height <= LARGEST_SIDE):
        raise SceneFileError(path, "size", f"1 to {LARGEST_SIDE} pixels each way", f"{width}x{height}")


def _check(path: Path, light: Floats) -> None:
    _check_size(path, light.shape[1], light.shape[0])
    bad = ~((light >= 0) & (light <= LARGEST_VALUE)).all(axis=-1)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        expected = f"light from 0 to {LARGEST_VALUE:g} in every pixel"
        found = f"{light[row, column].tolist()} and {bad.sum() - 1} more" if bad.sum() > 1 else str(light[row, column])
        raise SceneFileError(path, f"row {row}, column {column}", expected, found)


def _read_exr(path: Path) -> Floats:
    import OpenEXR  # slow to load

    try:
        with quiet_libraries():
            with OpenEXR.File(os.fspath(path), header_only=True) as file:
                _check_window(path, file.header())
            with OpenEXR.File(os.fspath(path), separate_channels=True, num_threads=0) as file:
                if not file.parts:  # what it has for pixels that cannot be unpacked
                    raise SceneFileError(path, "image", "a whole OpenEXR picture", "damaged pixels")
                channels = {name: _channel(path, name, channel.pixels) for name, channel in file.channels().items()}
    except EXR_DAMAGE as error:
        raise SceneFileError(path, "image", "a whole OpenEXR picture", brief(str(error), 120) or "none") from error
    names = ("Y", "Y", "Y") if "Y" in channels and "R" not in channels else ("R", "G", "B")
    if not set(names) <= set(channels):
        raise SceneFileError(path, "channels", "R, G and B, or Y", brief(", ".join(sorted(channels))) or "none")
    shapes = {channels[name].shape for name in names}
    if len(shapes) > 1:
        raise SceneFileError(path, "channels", "one size", "several")
    return np.stack([channels[name] for name in names], axis=-1)


def _check_window(path: Path, header: Mapping[str, Any]) -> None:
    """The size and what it asks for, before there is memory for it."""
    (left, top), (right, bottom) = (corner.tolist() for corner in header["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    _check_size(path, width, height)
    samples = sum(1 / max(channel.xSampling * channel.ySampling, 1) for channel in header["channels"])
    lossy = header["compression"].name.startswith("DWA")
    held = FREE + (DENSEST_LOSSY if lossy else DENSEST) * path.stat().st_size
    if 4 * samples * width * height > held:
        expected = f"what {path.stat().st_size} bytes can hold"
        raise SceneFileError(path, "size", expected, f"{width}x{height} with {len(header['channels'])} channels")


def _channel(path: Path, name: str, pixels: NDArray[Any]) -> Floats:
    """[H, W] single precision."""
    if pixels.ndim != 2 or pixels.dtype.kind not in "fu":
        raise SceneFileError(path, f"channel {brief(name)}", "one number a pixel", f"{pixels.ndim} axes of them")
    with np.errstate(over="ignore", invalid="ignore"):
        return pixels.astype(np.float32)


def _read_radiance(path: Path) -> Floats:
    content = path.read_bytes()
    head, _, rest = content.partition(b"\n\n")
    size, _, pixels = rest.partition(b"\n")
    if b"FORMAT=32-bit_rle_rgbe" not in head:
        raise SceneFileError(path, "header", "FORMAT=32-bit_rle_rgbe", "another format")
    match = re.fullmatch(rb"-Y (\d{1,5}) \+X (\d{1,5})", size.strip())
    if not match:
        raise SceneFileError(path, "header", "-Y height +X width", brief(size.decode("ascii", "replace")) or "none")
    height, width = int(match[1]), int(match[2])
    _check_size(path, width, height)
    data = np.frombuffer(pixels, np.uint8)
    rgbe = _flat(path, data, width, height) if _is_flat(data, width) else _runs(path, pixels, width, height)
    exponent = np.where(rgbe[..., 3:] > 0, rgbe[..., 3:].astype(np.int16) - np.int16(136), np.int16(-1000))
    return np.ldexp(rgbe[..., :3].astype(np.float32), exponent)


def _is_flat(data: NDArray[np.uint8], width: int) -> bool:
    return not 8 <= width <= 0x7FFF or data[:2].tolist() != [2, 2]


def _flat(path: Path, data: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if len(data) != 4 * width * height:
        raise SceneFileError(path, "pixels", f"{4 * width * height} bytes without runs", f"{len(data)}")
    return data.reshape(height, width, 4)


def _runs(path: Path, data: bytes, width: int, height: int) -> NDArray[np.uint8]:
    """Rows of a header of 4 bytes and four planes, each in runs: a count over 128 and a byte, or a count and bytes."""
    least = height * (4 + 4 * 2 * -(-width // LONGEST_RUN))
    if len(data) < least:
        raise SceneFileError(path, "pixels", f"at least {least} bytes of runs", str(len(data)))
    rows, at = np.zeros((height, 4, width), np.uint8), 0
    for y in range(height):
        if data[at : at + 4] != bytes((2, 2, width >> 8, width & 255)):
            raise SceneFileError(path, f"row {y}", "the start of a row in runs", "something else")
        at += 4
        for plane in range(4):
            x = 0
            while x < width:
                count = data[at] if at < len(data) else 0
                run = count > 128
                length = count - 128 if run else count
                end = at + 2 if run else at + 1 + length
                if not 0 < length <= width - x or end > len(data):
                    raise SceneFileError(path, f"row {y}", "runs that end with the row", "a damaged one")
                rows[y, plane, x : x + length] = np.frombuffer(data[at + 1 : end], np.uint8)
                at, x = end, x + length
    return rows.transpose(0, 2, 1)
