"""Scenes that no trainer meant: each is compressed to something whole, or refused in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fitting.neuralgs.compress import compress
from fitting.neuralgs.distant import brought_nearer, without_specks
from fitting.neuralgs.merge import merge_to
from fitting.neuralgs.options import EFFORTS, CompressOptions, CompressResult, Effort
from renderer.metrics import psnr
from renderer.reference import render_reference
from scenes.cameras import look_at
from scenes.errors import KilofieldError
from scenes.extent import scene_extent
from scenes.gaussians import Gaussians
from scenes.kilo import read_kilo
from scenes.load import load_scene
from scenes.ply import write_ply

OPTIONS = CompressOptions(preset="draft", quality="high", seed=3)


def ball(count: int = 300, radius: float = 1.0) -> Gaussians:
    """A patterned ball of flat-ish Gaussians, SH degree 0."""
    rng = np.random.default_rng(5)
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Gaussians(
        (radius * normals).astype(np.float32),
        (np.log(radius) + rng.normal(-2.8, 0.2, (count, 3))).astype(np.float32),
        rng.normal(size=(count, 4)).astype(np.float32),
        np.full(count, 2.0, np.float32),
        (np.sin(4 * normals[:, :1] + [0, 1, 2]) + 0.5)[:, None].astype(np.float32),
    )


def with_one_more(scene: Gaussians, distance: float, log_scale: float) -> Gaussians:
    """`scene` and a round Gaussian at `distance` on the x axis."""
    count = len(scene)
    scene = scene.select(np.append(np.arange(count), 0))
    scene.positions[count] = distance, 0, 0
    scene.log_scales[count] = log_scale
    return scene


def everywhere(value: float, **also: np.ndarray) -> Gaussians:
    """The ball with all log scales at `value`."""
    scene = ball()
    return replace(scene, log_scales=np.full_like(scene.log_scales, value), **also)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EFFORTS, "draft", Effort(steps=40, views=16, side=96, layers=1, width=8))


def compressed(scene: Gaussians, folder: Path) -> CompressResult:
    write_ply(folder / "scene.ply", scene)
    result = compress(folder / "scene.ply", folder / "out.kilo", OPTIONS)
    found = load_scene(result.path).gaussians
    assert found.finite().all()
    assert len(found) == result.gaussians
    return result


def test_one_gaussian_comes_back_as_itself(tmp_path: Path) -> None:
    scene = ball().select(np.array([7]))
    result = compressed(scene, tmp_path)
    camera = look_at(scene.positions[0] + [0, 0, 0.5], scene.positions[0], np.array([0.0, -1, 0]), 0.8)
    pictures = [render_reference(g, camera, 48, 32) for g in (scene, load_scene(result.path).gaussians)]
    assert pictures[0].max() > 0.2
    assert psnr(*pictures) > 35
    assert result.bytes < 2000


def test_equal_gaussians_cost_next_to_nothing(tmp_path: Path) -> None:
    scene = ball().select(np.zeros(4000, int))
    result = compressed(scene, tmp_path)
    assert result.psnr > 35
    assert result.bytes < 3000


def test_many_gaussians_in_one_place_merge_as_fast_as_others() -> None:
    """With each other's neighbours alone a round merged ten pairs: this took a minute."""
    scene = ball(6000)
    scene = replace(scene, positions=np.zeros_like(scene.positions))
    rounds: list[float] = []
    merged, weight = merge_to(scene, np.ones(6000), 1500, 0.005, rounds.append)
    assert len(merged) == 1500
    assert len(rounds) < 20
    assert weight.sum() == pytest.approx(6000)


@pytest.mark.parametrize("log_scale", [-20.0, -200.0, -1e30])
def test_points_without_a_size_are_drawn_as_the_original_draws_them(log_scale: float, tmp_path: Path) -> None:
    result = compressed(everywhere(log_scale), tmp_path)
    assert result.psnr > 25
    assert result.bytes < 6000


def test_some_points_among_others(tmp_path: Path) -> None:
    scene = ball()
    scene.log_scales[::2] = -200
    scene.log_scales[1::4, 2] = -1e30
    assert compressed(scene, tmp_path).psnr > 23


@pytest.mark.parametrize("log_scale", [30.0, 200.0, 1e30])
def test_one_larger_than_anything_does_not_spoil_the_others(log_scale: float, tmp_path: Path) -> None:
    assert compressed(with_one_more(ball(), 0.5, log_scale), tmp_path).psnr > 30


def test_colours_beyond_any_picture_are_limited_with_a_word(tmp_path: Path) -> None:
    scene = ball()
    scene.sh[3] = 1e30
    result = compressed(scene, tmp_path)
    assert "SH beyond 100 limited to it: 1 of 300 Gaussians" in result.notes
    assert result.psnr > 15


