"""The tables of the README and the measuring of a command."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from benchmarks.compression import Run, timed
from benchmarks.judging import judge, turned, view_scores
from benchmarks.peer_sog import PEERS, read_peers
from benchmarks.rasterizer import measure as measure_backends
from benchmarks.readme_tables import NOTHING_YET, compression_table, filled, peer_bytes
from fitting.raster_view import RasterView
from fitting.tensors import GaussianTensors
from scenes.cameras import look_at
from scenes.extent import Extent

RESULT = {
    "scene": "donut",
    "preset": "balanced",
    "quality": "medium",
    "max_mb": None,
    "bytes": 100_000,
    "source_bytes": 2_560_000,
    "psnr": 30.0,
    "psnr_views": [31.0, 28.04, None],
    "psnr_white": 29.76,
    "psnr_object": 24.5,
    "psnr_whole": 36.04,
    "ssim": 0.95,
    "seconds": 390.0,
    "peak_bytes": 1_500_000_000,
}


def test_peer_bytes_goes_through_its_points_and_never_beyond() -> None:
    curve = [(400.0, 40.0), (100.0, 30.0), (25.0, 20.0)]
    for size, decibels in curve:
        assert peer_bytes(curve, decibels) == pytest.approx(size)
    assert peer_bytes(curve, 35.0) == pytest.approx(200.0)  # the geometric mean, halfway in dB
    assert peer_bytes(curve, 40.1) is None
    assert peer_bytes(curve, 19.9) is None
    assert peer_bytes([], 30.0) is None


def test_peer_curves_fall_with_the_bytes() -> None:
    peers = read_peers(PEERS)
    assert len(peers) >= 6
    for scene, peer in peers.items():
        sizes, decibels = np.array(peer.curve).T
        assert len(sizes) >= 3, scene
        assert (np.diff(sizes) > 0).all(), scene
        assert (np.diff(decibels) > 0).all(), scene
        percents = [point.percent for point in peer.sog]
        assert percents == sorted(percents), scene


def test_a_row_says_what_was_measured() -> None:
    table = compression_table([RESULT], {"donut": [(200_000, 31.0), (150_000, 29.0)]})
    cells = [cell.strip() for cell in table.splitlines()[2].strip("|").split("|")]
    assert cells == [
        "donut",
        "balanced, medium",
        "100 KB",
        "26x",
        "30.0 dB",
        "28.0 dB",
        "29.8 dB",
        "-",
        "24.5 dB",
        "36.0 dB",
        "0.950",
        "173 KB",
        "6.5",
        "1.5 GB",
    ]


def test_turned_cameras_look_at_the_middle_from_as_far() -> None:
    extent = Extent(np.array([1.0, 2.0, 3.0]), 1.0, np.array([0.0, -1.0, 0.0]))
    camera = look_at(np.array([4.0, 1.0, 5.0]), extent.centre, extent.up, 0.8)
    (other,) = turned([camera], extent, np.radians(30))
    offsets = [c.position - extent.centre for c in (camera, other)]
    assert np.linalg.norm(offsets[1]) == pytest.approx(np.linalg.norm(offsets[0]))
    assert offsets[1][1] == pytest.approx(offsets[0][1])  # as high as before
    flat = [o[[0, 2]] / np.linalg.norm(o[[0, 2]]) for o in offsets]
    assert flat[0] @ flat[1] == pytest.approx(np.cos(np.radians(30)))
    seen = other.camera_from_world @ [*extent.centre, 1]
    assert np.abs(seen[:2]).max() < 1e-9
    assert seen[2] > 0


def test_the_object_alone_is_judged_where_it_is() -> None:
    a = [np.zeros((16, 16, 3), np.float32)]
    b, alpha = [a[0].copy()], [np.zeros((16, 16), np.float32)]
    b[0][0, 0], alpha[0][0, 0] = 0.1, 1.0
    (view,) = view_scores(a, b, alpha)
    assert view.object_psnr == pytest.approx(20, abs=1e-3)
    assert view.psnr == pytest.approx(20 + 10 * np.log10(256), abs=1e-3)


def test_without_results_the_table_says_so() -> None:
    assert compression_table([], {}) == NOTHING_YET


def test_tables_go_between_their_markers_and_nowhere_else() -> None:
    text = "a\n<!-- figures: x -->\nold\n<!-- end of figures -->\nb\n"
    once = filled(text, {"x": "| new |\n"})
    assert once == "a\n<!-- figures: x -->\n\n| new |\n\n<!-- end of figures -->\nb\n"
    assert filled(once, {"x": "| new |\n"}) == once
    with pytest.raises(KeyError):
        filled(text, {"y": ""})


def test_timed_measures_and_stops_at_a_failure() -> None:
    big = "import time; x = bytearray(80_000_000); time.sleep(0.3)"
    usage = timed([sys.executable, "-c", big])
    assert 0.3 <= usage.seconds < 20
    assert 80e6 < usage.peak_bytes < 2e9
    with pytest.raises(subprocess.CalledProcessError):
        timed([sys.executable, "-c", "raise SystemExit(3)"])


def test_judging_by_the_definition() -> None:
    a = [np.full((16, 16, 3), 0.5, np.float32), np.full((16, 16, 3), 0.2, np.float32)]
    b = [a[0] + np.float32(0.1), a[1] + np.float32(0.01)]
    assert judge(a, b).psnr == pytest.approx((20 + 40) / 2, abs=1e-3)


def test_runs_with_different_sizes_have_different_names() -> None:
    runs = [Run("donut", "draft", "small"), Run("donut", "draft", "medium"), Run("donut", "draft", "medium", 0.12)]
    assert len({run.name for run in runs}) == 3
    assert runs[2].arguments() == ["--preset", "draft", "--max-mb", "0.12", "--seed", "0"]


def test_backends_are_timed_in_turn() -> None:
    """Medians of each backend's own times; the first round, which compiles, does not count."""
    calls: list[str] = []

    def backend(name: str) -> ModuleType:
        module = ModuleType(name)
        module.forward = lambda *_: (calls.append(name), (torch.zeros(2, 2, 3), None))[1]  # type: ignore[attr-defined]
        module.backward = lambda *_: (torch.zeros(1),)  # type: ignore[attr-defined]
        return module

    tensors = GaussianTensors(*(torch.zeros(1),) * 5)
    views = [RasterView(np.eye(4, dtype=np.float32), 1, 1, 1, 1, 2, 2)] * 3
    times = measure_backends({"a": backend("a"), "b": backend("b")}, tensors, views, rounds=2)
    assert calls == ["a", "b"] * 9
    assert times.keys() == {"a", "b"}
    assert all(0 <= t < 1000 for pair in times.values() for t in pair)
