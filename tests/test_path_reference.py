"""The path tracer in numpy against known answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from renderer.path_environment import surroundings_of
from renderer.path_lights import draw_light
from renderer.path_materials import diffuse_light, diffuse_scatter, metal_light, metal_scatter
from renderer.path_random import Pair
from renderer.path_reference import PathReference
from renderer.path_scene import path_scene
from renderer.path_shapes import Shapes, nowhere
from scenes.cameras import Camera
from scenes.scene_file import (
    Box,
    ConstantSky,
    Diffuse,
    MeshObject,
    Plane,
    RectangleLight,
    Sky,
    Sphere,
    SphereLight,
    Surface,
    placed,
)
from scenes.stage import Stage
from scenes.triangle_mesh import Mesh
from tests.path_samples import BALL, KNOWN, ball, camera, meadow, picture_stage, stage_of
from tests.surface_samples import fitted_surface, sphere


def reference(stage: Stage, view: Camera, size: tuple[int, int], samples: int, **how: Any) -> np.ndarray:
    return PathReference(path_scene(stage), **how).render(view, *size, samples)


@pytest.mark.parametrize("name", KNOWN)
def test_known_answers(name: str) -> None:
    KNOWN[name](reference)


def test_a_scene_of_nothing_is_its_sky() -> None:
    found = reference(stage_of(environment=ConstantSky((0.5, 1.0, 2.0))), camera(), (4, 4), 1)
    np.testing.assert_allclose(found, np.broadcast_to((0.5, 1.0, 2.0), found.shape))


def mesh(body: trimesh.Trimesh) -> Mesh:
    return Mesh(np.asarray(body.vertices, np.float64), np.asarray(body.faces, np.int64))


def test_shapes_agree_with_each_other() -> None:
    """A ball as a sphere, as triangles and as a neural surface; a box as a box and as triangles; all moved alike."""
    where = placed((0.1, 0.2, -0.3), (1, 2, 3), 50, (1.2, 0.8, 1.5))
    block = trimesh.creation.box((1.0, 0.8, 1.2))
    file, other = Path("a.obj"), Path("b.obj")
    meshes = {file: mesh(trimesh.creation.icosphere(4, 0.7)), other: mesh(block)}
    surfaces = {BALL: fitted_surface(sphere, cells=8)}
    rng = np.random.default_rng(1)
    origins = rng.normal(size=(400, 3))
    directions = 0.4 * rng.normal(size=(400, 3)) - origins
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    groups = (
        (
            (Sphere(0.7, transform=where), 0),
            (MeshObject(file, transform=where), 4e-3),
            (Surface(BALL, Diffuse(), where), 1e-2),
        ),
        ((Box((1.0, 0.8, 1.2), transform=where), 0), (MeshObject(other, transform=where), 1e-6)),
    )
    for group in groups:
        first = None
        for thing, apart in group:
            shapes = Shapes(path_scene(stage_of(thing, surfaces=surfaces, meshes=meshes)))
            met = shapes.meet(origins, directions, nowhere(400))
            assert (met.number >= 0).sum() > 100
            if first is None:
                first = met
                continue
            both = (met.number >= 0) & (first.number >= 0)
            assert both.sum() > 0.95 * (first.number >= 0).sum()
            gap = np.abs(met.distance - first.distance)[both]
            assert np.quantile(gap, 0.9) <= apart
            assert np.quantile((met.normals * first.normals).sum(axis=1)[both], 0.1) > 0.998


def test_densities_are_those_with_which_directions_are_drawn() -> None:
    """The mean of 1 / density over draws is the solid angle they cover; of light over density, the irradiance."""
    rng = np.random.default_rng(0)
    count = 100_000
    pair, choice = Pair(*rng.random((2, count))), rng.random(count)
    points = np.zeros((count, 3))
    lights = (
        RectangleLight((1, 1, 1), (1.0, 2.0), placed((0, 0, 2), (1, 0, 0), 160)),
        SphereLight((2, 2, 2), 0.5, (1.0, 1.0, 1.0)),
    )
    for stage, expected in (
        (stage_of(lights=lights[1:]), 2 * np.pi * (1 - np.sqrt(1 - 0.25 / 3))),
        (stage_of(environment=ConstantSky()), 4 * np.pi),
        (stage_of(environment=ConstantSky(), lights=lights[1:]), 4 * np.pi + 2 * np.pi * (1 - np.sqrt(1 - 0.25 / 3))),
    ):
        drawn = draw_light(path_scene(stage), points, choice, pair)
        assert abs((1 / drawn.densities).mean() / expected - 1) < 0.01
    # sky, sun, rectangle and ball at once: each part of the light falls on the plane as if it were alone
    both = path_scene(stage_of(environment=Sky(), lights=lights))
    drawn = draw_light(both, points, choice, pair)
    level = np.maximum(drawn.directions[:, 2], 0) / np.where(drawn.densities > 0, drawn.densities, np.inf)
    alone = 0.0
    for stage in (stage_of(environment=Sky()), stage_of(lights=lights[:1]), stage_of(lights=lights[1:])):
        part = draw_light(path_scene(stage), points, choice, pair)
        weight = np.maximum(part.directions[:, 2], 0) / np.where(part.densities > 0, part.densities, np.inf)
        alone += (weight[:, None] * part.radiance).mean(axis=0)
    np.testing.assert_allclose((level[:, None] * drawn.radiance).mean(axis=0), alone, rtol=0.02)


def test_the_table_of_a_picture_draws_where_it_shines() -> None:
    surroundings = surroundings_of(picture_stage())
    rng = np.random.default_rng(2)
    drawn = surroundings.draw(*rng.random((2, 100_000)))
    density = surroundings.density(drawn)
    light = surroundings.radiance(drawn)
    assert abs((1 / density).mean() / (4 * np.pi) - 1) < 0.02
    even = rng.normal(size=(200_000, 3))
    even /= np.linalg.norm(even, axis=1, keepdims=True)
    total = surroundings.radiance(even).mean(axis=0) * 4 * np.pi
    np.testing.assert_allclose((light / density[:, None]).mean(axis=0), total, rtol=0.01)
    # far less noise than even directions have
    assert (light.sum(axis=1) / density).std() < 0.4 * (surroundings.radiance(even).sum(axis=1) * 4 * np.pi).std()


@pytest.mark.parametrize("alpha", [0.02, 0.2, 0.9])
def test_metal_is_drawn_as_it_scatters(alpha: float) -> None:
    rng = np.random.default_rng(0)
    count = 100_000
    normals = np.tile([0.0, 0.6, 0.8], (count, 1))
    seen = np.tile(np.array([0.5, 0.1, 0.9]) / np.linalg.norm([0.5, 0.1, 0.9]), (count, 1))
    colour, rough = np.tile([0.9, 0.5, 0.2], (count, 1)), np.full(count, alpha)
    drawn = metal_scatter(colour, rough, normals, seen, Pair(*rng.random((2, count))))
    light, density = metal_light(colour, rough, normals, seen, drawn.directions)
    some = drawn.alive
    np.testing.assert_allclose(density[some], drawn.densities[some], rtol=1e-6)
    np.testing.assert_allclose(light[some], (drawn.weights * drawn.densities[:, None])[some], rtol=1e-6)
    # the density adds up to what is not drawn below the horizon: measured with even directions
    if alpha > 0.1:
        even = rng.normal(size=(400_000, 3))
        even /= np.linalg.norm(even, axis=1, keepdims=True)
        _, spread = metal_light(colour[:1], rough[:1], normals[:1], seen[:1], even)
        assert abs(4 * np.pi * spread.mean() - some.mean()) < 0.02


def test_diffuse_is_drawn_as_it_scatters() -> None:
    pair = Pair(*np.random.default_rng(0).random((2, 1000)))
    normals = np.tile([0.48, 0.6, -0.64], (1000, 1))
    albedo = np.tile([0.9, 0.5, 0.2], (1000, 1))
    drawn = diffuse_scatter(albedo, normals, pair)
    light, density = diffuse_light(albedo, normals, drawn.directions)
    np.testing.assert_allclose(density, drawn.densities, rtol=1e-9)
    np.testing.assert_allclose(light, drawn.weights * density[:, None], rtol=1e-9)


def test_clamp_takes_only_from_what_comes_late() -> None:
    things = (Plane((0, 0, 1), -1, Diffuse((0.5, 0.5, 0.5))), ball(Diffuse((0.9, 0.9, 0.9)), 0.8))
    light = (SphereLight((400, 400, 400), 0.1, (0, -2, 2)),)
    pictures = [
        reference(stage_of(*things, lights=light, **how), camera(), (12, 12), 8)
        for how in ({"bounces": 1}, {"bounces": 1, "clamp": 0.01}, {"bounces": 4}, {"bounces": 4, "clamp": 0.01})
    ]
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert (pictures[3] <= pictures[2] + 1e-12).all()
    assert pictures[3].sum() < pictures[2].sum()
    assert (pictures[3] >= pictures[0] - 1e-12).all()


def test_a_neural_surface_takes_part() -> None:
    """It darkens the ground with its shadow, and takes the ground's colour."""
    surface = fitted_surface(sphere, cells=6, width=8, layers=1)
    white, grey = Diffuse((0.8, 0.8, 0.8)), (0.5, 0.5, 0.5)
    view = camera((1.0, -3.5, 1.6), 40)
    red, gone = (
        reference(stage, view, (16, 12), 3)
        for stage in (
            meadow(surface, white, (0.8, 0.05, 0.05)),
            stage_of(*meadow(surface, white, grey).scene.objects[1:], environment=Sky(sun_direction=(0.7, -0.4, 0.8))),
        )
    )
    plain = reference(meadow(surface, white, grey), view, (16, 12), 3)
    shapes = Shapes(path_scene(meadow(surface, white, grey)))
    seen = seen_numbers(shapes, view, (16, 12))
    ground, body = seen == 1, seen == 0
    assert min(ground.sum(), body.sum()) > 30
    ratio = (plain / np.maximum(gone, 1e-6)).mean(axis=2)
    assert (ratio[ground] < 0.5).sum() > 3  # the shadow
    assert np.median(ratio[ground]) > 0.8  # not everywhere
    redness = [p[..., 0][body].mean() / p[..., 2][body].mean() for p in (red, plain)]
    assert redness[0] > 1.3 * redness[1]


def seen_numbers(shapes: Shapes, view: Camera, size: tuple[int, int]) -> np.ndarray:
    """[H, W] the object in the middle of each pixel, or -1."""
    from renderer.camera_rays import camera_rays

    rays = camera_rays(view, *size)
    met = shapes.meet(rays.origins, rays.directions, nowhere(len(rays.origins)))
    return met.number.reshape(size[1], size[0])