NOT_FINITE = (
    "element vertex: expected at least one finite Gaussian, found 300 that are NaN, infinite or without a rotation"
)
REFUSED = {
    "no scale": (everywhere(-np.inf), NOT_FINITE),
    "no opacity": (
        replace(ball(), opacity_logits=np.full(300, -1e30, np.float32)),
        "opacity: expected Gaussians that can be seen, found all 300 under 1/255",
    ),
    "an opacity of exactly 0": (replace(ball(), opacity_logits=np.full(300, -np.inf, np.float32)), NOT_FINITE),
    "all too large": (everywhere(1e30), "views: expected to see the Gaussians, found nothing in 16 views"),
    "a ball at 1e8": (
        replace(ball(), positions=ball().positions + np.float32(1e8)),
        "positions: expected a scene nearer to the origin, found one of radius 1 at 1e+08, where 32-bit floats are 8 "
        "apart",
    ),
    "a ball as large as 1e30": (
        replace(ball(), positions=ball().positions * np.float32(1e30)),
        "positions: expected a scene within 1e+09 units of the origin, found one of radius 1.01e+30 around 9.17e+27",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_shown_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    scene, message = REFUSED[name]
    with pytest.raises(KilofieldError) as caught:
        compressed(scene, tmp_path)
    assert str(caught.value) == f"{tmp_path / 'scene.ply'}: {message}"
    assert not (tmp_path / "out.kilo").exists()


def test_a_scene_as_large_as_1e8_is_the_scene_it_is(tmp_path: Path) -> None:
    scene, factor = ball(), np.float32(1e8)
    large = replace(scene, positions=scene.positions * factor, log_scales=scene.log_scales + np.log(factor))
    small, result = (compressed(s, tmp_path) for s in (scene, large))
    assert result.psnr == pytest.approx(small.psnr, abs=1)
    assert result.bytes == pytest.approx(small.bytes, rel=0.05)


@pytest.mark.parametrize("distance", [1e3, 1e8, 1e30])
@pytest.mark.parametrize("radius", [1.0, 0.05])
def test_a_speck_a_kilometre_away_costs_nothing(radius: float, distance: float, tmp_path: Path) -> None:
    scene = ball(300, radius)
    alone = compressed(scene, tmp_path)
    step = _grid_step(alone)
    result = compressed(with_one_more(scene, distance, -2.8), tmp_path)
    assert result.psnr == pytest.approx(alone.psnr, rel=0.05)
    assert result.bytes == pytest.approx(alone.bytes, rel=0.05)
    assert _grid_step(result) == pytest.approx(step, rel=0.1)
    assert "1 speck more than 100 scene radii away left out" in result.notes


@pytest.mark.parametrize("distance", [1e3, 1e8])
def test_a_moon_is_kept_and_costs_no_precision(distance: float, tmp_path: Path) -> None:
    scene = ball()
    alone = compressed(scene, tmp_path)
    result = compressed(with_one_more(scene, distance, np.log(0.05 * distance)), tmp_path)
    assert np.linalg.norm(load_scene(result.path).gaussians.positions, axis=1).max() > 900
    assert result.psnr > alone.psnr - 4  # it is a part of the pictures too, and takes its share of the few steps
    assert result.bytes < 1.05 * alone.bytes
    assert _grid_step(result) < 0.3 * np.exp(-2.8)  # of a standard deviation: what the grid aims at


def _grid_step(result: CompressResult) -> float:
    neural = read_kilo(result.path)
    assert neural.grid is not None
    return neural.grid.step


def test_what_is_brought_nearer_looks_the_same_from_the_scene() -> None:
    scene = with_one_more(with_one_more(ball(), 1e5, np.log(2e4)), 1e6, np.log(2e5))
    scene.sh[301] = 2  # of another colour than the one it is behind
    scene.positions[301, 1] = 1e5
    extent = scene_extent(ball())
    moved, note = brought_nearer(scene, extent)
    assert note.startswith("2 Gaussians more than ")
    assert 100 * extent.radius < np.linalg.norm(moved.positions, axis=1).max() < 1e4
    np.testing.assert_array_equal(moved.positions[:300], scene.positions[:300])
    camera = look_at(np.array([-2.5, 0.3, 0]), np.array([10.0, 0, 0]), np.array([0.0, -1, 0]), 0.9)
    before, after = (render_reference(g, camera, 96, 64) for g in (scene, moved))
    assert psnr(before, after) > 40
    assert psnr(before, render_reference(ball(), camera, 96, 64)) < 25  # they are much of the picture


def test_nothing_moves_and_nothing_is_left_out_of_a_usual_scene() -> None:
    scene = with_one_more(ball(), 50, -2.8)
    extent = scene_extent(scene)
    assert without_specks(scene, extent) == (scene, "")
    assert brought_nearer(scene, extent) == (scene, "")


def test_a_starry_sky_is_not_left_out() -> None:
    scene = ball()
    both = scene.select(np.append(np.arange(300), np.arange(20)))
    both.positions[300:] *= 5000
    assert without_specks(both, scene_extent(both)) == (both, "")
