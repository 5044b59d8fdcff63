"""Light for the sample scene: sun and sky with shadows, baked; reflections as lobes in spherical harmonics.

Frame as in `procedural_surfaces.py`: z up. Shadows and contact darkening march through distance functions of the
objects (soft shadows after Quilez 2010, ambient occlusion after Evans 2006).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.harmonics import lobe_sh

Doubles = NDArray[np.float64]
Distance = Callable[[Doubles], Doubles]  # [N, 3] -> [N], never more than the true distance


@dataclass(frozen=True)
class Lobe:
    """A patch of the surroundings that reflects in glossy things."""

    direction: tuple[float, float, float]  # towards it, any length
    colour: tuple[float, float, float]
    sharpness: float  # of exp(sharpness (cos - 1))
    shadowed: bool = False  # the sun: objects can hide it


SUN = (0.52, -0.38, 0.76)
SUN_COLOUR = np.array([2.75, 2.45, 2.0])
SKY_COLOUR = np.array([0.52, 0.66, 0.86])
GROUND_COLOUR = np.array([0.30, 0.25, 0.20])  # light thrown back by the table
SURROUNDINGS = (
    Lobe(SUN, (1.0, 0.94, 0.82), 16.0, shadowed=True),
    Lobe((-0.75, 0.35, 0.50), (0.42, 0.52, 0.66), 9.0),  # a large window
    Lobe((0.0, 0.0, 1.0), (0.16, 0.20, 0.26), 3.0),  # sky overhead
)


def unit(vector: object) -> Doubles:
    """A vector or rows of vectors, at length 1."""
    vector = np.asarray(vector, np.float64)
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def sun_visibility(positions: Doubles, normals: Doubles, distance: Distance, softness: float = 11.0) -> Doubles:
    """[N] 1 in the sun, 0 in shadow, between in the penumbra."""
    towards, start = unit(SUN), positions + 0.02 * normals
    travelled = np.full(len(positions), 0.02)
    light = np.ones(len(positions))
    for _ in range(40):
        gap = distance(start + travelled[:, None] * towards)
        light = np.minimum(light, np.clip(softness * gap / travelled, 0, 1))
        travelled += np.clip(gap, 0.015, 0.2)
    return light * light * (3 - 2 * light)


def openness(positions: Doubles, normals: Doubles, distance: Distance) -> Doubles:
    """[N] 1 in the open, towards 0 in corners and under things."""
    blocked = np.zeros(len(positions))
    for step, weight in ((0.03, 1.0), (0.07, 0.7), (0.14, 0.5), (0.25, 0.35), (0.4, 0.2)):
        blocked += weight * np.clip(1 - distance(positions + step * normals) / step, 0, 1)
    return np.clip(1 - 0.42 * blocked, 0.08, 1)


def bake(albedo: Doubles, normals: Doubles, sun: Doubles, open_sky: Doubles) -> Doubles:
    """[N, 3] display colours of diffuse surfaces; `albedo` [N, 3] is sRGB, `sun` and `open_sky` are [N]."""
    facing = np.maximum(normals @ unit(SUN), 0) * sun
    up = 0.5 + 0.5 * normals[:, 2:]
    ambient = (up * SKY_COLOUR + (1 - up) * GROUND_COLOUR) * open_sky[:, None]
    linear = albedo**2.2 * (facing[:, None] * SUN_COLOUR + ambient) * 0.62
    return np.clip(linear * (1 + linear / 4.0) / (1 + linear), 0, 1) ** (1 / 2.2)  # Reinhard 2002, white at 2


def reflections(
    normals: Doubles,
    gloss: Doubles,
    sun: Doubles,
    open_sky: Doubles,
    degree: int,
    world_from_scene: Doubles,
) -> Doubles:
    """SH [N, (degree + 1)^2, 3] over the viewing direction in the world: the surroundings as mirrored by each sample.

    `gloss` [N] scales them; `world_from_scene` [3, 3] turns this module's frame to the world's. A camera looking along
    d sees what lies along d mirrored at the normal, so the lobe about the light's direction l becomes one about
    l - 2 (n.l) n.
    """
    total = np.zeros((len(normals), (degree + 1) ** 2, 3))
    for lobe in SURROUNDINGS:
        towards = unit(lobe.direction)
        cosine = normals @ towards
        seen = np.clip(cosine / 0.25, 0, 1) * gloss * (sun if lobe.shadowed else open_sky)
        axes = (towards - 2 * cosine[:, None] * normals) @ world_from_scene.T
        total += (seen[:, None] * lobe_sh(axes, lobe.sharpness, degree))[..., None] * np.array(lobe.colour)
    return total
