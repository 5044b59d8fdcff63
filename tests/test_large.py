"""The benchmark of large scenes: tiles are the scene, turned and moved; all processes of a command are measured."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.large import NAMES, facts_of, measured, session_memory, table
from benchmarks.tiling import GAP, Tiling
from scenes.extent import scene_extent
from scenes.load import load_scene
from tests.gaussian_samples import random_gaussians


@pytest.fixture
def tiling() -> Tiling:
    return Tiling(random_gaussians(80, 1, sh_degree=1), 5)


def test_every_tile_is_the_scene_at_another_place(tiling: Tiling, tmp_path: Path) -> None:
    tiling.write(tmp_path / "tiles.ply")
    written = load_scene(tmp_path / "tiles.ply").gaussians
    assert len(written) == 5 * 80
    extent = scene_extent(tiling.gaussians)
    one = tiling.gaussians.positions
    apart = np.linalg.norm(one[:, None] - one, axis=2)
    middles = []
    for i in range(5):
        mine = written.select(slice(80 * i, 80 * (i + 1)))
        assert np.allclose(np.linalg.norm(mine.positions[:, None] - mine.positions, axis=2), apart, atol=1e-4)
        assert np.allclose(mine.positions @ extent.up, one @ extent.up, atol=1e-4)
        assert np.array_equal(mine.opacity_logits, tiling.gaussians.opacity_logits)
        middles.append(mine.positions.mean(axis=0) - one.mean(axis=0))
    steps = np.linalg.norm(np.diff(middles[: tiling.columns], axis=0), axis=1)
    assert np.allclose(steps, GAP * extent.radius, rtol=0.35)  # turned about the middle of the ball, not of the mean
    assert not [path for path in tmp_path.iterdir() if path.name != "tiles.ply"]


def test_walkers_are_among_the_tiles_and_see_them(tiling: Tiling) -> None:
    extent = scene_extent(tiling.gaussians)
    for camera in [*tiling.walk(12), *tiling.aisle(9)]:
        away = camera.position - extent.centre
        assert -GAP < away @ np.eye(3)[extent.up == 0].T[:, 0] / extent.radius < GAP * tiling.columns
        assert away @ extent.up > 0


def test_a_command_is_measured_with_its_processes(tiling: Tiling, tmp_path: Path) -> None:
    tiling.write(tmp_path / "tiles.ply")
    report = tmp_path / "info.json"
    cost = measured(["--json", str(report), "--quiet"], ["info", str(tmp_path / "tiles.ply")])
    assert json.loads(report.read_text())["gaussians"] == 400
    assert cost.seconds > 0
    assert 10e6 < cost.largest_bytes <= cost.peak_bytes < 2e9
    assert session_memory(os.getsid(0)) > 10e6
    assert session_memory(2**22 + 1) == 0  # no such session


def test_what_is_kept_of_a_report() -> None:
    scores = {"mean": {"psnr": 24.0, "ssim": 0.7}, "cameras": []}
    assert facts_of("compare", scores)["psnr"] == 24.0
    cost = {"seconds": 3.0, "peak_bytes": 1e9}
    text = table(
        {"commands": {name: cost | ({"bytes": 7e6, "psnr": 35.5} if i == 1 else {}) for i, name in enumerate(NAMES)}}
    )
    assert "7.00 MB, 35.50 dB" in text
    assert len(text.splitlines()) == 1 + len(NAMES)
