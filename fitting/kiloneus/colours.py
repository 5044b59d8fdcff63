"""Places on the surface, directions, and the colours the teacher shows there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fitting.kiloneus.cells import Places, ask, world_points
from fitting.kiloneus.teacher import Teacher
from scenes.gaussians import Floats
from scenes.progress import Progress, silent
from scenes.surface import APPEARANCE_CODE, CellGrid

THICKNESS = 0.03  # standard deviation of the places' distance from the surface, cells: a ray's hit is not exact
FAR = 0.5  # cells: a place whose foot is farther away is left out


@dataclass(frozen=True)
class Colours:
    """What the teacher shows at S places of each of K cells."""

    local: Floats  # [K, S, 3]
    codes: Floats  # [K, S, C] normal and direction; C = 0 where the colour does not depend on the view
    colours: Floats  # [K, S, 3]
    importance: Floats  # [K, S] 1, or 0 for a place that is not near the surface


def draw_colours(
    teacher: Teacher,
    grid: CellGrid,
    cells: NDArray[np.int64],
    places: Places,
    overlap: float,
    count: int,
    seed: int,
    progress: Progress = silent,
) -> Colours:
    """`count` of the `places` of each cell, moved onto the surface, with the colours there."""
    rng = np.random.default_rng(seed)
    count = min(count, places.local.shape[1])
    local, distance, normals = places.local[:, :count], places.distance[:, :count], places.gradient[:, :count]
    reach = np.float32(0.5 * (1 + overlap))
    off = (distance + THICKNESS * rng.normal(size=distance.shape)).astype(np.float32)
    moved = local - off[..., None] * normals / reach
    near = (np.abs(moved) <= 1).all(axis=2) & (np.abs(distance) < FAR)
    moved = np.where(near[..., None], moved, local)
    points = world_points(grid, cells[:, None] + 0.5 + reach * moved)
    directions = _facing(normals, rng)
    (colours,) = ask(teacher.colour, [points, normals, directions], progress)
    codes = np.concatenate([normals, directions], axis=2)[..., : APPEARANCE_CODE if teacher.view_dependent else 0]
    return Colours(moved.astype(np.float32), codes.astype(np.float32), colours, near.astype(np.float32))


def _facing(normals: Floats, rng: np.random.Generator) -> Floats:
    """Unit directions [K, S, 3] from cameras all over the half space in front of each place."""
    directions = rng.normal(size=normals.shape)
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    away = (directions * normals).sum(axis=2, keepdims=True) > 0
    return np.where(away, -directions, directions).astype(np.float32)
