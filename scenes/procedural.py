"""A sample scene made from nothing: a still life of glossy, finely textured things on a marble table.

    procedural_things.py     what stands where -> samples (procedural_surfaces.py), colours (procedural_textures.py)
    procedural_light.py      sun, sky, shadows, reflections
    procedural.py            -> Gaussians

Flat Gaussians lie on the surfaces as those of a trained scene do. The table has radius 1.5 about the origin; up is -y,
as in scenes from COLMAP.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenes.gaussians import SH_C0, Floats, Gaussians
from scenes.procedural_light import bake, openness, reflections, sun_visibility
from scenes.procedural_surfaces import Samples
from scenes.procedural_things import things

Doubles = NDArray[np.float64]

SH_DEGREE = 3
WEIGHTED_AREA = 22.5  # of all surfaces, each counted as often as it is denser than the table; only a first guess
FLAT = np.array([0.60, 0.60, 0.07])  # standard deviations in spacings: neighbours overlap without blurring
WORLD_FROM_SCENE = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # z up -> -y up


def sample_scene(count: int = 60_000, seed: int = 0) -> Gaussians:
    """`count` Gaussians of SH degree 3; the same seed gives the same scene."""
    samples = sample_things(count, seed)
    rng = np.random.default_rng(seed + 1)
    normals = np.concatenate([one.normals for one in samples.values()]) @ WORLD_FROM_SCENE.T
    spacing = np.concatenate([np.full(len(one), one.spacing) for one in samples.values()])
    log_scales = np.log(spacing[:, None] * FLAT) + rng.normal(0, 0.08, (count, 3))
    return Gaussians(
        positions=_single(np.concatenate([one.positions for one in samples.values()]) @ WORLD_FROM_SCENE.T),
        log_scales=_single(log_scales),
        rotations=_single(_facing(normals, rng.uniform(0, np.pi, count))),
        opacity_logits=_single(rng.normal(3.2, 0.6, count)),
        sh=_single(_shaded(samples, seed)),
    )


def sample_things(count: int, seed: int) -> dict[str, Samples]:
    """`count` samples on the surfaces of all things, by name."""
    if count < 500:
        raise ValueError(f"count: expected at least 500 Gaussians for all things to show, found {count}")
    spacing = np.sqrt(WEIGHTED_AREA / count)
    while True:
        rng = np.random.default_rng(seed)
        samples = {thing.name: thing.sample(spacing / thing.fineness, rng) for thing in things()}
        surplus = sum(map(len, samples.values())) - count
        if surplus >= 0:
            return _thinned(samples, surplus, rng)
        spacing *= 0.99


def _thinned(samples: dict[str, Samples], surplus: int, rng: np.random.Generator) -> dict[str, Samples]:
    """`samples` without `surplus` of the table's, the largest surface."""
    table = samples["table"]
    keep = np.sort(rng.permutation(len(table))[surplus:])
    return samples | {"table": Samples(table.positions[keep], table.normals[keep], table.uv[keep], table.spacing)}


def _shaded(samples: dict[str, Samples], seed: int) -> Doubles:
    """SH [N, 16, 3] of all samples: painted, lit and mirroring their surroundings."""
    everything = things()

    def distance(points: Doubles) -> Doubles:
        return np.min([thing.distance(points) for thing in everything], axis=0)

    positions = np.concatenate([one.positions for one in samples.values()])
    normals = np.concatenate([one.normals for one in samples.values()])
    albedo = np.concatenate([thing.paint(samples[thing.name], seed) for thing in everything])
    gloss = np.concatenate([np.full(len(samples[thing.name]), thing.gloss) for thing in everything])

    sun, open_sky = sun_visibility(positions, normals, distance), openness(positions, normals, distance)
    sh = reflections(normals, gloss, sun, open_sky, SH_DEGREE, WORLD_FROM_SCENE)
    sh[:, 0] += (bake(albedo, normals, sun, open_sky) - 0.5) / SH_C0
    return sh


def _single(array: Doubles) -> Floats:
    return array.astype(np.float32)


def _facing(normals: Doubles, spin: Doubles) -> Doubles:
    """Quaternions [N, 4] that turn z to `normals` [N, 3] after turning by `spin` [N] radians about z."""
    w = np.sqrt(np.maximum(0.5 * (1 + normals[:, 2]), 1e-12))  # shortest arc from z
    x, y = -0.5 * normals[:, 1] / w, 0.5 * normals[:, 0] / w
    c, s = np.cos(0.5 * spin), np.sin(0.5 * spin)
    quaternions = np.stack([w * c, x * c + y * s, y * c - x * s, w * s], axis=1)
    return quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)
