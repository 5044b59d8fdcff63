from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scenes.extent import scene_extent, weighted_quantile
from scenes.gaussians import Gaussians
from scenes.load import load_scene


def cloud(positions: NDArray[np.floating], log_scale: float = -4.0) -> Gaussians:
    count = len(positions)
    return Gaussians(
        positions=positions.astype(np.float32),
        log_scales=np.full((count, 3), log_scale, np.float32),
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        opacity_logits=np.zeros(count, np.float32),
        sh=np.zeros((count, 1, 3), np.float32),
    )


def ball(count: int = 4000, seed: int = 1) -> NDArray[np.float64]:
    """Uniform in the unit ball."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(count, 3))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True) * rng.random((count, 1)) ** (1 / 3)


def test_a_uniform_ball_has_the_radius_that_holds_its_weight() -> None:
    extent = scene_extent(cloud(np.array([5.0, -2.0, 1.0]) + 3 * ball(20000)))
    assert extent.centre == pytest.approx([5, -2, 1], abs=0.05)
    assert extent.radius == pytest.approx(3 * 0.95 ** (1 / 3), rel=0.01)


def test_floaters_hardly_move_it() -> None:
    points = ball()
    far = np.random.default_rng(2).normal(scale=1000, size=(40, 3))  # 1 %
    clean, dirty = scene_extent(cloud(points)), scene_extent(cloud(np.concatenate([points, far])))
    assert dirty.centre == pytest.approx(clean.centre, abs=0.05)
    assert dirty.radius == pytest.approx(clean.radius, rel=0.05)


def test_one_sky_sized_gaussian_does_not_own_the_scene() -> None:
    scene = cloud(np.concatenate([ball(), [[500.0, 0, 0]]]))
    log_scales = scene.log_scales.copy()
    log_scales[-1] = 6.0
    extent = scene_extent(replace(scene, log_scales=log_scales))
    assert np.linalg.norm(extent.centre) < 0.1
    assert extent.radius < 1.1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [3e38, -3e38])
def test_absurd_but_finite_attributes_keep_it_finite(value: float) -> None:
    scene = cloud(ball())
    log_scales, logits = scene.log_scales.copy(), scene.opacity_logits.copy()
    log_scales[:50], logits[50:100] = value, value
    extent = scene_extent(replace(scene, log_scales=log_scales, opacity_logits=logits))
    assert np.isfinite([*extent.centre, extent.radius]).all()


def test_transparent_gaussians_weigh_nothing() -> None:
    scene = cloud(np.concatenate([ball(), ball() + 10]))
    logits = np.repeat(np.array([0, -40], np.float32), 4000)
    assert scene_extent(replace(scene, opacity_logits=logits)).centre == pytest.approx([0, 0, 0], abs=0.1)


@pytest.mark.parametrize(("scale", "shift"), [(1e-3, 0.0), (1e3, 0.0), (1.0, 100.0)])
def test_it_moves_and_grows_with_the_scene(scale: float, shift: float) -> None:
    points = ball() * [1, 2, 3]
    before, after = scene_extent(cloud(points)), scene_extent(cloud(scale * points + shift))
    assert after.centre == pytest.approx(scale * before.centre + shift, rel=1e-4, abs=1e-4 * scale)
    assert after.radius == pytest.approx(scale * before.radius, rel=1e-3)


@pytest.mark.parametrize(("axis", "sign"), list(itertools.product(range(3), (1.0, -1.0))))
def test_what_stands_on_a_plane_points_away_from_it(axis: int, sign: float) -> None:
    rng = np.random.default_rng(3)
    plane = np.column_stack([0.01 * rng.normal(size=2000), rng.uniform(-2, 2, (2000, 2))])
    thing = ball(2000) * [1, 0.5, 0.5] + [1, 0, 0]  # on the plane, towards +x
    points = np.roll(np.concatenate([plane, thing]) * [sign, 1, 1], axis, axis=1)
    assert scene_extent(cloud(points)).up.tolist() == (sign * np.eye(3)[axis]).tolist()


@pytest.mark.parametrize("points", [ball(), np.zeros((1, 3)), np.zeros((5, 3))])
def test_up_is_minus_y_when_nothing_tells(points: NDArray[np.float64]) -> None:
    assert scene_extent(cloud(points)).up.tolist() == [0, -1, 0]


def test_nothing_visible_is_the_unit_ball() -> None:
    for scene in (cloud(np.zeros((0, 3))), cloud(np.full((3, 3), np.nan)), cloud(np.ones((3, 3)), log_scale=-1e4)):
        extent = scene_extent(scene)
        assert extent.centre.tolist() == [0, 0, 0]
        assert extent.radius == 1


def test_a_point_has_a_radius() -> None:
    assert scene_extent(cloud(np.ones((3, 3)))).radius == 1


def test_weighted_quantile_is_the_quantile_of_repeated_values() -> None:
    rng = np.random.default_rng(4)
    values, counts = rng.normal(size=50), rng.integers(1, 9, 50)
    repeated = np.repeat(values, counts)
    for share in (0.05, 0.3, 0.5, 0.95):
        expected = np.quantile(repeated, share, method="inverted_cdf")
        assert weighted_quantile(values, counts.astype(np.float64), share) == expected


@pytest.mark.parametrize(
    ("name", "up"),
    [
        ("donut.ply", [0, 0, 1]),
        ("hamburger.ply", [0, 1, 0]),
        ("playbot-31k.ply", [0, -1, 0]),
        ("playbot-125k.ply", [0, -1, 0]),
        ("guitar.compressed.ply", [0, -1, 0]),
    ],
)
def test_real_scenes(data: Path, name: str, up: list[int]) -> None:
    gaussians = load_scene(data / "gaussians" / name).gaussians
    extent = scene_extent(gaussians)
    assert extent.up.tolist() == up
    inside = np.linalg.norm(gaussians.positions - extent.centre, axis=1) < 1.5 * extent.radius
    assert inside.mean() > 0.9
