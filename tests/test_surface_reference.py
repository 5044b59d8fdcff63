"""Rays against surfaces in numpy: closed forms, and the laws of the march."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from renderer.camera_rays import camera_rays
from renderer.empty_space import cell_codes, chebyshev_distances
from renderer.surface_reference import Hits, evaluate_many, sample_distance, trace
from renderer.surface_settings import MarchSettings, Slice, SurfaceSettings
from renderer.surface_views import jitters, render_reference
from scenes.cameras import Camera, look_at
from scenes.errors import KilofieldError
from scenes.surface import EMPTY, NeuralSurface
from tests.surface_samples import (
    box,
    box_surface,
    fitted_surface,
    geometry_shape,
    plane_surface,
    random_bank,
    random_surface,
    sphere,
    torus,
)

RAYS = 10_000
Distance = Callable[[np.ndarray], np.ndarray]


def rays_that_hit(distance: Distance) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Origins [N, 3] around the object, unit directions [N, 3], and how far it is along them [N], by many small steps.

    Rays that pass at a grazing angle are left out: of them nobody can say whether they hit.
    """
    rng = np.random.default_rng(0)
    origins = rng.normal(size=(3 * RAYS, 3))
    origins *= 2.5 / np.linalg.norm(origins, axis=1, keepdims=True)
    directions = rng.uniform(-0.8, 0.8, origins.shape) - origins
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    far = np.zeros(len(origins))
    for _ in range(250):
        far += distance(origins + far[:, None] * directions)
    points = origins + far[:, None] * directions
    facing = -(gradient(distance, points) * directions).sum(axis=1)
    hit = (np.abs(distance(points)) < 1e-7) & (facing > 0.1)
    assert hit.sum() >= RAYS
    return origins[hit][:RAYS], directions[hit][:RAYS], far[hit][:RAYS]


