"""Drawing directions to light, in numpy: the twin of `shaders/path_lights.glsl`.

First which light: the sky, the sun or a lamp, by what they should give, and of lamps one by its power. Then where on
it: the sky by its table, the sun and balls by the cone they fill (Pharr et al., "Physically Based Rendering", 4th
edition, 6.2.4), rectangles evenly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renderer.path_environment import draw_cone
from renderer.path_layouts import UNLIMITED
from renderer.path_random import Pair
from renderer.path_scene import PathScene

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass
class Drawn:
    """N directions to light."""

    directions: Doubles  # [N, 3] unit
    distances: Doubles  # [N] to the light, UNLIMITED for light from afar
    radiance: Doubles  # [N, 3]
    densities: Doubles  # [N] a solid angle; 0: nothing was found, and the rest means nothing


def draw_light(scene: PathScene, points: Doubles, choice: Doubles, pair: Pair) -> Drawn:
    """A direction for each of `points` [N, 3]; `choice` [N] of the light, `pair` of the place on it."""
    count = len(points)
    drawn = Drawn(
        np.tile([0.0, 0.0, 1.0], (count, 1)), np.full(count, UNLIMITED), np.zeros((count, 3)), np.zeros(count)
    )
    sky, sun = scene.sky_share, scene.sun_share
    rows = np.flatnonzero(choice < sky)
    if len(rows):
        directions = scene.surroundings.draw(pair.x[rows], pair.y[rows])
        drawn.directions[rows], drawn.radiance[rows] = directions, scene.surroundings.radiance(directions)
        drawn.densities[rows] = sky * scene.surroundings.density(directions)
    rows = np.flatnonzero((choice >= sky) & (choice < sky + sun))
    if len(rows):
        assert scene.surroundings.sun is not None
        drawn.directions[rows] = scene.surroundings.sun.draw(pair.x[rows], pair.y[rows])
        drawn.radiance[rows] = scene.surroundings.sun.radiance
        drawn.densities[rows] = sun * scene.surroundings.sun.density
    rows = np.flatnonzero(choice >= sky + sun)
    if len(rows) and len(scene.lights):
        rest = (choice[rows] - sky - sun) / (1 - sky - sun)
        number = np.minimum(np.searchsorted(scene.lights["chosen_up_to"], rest, "right"), len(scene.lights) - 1)
        _draw_area(scene, drawn, rows, number, points[rows], Pair(pair.x[rows], pair.y[rows]))
    return drawn


def _draw_area(scene: PathScene, drawn: Drawn, rows: Ints, number: Ints, points: Doubles, pair: Pair) -> None:
    light = scene.lights[number]
    corner, edge_u, edge_v = (light[name].astype(np.float64) for name in ("corner", "edge_u", "edge_v"))
    ball = corner[:, 3] > 0
    place = corner[:, :3] + pair.x[:, None] * edge_u[:, :3] + pair.y[:, None] * edge_v[:, :3]
    towards = np.where(ball[:, None], corner[:, :3], place) - points
    length = np.linalg.norm(towards, axis=1)
    towards = towards / np.maximum(length, 1e-12)[:, None]
    opening = _opening(corner[:, 3], length)
    drawn.directions[rows] = np.where(ball[:, None], draw_cone(towards, opening, pair.x, pair.y), towards)
    drawn.distances[rows] = np.where(ball, _to_ball(corner, points, drawn.directions[rows]), length)
    drawn.radiance[rows] = light["radiance"][:, :3]
    drawn.densities[rows] = area_density(scene, number, points, drawn.directions[rows], length)


def area_density(scene: PathScene, number: Ints, points: Doubles, directions: Doubles, distances: Doubles) -> Doubles:
    """[N] with which `draw_light` draws `directions` [N, 3] from `points` to the lights `number`; 0 from behind.

    `distances`: to where rectangles are met.
    """
    light = scene.lights[number]
    corner = light["corner"].astype(np.float64)
    cosine = -(light["normal"][:, :3] * directions).sum(axis=1)
    area = light["edge_u"][:, 3].astype(np.float64)
    flat = np.where(cosine > 0, distances * distances / (np.maximum(cosine, 1e-12) * area), 0)
    length = np.linalg.norm(corner[:, :3] - points, axis=1)
    opening = _opening(corner[:, 3], length)
    round_ = np.where(opening > 0, 1 / (2 * np.pi * np.where(opening > 0, opening, 1)), 0)
    return light["share"] * np.where(corner[:, 3] > 0, round_, flat)


def _opening(radius: Doubles, length: Doubles) -> Doubles:
    """[N] 1 - cosine of the cone that balls at a distance fill; 0 from within."""
    square = np.square(radius / np.maximum(length, 1e-12))
    return np.where(square < 1, square / (1 + np.sqrt(np.maximum(1 - square, 0))), 0)


def _to_ball(corner: Doubles, points: Doubles, directions: Doubles) -> Doubles:
    """[N] to where rays meet balls, or come closest to them."""
    towards = corner[:, :3] - points
    along = (towards * directions).sum(axis=1)
    aside = towards - along[:, None] * directions
    return along - np.sqrt(np.maximum(corner[:, 3] ** 2 - (aside * aside).sum(axis=1), 0))


def power_heuristic(mine: Doubles, other: Doubles) -> Doubles:
    """[N] weight of a way to draw, with the densities of it and of the other (Veach 1997, 9.2.3, with a power of 2)."""
    ratio = other / np.where(mine > 0, mine, 1)
    return np.where(mine > 0, 1 / (1 + ratio * ratio), 0)
