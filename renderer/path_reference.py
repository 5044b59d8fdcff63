"""The path tracer in numpy: slow, obvious, float64. The twin of `renderer/path_tracer.py`, number by number.

A sample of all pixels at once, vertex by vertex (a wavefront):

1. meet     the nearest object, classic or neural
2. arrive   light from afar, a lamp, or captured colours: the path ends with what it has gathered there
3. draw     a direction to some light, and what would arrive from there
4. shadow   unless something is in between
5. scatter  a new direction, and the chance that the path ends here

Light that both 2 and 3 can find is weighted by the power heuristic. On average a path gathers what the whole scene
sends to its pixel: nothing is lost but what `bounces` cuts and `clamp` takes away. `bounces` does not count the first
`MOST_CLEAR` scatterings by glass, and after those, what is still inside is let out as if the glass had ended there:
light that total reflection guides round and round would be missing as dark specks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renderer.camera_rays import camera_rays
from renderer.path_layouts import MATERIAL_NUMBERS, MOST_CLEAR, ROULETTE_FROM
from renderer.path_lights import area_density, draw_light, power_heuristic
from renderer.path_materials import (
    Scattered,
    diffuse_light,
    diffuse_scatter,
    glass_scatter,
    metal_light,
    metal_scatter,
)
from renderer.path_random import (
    PAIR_CHOICES,
    PAIR_FIRST,
    PAIR_LIGHT,
    PAIR_LOBE,
    PAIR_PIXEL,
    PAIR_SCATTER,
    PAIRS,
    Pair,
    Sampler,
    pixel_seeds,
)
from renderer.path_scene import PathScene
from renderer.path_shapes import Met, Shapes, nowhere
from scenes.cameras import Camera

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SHORT = 1 - 1e-4  # of the way to a lamp, up to which its light may be blocked


@dataclass
class _Paths:
    """Those that are still under way."""

    row: Ints  # [n] among all pixels
    origins: Doubles  # [n, 3]
    directions: Doubles  # [n, 3] unit
    throughput: Doubles  # [n, 3]
    densities: Doubles  # [n] of the directions; 0: there was no choice
    clear: Ints  # [n] scatterings by glass that were not counted

    def select(self, kept: Bools) -> _Paths:
        return _Paths(
            self.row[kept],
            self.origins[kept],
            self.directions[kept],
            self.throughput[kept],
            self.densities[kept],
            self.clear[kept],
        )


class PathReference:
    """Traces one scene; `seed` and `independent` as in `renderer/path_random.py`."""

    def __init__(self, scene: PathScene, seed: int = 0, independent: bool = False) -> None:
        self._scene, self._shapes = scene, Shapes(scene)
        self._seed, self._independent = seed, independent

    def render(self, camera: Camera, width: int, height: int, samples: int) -> Doubles:
        """[H, W, 3] linear light, the mean of the samples from the first on."""
        return np.mean([self.sample(camera, width, height, index) for index in range(samples)], axis=0)

    def sample(self, camera: Camera, width: int, height: int, index: int) -> Doubles:
        """[H, W, 3] the sample `index` of every pixel."""
        sampler = Sampler(pixel_seeds(np.arange(width * height), self._seed), index, self._independent)
        paths = self._begin(camera, width, height, sampler)
        light = np.zeros((width * height, 3))
        for vertex in range(self._scene.bounces + MOST_CLEAR + 1):
            paths = self._vertex(paths, sampler, vertex, light)
            if not len(paths.row):
                break
        return light.reshape(height, width, 3)

    def _begin(self, camera: Camera, width: int, height: int, sampler: Sampler) -> _Paths:
        place = sampler.pair(PAIR_PIXEL)
        rays = camera_rays(camera, width, height, (place.x - 0.5, place.y - 0.5))
        count = width * height
        origins = rays.origins + rays.start[:, None] * rays.directions
        return _Paths(
            np.arange(count), origins, rays.directions, np.ones((count, 3)), np.zeros(count), np.zeros(count, int)
        )

    def _vertex(self, paths: _Paths, sampler: Sampler, vertex: int, light: Doubles) -> _Paths:
        """The paths that go on, a vertex further; what is gathered goes to `light`."""
        met = self._shapes.meet(paths.origins, paths.directions, nowhere(len(paths.row)))
        arrived, ended = self._arriving(paths, met)
        light[paths.row] += self._clamped(paths.throughput * arrived, vertex)
        clear = (self._kinds(met) == MATERIAL_NUMBERS["glass"]) & (paths.clear < MOST_CLEAR)
        ended |= ~clear & (vertex - paths.clear >= self._scene.bounces)
        paths.clear += clear
        paths, met = paths.select(~ended), _selected(met, ~ended)
        if not len(paths.row):
            return paths
        first = PAIR_FIRST + PAIRS * vertex
        choices = sampler.pair(first + PAIR_CHOICES, paths.row)
        points = paths.origins + met.distance[:, None] * paths.directions
        direct = self._direct(paths, met, points, choices.x, sampler.pair(first + PAIR_LIGHT, paths.row))
        light[paths.row] += self._clamped(direct, vertex + 1)
        pairs = (sampler.pair(first + which, paths.row) for which in (PAIR_SCATTER, PAIR_LOBE))
        return self._go_on(paths, met, points, self._scatter(paths, met, *pairs), vertex, choices.y)

    def _arriving(self, paths: _Paths, met: Met) -> tuple[Doubles, Bools]:
        """[n, 3] light that comes along the rays from where it is made, and [n] whether paths end there."""
        scene, surroundings = self._scene, self._scene.surroundings
        light, kind = np.zeros((len(paths.row), 3)), self._kinds(met)
        out = np.flatnonzero(met.number < 0)
        rays, densities = paths.directions[out], paths.densities[out]
        sky = _weight(densities, scene.sky_share * surroundings.density(rays))
        light[out] = sky[:, None] * surroundings.radiance(rays)
        if surroundings.sun is not None:
            sun = _weight(densities, np.full(len(out), scene.sun_share * surroundings.sun.density))
            light[out] += (surroundings.sun.hit(rays) * sun)[:, None] * surroundings.sun.radiance
        lamp = np.flatnonzero(kind == MATERIAL_NUMBERS["light"])
        if len(lamp):
            light[lamp] = self._from_lamps(paths, met, lamp)
        own = kind == MATERIAL_NUMBERS["captured"]
        light[own] = met.colours[own]
        return light, (met.number < 0) | (kind == MATERIAL_NUMBERS["light"]) | own

    def _from_lamps(self, paths: _Paths, met: Met, rows: Ints) -> Doubles:
        scene = self._scene
        number = scene.objects["light"][met.number[rows]].astype(np.int64) - 1
        density = area_density(scene, number, paths.origins[rows], paths.directions[rows], met.distance[rows])
        front = (met.normals[rows] * paths.directions[rows]).sum(axis=1) < 0
        weight = front * _weight(paths.densities[rows], density)
        return weight[:, None] * scene.lights["radiance"][number, :3]

    def _direct(self, paths: _Paths, met: Met, points: Doubles, choice: Doubles, pair: Pair) -> Doubles:
        """[n, 3] light by way of a direction drawn to some light, times the throughput."""
        # all that is lit is on the side that is seen
        origins = self._shapes.beginning(met, points, -paths.directions)
        drawn = draw_light(self._scene, origins, choice, pair)
        scattered, density = self._scattering(paths, met, drawn.directions)
        weight = power_heuristic(drawn.densities, density) / np.where(drawn.densities > 0, drawn.densities, 1)
        light = paths.throughput * scattered * drawn.radiance * weight[:, None]
        rows = np.flatnonzero(light.any(axis=1))
        blocked = self._shapes.blocked(origins[rows], drawn.directions[rows], SHORT * drawn.distances[rows])
        light[rows[blocked]] = 0
        return light

    def _scattering(self, paths: _Paths, met: Met, lit: Doubles) -> tuple[Doubles, Doubles]:
        """[n, 3] scattering times cosine to `lit`, and [n] the density with which it would be drawn; 0 for mirrors."""
        kind, table = self._kinds(met), self._materials(met)
        normals = _facing(met.normals, paths.directions)
        light, density = diffuse_light(self._albedo(met), normals, lit)
        rough = (kind == MATERIAL_NUMBERS["metal"]) & (table["alpha"] > 0)
        alpha = np.where(rough, table["alpha"], 1).astype(np.float64)
        metal = metal_light(table["colour"][:, :3].astype(np.float64), alpha, normals, -paths.directions, lit)
        light, density = np.where(rough[:, None], metal[0], light), np.where(rough, metal[1], density)
        some = rough | (kind == MATERIAL_NUMBERS["diffuse"])
        return np.where(some[:, None], light, 0), np.where(some, density, 0)

    def _scatter(self, paths: _Paths, met: Met, way: Pair, lobe: Pair) -> Scattered:
        kind, table = self._kinds(met), self._materials(met)
        normals, seen = _facing(met.normals, paths.directions), -paths.directions
        colour = table["colour"][:, :3].astype(np.float64)
        ways = {
            "diffuse": diffuse_scatter(self._albedo(met), normals, way),
            "metal": metal_scatter(colour, table["alpha"].astype(np.float64), normals, seen, way),
            "glass": glass_scatter(
                colour, np.where(table["ior"] > 0, table["ior"], 1).astype(np.float64), met.normals, seen, lobe.x
            ),
        }
        held = (paths.clear == MOST_CLEAR) & ((met.normals * paths.directions).sum(axis=1) > 0)
        ways["glass"].directions[held], ways["glass"].weights[held] = paths.directions[held], colour[held]
        result = ways["diffuse"]
        for name in ("metal", "glass"):
            mine = kind == MATERIAL_NUMBERS[name]
            parts = zip(result, ways[name], strict=True)
            result = Scattered(*(np.where(mine[:, None] if a.ndim > 1 else mine, b, a) for a, b in parts))
        return result

    def _go_on(
        self, paths: _Paths, met: Met, points: Doubles, scattered: Scattered, vertex: int, chance: Doubles
    ) -> _Paths:
        throughput = paths.throughput * scattered.weights
        alive = scattered.alive & throughput.any(axis=1)
        if vertex + 1 >= ROULETTE_FROM:
            stay = np.minimum(throughput.max(axis=1), 1)
            alive &= chance < stay
            throughput = throughput / np.where(stay > 0, stay, 1)[:, None]
        origins = self._shapes.beginning(met, points, scattered.directions)
        return _Paths(paths.row, origins, scattered.directions, throughput, scattered.densities, paths.clear).select(
            alive
        )

    def _kinds(self, met: Met) -> Ints:
        """[n] MATERIAL_NUMBERS of what was met, -1 where nothing."""
        return np.where(met.number >= 0, self._materials(met)["kind"].astype(np.int64), -1)

    def _materials(self, met: Met) -> NDArray[np.void]:
        if not len(self._scene.objects):
            return np.zeros(len(met.number), self._scene.materials.dtype)
        return self._scene.materials[self._scene.objects["material"][np.maximum(met.number, 0)]]

    def _albedo(self, met: Met) -> Doubles:
        table = self._materials(met)
        return np.where(table["own_colour"][:, None] > 0, met.colours, table["colour"][:, :3])

    def _clamped(self, light: Doubles, scatterings: int) -> Doubles:
        if self._scene.clamp is None or scatterings < 2:
            return light
        largest = light.max(axis=1, keepdims=True)
        return light * np.minimum(1, self._scene.clamp / np.maximum(largest, 1e-30))


def _weight(mine: Doubles, other: Doubles) -> Doubles:
    """The power heuristic, 1 where there was no choice."""
    return np.where(mine > 0, power_heuristic(mine, other), 1)


def _facing(normals: Doubles, directions: Doubles) -> Doubles:
    """Normals turned against rays."""
    return np.where((normals * directions).sum(axis=1, keepdims=True) > 0, -normals, normals)


def _selected(met: Met, kept: Bools | Ints) -> Met:
    return Met(met.distance[kept], met.number[kept], met.normals[kept], met.colours[kept])
