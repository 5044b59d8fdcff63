"""What stands on the table of the sample scene: shape, pattern and gloss of each thing.

Frame as in `procedural_surfaces.py`: z up, the table top at z = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.procedural_light import Distance
from scenes.procedural_surfaces import Samples, arc_profile, box_samples, lathe_samples, smooth_profile
from scenes.procedural_textures import fractal_noise, line, marble, mix, tiles, wood

Doubles = NDArray[np.float64]
Position = tuple[float, float, float]

TABLE_RADIUS, TABLE_EDGE = 1.5, 0.05
VASE_AT, VASE_TURN = (-0.22, 0.52, 0.0), 0.3
BALL_AT, BALL_RADIUS = (0.66, 0.16, 0.33), 0.33
RING_AT, RING_RADII = (-0.66, -0.36, 0.125), (0.34, 0.125)
BOX_AT, BOX_HALF, BOX_TURN = (0.20, -0.58, 0.15), (0.26, 0.20, 0.15), 0.45
EGG_AT, EGG_RADIUS = (0.20, -0.58, 0.42), 0.12
BEADS = ((-0.16, -0.98, 0.07), (0.02, -1.12, 0.05), (0.78, -0.72, 0.09), (-0.95, 0.38, 0.08))
BEAD_COLOURS = ((0.10, 0.45, 0.36), (0.80, 0.52, 0.12), (0.13, 0.24, 0.58), (0.66, 0.16, 0.24))
VASE_KNOTS = np.array(
    [[0.02, 0.0], [0.17, 0.01], [0.19, 0.06], [0.30, 0.26], [0.33, 0.45], [0.25, 0.66], [0.12, 0.79], [0.115, 0.88],
     [0.17, 0.96], [0.155, 0.965], [0.10, 0.89], [0.09, 0.82]]
)  # fmt: skip


@dataclass(frozen=True)
class Thing:
    """One object of the still life, in the frame of `procedural_surfaces.py`."""

    name: str
    sample: Callable[[float, np.random.Generator], Samples]  # spacing, random numbers
    paint: Callable[[Samples, int], Doubles]  # samples, seed -> sRGB albedo [N, 3]
    distance: Distance  # to its surface, for shadows
    gloss: float
    fineness: float = 1.5  # samples are this many times denser, along a line, than on the table


def things() -> list[Thing]:
    """All objects, the table first."""
    beads = [_bead(i) for i in range(len(BEADS))]
    return [_table(), _vase(), _ball(), _ring(), _box(), _egg(), *beads]


def _ball_distance(centre: Position, radius: float) -> Distance:
    return lambda points: np.linalg.norm(points - centre, axis=1) - radius


def _table() -> Thing:
    profile = np.concatenate(
        [
            [[TABLE_RADIUS, -2 * TABLE_EDGE]],
            arc_profile(TABLE_EDGE, (TABLE_RADIUS, -TABLE_EDGE), 0, np.pi / 2),
            [[0, 0]],
        ]
    )

    def paint(samples: Samples, seed: int) -> Doubles:
        points, radius = samples.positions, np.hypot(*samples.positions[:, :2].T)
        rim = wood(points[:, [1, 0, 2]], seed + 3, (0.45, 0.26, 0.14), (0.20, 0.10, 0.05))
        colours = np.where((radius > TABLE_RADIUS - 0.10)[:, None], rim, tiles(points, 0.25, seed))
        return mix(colours, (0.72, 0.56, 0.27), line(radius - (TABLE_RADIUS - 0.10), 0.018, 0.01))

    return Thing("table", lambda d, rng: lathe_samples(profile, d, rng), paint, lambda p: p[:, 2], 0.25, 1.0)


def _vase() -> Thing:
    profile = smooth_profile(VASE_KNOTS)
    outside = profile[: int(np.argmax(profile[:, 1]))]

    def distance(points: Doubles) -> Doubles:
        local = points - VASE_AT
        radius = np.interp(local[:, 2], outside[:, 1], outside[:, 0])
        side, over = np.hypot(*local[:, :2].T) - radius, np.abs(local[:, 2] - 0.48) - 0.48
        return 0.7 * np.maximum(side, over)  # 0.7: the slope of the wall makes the horizontal gap too large

    def paint(samples: Samples, seed: int) -> Doubles:
        return _porcelain(samples.uv[:, 0], samples.positions[:, 2], samples.positions, seed)

    return Thing(
        "vase", lambda d, rng: lathe_samples(profile, d, rng).placed(VASE_AT, VASE_TURN), paint, distance, 1.0, 1.6
    )


def _porcelain(angle: Doubles, height: Doubles, points: Doubles, seed: int) -> Doubles:
    """[N, 3] white glaze with cobalt bands, a lattice and petals."""
    blue = np.zeros(len(angle))
    for at in (0.07, 0.115, 0.605, 0.645, 0.80, 0.935):
        blue = np.maximum(blue, line(height - at, 0.014, 0.008))
    petals = 0.20 + 0.075 * np.abs(np.cos(6 * angle))
    blue = np.maximum(blue, 0.8 * (height > 0.13) * (height < petals))
    middle = (height > 0.31) & (height < 0.58)
    u, v = 14 * angle / (2 * np.pi), (height - 0.31) / 0.135
    lattice = np.maximum(line((u + v) % 1 - 0.5, 0.13, 0.06), line((u - v) % 1 - 0.5, 0.13, 0.06))
    dots = np.clip((0.17 - np.hypot((u + v + 0.5) % 1 - 0.5, (u - v + 0.5) % 1 - 0.5)) / 0.06 + 0.5, 0, 1)
    blue = np.maximum(blue, middle * np.maximum(lattice, dots))
    strokes = (height > 0.665) & (height < 0.775)
    blue = np.maximum(blue, strokes * line((20 * angle / (2 * np.pi) + 6 * height) % 1 - 0.5, 0.3, 0.1))
    brush = 0.75 + 0.5 * fractal_noise(points * 22, seed + 31, 3)
    return mix((0.93, 0.94, 0.92), (0.07, 0.16, 0.50), blue * np.clip(brush, 0, 1))


def _ball() -> Thing:
    profile = arc_profile(BALL_RADIUS, (0, BALL_RADIUS), -np.pi / 2, np.pi / 2)
    place = (BALL_AT[0], BALL_AT[1], 0.0)

    def paint(samples: Samples, seed: int) -> Doubles:
        stone = marble(1.6 * samples.positions, (0.62, 0.07, 0.06), (0.98, 0.66, 0.36), seed + 11)
        band = samples.uv[:, 1] - 0.5 * np.pi * BALL_RADIUS
        return mix(
            stone, (0.86, 0.66, 0.25), np.maximum(line(band - 0.035, 0.02, 0.01), line(band + 0.035, 0.02, 0.01))
        )

    return Thing(
        "ball",
        lambda d, rng: lathe_samples(profile, d, rng).placed(place, 1.0),
        paint,
        _ball_distance(BALL_AT, BALL_RADIUS),
        1.5,
    )


def _ring() -> Thing:
    major, minor = RING_RADII
    profile = arc_profile(minor, (major, 0), -np.pi, np.pi, 193)

    def distance(points: Doubles) -> Doubles:
        local = points - RING_AT
        return np.hypot(np.hypot(*local[:, :2].T) - major, local[:, 2]) - minor

    def paint(samples: Samples, seed: int) -> Doubles:
        around, tube = samples.uv[:, 0] / (2 * np.pi), samples.uv[:, 1] / (2 * np.pi * minor)
        twist = (16 * around + 2 * tube) % 1 - 0.5
        glaze = mix((0.06, 0.36, 0.40), (0.16, 0.58, 0.56), fractal_noise(9 * samples.positions, seed + 41, 4))
        striped = mix(glaze, (0.95, 0.86, 0.66), line(twist, 0.36, 0.06))
        return mix(striped, (0.78, 0.36, 0.12), line(np.abs(twist) - 0.27, 0.05, 0.04))

    return Thing("ring", lambda d, rng: lathe_samples(profile, d, rng).placed(RING_AT), paint, distance, 1.0)


def _box() -> Thing:
    c, s = np.cos(BOX_TURN), np.sin(BOX_TURN)

    def distance(points: Doubles) -> Doubles:
        local = points - BOX_AT
        turned = np.stack([c * local[:, 0] + s * local[:, 1], c * local[:, 1] - s * local[:, 0], local[:, 2]], axis=1)
        beyond = np.abs(turned) - BOX_HALF
        return np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(axis=1), 0)

    def paint(samples: Samples, seed: int) -> Doubles:
        u, v = samples.uv.T
        grain = wood(np.stack([u, v, 0.3 * samples.normals[:, 0]], axis=1), seed + 60)
        return _inlaid(grain, u, v)

    return Thing(
        "box", lambda d, rng: box_samples(BOX_HALF, d, rng).placed(BOX_AT, BOX_TURN), paint, distance, 0.3, 1.7
    )


def _inlaid(wood_colours: Doubles, u: Doubles, v: Doubles) -> Doubles:
    """[N, 3] wood with a frame and a diamond of pale inlay on each face."""
    ivory = (0.92, 0.83, 0.62)
    diamond = np.abs(u) + np.abs(v)
    marks = np.maximum(line(diamond - 0.11, 0.014, 0.008), line(diamond - 0.085, 0.008, 0.006))
    marks = np.maximum(marks, np.clip((0.035 - diamond) / 0.006 + 0.5, 0, 1))
    return mix(wood_colours, ivory, marks)


def _egg() -> Thing:
    profile = arc_profile(EGG_RADIUS, (0, 0), -np.pi / 2, np.pi / 2)

    def paint(samples: Samples, seed: int) -> Doubles:
        speckle = fractal_noise(38 * samples.positions, seed + 71, 2)
        return mix((0.90, 0.66, 0.24), (0.50, 0.29, 0.06), (speckle - 0.55) / 0.12)

    return Thing(
        "egg",
        lambda d, rng: lathe_samples(profile, d, rng).placed(EGG_AT),
        paint,
        _ball_distance(EGG_AT, EGG_RADIUS),
        1.3,
    )


def _bead(index: int) -> Thing:
    at, colour = BEADS[index], BEAD_COLOURS[index]
    radius = at[2]
    profile = arc_profile(radius, (0, 0), -np.pi / 2, np.pi / 2, 49)

    def paint(samples: Samples, seed: int) -> Doubles:
        swirl = fractal_noise(16 * samples.positions, seed + 80 + index, 3)
        return mix(colour, (0.95, 0.92, 0.85), (swirl - 0.56) / 0.08)

    return Thing(
        f"bead{index}", lambda d, rng: lathe_samples(profile, d, rng).placed(at), paint, _ball_distance(at, radius), 1.4
    )
