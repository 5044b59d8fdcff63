"""The demo from end to end; the fit, which has tests of its own, is replaced by a file made in advance."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_samples import sample_neural

import demo
from fitting.neuralgs import compress as fitter
from fitting.neuralgs.options import CompressOptions, CompressResult, Progress, ProgressCallback
from renderer.context import create_context
from scenes.extent import scene_extent
from scenes.kilo import write_kilo
from scenes.load import load_scene
from scenes.procedural import sample_scene


def instant_compress(
    source: Path, target: Path, options: CompressOptions, progress: ProgressCallback | None = None
) -> CompressResult:
    """A .kilo of 48 Gaussians, whatever the source."""
    assert progress is not None
    progress(Progress("tuning", 0.5))
    write_kilo(target, sample_neural())
    sizes = target.stat().st_size, source.stat().st_size
    quality, streams, stages = (20.0, 0.5), {"codes": 10}, {"tuning": 1.0}
    return CompressResult(
        target, *sizes, 48, 600, 0, *quality, 1.0, streams, options.preset, options.seed, 2, 9, 4, stages
    )


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a demo that ran on a tiny scene, with a file of somebody else's in it."""
    monkeypatch.setattr(fitter, "compress", instant_compress)
    monkeypatch.setattr(demo, "QUICK", demo.Sizes(gaussians=600, width=96, height=64, frames=3, patience="no time"))
    folder = tmp_path / "made" / "demo-out"
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("keep")
    (folder / demo.SOURCE).write_text("left by an earlier run")
    demo.run_demo(folder, quick=True)
    return folder


def test_everything_is_made_and_nothing_else_is_touched(out: Path) -> None:
    assert {path.name for path in out.iterdir()} == {
        "mine.txt",
        demo.SOURCE,
        demo.COMPRESSED,
        demo.FILM,
        "flythrough-frames.png",
        demo.SHEET,
        demo.FIGURES,
    }
    assert (out / "mine.txt").read_text() == "keep"
    assert len(load_scene(out / demo.SOURCE).scene) == 600
    assert len(load_scene(out / demo.COMPRESSED).scene) == 48
    figures = json.loads((out / demo.FIGURES).read_text())
    assert figures["bytes"] == (out / demo.COMPRESSED).stat().st_size
    assert 0 < figures["contact_sheet"]["psnr"] < 60


def test_the_film_has_its_frames(out: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(out / demo.FILM)) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(frames) == 3
    assert frames[0].shape == (64, 96, 3)


def test_the_views_see_the_whole_still_life_from_above() -> None:
    scene = sample_scene(2000)
    extent = scene_extent(scene)
    cameras = demo.demo_cameras(extent)
    assert len({camera.name for camera in cameras}) == len(cameras) >= 3
    for camera in cameras:
        assert camera.position[1] < extent.centre[1]  # up is -y
        seen = scene.positions @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]
        assert (seen[:, 2] > 0.2).all()
        inside = np.abs(seen[:, :2] / seen[:, 2:]) < np.tan(demo.FIELD_OF_VIEW / 2) * np.array([16 / 9, 1])
        assert inside.all(axis=1).mean() > 0.75


@pytest.mark.parametrize(("name", "shows"), [("DISPLAY", True), ("WAYLAND_DISPLAY", True), ("OTHER", False)])
def test_a_display_is_noticed(name: str, shows: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo.sys, "platform", "linux")
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, ":0")
    assert demo.has_display() is shows


def test_the_viewer_opens_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """After pictures were drawn without a window, in this process; no display here, so the viewer says so."""
    create_context()
    monkeypatch.setenv("DISPLAY", ":9999")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    write_kilo(tmp_path / "sample.kilo", sample_neural())
    demo.open_viewer([tmp_path / "sample.kilo"])
    assert "no display: expected a window system" in capfd.readouterr().err


def test_somebody_at_the_terminal_sees_the_viewer(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[list[Path]] = []
    monkeypatch.setattr(demo, "open_viewer", opened.append)
    monkeypatch.setattr(demo, "has_display", lambda: True)
    demo.run_demo(out, quick=True)
    assert opened == []  # the output of a test is no terminal
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    demo.run_demo(out, quick=True)
    assert opened == [[out / demo.SOURCE, out / demo.COMPRESSED]]
