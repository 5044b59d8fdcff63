"""How good a neural surface is against what it was made from: where rays hit it, holes, normals, colours, seams.

hits   rays from around, traced by the numpy twin, against the first hits of the same rays with the reference
seams  points of the surface on faces between two cells: what jumps from one side of the face to the other
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from fitting.kiloneus.teacher import Teacher
from renderer.surface_reference import Hits, trace
from scenes.gaussians import Floats
from scenes.surface import EMPTY, NeuralSurface

Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]

CAMERAS = 40  # evenly around, from which rays are shot
AWAY = 1.5  # diagonals of the box from its middle to a camera
GRAZING = 5.0  # degrees between a ray and the plane of the surface under which a miss is no hole
THROUGH = 0.01  # diagonals beyond the reference's hit from which a ray has gone through a hole
BLOCK = 20_000  # rays at a time
BESIDE = 3e-5  # cells: how far the two sides of a face are looked at; float32 resolves a tenth of it
STEPS = 6  # of Newton's method along a face
CLOSE = 1e-3  # cells: a point nearer to the zero is on it


@dataclass(frozen=True)
class Rays:
    """What is shot at a surface, and what it should meet."""

    origins: Doubles  # [N, 3]
    directions: Doubles  # [N, 3] unit
    expected: Doubles  # [N] distance to the reference along the ray, inf: it passes


@dataclass(frozen=True)
class HitQuality:
    """Distances in % of the diagonal of the reference's box, angles in degrees, shares in %."""

    rays: int
    expected: int  # rays that meet the reference
    hits: int
    distance: float  # of hits from the reference, mean
    distance_999: float
    distance_most: float
    normal: float  # angle between normals at hits, mean
    normal_999: float
    holes: float  # share of `expected` that miss or go through, but for grazing rays
    holes_with_grazing: float
    colour_psnr: float | None  # dB, at hits
    networks_a_ray: float  # that meets the surface


@dataclass(frozen=True)
class FaceJumps:
    """What jumps at each of M places where the surface crosses a face between two cells."""

    places: Doubles  # [M, 3] cells
    distances: Doubles  # [M] of the field, cells, beyond what its slope gives
    angles: Doubles  # [M] of the normal, degrees


@dataclass(frozen=True)
class Seams:
    """What jumps across faces between cells, at points where the surface crosses them."""

    points: int
    distance: float  # of the field, mean, % of a cell's edge
    distance_999: float
    normal: float  # degrees, mean
    normal_999: float


def rays_around(bounds: Floats, count: int, seed: int) -> tuple[Doubles, Doubles]:
    """Origins and unit directions [count, 3] of rays from cameras all around to places in the box `bounds` [2, 3].

    The cameras lie on a Fibonacci spiral, which is even on the sphere.
    """
    rng = np.random.default_rng(seed)
    low, high = bounds.astype(np.float64)
    turn = np.arange(CAMERAS) + 0.5
    height, angle = 1 - 2 * turn / CAMERAS, np.pi * (1 + 5**0.5) * turn
    flat = np.sqrt(1 - height**2)
    around = np.stack([flat * np.cos(angle), height, flat * np.sin(angle)], axis=1)
    eyes = 0.5 * (low + high) + AWAY * np.linalg.norm(high - low) * around
    origins = eyes[np.arange(count) % CAMERAS]
    directions = rng.uniform(low, high, (count, 3)) - origins
    return origins, directions / np.linalg.norm(directions, axis=1, keepdims=True)


def judge_hits(surface: NeuralSurface, teacher: Teacher, rays: Rays) -> HitQuality:
    """Traces `rays` and compares what they hit with `teacher`, the reference."""
    found = _traced(surface, rays)
    diagonal = float(np.linalg.norm(teacher.bounds[1] - teacher.bounds[0]))
    points, normals = found.points[found.hit].astype(np.float32), found.normals[found.hit]
    distance, gradient = teacher.distance(points)
    percent = 100 * np.abs(distance) / diagonal
    angles = degrees_between(normals, gradient)
    holes, grazing = _holes(teacher, rays, found, diagonal)
    expected = int(np.isfinite(rays.expected).sum())
    return HitQuality(
        rays=len(rays.expected),
        expected=expected,
        hits=int(found.hit.sum()),
        distance=float(percent.mean()),
        distance_999=float(np.quantile(percent, 0.999)),
        distance_most=float(percent.max()),
        normal=float(angles.mean()),
        normal_999=float(np.quantile(angles, 0.999)),
        holes=100 * float((holes & ~grazing).sum()) / expected,
        holes_with_grazing=100 * float(holes.sum()) / expected,
        colour_psnr=_colour_psnr(surface, teacher, points, normals, rays.directions[found.hit].astype(np.float32)),
        networks_a_ray=float(found.evaluations[found.hit].mean()),
    )


def _traced(surface: NeuralSurface, rays: Rays) -> Hits:
    parts = [
        trace(surface, rays.origins[first : first + BLOCK], rays.directions[first : first + BLOCK])
        for first in range(0, len(rays.expected), BLOCK)
    ]
    return Hits(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Hits)))


