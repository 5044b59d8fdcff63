"""How far a neural surface is from its teacher, at points on it."""

from __future__ import annotations

import numpy as np

from fitting.kiloneus.cells import world_points
from fitting.kiloneus.options import Fidelity
from fitting.kiloneus.teacher import Teacher
from scenes.gaussians import Floats
from scenes.surface import NeuralSurface

POINTS = 20_000
STEPS = 8  # of Newton's method onto the surface
CLOSE = 1e-3  # cells: a point nearer to the zero is on it


def surface_points(surface: NeuralSurface, count: int, seed: int) -> tuple[Floats, Floats]:
    """Points [M, 3] on the surface, M at most `count`, and unit normals: places in cells moved along the gradient."""
    rng = np.random.default_rng(seed)
    cells = surface.cells[rng.integers(0, len(surface), count)]
    points, _, ok = onto(surface, world_points(surface.grid, cells + rng.random((count, 3))))
    points = points[ok]
    gradient = surface.sample(points).gradient
    return points, gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-12)


def onto(surface: NeuralSurface, points: Floats) -> tuple[Floats, Floats, np.ndarray]:
    """`points` [N, 3] moved along the gradient to the zero; gradients there; which of them arrived."""
    for _ in range(STEPS):
        sample = surface.sample(points)
        square = np.maximum(np.square(sample.gradient).sum(axis=1), 0.25)
        move = np.where(sample.inside, sample.distance / square, 0)[:, None] * sample.gradient
        points = (points - move).astype(np.float32)
    sample = surface.sample(points)
    return points, sample.gradient, sample.inside & (np.abs(sample.distance) < CLOSE * surface.grid.edge)


def fidelity(surface: NeuralSurface, teacher: Teacher, seed: int, count: int = POINTS) -> Fidelity:
    """Distances and normals at the surface's own points, and the share of the teacher's points it has lost."""
    points, normals = surface_points(surface, count, seed)
    distance, gradient = teacher.distance(points)
    distance = np.abs(distance)
    angle = np.degrees(np.arccos(np.clip((normals * gradient).sum(axis=1), -1, 1)))
    diagonal = float(np.linalg.norm(teacher.bounds[1] - teacher.bounds[0]))
    return Fidelity(
        distance=float(distance.mean()),
        distance_percent=100 * float(distance.mean()) / diagonal,
        distance_999=float(np.quantile(distance, 0.999)),
        normal=float(angle.mean()),
        normal_999=float(np.quantile(angle, 0.999)),
        lost=_lost(surface, teacher, points, seed),
    )


def _lost(surface: NeuralSurface, teacher: Teacher, points: Floats, seed: int) -> float:
    """Share of points on the teacher's surface from which the zero of ours is not reached."""
    rng = np.random.default_rng(seed + 1)
    cells = surface.cells[rng.integers(0, len(surface), len(points))]
    places = world_points(surface.grid, cells + rng.random(cells.shape))
    for _ in range(3):
        distance, gradient = teacher.distance(places)
        places = (places - distance[:, None] * gradient).astype(np.float32)
    on = np.abs(teacher.distance(places)[0]) < CLOSE * surface.grid.edge
    return float(1 - onto(surface, places[on])[2].mean())
