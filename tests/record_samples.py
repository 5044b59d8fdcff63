"""Records of projected Gaussians for the tests of the blend paths, and their blending in numpy: slow, in order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from renderer.layouts import FLOATS, PROFILES, RECORD
from scenes.gaussians import Floats

Records = NDArray[np.void]


def records_of(
    centre: NDArray[np.floating],
    axis: NDArray[np.floating],
    minor: NDArray[np.floating],
    opacity: NDArray[np.floating],
    colour: NDArray[np.floating],
) -> Records:
    """[N] records from centres [N, 2], long half axes [N, 2], short ones [N], opacities [N] and colours [N, 3]."""
    records = np.zeros(len(centre), RECORD.dtype)
    records["centre"], records["axis"], records["minor"] = centre, axis, minor
    records["log_opacity"] = np.log2(opacity)
    halves = np.asarray(colour, np.float16).view(np.uint16).astype(np.uint32)
    records["red_green"] = halves[:, 0] | halves[:, 1] << 16
    records["blue"] = halves[:, 2]
    return records


def random_records(count: int, seed: int, size: tuple[int, int], largest: float = 40.0) -> Records:
    """Small and large, round and as thin as a hair, inside of the picture and around it."""
    rng = np.random.default_rng(seed)
    margin = 0.3 * max(size)
    major = np.exp(rng.uniform(np.log(0.8), np.log(largest), count))
    angle = rng.uniform(0, 2 * np.pi, count)
    angle[::5] = rng.integers(0, 4, len(angle[::5])) * (np.pi / 2)  # some upright ones, to the bit or nearly
    return records_of(
        rng.uniform(-margin, np.array(size) + margin, (count, 2)),
        major[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1),
        np.maximum(major * rng.uniform(0.01, 1, count), 0.8),
        rng.uniform(0.02, 1, count),
        rng.uniform(0, 1, (count, 3)),
    )


def colours(records: Records) -> Floats:
    """[N, 3] the colours of records."""
    halves = [records["red_green"] & 0xFFFF, records["red_green"] >> 16, records["blue"] & 0xFFFF]
    return np.stack(halves, 1).astype(np.uint16).view(np.float16).astype(np.float32)


def squared_distances(record: np.void, size: tuple[int, int]) -> NDArray[np.float64]:
    """[H, W] of the pixel centres from the record's centre, 1 at the edge of its footprint."""
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    dx, dy = x - record["centre"][0], y - record["centre"][1]
    axis, minor = record["axis"].astype(np.float64), float(record["minor"])
    major = np.hypot(*axis)
    along = (axis[0] * dx + axis[1] * dy) / major**2
    across = (axis[0] * dy - axis[1] * dx) / (major * minor)
    return along**2 + across**2


def profile_alpha(square: NDArray[np.float64], log_opacity: float, profile: int) -> NDArray[np.float64]:
    """The twin of shaders/gaussian_profile.glsl."""
    if profile == PROFILES["PROFILE_DISC"]:
        return np.ones_like(square)
    if profile == PROFILES["PROFILE_RING"]:
        return np.where(square >= FLOATS["RING_INNER"] ** 2, FLOATS["RING_ALPHA"], FLOATS["RING_FILL"])
    power = log_opacity + square * (FLOATS["LOG2_MIN_ALPHA"] - log_opacity)
    return np.minimum(FLOATS["MAX_ALPHA"], np.exp2(power))


def blend_slowly(records: Records, size: tuple[int, int], profile: int) -> NDArray[np.float64]:
    """[H, W, 4] premultiplied colour and alpha of records, nearest first, by the rules of the original 3DGS."""
    colour = np.zeros((size[1], size[0], 3))
    transmittance = np.ones((size[1], size[0]))
    finished = np.zeros((size[1], size[0]), bool)
    for record, own in zip(records, colours(records), strict=True):
        square = squared_distances(record, size)
        touched = (square <= 1) & ~finished
        alpha = profile_alpha(square, record["log_opacity"], profile)
        left = transmittance * (1 - alpha)
        finished |= touched & (left < FLOATS["MIN_TRANSMITTANCE"])
        if profile == PROFILES["PROFILE_GAUSSIAN"]:
            touched &= ~finished
        colour += np.where(touched, alpha * transmittance, 0)[..., None] * own
        transmittance = np.where(touched, left, transmittance)
    return np.concatenate([colour, 1 - transmittance[..., None]], 2)


def count_slowly(records: Records, size: tuple[int, int], tile: int) -> tuple[NDArray[np.int64], int]:
    """[H, W] how many records touch each pixel, and how many pairs of record and tile have a touched pixel."""
    counts = np.zeros((size[1], size[0]), np.int64)
    pairs = 0
    for record in records:
        touched = squared_distances(record, size) <= 1
        counts += touched
        padded = np.pad(touched, [(0, -size[1] % tile), (0, -size[0] % tile)])
        rows, columns = (length // tile for length in padded.shape)
        pairs += int(padded.reshape(rows, tile, columns, tile).any(axis=(1, 3)).sum())
    return counts, pairs