def gradient(distance: Distance, points: np.ndarray) -> np.ndarray:
    sides = [distance(points + 1e-5 * axis) - distance(points - 1e-5 * axis) for axis in np.eye(3)]
    return np.stack(sides, axis=1) / 2e-5


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[N] degrees between unit vectors."""
    return np.degrees(2 * np.arcsin(np.clip(0.5 * np.linalg.norm(a - b, axis=1), 0, 1)))


SOLIDS = {
    "sphere": (lambda: fitted_surface(sphere, width=48, layers=1), sphere),
    "torus": (lambda: fitted_surface(torus, cells=24, width=64, layers=1), torus),
    "box": (box_surface, box),
}


@pytest.mark.parametrize("name", SOLIDS)
def test_closed_forms(name: str) -> None:
    make, distance = SOLIDS[name]
    origins, directions, far = rays_that_hit(distance)
    hits = trace(make(), origins, directions)
    assert hits.hit.all()  # no holes
    assert np.abs(distance(hits.points)).max() < 1e-3
    assert np.abs(hits.distance - far).max() < 2e-3  # farther along than across, at the grazing angles left in
    exact = gradient(distance, hits.points)
    wrong = angles(hits.normals, exact / np.linalg.norm(exact, axis=1, keepdims=True))
    assert wrong.mean() < 0.1
    assert wrong.max() < 0.5


def test_a_plane_is_met_where_it_is() -> None:
    normal, offset = np.array([0.36, 0.48, 0.8]), 0.1
    rng = np.random.default_rng(1)
    target = rng.uniform(-0.5, 0.5, (2000, 3))
    target -= np.outer(target @ normal - offset, normal)
    origins = target + 3 * normal + rng.uniform(-1, 1, target.shape)
    directions = (target - origins) / np.linalg.norm(target - origins, axis=1, keepdims=True)
    hits = trace(plane_surface(), origins, directions)
    assert hits.hit.all()
    assert np.abs(hits.distance - np.linalg.norm(target - origins, axis=1)).max() < 1e-4
    assert np.abs(hits.normals - normal).max() < 1e-5


def sphere_rays(count: int = 600) -> tuple[NeuralSurface, np.ndarray]:
    directions = np.random.default_rng(2).normal(size=(count, 3))
    return fitted_surface(sphere, width=32), directions / np.linalg.norm(directions, axis=1, keepdims=True)


def test_rays_from_inside_meet_the_other_side() -> None:
    surface, directions = sphere_rays()
    hits = trace(surface, np.zeros_like(directions), directions)
    assert np.abs(hits.distance - 0.7).max() < 1e-3
    assert angles(hits.normals, directions).max() < 2  # still out of the object


def test_rays_that_start_in_an_occupied_cell() -> None:
    surface, directions = sphere_rays()
    for radius, side in ((0.72, -1), (0.68, 1)):  # outside, looking in; inside, looking out
        hits = trace(surface, radius * directions, side * directions)
        assert np.abs(hits.distance - 0.02).max() < 1e-3


def test_nothing_is_found_before_the_start() -> None:
    surface, directions = sphere_rays()
    hits = trace(surface, -2 * directions, directions, start=1.5)  # the near side is at 1.3
    assert np.abs(hits.distance - 2.7).max() < 1e-3


def test_rays_that_meet_nothing() -> None:
    surface, directions = sphere_rays()
    away = trace(surface, 3 * directions, directions)
    beside = trace(surface, np.tile([-3.0, 0.9, 0.0], (5, 1)), np.tile([1.0, 0.0, 0.0], (5, 1)))
    for hits in (away, beside):
        assert not hits.hit.any()
        assert (hits.network == EMPTY).all()
        assert np.isinf(hits.distance).all()
    assert not away.evaluations.any()


def same(a: Hits, b: Hits, tolerance: float) -> None:
    np.testing.assert_array_equal(a.hit, b.hit)
    assert np.abs(a.distance - b.distance)[a.hit].max() < tolerance
    assert angles(a.normals[a.hit], b.normals[b.hit]).max() < 0.2


@pytest.mark.parametrize("name", SOLIDS)
def test_skipping_changes_nothing(name: str) -> None:
    make, distance = SOLIDS[name]
    origins, directions, _ = rays_that_hit(distance)
    origins, directions = origins[:1500], directions[:1500]
    one_by_one = trace(make(), origins, directions, MarchSettings(skip=False))
    same(trace(make(), origins, directions), one_by_one, 5e-4)


@pytest.mark.parametrize("relaxation", [0.3, 1.0, 1.9])
def test_relaxation_changes_only_the_cost(relaxation: float) -> None:
    make, distance = SOLIDS["box"]
    origins, directions, far = rays_that_hit(distance)
    hits = trace(make(), origins[:1500], directions[:1500], MarchSettings(relaxation=relaxation))
    assert hits.hit.all()
    assert np.abs(hits.distance - far[:1500]).max() < 2e-3


def test_a_ray_takes_no_more_steps_than_it_may() -> None:
    surface, directions = sphere_rays()
    few = MarchSettings(steps=3)
    hits = trace(surface, np.zeros_like(directions), directions, few)
    assert hits.evaluations.max() <= 3 * 8
    assert not trace(surface, np.zeros_like(directions), directions, MarchSettings(steps=1)).hit.any()


def test_networks_that_agree_on_nothing() -> None:
    """The march may pass what is thinner than its steps, but where it says there is a surface there is one."""
    surface = random_surface()
    rng = np.random.default_rng(3)
    middle = np.asarray(surface.grid.origin) + 0.75
    origins = rng.normal(size=(2000, 3))
    origins = middle + 3 * origins / np.linalg.norm(origins, axis=1, keepdims=True)
    directions = middle + rng.uniform(-0.5, 0.5, origins.shape) - origins
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    hits = trace(surface, origins, directions, MarchSettings(entry=0.0))
    sample = surface.sample(hits.points[hits.hit].astype(np.float32))
    assert hits.hit.sum() > 500
    assert np.mean(sample.inside) > 0.99  # the others are on a face, where rounding decides
    # the tolerance is 2.6e-5, and gradients are not of length 1
    assert np.quantile(np.abs(sample.distance[sample.inside]), 0.98) < 5e-4
    cosine = (sample.gradient * hits.normals[hits.hit]).sum(axis=1) / np.linalg.norm(sample.gradient, axis=1)
    assert cosine[sample.inside].min() > 0.999


def test_distances_of_cells() -> None:
    rng = np.random.default_rng(4)
    occupied = rng.random((7, 4, 9)) < 0.02
    occupied[3, 1, 2] = True
    cells = np.array(list(product(*map(range, occupied.shape))))
    expected = np.abs(cells[:, None] - np.argwhere(occupied)).max(axis=2).min(axis=1)
    np.testing.assert_array_equal(chebyshev_distances(occupied).ravel(), expected)
    np.testing.assert_array_equal(chebyshev_distances(np.zeros((2, 5, 3), np.bool_)), np.full((2, 5, 3), 5))


def test_codes_of_cells() -> None:
    surface = random_surface()
    codes = cell_codes(surface)
    np.testing.assert_array_equal(np.maximum(codes, EMPTY), surface.networks)
    assert sorted(codes[codes >= 0]) == list(range(len(surface)))


@pytest.mark.parametrize("activation", ["sine", "tanh", "relu", "softplus"])
@pytest.mark.parametrize("modulation", [(), (3, 2, 4)])
def test_many_networks_at_once(activation: str, modulation: tuple[int, ...]) -> None:
    bank = random_bank(geometry_shape(modulation, activation), 6, seed=5)
    rng = np.random.default_rng(6)
    network = rng.integers(0, 5, 300).astype(np.int32)  # one has none
    local = rng.uniform(-1, 1, (300, 3)).astype(np.float32)
    expected = bank.evaluate(network, local, np.zeros((300, 0), np.float32))
    np.testing.assert_allclose(evaluate_many(bank, network, local), expected, atol=1e-6)


def test_distance_is_that_of_the_surface() -> None:
    surface = random_surface()
    places = (surface.cells[:, None] + np.random.default_rng(7).random((20, 3))).reshape(-1, 3)
    sample = surface.sample((np.asarray(surface.grid.origin) + surface.grid.edge * places).astype(np.float32))
    distance, count = sample_distance(surface, places)
    assert np.abs(surface.grid.edge * distance - sample.distance).max() < 1e-5
    np.testing.assert_array_equal(count, sample.evaluations)


@pytest.mark.parametrize("projection", ["pinhole", "orthographic", "equirectangular"])
def test_rays_of_a_camera_meet_its_pixels(projection: str) -> None:
    """Points along them are seen in the middle of the pixel they belong to, at the depth that is told."""
    camera = look_at(np.array([1.0, 2.0, 3.0]), np.zeros(3), np.array([0.0, 1.0, 0.0]), 0.9)
    camera = replace(camera, projection=projection, view_height=2.0, pixel_aspect=1.2, centre=(0.4, 0.6))
    rays = camera_rays(camera, 8, 6)
    points = rays.origins + 2.5 * rays.directions
    pixels, depths = pixels_of(camera, points, (8, 6))
    np.testing.assert_allclose(pixels.reshape(6, 8, 2)[2, 3], (3.5, 2.5), atol=1e-9)
    rows, columns = np.mgrid[:6, :8].reshape(2, -1)
    np.testing.assert_allclose(pixels, np.stack([columns, rows], axis=1) + 0.5, atol=1e-9)
    np.testing.assert_allclose(depths, 2.5 * rays.z)
    np.testing.assert_allclose(rays.start * rays.z, camera.near)


def pixels_of(camera: Camera, points: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    seen = points @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]
    x, y, z = seen.T
    fx, fy, cx, cy = camera.intrinsics(*size)
    if camera.projection == "orthographic":
        return np.stack([fx * x + cx, fy * y + cy], axis=1), z
    if camera.projection == "equirectangular":
        angle = np.arctan2(x, z), np.arctan2(y, np.hypot(x, z))
        return np.stack([fx * angle[0] + cx, fy * angle[1] + cy], axis=1), np.linalg.norm(seen, axis=1)
    return np.stack([fx * x / z + cx, fy * y / z + cy], axis=1), z


def test_samples_are_spread_over_the_pixel() -> None:
    offsets = np.array(jitters(64))
    assert jitters(1) == [(0.0, 0.0)]
    assert np.abs(offsets).max() <= 0.5
    assert np.abs(offsets.mean(axis=0)).max() < 0.02
    counts, _, _ = np.histogram2d(*offsets.T, bins=4, range=[(-0.5, 0.5)] * 2)
    assert counts.min() >= 2


def test_samples_soften_the_edge() -> None:
    camera = look_at(np.array([0.0, 0.0, 3.0]), np.zeros(3), np.array([0.0, 1.0, 0.0]), 0.7)
    surface = fitted_surface(sphere, cells=8)
    one, many = (render_reference(surface, camera, 24, 24, SurfaceSettings(samples=n)) for n in (1, 4))
    assert set(np.unique(one.rgba[..., 3])) == {0, 1}
    assert len(np.unique(many.rgba[..., 3])) == 5
    assert many.evaluations.sum() > 3 * one.evaluations.sum()
    np.testing.assert_array_equal(one.depth, many.depth)  # of the middles of the pixels


def test_slice_shows_the_distance() -> None:
    camera = look_at(np.array([0.0, 0.0, 4.0]), np.zeros(3), np.array([0.0, 1.0, 0.0]), 0.7)
    surface = fitted_surface(sphere, width=32)
    picture = render_reference(surface, camera, 90, 90, SurfaceSettings(view="slice", slice=Slice((0, 0, 2.0))))
    rays = camera_rays(camera, 90, 90)
    radius = np.linalg.norm((rays.origins + (4 / -rays.directions[:, 2])[:, None] * rays.directions), axis=1)
    radius, rgb = radius.reshape(90, 90), picture.rgba[..., :3]
    assert (picture.rgba[..., 3][radius > 1.5] == 0).all()  # beyond the box
    dark = rgb.max(axis=2) < 0.2
    assert dark[np.abs(radius - 0.7) < 0.02].all()
    outside, inside = (rgb[(np.abs(radius - r) < 0.01) & ~dark] for r in (0.74, 0.66))
    assert (outside[:, 2] > outside[:, 0]).all()
    assert (inside[:, 2] < inside[:, 0]).all()


def test_settings_that_cannot_be() -> None:
    for make, message in (
        (lambda: MarchSettings(steps=0), "march: expected 1 to 4096 steps"),
        (lambda: MarchSettings(relaxation=0), "march: expected steps and tolerances above 0"),
        (lambda: Slice((0, 0, 0)), "slice: expected a normal that is not 0"),
        (lambda: SurfaceSettings(view="x"), "view: expected one of colour, normal, .*, found 'x'"),
        (lambda: SurfaceSettings(samples=0), "samples: expected 1 to 1024, found 0"),
        (lambda: SurfaceSettings(cost_range=0), "cost range: expected a number above 0, found 0"),
    ):
        with pytest.raises(KilofieldError, match=message):
            make()
