"""Gaussians in a .ksplat, the format of mkkellogg's GaussianSplats3D, levels 0 to 2; read only. Little-endian.

offset  type     header of the file, 4096 bytes
0       2 u8     version: 0, at least 1
4       4 u32    sections there is room for, sections, Gaussians there is room for, Gaussians
20      u16      level of compression
36      2 f32    smallest and largest SH coefficient, for level 2; 0 means -1.5 and 1.5

offset  type     header of a section, 1024 bytes, as many as there is room for
0       2 u32    Gaussians, Gaussians there is room for
8       2 u32    Gaussians in a full bucket, buckets
16      f32      side of a bucket, world units
20      u16      bytes a bucket: 12
24      u32      steps from the middle of a bucket to its side; 0 means 32767 (level 0: 1)
32      2 u32    full buckets, buckets that are not full
40      u16      SH degree, 0 to 2; 3 is read too

then for each section: u32 Gaussians of each bucket that is not full; 3 f32 middle of each bucket; the Gaussians

a Gaussian       level 0  levels 1, 2
position         3 f32    3 u16: middle of the bucket + (u - steps) side / 2 / steps
scale            3 f32    3 f16: standard deviation
rotation         4 f32    4 f16: w x y z
colour           4 u8     4 u8: r g b, opacity
SH               f32      f16; level 2 u8: lerp(smallest, largest). Band by band, in each channel by channel
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenes.content import (
    DC_OF_BYTES,
    LOGITS_OF_BYTES,
    Content,
    ReadOptions,
    blocks,
    check_count,
    empty_gaussians,
    keep_valid,
)
from scenes.errors import SceneFileError
from scenes.gaussians import Floats, Gaussians, sh_count

HEADER_SIZE, SECTION_SIZE = 4096, 1024
HEADER = struct.Struct("<BB2xIIIIH14xff")
SECTION = struct.Struct("<IIIIfH2xI4xIIH")
BUCKET_SIZE = 12
USUAL_SH = 1.5
USUAL_STEPS = (1, 32767, 32767)  # by level
NUMBERS = (("<f4", "<f4", "<f4", "<f4"), ("<u2", "<f2", "<f2", "<f2"), ("<u2", "<f2", "<f2", "u1"))
SMALLEST_SCALE = np.float32(1e-30)  # a scale of 0 has no logarithm, and is drawn as a point either way
MAX_DEGREE = 3


@dataclass(frozen=True)
class KsplatHeader:
    """The numbers at the start of a file."""

    major: int
    minor: int
    room_for_sections: int
    sections: int
    room: int
    count: int
    level: int
    sh_min: float
    sh_max: float


@dataclass(frozen=True)
class Section:
    """The numbers at the start of a section, and where its data is."""

    count: int
    room: int
    capacity: int
    buckets: int
    side: float
    bucket_bytes: int
    steps: int
    full: int
    partial: int
    degree: int
    start: int = 0  # first byte of its data

    def row(self, level: int) -> np.dtype[np.void]:
        """The layout of a Gaussian."""
        position, scale, rotation, sh = NUMBERS[level]
        others = 3 * (sh_count(self.degree) - 1)
        return np.dtype(
            [
                ("position", position, 3),
                ("scale", scale, 3),
                ("rotation", rotation, 4),
                ("colour", "u1", 4),
                ("sh", sh, (others,)),
            ]
        )

    def size(self, level: int) -> int:
        """The bytes of its data."""
        return 4 * self.partial + self.bucket_bytes * self.buckets + self.row(level).itemsize * self.room


def is_ksplat(start: bytes, size: int) -> bool:
    """Whether a file that begins with `start` and has `size` bytes can be one: it has no word to say so."""
    if size < HEADER_SIZE or len(start) < HEADER.size:
        return False
    header = KsplatHeader(*HEADER.unpack_from(start))
    fits = HEADER_SIZE + SECTION_SIZE * header.room_for_sections <= size
    counted = 1 <= header.sections <= header.room_for_sections and 0 < header.count <= header.room
    return header.major == 0 and header.minor >= 1 and header.level <= 2 and fits and counted


def read_ksplat(path: Path, options: ReadOptions) -> Content:
    """The Gaussians of a .ksplat; `SceneFileError` if it is not one."""
    content = np.memmap(path, np.uint8, "r")
    if not is_ksplat(content[: HEADER.size].tobytes(), len(content)):
        raise SceneFileError(path, "header", "a .ksplat of version 0.1 and level 0 to 2", "something else")
    header = KsplatHeader(*HEADER.unpack_from(content.data))
    count = check_count(path, "header", header.count, options)
    sections = _sections(path, content, header)
    if sum(section.count for section in sections) != count:
        found = f"{sum(section.count for section in sections)} in the sections"
        raise SceneFileError(path, "header", f"{count} Gaussians", found)
    gaussians = empty_gaussians(count, max(section.degree for section in sections))
    first = 0
    for index, section in enumerate(sections):
        _fill(path, f"section {index}", content, header, section, gaussians, first)
        first += section.count
    return keep_valid(path, gaussians, "sections")


def _sections(path: Path, content: NDArray[np.uint8], header: KsplatHeader) -> list[Section]:
    """The sections that hold something, checked against the file."""
    sections, start = [], HEADER_SIZE + SECTION_SIZE * header.room_for_sections
    for index in range(header.room_for_sections):
        numbers = SECTION.unpack_from(content.data, HEADER_SIZE + SECTION_SIZE * index)
        section = Section(*numbers, start=start)
        if not section.count:
            continue
        _check_section(path, f"section {index}", section, header.level, len(content))
        start += section.size(header.level)
        sections.append(section)
    if not sections:
        raise SceneFileError(path, "sections", "at least one Gaussian", "0")
    return sections


def _check_section(path: Path, place: str, section: Section, level: int, size: int) -> None:
    if section.degree > MAX_DEGREE:
        raise SceneFileError(path, place, f"an SH degree of 0 to {MAX_DEGREE}", str(section.degree))
    if section.count > section.room:
        raise SceneFileError(path, place, f"at most {section.room} Gaussians, its room", str(section.count))
    if level and section.bucket_bytes != BUCKET_SIZE:
        raise SceneFileError(path, place, f"buckets of {BUCKET_SIZE} bytes", str(section.bucket_bytes))
    if section.full + section.partial > section.buckets:
        raise SceneFileError(path, place, f"at most {section.buckets} buckets", str(section.full + section.partial))
    end = section.start + section.size(level)
    unused = (section.room - section.count) * section.row(level).itemsize  # some writers cut it off the last section
    if end - unused > size:
        raise SceneFileError(path, place, f"{end - unused - section.start} bytes", str(max(size - section.start, 0)))


def _fill(
    path: Path,
    place: str,
    content: NDArray[np.uint8],
    header: KsplatHeader,
    section: Section,
    into: Gaussians,
    first: int,
) -> None:
    """Decodes `section` into the Gaussians from `first` on."""
    middles = _middles(path, place, content, header.level, section)
    row = section.row(header.level)
    start = section.start + 4 * section.partial + section.bucket_bytes * section.buckets
    rows = content[start : start + section.count * row.itemsize].view(row)
    for block in blocks(section.count):
        part, to = np.array(rows[block]), slice(first + block.start, first + block.stop)
        into.positions[to] = _positions(
            part["position"], section, header.level, None if middles is None else middles[block]
        )
        scales = part["scale"].astype(np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):  # negative ones become NaN, and are dropped
            into.log_scales[to] = np.log(np.where(scales == 0, SMALLEST_SCALE, scales))
        into.rotations[to] = part["rotation"]
        into.sh[to, 0] = DC_OF_BYTES[part["colour"][:, :3]]
        into.opacity_logits[to] = LOGITS_OF_BYTES[part["colour"][:, 3]]
        into.sh[to, 1:] = 0
        into.sh[to, 1 : sh_count(section.degree)] = _sh(part["sh"], section.degree, header)


class _Middles:
    """The middle of the bucket of each Gaussian."""

    def __init__(self, centres: Floats, sizes: NDArray[np.int64]) -> None:
        self._centres, self._ends = centres, np.cumsum(sizes)

    def __getitem__(self, block: slice) -> Floats:
        """[N, 3]."""
        return self._centres[np.searchsorted(self._ends, np.arange(block.start, block.stop), side="right")]


def _middles(path: Path, place: str, content: NDArray[np.uint8], level: int, section: Section) -> _Middles | None:
    """None where positions are not relative to a bucket."""
    if not level:
        return None
    at = section.start
    partial = content[at : at + 4 * section.partial].view("<u4").astype(np.int64)
    centres = content[at + 4 * section.partial :][: BUCKET_SIZE * section.buckets].view("<f4").reshape(-1, 3)
    sizes = np.concatenate([np.full(section.full, section.capacity, np.int64), partial])
    if sizes.sum() < section.count:
        raise SceneFileError(path, place, f"buckets for {section.count} Gaussians", f"for {sizes.sum()}")
    return _Middles(centres.astype(np.float32), sizes)


def _positions(stored: NDArray[np.generic], section: Section, level: int, middles: Floats | None) -> Floats:
    """[N, 3]."""
    if middles is None:
        return stored.astype(np.float32)
    steps = section.steps or USUAL_STEPS[level]
    with np.errstate(over="ignore", invalid="ignore"):  # an infinite side makes NaN, and those are dropped
        step = np.float32(section.side / 2 / steps)
        return (stored.astype(np.float32) - np.float32(steps)) * step + middles


def _sh(stored: NDArray[np.generic], degree: int, header: KsplatHeader) -> Floats:
    """[N, K - 1, 3] of the bands as they are stored: [N, 3 (K - 1)]."""
    values = stored.astype(np.float32)
    if header.level == 2:
        low, high = header.sh_min or -USUAL_SH, header.sh_max or USUAL_SH
        values = np.float32(low) + values * np.float32((high - low) / 255)
    bands = [
        values[:, 3 * (band**2 - 1) : 3 * ((band + 1) ** 2 - 1)].reshape(-1, 3, 2 * band + 1).transpose(0, 2, 1)
        for band in range(1, degree + 1)
    ]
    return np.concatenate(bands, axis=1) if bands else np.empty((len(values), 0, 3), np.float32)
