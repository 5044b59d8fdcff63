"""Writing .compressed.ply: what comes back, and how far it is off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenes.compressed_ply_writer import write_compressed_ply
from scenes.gaussians import SH_C0
from scenes.load import load_scene
from tests.format_samples import assert_close, in_order_of, sample

FIXTURES = Path(__file__).parent / "fixtures" / "formats"
STEPS = {
    "positions": 0.6 * 10 / 1023,  # half a step of 10 bits over the box of a chunk
    "log_scales": 0.6 * 5 / 1023,
    "rotations": 0.003,
    "opacity": 0.5 / 255 + 1e-6,
    "colour": 0.6 / 255 / SH_C0,
    "sh": 0.51 * 8 / 256,
}


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("count", [1, 256, 300])
@pytest.mark.parametrize("antialiased", [False, True])
def test_what_is_written_is_read(tmp_path: Path, degree: int, count: int, antialiased: bool) -> None:
    scene = sample(count, degree, antialiased=antialiased)
    write_compressed_ply(tmp_path / "a.compressed.ply", scene)
    file = load_scene(tmp_path / "a.compressed.ply")
    assert (file.format, file.dropped, file.gaussians.antialiased) == ("compressed.ply", 0, antialiased)
    assert_close(in_order_of(file.gaussians, scene), scene, **STEPS)


def test_files_of_other_writers() -> None:
    scene = sample(64, seed=7)
    assert_close(in_order_of(load_scene(FIXTURES / "sample.compressed.ply").gaussians, scene), scene, **STEPS)


def test_chunks_are_near_together_and_so_finer_than_one_box(tmp_path: Path) -> None:
    scene = sample(20_000, 0)
    write_compressed_ply(tmp_path / "a.ply", scene)
    found = load_scene(tmp_path / "a.ply").gaussians
    spread = [np.ptp(found.positions[i : i + 256], axis=0).mean() for i in range(0, 20_000, 256)]
    assert np.median(spread) < 0.25 * np.ptp(scene.positions, axis=0).mean()


def test_numbers_beyond_the_format_become_its_ends(tmp_path: Path) -> None:
    scene = sample(10, 1)
    scene.log_scales[0] = 50
    scene.sh[0, 1:] = 100
    scene.sh[1, 1:] = -100
    write_compressed_ply(tmp_path / "a.ply", scene)
    found = in_order_of(load_scene(tmp_path / "a.ply").gaussians, scene)
    assert found.log_scales[0] == pytest.approx(20, abs=1e-4)
    assert found.sh[:2, 1:].min() == -4
    assert found.sh[:2, 1:].max() == 4


def test_one_place_for_all(tmp_path: Path) -> None:
    scene = sample(300, 0)
    scene = replace(scene, positions=np.full((300, 3), 2.5, np.float32))
    write_compressed_ply(tmp_path / "a.ply", scene)
    np.testing.assert_array_equal(load_scene(tmp_path / "a.ply").gaussians.positions, scene.positions)
