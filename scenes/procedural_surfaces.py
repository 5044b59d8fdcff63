"""Evenly spread samples on surfaces of revolution and boxes: where the Gaussians of the sample scene lie.

Frame: z up, lengths in world units. Rows of points, one spacing apart, each row shifted at random and each point
jittered, come close to blue noise on any such surface.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

JITTER = 0.22  # of the spacing: breaks the rows up without opening holes


@dataclass(frozen=True)
class Samples:
    """N points on a surface."""

    positions: Doubles  # [N, 3]
    normals: Doubles  # [N, 3] unit, outward
    uv: Doubles  # [N, 2] along the surface: angle and arc length, or the two sides of a face from its centre
    spacing: float  # between neighbours

    def __len__(self) -> int:
        return len(self.positions)

    def placed(self, offset: tuple[float, float, float], turn: float = 0.0) -> Samples:
        """Turned by `turn` radians about z, then moved by `offset`."""
        c, s = np.cos(turn), np.sin(turn)
        rotation = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        return replace(self, positions=self.positions @ rotation.T + offset, normals=self.normals @ rotation.T)


def lathe_samples(profile: Doubles, spacing: float, rng: np.random.Generator) -> Samples:
    """Samples on `profile` [M, 2] (radius, height) turned about z; it runs upward outside and inward on top."""
    steps = np.diff(profile, axis=0)  # [M - 1, 2]
    lengths = np.hypot(*steps.T)
    arc = np.concatenate([[0.0], np.cumsum(lengths)])

    rows = max(1, round(arc[-1] / spacing))
    row_arc = (np.arange(rows) + 0.5) * arc[-1] / rows
    counts = np.maximum(1, np.rint(2 * np.pi * np.interp(row_arc, arc, profile[:, 0]) / spacing)).astype(int)
    row = np.repeat(np.arange(rows), counts)  # [N]
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    place = place + rng.random(rows)[row] + rng.uniform(-JITTER, JITTER, len(row))
    angle = 2 * np.pi * place / counts[row]
    along = np.clip(row_arc[row] + spacing * rng.uniform(-JITTER, JITTER, len(row)), 0, arc[-1])

    radius, height = (np.interp(along, arc, column) for column in profile.T)
    segment = np.clip(np.searchsorted(arc, along) - 1, 0, len(steps) - 1)
    outward, up = steps[segment, 1] / lengths[segment], -steps[segment, 0] / lengths[segment]
    c, s = np.cos(angle), np.sin(angle)
    positions = np.stack([radius * c, radius * s, height], axis=1)
    normals = np.stack([outward * c, outward * s, up], axis=1)
    return Samples(positions, normals, np.stack([angle, along], axis=1), spacing)


def box_samples(half: tuple[float, float, float], spacing: float, rng: np.random.Generator) -> Samples:
    """Samples on a box of half extents `half` about the origin; its bottom, which nothing sees, is left out."""
    parts = []
    for axis, sign in ((0, -1), (0, 1), (1, -1), (1, 1), (2, 1)):
        u_axis, v_axis = (a for a in range(3) if a != axis)
        uv = _grid(half[u_axis], half[v_axis], spacing, rng)
        positions = np.empty((len(uv), 3))
        positions[:, axis], positions[:, u_axis], positions[:, v_axis] = sign * half[axis], uv[:, 0], uv[:, 1]
        normals = np.zeros((len(uv), 3))
        normals[:, axis] = sign
        parts.append((positions, normals, uv))
    positions, normals, uv = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Samples(positions, normals, uv, spacing)


def _grid(half_u: float, half_v: float, spacing: float, rng: np.random.Generator) -> Doubles:
    """[N, 2] jittered grid points in a rectangle about 0."""
    columns, rows = (max(1, round(2 * half / spacing)) for half in (half_u, half_v))
    u, v = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
    jitter = rng.uniform(-JITTER, JITTER, (rows * columns, 2)) / [columns, rows]
    return (2 * (np.stack([u.ravel(), v.ravel()], axis=1) + jitter) - 1) * [half_u, half_v]


def arc_profile(radius: float, centre: tuple[float, float], start: float, stop: float, points: int = 97) -> Doubles:
    """[points, 2] an arc of a circle in the (radius, height) plane, angles in radians from the outward axis."""
    angle = np.linspace(start, stop, points)
    return np.stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)], axis=1)


def smooth_profile(knots: Doubles, points: int = 160) -> Doubles:
    """[points, 2] a Catmull-Rom curve through `knots` [M, 2] (Catmull and Rom 1974)."""
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    t = np.linspace(0, len(knots) - 1, points)
    i = np.minimum(t.astype(int), len(knots) - 2)
    f = (t - i)[:, None]
    p0, p1, p2, p3 = (padded[i + n] for n in range(4))
    return 0.5 * (2 * p1 + (p2 - p0) * f + (2 * p0 - 5 * p1 + 4 * p2 - p3) * f**2 + (3 * (p1 - p2) + p3 - p0) * f**3)
