"""The commands that draw: render, compare and fly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_samples import kilofield, sample_cameras, sample_gaussians, sample_neural
from PIL import Image

from renderer.metrics import psnr, ssim
from renderer.reference import render_reference
from scenes.camera_files import write_cameras
from scenes.cameras import look_at
from scenes.kilo import write_kilo
from scenes.load import load_scene
from scenes.ply import read_ply, write_ply

SIZE = (48, 32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two scenes that differ a little, and two cameras."""
    write_ply(tmp_path / "a.ply", sample_gaussians())
    write_kilo(tmp_path / "b.kilo", sample_neural())
    write_cameras(tmp_path / "cameras.json", sample_cameras(["front", ""]))
    return tmp_path


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(np.float32) / 255


def test_render_draws_what_the_reference_draws(folder: Path) -> None:
    result = kilofield(
        *("render", folder / "a.ply", "--cameras", folder / "cameras.json", "--out", folder / "new" / "pictures"),
        *("--size", "48x32", "--json", folder / "figures.json", "--background", "0.25,0.5,1"),
    )
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads((folder / "figures.json").read_text())
    assert [Path(p["path"]).name for p in found["pictures"]] == ["front.png", "001.png"]
    scene = read_ply(folder / "a.ply").gaussians
    for camera, drawn in zip(sample_cameras(["front", ""]), found["pictures"], strict=True):
        expected = np.clip(render_reference(scene, camera, *SIZE, (0.25, 0.5, 1.0)), 0, 1)
        assert np.abs(picture(Path(drawn["path"])) - expected).max() < 2.1 / 255


def test_a_kilo_and_its_ply_render_alike(folder: Path) -> None:
    assert kilofield("convert", folder / "b.kilo", folder / "back.ply").exit_code == 0
    options = ("--cameras", folder / "cameras.json", "--size", "48x32", "--json", "-")
    found = json.loads(kilofield("compare", folder / "b.kilo", folder / "back.ply", *options).stdout)
    assert all(view["psnr"] is None or view["psnr"] > 50 for view in found["cameras"])


def test_compare_measures_the_pictures_of_render(folder: Path) -> None:
    options = ("--cameras", folder / "cameras.json", "--size", "48x32")
    for name in ("a.ply", "b.kilo"):
        assert kilofield("render", folder / name, *options, "--out", folder / name[0]).exit_code == 0
    result = kilofield("compare", folder / "a.ply", folder / "b.kilo", *options, "--json", "-")
    found = json.loads(result.stdout)
    for view, name in zip(found["cameras"], ("front", "001"), strict=True):
        a, b = (picture(folder / side / f"{name}.png") for side in "ab")
        assert view["name"] == name
        assert view["psnr"] == pytest.approx(psnr(a, b), abs=0.1)  # the files are rounded to 8 bits
        assert view["ssim"] == pytest.approx(ssim(a, b), abs=0.01)
    assert found["mean"]["psnr"] == pytest.approx(np.mean([view["psnr"] for view in found["cameras"]]))
    assert (found["a"]["bytes"], found["b"]["gaussians"]) == ((folder / "a.ply").stat().st_size, 48)


def test_a_scene_compared_with_itself_is_identical(folder: Path) -> None:
    result = kilofield("compare", folder / "a.ply", folder / "a.ply", "--size", "48x32")
    rows = [line.split() for line in result.stdout.splitlines() if line.strip().startswith("orbit_")]
    assert [row[1:] for row in rows] == [["inf", "inf", "1.0000"]] * 8
    found = json.loads(
        kilofield("compare", folder / "a.ply", folder / "a.ply", "--size", "48x32", "--json", "-").stdout
    )
    assert found["mean"] == {
        "psnr": None,
        "psnr_of_mean_error": None,
        "ssim": pytest.approx(1),
        "lpips": None,
        "object_psnr": None,
        "object_views": 8,
    }


def test_the_object_psnr_is_that_of_the_pixels_a_draws_on(folder: Path) -> None:
    """Against the slow twin, whose alpha is what a white background adds to a black one."""
    cameras = sample_cameras(["front", ""])
    options = ("--cameras", folder / "cameras.json", "--size", "48x32", "--json", "-")
    found = json.loads(kilofield("compare", folder / "a.ply", folder / "b.kilo", *options).stdout)
    a, b = (load_scene(folder / name).gaussians for name in ("a.ply", "b.kilo"))
    for view, camera in zip(found["cameras"], cameras, strict=True):
        black, white = (render_reference(a, camera, *SIZE, (level, level, level)) for level in (0.0, 1.0))
        shown = (1 - (white - black)).mean(axis=2) >= 1 / 255
        other = np.clip(render_reference(b, camera, *SIZE, (0.0, 0.0, 0.0)), 0, 1)
        assert 0.1 < shown.mean() < 0.9
        assert view["object_psnr"] == pytest.approx(psnr(np.clip(black, 0, 1)[shown], other[shown]), abs=0.02)
        assert view["object_psnr"] < view["psnr"]
    assert found["mean"]["object_psnr"] == pytest.approx(np.mean([view["object_psnr"] for view in found["cameras"]]))


