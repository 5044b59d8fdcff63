"""Procedural noise and the patterns of the sample scene; colours are sRGB in [0, 1]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def value_noise(points: Doubles, seed: int) -> Doubles:
    """[N] smooth noise in [0, 1] at `points` [N, 3]: random values on the integer lattice, eased between."""
    cell = np.floor(points).astype(np.int64)
    f = points - cell
    f = f * f * (3 - 2 * f)
    total = np.zeros(len(points))
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, f, 1 - f), axis=1)
        total += weight * _lattice(cell + corner, seed)
    return total


def _lattice(cell: NDArray[np.int64], seed: int) -> Doubles:
    """[N] a hash of integer points [N, 3] in [0, 1); mixing as in MurmurHash3's finaliser."""
    h = np.full(len(cell), (seed * 0x9E3779B97F4A7C15) % 2**64, np.uint64)
    with np.errstate(over="ignore"):
        for axis in range(3):
            h = (h ^ cell[:, axis].astype(np.uint64)) * np.uint64(0xFF51AFD7ED558CCD)
            h ^= h >> np.uint64(33)
        h = h * np.uint64(0xC4CEB9FE1A85EC53)
    return (h >> np.uint64(40)).astype(np.float64) / 2**24


def fractal_noise(points: Doubles, seed: int, octaves: int = 4) -> Doubles:
    """[N] octaves of noise, each twice as fine and half as strong, in [0, 1]."""
    total, weight = np.zeros(len(points)), 0.0
    for octave in range(octaves):
        total += value_noise(points * 2.0**octave, seed + octave) / 2**octave
        weight += 0.5**octave
    return total / weight


def mix(a: object, b: object, t: Doubles) -> Doubles:
    """[N, 3] from colour `a` at t = 0 to colour `b` at t = 1, held outside; a and b are [3] or [N, 3]."""
    t = np.clip(t, 0, 1)[:, None]
    return (1 - t) * np.asarray(a, np.float64) + t * np.asarray(b, np.float64)


def line(distance: Doubles, width: float, softness: float) -> Doubles:
    """[N] 1 on a line `width` wide, 0 beyond it."""
    return np.clip((0.5 * width - np.abs(distance)) / softness + 0.5, 0, 1)


def marble(points: Doubles, base: object, vein: object, seed: int) -> Doubles:
    """[N, 3] stone: thin veins where folded noise crosses its middle (Perlin 1985)."""
    warp = fractal_noise(points * 2.5, seed, 4)
    fold = np.abs(np.sin(3.2 * (points @ [0.8, 0.5, 0.3]) * np.pi + 7 * warp))
    cloud = fractal_noise(points * 5.0 + 9.1, seed + 50, 3)
    return mix(mix(base, vein, 0.45 * (cloud - 0.35)), vein, (1 - fold / 0.22) * 0.85)


def tiles(points: Doubles, size: float, seed: int) -> Doubles:
    """[N, 3] a checker of cream and slate marble with brass joints, in the plane z = 0."""
    cell = np.floor(points[:, :2] / size).astype(int)
    inside = points[:, :2] / size - cell - 0.5  # [-0.5, 0.5]
    shifted = points + np.concatenate([7.3 * cell, np.zeros((len(points), 1))], axis=1)  # every tile its own stone
    cream = marble(shifted, (0.93, 0.88, 0.79), (0.66, 0.56, 0.45), seed)
    slate = marble(shifted, (0.16, 0.22, 0.27), (0.62, 0.68, 0.68), seed + 7)
    stone = np.where((cell.sum(axis=1) % 2 == 0)[:, None], cream, slate)
    joint = line(0.5 - np.abs(inside).max(axis=1), 0.06, 0.03)
    return mix(stone, (0.72, 0.56, 0.27), joint)


def wood(points: Doubles, seed: int, light: object = (0.72, 0.47, 0.25), dark: object = (0.33, 0.17, 0.08)) -> Doubles:
    """[N, 3] rings about a tilted axis, with fine fibres along x."""
    stretched = points * [1.2, 6.0, 6.0]
    ring = 9.0 * np.hypot(points[:, 1] + 0.21, points[:, 2] + 0.07) + 1.3 * fractal_noise(stretched, seed, 3)
    grain = 0.5 + 0.5 * np.sin(2 * np.pi * ring)
    fibre = value_noise(points * [14.0, 120.0, 120.0], seed + 20)
    return mix(light, dark, 0.62 * grain**1.6 + 0.35 * (fibre - 0.5) + 0.1)
