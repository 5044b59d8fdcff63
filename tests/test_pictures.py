"""Pictures drawn in one pass are those of two, their weights are the reference's, and threads change nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fitting.neuralgs import pictures
from fitting.neuralgs.pictures import draw_targets
from fitting.neuralgs.targets import rendered_target
from fitting.raster_numba_bin import TILE, bin_records, depth_order
from fitting.raster_numba_project import HALF_HEIGHT, HALF_WIDTH, MEAN_X, MEAN_Y
from fitting.raster_view import RasterView
from fitting.rasterize import draw, draw_and_weigh, importance, rasterize
from fitting.tensors import GaussianTensors
from scenes.cameras import look_at
from scenes.gaussians import Gaussians
from tests.test_canonical import random_gaussians

CAMERAS = [look_at(np.array([2.2 * np.sin(a), 0.4, 2.2 * np.cos(a)]), np.zeros(3), np.array([0, -1, 0]), 0.8)
           for a in range(5)]  # fmt: skip
SIZE = (45, 37)  # no multiple of a tile


def small_scene(count: int = 200) -> Gaussians:
    scene = random_gaussians(count)
    scene.positions[:] *= 0.3
    return scene


def view(background: float = 0.0) -> RasterView:
    return RasterView.of(CAMERAS[1], *SIZE, (background, background, 0.3))


@pytest.mark.parametrize("backend", ["numba", "taichi"])
@pytest.mark.parametrize("antialiased", [False, True])
def test_drawn_over_a_background_is_the_picture(backend: str, antialiased: bool) -> None:
    tensors = GaussianTensors.of(small_scene())
    for background in (0.0, 0.7):
        seen = RasterView.of(CAMERAS[0], *SIZE, (background, 0.2, 1.0), antialiased)
        rgba = draw(*tensors, seen, backend)
        over = rgba[..., :3] + (1 - rgba[..., 3:]) * torch.tensor(seen.background)
        assert (over - rasterize(*tensors, seen, backend)).abs().max() < 2e-6
        assert rgba[..., 3].min() < 0.5 < rgba[..., 3].max()


@pytest.mark.parametrize("backend", ["numba", "taichi"])
def test_weights_are_those_of_a_pass_of_their_own(backend: str) -> None:
    tensors = GaussianTensors.of(small_scene())
    rgba, weights = draw_and_weigh(*tensors, view(), backend)
    assert weights == pytest.approx(importance(*tensors, view(), "taichi"), rel=1e-3, abs=1e-4)
    assert weights.sum() == pytest.approx(float(rgba[..., 3].sum()), rel=1e-4)  # each pixel's weights add up to alpha


def test_hidden_slots_weigh_nothing() -> None:
    """Tiles stop early behind opaque Gaussians; what they never looked at must not keep another picture's weight."""
    wall = small_scene(400)
    wall.opacity_logits[:] = 9
    wall.log_scales[:] = -0.5
    _, weights = draw_and_weigh(*GaussianTensors.of(wall), view())
    assert weights == pytest.approx(importance(*GaussianTensors.of(wall), view(), "taichi"), rel=1e-3, abs=1e-3)
    assert (weights == 0).any()


@pytest.mark.parametrize("cores", [1, 3])
def test_views_by_several_threads_are_views_one_by_one(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "available_cores", lambda: cores)
    tensors, shares = GaussianTensors.of(small_scene()), []
    cameras = CAMERAS * 5
    weighed = [i % 2 == 0 for i in range(len(cameras))]
    targets, weight = draw_targets(tensors, cameras, weighed, 48, False, shares.append)
    expected = sum(
        importance(*tensors, t.view((0.0, 0.0, 0.0), False)).astype(np.float64)
        for t, w in zip(targets, weighed, strict=True)
        if w
    )
    assert np.array_equal(weight, expected)
    assert shares == pytest.approx(np.arange(1, 26) / 25)
    for target, camera in zip(targets, cameras, strict=True):
        assert target.camera is camera
        assert torch.equal(target.rgba, rendered_target(tensors, camera, 48, 32, False).rgba)


def test_who_stops_listening_waits_for_no_further_view(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(pictures, "available_cores", lambda: 2)
    monkeypatch.setattr(pictures, "draw", lambda *a: drawn.append(1) or draw(*a))

    def stop(_share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_targets(GaussianTensors.of(small_scene()), CAMERAS * 20, [False] * 100, 32, False, stop)
    assert len(drawn) < 10


def test_depth_order_is_a_stable_sort_of_the_visible() -> None:
    rng = np.random.default_rng(3)
    depths = np.concatenate([rng.exponential(5, 3000), rng.exponential(1e-4, 500), [1e8, 1e-30], np.full(300, 2.5)])
    depths = depths.astype(np.float32)
    depths[rng.choice(len(depths), 700, replace=False)] = 0
    rng.shuffle(depths)
    visible = np.flatnonzero(depths > 0)
    assert np.array_equal(depth_order(depths), visible[np.argsort(depths[visible], kind="stable")])
    assert len(depth_order(np.zeros(4, np.float32))) == len(depth_order(np.zeros(0, np.float32))) == 0


def test_bins_hold_every_pixel_of_every_gaussian() -> None:
    """Round Gaussians: the tiles are those with a pixel within the radius, give or take the corners of a band."""
    rng = np.random.default_rng(5)
    records, depths = np.zeros((300, 12), np.float32), rng.uniform(1, 9, 300).astype(np.float32)
    radius = rng.uniform(0.5, 20, 300).astype(np.float32)
    records[:, MEAN_X], records[:, MEAN_Y] = rng.uniform(-10, 90, 300), rng.uniform(-10, 60, 300)
    records[:, [2, 4]], records[:, 11] = 1, (radius**2).reshape(-1)
    records[:, HALF_WIDTH] = records[:, HALF_HEIGHT] = radius
    bins = bin_records(records, depths, 80, 50)
    assert (bins.tiles_x, bins.tiles_y) == (5, 4)
    found = 0
    for tile in range(20):
        x = tile % 5 * TILE + np.arange(TILE) + 0.5
        y = tile // 5 * TILE + np.arange(TILE) + 0.5
        ids = bins.ids[bins.starts[tile] : bins.starts[tile + 1]]
        squares = (x[None, :] - records[:, MEAN_X, None]) ** 2
        squares = squares[:, None, :] + ((y[None, :] - records[:, MEAN_Y, None]) ** 2)[:, :, None]
        touched = np.flatnonzero((squares <= (radius**2)[:, None, None]).any(axis=(1, 2)))
        assert set(touched) <= set(ids.tolist())
        assert (np.diff(depths[ids]) >= 0).all()
        found += len(touched)
    assert found > 0.8 * len(bins.ids)
    assert np.array_equal(bins.records, records[bins.ids])
    for g in range(300):
        assert (bins.ids[bins.pair_slots[bins.firsts[g] : bins.firsts[g + 1]]] == g).all()