def test_a_camera_that_sees_nothing_of_a_is_left_out_of_its_object_psnr(folder: Path) -> None:
    away = look_at(np.array([3.0, 0, 0]), np.array([6.0, 0, 0]), np.array([0.0, -1, 0]), 0.8, "away")
    write_cameras(folder / "some.json", [*sample_cameras(["front"]), away])
    arguments = ("compare", folder / "a.ply", folder / "b.kilo", "--cameras", folder / "some.json", "--size", "48x32")
    printed = kilofield(*arguments).stdout
    assert "1 of 2 cameras shows nothing of A and is not in its object PSNR" in printed
    (row,) = [line.split() for line in printed.splitlines() if line.strip().startswith("away")]
    assert row[1:3] == ["inf", "-"]
    found = json.loads(kilofield(*arguments, "--json", "-").stdout)
    front, unseen = found["cameras"]
    assert (front["shows_object"], unseen["shows_object"], unseen["object_psnr"]) == (True, False, None)
    assert (found["mean"]["object_psnr"], found["mean"]["object_views"]) == (front["object_psnr"], 1)


def test_the_report_is_written_and_kept(folder: Path) -> None:
    report = folder / "report.html"
    arguments = ("compare", folder / "a.ply", folder / "b.kilo", "--size", "48x32", "--report", report)
    assert kilofield(*arguments).exit_code == 0
    page = report.read_text()
    assert page.count("data:image/webp") == 3 * 8
    assert "b.kilo" in page
    again = kilofield(*arguments)
    assert (again.exit_code, again.stderr) == (1, f"{report}: exists already; --force replaces it\n")
    assert report.read_text() == page


def test_pictures_too_small_for_ssim_are_one_line(folder: Path) -> None:
    result = kilofield("compare", folder / "a.ply", folder / "b.kilo", "--size", "48x10")
    assert result.stderr == "SSIM: expected pictures of at least 11x11 pixels, found 48x10\n"
    assert result.exit_code == 1


@pytest.mark.parametrize("path", ["orbit", "cameras.json"])
def test_fly_writes_frames_and_their_times(path: str, folder: Path) -> None:
    chosen = path if path == "orbit" else folder / path
    options = ("--size", "48x32", "--frames", "3", "--warmup", "0", "--json", folder / "figures.json")
    arguments = ("fly", folder / "b.kilo", "--path", chosen, "--out", folder / "frames", *options)
    result = kilofield(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    frames = sorted(p.name for p in (folder / "frames").glob("frame-*.png"))
    assert frames == [f"frame-{i:05d}.png" for i in range(3)]
    assert picture(folder / "frames" / frames[0]).shape == (32, 48, 3)
    found = json.loads((folder / "figures.json").read_text())
    (scene,) = found["scenes"]
    assert len(scene["frames"]) == 3
    assert all(frame["total"] > 0 for frame in scene["frames"])
    again = kilofield(*arguments[:-2])
    assert again.exit_code == 1
    assert "frame-00000.png: exists already and 3 more" in again.stderr


def test_fly_makes_a_video_that_opens(folder: Path) -> None:
    import av

    video = folder / "flight.mp4"
    options = ("--size", "48x32", "--frames", "4", "--fps", "10", "--quiet")
    result = kilofield("fly", folder / "a.ply", "--out", video, *options)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 10
        assert sum(1 for _ in container.decode(stream)) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--frames=0"], "--frames: expected 1 or more, found 0"),
        (["--warmup=-1"], "--warmup: expected 0 or more, found -1"),
        (["--fps=0"], "--fps: expected 0.1 to 1000, found 0"),
        (["--fps=nan"], "--fps: expected 0.1 to 1000, found nan"),
        (["--path=helix"], "--path: expected orbit, ellipse, spiral, dolly or a path file, found nothing at 'helix'"),
        (["--background=purple"], None),
    ],
)
def test_fly_refuses_before_anything_is_made(options: list[str], message: str | None, folder: Path) -> None:
    result = kilofield("fly", folder / "a.ply", "--out", folder / "frames", *options)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert message is None or result.stderr == f"{message}\n"
    assert not (folder / "frames").exists()


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("film.gif", "expected a folder or a video named *.mp4"),
        ("none/film.mp4", "cannot write: No such file or directory"),
        ("a.ply/frames", "cannot write: Not a directory"),
        ("a.ply", "expected a folder, found a file"),
    ],
)
def test_outputs_a_flight_cannot_have(out: str, message: str, folder: Path) -> None:
    before = (folder / "a.ply").read_bytes()
    result = kilofield("fly", folder / "a.ply", "--out", folder / out, "--force")
    assert (result.exit_code, result.stderr) == (1, f"{folder / out}: {message}\n")
    assert (folder / "a.ply").read_bytes() == before


def test_an_interrupted_command_exits_with_130(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> Callable[..., None]:
        raise KeyboardInterrupt

    monkeypatch.setattr("renderer.images.write_png", interrupt)
    options = ("--cameras", folder / "cameras.json", "--out", folder / "pictures", "--size", "48x32")
    result = kilofield("render", folder / "a.ply", *options)
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")