def _holes(teacher: Teacher, rays: Rays, found: Hits, diagonal: float) -> tuple[Bools, Bools]:
    """[N] rays that pass where the reference is, and [N] whether they only graze it."""
    holes = np.isfinite(rays.expected) & (found.distance > rays.expected + THROUGH * diagonal)
    grazing = np.zeros(len(holes), np.bool_)
    points = rays.origins[holes] + rays.expected[holes, None] * rays.directions[holes]
    _, normals = teacher.distance(points.astype(np.float32))
    grazing[holes] = np.abs((normals * rays.directions[holes]).sum(axis=1)) < np.sin(np.radians(GRAZING))
    return holes, grazing


def _colour_psnr(
    surface: NeuralSurface, teacher: Teacher, points: Floats, normals: Floats, directions: Floats
) -> float | None:
    if surface.appearance is None or not teacher.coloured:
        return None
    error = surface.colour(points, normals, directions) - teacher.colour(points, normals, directions)
    return float(-10 * np.log10(max(float(np.square(error).mean()), 1e-12)))


def degrees_between(a: NDArray[np.floating], b: NDArray[np.floating]) -> Doubles:
    """[N] angles of vectors [N, 3] of any length but 0; exact for small ones too, unlike the arc cosine."""
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a.astype(np.float64), b.astype(np.float64)))
    return np.degrees(2 * np.arctan2(np.linalg.norm(a - b, axis=1), np.linalg.norm(a + b, axis=1)))


def seams(surface: NeuralSurface, count: int, seed: int) -> Seams:
    """What jumps at up to `count` places where the surface crosses a face between two cells; at least one must."""
    found = face_jumps(surface, count, seed)
    return Seams(
        points=len(found.places),
        distance=100 * float(found.distances.mean()),
        distance_999=100 * float(np.quantile(found.distances, 0.999)),
        normal=float(found.angles.mean()),
        normal_999=float(np.quantile(found.angles, 0.999)),
    )


def face_jumps(surface: NeuralSurface, count: int, seed: int) -> FaceJumps:
    """At up to `count` places, on faces drawn at random."""
    places, axis = face_points(surface, count, seed)
    ((value, gradient), (other_value, other_gradient)), _, mean = _both_sides(surface, places, axis)
    slope = np.take_along_axis(mean, axis[:, None], axis=1)[:, 0]
    jumps = np.abs(other_value - value - 2 * BESIDE * slope).astype(np.float64)
    return FaceJumps(places, jumps, degrees_between(gradient, other_gradient))


def face_points(surface: NeuralSurface, count: int, seed: int) -> tuple[Doubles, NDArray[np.int64]]:
    """Places [M, 3] in cells, on faces between occupied cells and on the surface, and the axes [M] across the faces.

    M at most `count`: random places on random faces, moved along the face to where the mean of both sides is 0.
    """
    rng = np.random.default_rng(seed)
    lower, axis = _faces(surface)
    drawn = rng.integers(0, len(lower), 4 * count)  # the surface crosses some of the faces, and those in part
    axis, lower = axis[drawn], lower[drawn]
    across = np.eye(3)[axis]
    places = lower + across + (1 - across) * rng.random((len(lower), 3))
    for _ in range(STEPS):
        value, gradient = _both_sides(surface, places, axis)[1:]
        gradient = gradient * (1 - across)
        step = value / np.maximum(np.square(gradient).sum(axis=1), 0.05)
        places = places - (0.5 * np.tanh(step / 0.5))[:, None] * gradient
        places = np.clip(places, lower + across, lower + 1)
    on = np.abs(_both_sides(surface, places, axis)[1]) < CLOSE
    inner = ((places > lower + 1e-3) & (places < lower + 1 - 1e-3)).sum(axis=1) == 2
    kept = np.flatnonzero(on & inner)[:count]
    return places[kept], axis[kept]


def _faces(surface: NeuralSurface) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[F, 3] cells whose next one along an axis is occupied too, and those axes [F]."""
    volume = np.pad(surface.networks, (0, 1), constant_values=EMPTY)
    next_ones = [volume[tuple((surface.cells + np.eye(3, dtype=np.int64)[a]).T)] != EMPTY for a in range(3)]
    return (
        np.concatenate([surface.cells[there] for there in next_ones]),
        np.concatenate([np.full(there.sum(), a) for a, there in enumerate(next_ones)]),
    )


def _both_sides(
    surface: NeuralSurface, places: Doubles, axis: NDArray[np.int64]
) -> tuple[Sequence[tuple[Floats, Floats]], Floats, Floats]:
    """Distance in cells [N] and gradient [N, 3] just before and just behind the face, and the means of the two."""
    grid, beside = surface.grid, BESIDE * np.eye(3)[axis]
    sides = []
    for offset in (-beside, beside):
        sample = surface.sample((np.asarray(grid.origin) + grid.edge * (places + offset)).astype(np.float32))
        sides.append((sample.distance / np.float32(grid.edge), sample.gradient))
    (value, gradient), (other_value, other_gradient) = sides
    return sides, 0.5 * (value + other_value), 0.5 * (gradient + other_gradient)
