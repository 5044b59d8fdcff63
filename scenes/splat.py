"""Gaussians in a .splat, as antimatter15's viewer and its followers have it. SH degree 0; no header.

Records of 32 bytes, little-endian:

    offset  bytes  what
    0       12     float32 position x y z
    12      12     float32 standard deviation along each axis
    24      4      uint8 r g b a: 255 (0.5 + C0 f_dc), 255 times the opacity
    28      4      uint8 quaternion w x y z: 128 + 128 q
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenes.atomic import replacing
from scenes.content import (
    DC_OF_BYTES,
    LOGITS_OF_BYTES,
    Content,
    ReadOptions,
    blocks,
    check_count,
    empty_gaussians,
    keep_valid,
    sigmoid,
    to_bytes,
)
from scenes.errors import SceneFileError
from scenes.gaussians import SH_C0, Gaussians
from scenes.quaternions import unit_quaternions

RECORD = np.dtype([("position", "<f4", 3), ("scale", "<f4", 3), ("colour", "u1", 4), ("rotation", "u1", 4)])
SMALLEST_SCALE = np.float32(1e-30)  # a scale of 0 has no logarithm, and is drawn as a point either way
PROBED = 256  # records
LARGEST_PLAUSIBLE = 1e9  # world units
PLAUSIBLE_SHARE = 0.9


def is_splat(start: bytes, size: int) -> bool:
    """Whether a file that begins with `start` and has `size` bytes can be one: there is no header to say so.

    It is whole records, no text, and most of the records are Gaussians: finite, of some size, with a quaternion that is
    a rotation.
    """
    count = min(len(start) // RECORD.itemsize, PROBED)
    if not count or size % RECORD.itemsize or _is_text(start):
        return False
    records = np.frombuffer(start, RECORD, count)
    with np.errstate(invalid="ignore", over="ignore"):
        placed = (np.abs(records["position"]) < LARGEST_PLAUSIBLE).all(axis=1)
        sized = ((records["scale"] >= 0) & (records["scale"] < LARGEST_PLAUSIBLE)).all(axis=1)
    length = np.linalg.norm(records["rotation"] / 128 - 1.0, axis=1)
    plausible = placed & sized & (length > 0.5) & (length < 2) & (records["scale"] != 0).any(axis=1)
    return bool(plausible.mean() >= PLAUSIBLE_SHARE)


def _is_text(start: bytes) -> bool:
    return all(32 <= byte < 127 or byte in b"\t\n\r" for byte in start[:256])


def read_splat(path: Path, options: ReadOptions) -> Content:
    """The Gaussians of a .splat; `SceneFileError` if it is not one."""
    size = path.stat().st_size
    if size % RECORD.itemsize:
        expected = f"records of {RECORD.itemsize} bytes"
        raise SceneFileError(path, "file", expected, f"{size % RECORD.itemsize} bytes after the last of them")
    count = check_count(path, "file", size // RECORD.itemsize, options)
    records = np.memmap(path, RECORD, "r", shape=(count,))
    gaussians = empty_gaussians(count, 0)
    for block in blocks(count):
        rows = np.array(records[block])
        gaussians.positions[block] = rows["position"]
        with np.errstate(divide="ignore", invalid="ignore"):  # negative ones become NaN, and are dropped
            gaussians.log_scales[block] = np.log(np.where(rows["scale"] == 0, SMALLEST_SCALE, rows["scale"]))
        gaussians.rotations[block] = rows["rotation"] / np.float32(128) - np.float32(1)
        gaussians.sh[block, 0] = DC_OF_BYTES[rows["colour"][:, :3]]
        gaussians.opacity_logits[block] = LOGITS_OF_BYTES[rows["colour"][:, 3]]
    return keep_valid(path, _unit(gaussians), "records")


def _unit(gaussians: Gaussians) -> Gaussians:
    """Quaternions of unit length again, in place, where they have a length."""
    length = np.linalg.norm(gaussians.rotations, axis=1, keepdims=True)
    np.divide(gaussians.rotations, length, out=gaussians.rotations, where=length > 0)
    return gaussians


def write_splat(path: Path, gaussians: Gaussians) -> None:
    """Writes all but the higher bands of SH, for which there is no room.

    Viewers draw the largest first while a file loads, so that is the order: opacity times volume, as antimatter15's
    converter has it.
    """
    volume = gaussians.log_scales.astype(np.float64).sum(axis=1)
    order = np.argsort(-(volume + np.log(np.maximum(sigmoid(gaussians.opacity_logits), 1e-30))), kind="stable")
    with replacing(path) as temporary, temporary.open("wb") as file:
        for block in blocks(len(gaussians)):
            file.write(_records(gaussians.select(order[block])).tobytes())


def _records(gaussians: Gaussians) -> NDArray[np.void]:
    rows = np.empty(len(gaussians), RECORD)
    rows["position"] = gaussians.positions
    with np.errstate(over="ignore"):
        rows["scale"] = np.exp(gaussians.log_scales)
    rows["colour"][:, :3] = to_bytes(255 * (0.5 + np.float32(SH_C0) * gaussians.sh[:, 0]))
    rows["colour"][:, 3] = to_bytes(255 * sigmoid(gaussians.opacity_logits))
    rows["rotation"] = to_bytes(128 + 128 * unit_quaternions(gaussians.rotations))
    return rows
