"""What a reader of Gaussians returns, what it is allowed to take, and the checks all readers share."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenes.errors import SceneFileError
from scenes.gaussians import SH_C0, Floats, Gaussians, sh_count

MAX_GAUSSIANS = 50_000_000  # about 12 GB once decoded, four times the largest scenes published
MAX_SH_DEGREE = 3
LARGEST_ALPHA = 254.5 / 255  # a byte of 255 may have been anything from here up; the logit of 1 is infinite
OPAQUE_LOGIT = float(np.log(LARGEST_ALPHA / (1 - LARGEST_ALPHA)))
BLOCK = 1 << 16  # Gaussians decoded at a time: temporary arrays stay small beside the result


@dataclass(frozen=True)
class Content:
    """What a file held."""

    gaussians: Gaussians
    dropped: int = 0  # left out: NaN, infinite, or without a rotation
    notes: tuple[str, ...] = ()  # what else was left out, one sentence each
    files: tuple[Path, ...] = ()  # that were read, where they are several


@dataclass(frozen=True)
class ReadOptions:
    """What a reader may do, and which part of a file it takes."""

    max_gaussians: int = MAX_GAUSSIANS
    lod: int = 0  # of a file in levels of detail: 0 is the finest
    salvage: bool = False  # of a .kilo that is damaged or cut short: read what is whole


def check_count(path: str | os.PathLike[str], place: str, count: int, options: ReadOptions) -> int:
    """`count` itself, once it is between 1 and what the options allow; before any memory is taken for it."""
    if count < 1:
        raise SceneFileError(path, place, "at least one Gaussian", str(count))
    if count > options.max_gaussians:
        raise SceneFileError(path, place, f"at most {options.max_gaussians} Gaussians (--max-gaussians)", str(count))
    return count


def empty_gaussians(count: int, sh_degree: int, antialiased: bool = False) -> Gaussians:
    """Gaussians to be filled in; their numbers are whatever was in memory."""
    shapes = ((count, 3), (count, 3), (count, 4), (count,), (count, sh_count(sh_degree), 3))
    return Gaussians(*(np.empty(shape, np.float32) for shape in shapes), antialiased=antialiased)


def blocks(count: int) -> list[slice]:
    """Slices of at most `BLOCK` that cover 0 to `count`."""
    return [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


def single(values: NDArray[np.floating]) -> Floats:
    """In single precision; what is beyond it becomes infinite, and the Gaussians it belongs to are dropped."""
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float32)


def sigmoid(logits: Floats) -> Floats:
    """Opacities in [0, 1] of logits; of an infinite one 0 or 1."""
    with np.errstate(over="ignore"):
        return np.float32(1) / (np.float32(1) + np.exp(-logits))


def logits_of(alpha: Floats) -> Floats:
    """Logits of opacities in [0, 1] kept as 8 bits: the ends, whose logits are infinite, count as half a level less."""
    alpha = np.clip(alpha, np.float32(1 - LARGEST_ALPHA), np.float32(LARGEST_ALPHA))
    return np.log(alpha / (1 - alpha))


def _logits_of_bytes() -> Floats:
    return logits_of(np.linspace(0, 1, 256, dtype=np.float32))


LOGITS_OF_BYTES = _logits_of_bytes()  # [256]
DC_OF_BYTES = ((np.arange(256) / 255 - 0.5) / SH_C0).astype(np.float32)  # [256] SH coefficient 0 of a colour byte


def to_bytes(values: Floats) -> NDArray[np.uint8]:
    """Rounded to whole numbers and kept within 0 to 255; NaN becomes 0."""
    rounded = np.rint(values)
    np.clip(np.nan_to_num(rounded, copy=False, nan=0.0, posinf=255.0, neginf=0.0), 0, 255, out=rounded)
    return rounded.astype(np.uint8)


def keep_valid(path: str | os.PathLike[str], gaussians: Gaussians, place: str = "element vertex") -> Content:
    """Without the Gaussians that cannot be drawn: NaN or infinite attributes, or a quaternion without a direction.

    An opacity of 1 has an infinite logit, which tools write that read opacities of 8 bits; half a level less is kept.
    """
    if not len(gaussians):
        raise SceneFileError(path, place, "at least one Gaussian", "0")
    opaque = np.isposinf(gaussians.opacity_logits)
    if opaque.any():
        logits = np.where(opaque, OPAQUE_LOGIT, gaussians.opacity_logits).astype(np.float32)
        gaussians = replace(gaussians, opacity_logits=logits)
    valid = np.empty(len(gaussians), np.bool_)
    for block in blocks(len(gaussians)):
        part = gaussians.select(block)
        with np.errstate(over="ignore", invalid="ignore"):
            length = np.linalg.norm(part.rotations, axis=1)
        valid[block] = part.finite() & (length > 0) & np.isfinite(length)
    dropped = len(gaussians) - int(valid.sum())
    if dropped == len(gaussians):
        found = f"{dropped} that are NaN, infinite or without a rotation"
        raise SceneFileError(path, place, "at least one finite Gaussian", found)
    return Content(gaussians.select(valid) if dropped else gaussians, dropped)
