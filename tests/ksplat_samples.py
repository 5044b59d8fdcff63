"""A writer of .ksplat files, for tests and comparisons only: this program reads them."""

from __future__ import annotations

import struct

import numpy as np

from scenes.content import sigmoid, to_bytes
from scenes.gaussians import SH_C0, Gaussians, sh_count
from scenes.ksplat import SECTION_SIZE, Section
from scenes.quaternions import unit_quaternions


def pack_ksplat(
    parts: list[Gaussians], level: int, capacity: int = 256, side: float = 5.0, sh_range: float = 1.5
) -> bytes:
    """A section for each of `parts`: Gaussians as they come, in buckets of `capacity` around their own middle."""
    count = sum(len(part) for part in parts)
    header = struct.pack("<BBHIIIIHH3fff", 0, 1, 0, len(parts), len(parts), count, count, level, 0, 0, 0, 0, 0, 0)
    header = bytearray(header.ljust(4096, b"\0"))
    struct.pack_into("<ff", header, 36, -sh_range if sh_range != 1.5 else 0, sh_range if sh_range != 1.5 else 0)
    sections = [_section(part, level, capacity, side, sh_range) for part in parts]
    return bytes(header) + b"".join(head for head, _ in sections) + b"".join(data for _, data in sections)


def _section(scene: Gaussians, level: int, capacity: int, side: float, sh_range: float) -> tuple[bytes, bytes]:
    full, rest = divmod(len(scene), capacity)
    buckets = full + bool(rest)
    partial = [rest] if rest else []
    if not level:
        full = buckets = 0
        partial = []
    numbers = (len(scene), len(scene), capacity, buckets, side, 12, 32767, full, len(partial), scene.sh_degree)
    head = struct.pack("<IIIIfHHIIIIH", *numbers[:6], 0, numbers[6], 0, *numbers[7:]).ljust(SECTION_SIZE, b"\0")
    section = Section(*numbers)
    middles = np.array([scene.positions[i : i + capacity].mean(axis=0) for i in range(0, len(scene), capacity)], "<f4")
    rows = np.zeros(len(scene), section.row(level))
    relative = scene.positions - middles[np.arange(len(scene)) // capacity]
    steps = np.rint(relative / (side / 2 / 32767)) + 32767
    rows["position"] = steps if level else scene.positions
    rows["scale"] = np.exp(scene.log_scales)
    rows["rotation"] = unit_quaternions(scene.rotations)
    rows["colour"][:, :3] = to_bytes(255 * (0.5 + SH_C0 * scene.sh[:, 0]))
    rows["colour"][:, 3] = to_bytes(255 * sigmoid(scene.opacity_logits))
    values = _band_by_band(scene)
    rows["sh"] = np.rint((values + sh_range) / (2 * sh_range) * 255) if level == 2 else values
    return head, np.array(partial, "<u4").tobytes() + (middles.tobytes() if level else b"") + rows.tobytes()


def _band_by_band(scene: Gaussians) -> np.ndarray:
    """[N, 3 (K - 1)]: of each band all of red, all of green, all of blue."""
    bands = [scene.sh[:, sh_count(d - 1) : sh_count(d)].transpose(0, 2, 1) for d in range(1, scene.sh_degree + 1)]
    parts = [band.reshape(len(scene), -1) for band in bands]
    return np.concatenate([np.zeros((len(scene), 0), np.float32), *parts], axis=1)
