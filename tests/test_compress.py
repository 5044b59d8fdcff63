"""The whole compression on small scenes: same bytes every time, also after a kill; budgets kept; photographs fitted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fitting import checkpoint as checkpoints
from fitting.neuralgs import paper
from fitting.neuralgs.compress import compress
from fitting.neuralgs.model import position_grid
from fitting.neuralgs.options import EFFORTS, CompressOptions, Effort, Progress
from fitting.neuralgs.targets import rendered_target
from fitting.neuralgs.views import virtual_cameras
from fitting.tensors import GaussianTensors
from renderer.images import write_png
from scenes.errors import KilofieldError
from scenes.extent import scene_extent
from scenes.gaussians import Gaussians
from scenes.kilo import read_kilo
from scenes.load import load_scene
from scenes.ply import write_ply

TINY = Effort(steps=40, views=16, side=96, layers=1, width=8)
OPTIONS = CompressOptions(preset="draft", quality="high", seed=3)


def ball(count: int = 1500) -> Gaussians:
    """A patterned ball of flat-ish Gaussians, SH degree 1."""
    rng = np.random.default_rng(5)
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    sh = np.zeros((count, 4, 3))
    sh[:, 0] = np.sin(4 * normals[:, :1] + [0, 1, 2]) + 0.5
    sh[:, 1:] = 0.1 * rng.normal(size=(count, 3, 3))
    return Gaussians(
        normals.astype(np.float32),
        rng.normal(-2.8, 0.2, (count, 3)).astype(np.float32),
        rng.normal(size=(count, 4)).astype(np.float32),
        np.full(count, 2.0, np.float32),
        sh.astype(np.float32),
    )


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(EFFORTS, "draft", TINY)
    monkeypatch.setitem(EFFORTS, "paper", replace(TINY, steps=10, layers=2, width=16))
    monkeypatch.setattr(paper, "FIT_STEPS", 40)
    write_ply(tmp_path / "ball.ply", ball())
    return tmp_path / "ball.ply"


@pytest.fixture
def checkpoint_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "INTERVAL", 0.0)


class KilledError(Exception):
    """Stands for the kill: raised from inside the run, it leaves what a kill leaves."""


def kill_at(stage: str, steps: int):
    seen = 0

    def callback(progress: Progress) -> None:
        nonlocal seen
        seen += progress.stage == stage
        if seen == steps:
            raise KilledError

    return callback


def test_what_is_written_is_what_is_reported(source: Path, tmp_path: Path) -> None:
    result = compress(source, tmp_path / "out.kilo", OPTIONS)
    scene = read_kilo(result.path)
    assert result.bytes == result.path.stat().st_size == sum(result.streams.values())
    assert result.gaussians == len(scene) < result.source_gaussians == 1500
    assert result.bytes < result.source_bytes / 8
    assert result.psnr > 22
    assert 0.5 < result.ssim < 1
    assert not list(tmp_path.glob("*.checkpoint"))


@pytest.mark.usefixtures("checkpoint_every_step")
@pytest.mark.parametrize(("preset", "stage"), [("draft", "tuning"), ("paper", "fitting networks"), ("paper", "tuning")])
def test_a_killed_run_resumes_to_the_same_bytes(source: Path, tmp_path: Path, preset: str, stage: str) -> None:
    options = replace(OPTIONS, preset=preset)
    compress(source, tmp_path / "whole.kilo", options)
    with pytest.raises(KilledError):
        compress(source, tmp_path / "cut.kilo", options, kill_at(stage, 7))
    assert not (tmp_path / "cut.kilo").exists()
    assert (tmp_path / "cut.kilo.checkpoint").exists()
    steps: list[str] = []
    compress(source, tmp_path / "cut.kilo", replace(options, resume=True), lambda p: steps.append(p.detail))
    assert (tmp_path / "cut.kilo").read_bytes() == (tmp_path / "whole.kilo").read_bytes()
    assert not any(detail.startswith("step 1/") for detail in steps if stage == "tuning" and preset == "draft")


@pytest.mark.usefixtures("checkpoint_every_step")
def test_late_kill_with_frozen_positions_resumes(source: Path, tmp_path: Path) -> None:
    compress(source, tmp_path / "whole.kilo", OPTIONS)
    with pytest.raises(KilledError):
        compress(source, tmp_path / "cut.kilo", OPTIONS, kill_at("tuning", 38))
    compress(source, tmp_path / "cut.kilo", replace(OPTIONS, resume=True))
    assert (tmp_path / "cut.kilo").read_bytes() == (tmp_path / "whole.kilo").read_bytes()


def test_another_seed_gives_another_file(source: Path, tmp_path: Path) -> None:
    compress(source, tmp_path / "a.kilo", OPTIONS)
    compress(source, tmp_path / "b.kilo", replace(OPTIONS, seed=4))
    assert (tmp_path / "a.kilo").read_bytes() != (tmp_path / "b.kilo").read_bytes()


@pytest.mark.usefixtures("checkpoint_every_step")
def test_a_checkpoint_of_another_run_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        compress(source, tmp_path / "out.kilo", OPTIONS, kill_at("tuning", 5))
    with pytest.raises(
        KilofieldError, match=r"out\.kilo\.checkpoint: belongs to another run: expected .* seed 9, found"
    ):
        compress(source, tmp_path / "out.kilo", replace(OPTIONS, seed=9, resume=True))


def test_a_checkpoint_that_is_not_one_is_named(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out.kilo.checkpoint").write_bytes(b"not a checkpoint")
    with pytest.raises(
        KilofieldError, match=r"out\.kilo\.checkpoint: file: expected a checkpoint, found .* on reading"
    ):
        compress(source, tmp_path / "out.kilo", replace(OPTIONS, resume=True))


@pytest.mark.parametrize("max_bytes", [4_000, 9_000])
def test_a_budget_is_kept_and_used(source: Path, tmp_path: Path, max_bytes: int) -> None:
    result = compress(source, tmp_path / "out.kilo", replace(OPTIONS, max_bytes=max_bytes))
    assert 0.85 * max_bytes <= result.bytes <= max_bytes


def test_a_budget_for_nothing_says_what_is_needed(source: Path, tmp_path: Path) -> None:
    with pytest.raises(
        KilofieldError, match=r"--max-mb: expected at least 0\.00\d+ MB for this scene, found 0\.001 MB"
    ):
        compress(source, tmp_path / "out.kilo", replace(OPTIONS, max_bytes=1000))
    assert not (tmp_path / "out.kilo").exists()


def test_cameras_beside_the_scene_are_used(source: Path, tmp_path: Path) -> None:
    cameras = virtual_cameras(ball(), scene_extent(ball()), 24, 0)
    entries = []
    for i, camera in enumerate(cameras):
        world_from_camera = np.linalg.inv(camera.camera_from_world)
        _, fy, _, _ = camera.intrinsics(96, 64)
        entry = {"id": i, "img_name": f"{i:04}", "width": 96, "height": 64, "fx": fy, "fy": fy}
        entry["position"] = world_from_camera[:3, 3].tolist()
        entry["rotation"] = world_from_camera[:3, :3].tolist()
        entries.append(entry)
    (tmp_path / "cameras.json").write_text(json.dumps(entries))
    result = compress(source, tmp_path / "out.kilo", OPTIONS)
    assert result.notes == (f"views: 16 of the 24 in {tmp_path / 'cameras.json'}",)


def test_photographs_are_the_target(source: Path, tmp_path: Path) -> None:
    """Photographs of a darker ball pull the fit away from the .ply's own colours."""
    original = ball()
    sh = original.sh.copy()
    sh[:, 0] -= 0.8
    darker = replace(original, sh=sh)
    capture = tmp_path / "capture"
    capture.mkdir()
    frames = []
    for i, camera in enumerate(virtual_cameras(original, scene_extent(original), 16, 0)):
        rgba = rendered_target(GaussianTensors.of(darker), camera, 96, 64, False).rgba.float().numpy()
        straight = np.concatenate([rgba[..., :3] / np.maximum(rgba[..., 3:], 1e-3), rgba[..., 3:]], axis=2)
        write_png(capture / f"r_{i}.png", np.clip(straight * 255, 0, 255).round().astype(np.uint8))
        matrix = np.linalg.inv(camera.camera_from_world) @ np.diag([1, -1, -1, 1])
        fov_x = 2 * np.arctan(np.tan(camera.fov_y / 2) * 96 / 64)
        frames.append({"file_path": f"./r_{i}", "transform_matrix": matrix.tolist(), "camera_angle_x": fov_x})
    (capture / "transforms_train.json").write_text(json.dumps({"camera_angle_x": 0.9, "frames": frames}))
    compress(source, tmp_path / "own.kilo", OPTIONS)
    result = compress(source, tmp_path / "photos.kilo", replace(OPTIONS, images=capture))
    assert result.notes == ("views: 14 photographs, 0 missing",)
    own, fitted = (load_scene(tmp_path / f"{name}.kilo").gaussians.sh[:, 0].mean() for name in ("own", "photos"))
    assert fitted < own - 0.01  # 40 steps do not go far


def test_paper_preset_has_no_codes(source: Path, tmp_path: Path) -> None:
    result = compress(source, tmp_path / "out.kilo", replace(OPTIONS, preset="paper"))
    scene = read_kilo(tmp_path / "out.kilo")
    assert scene.bank.shape.code == 0
    assert len(scene) == pytest.approx(0.6 * 1500, rel=0.05)
    assert result.psnr > 12
    with pytest.raises(KilofieldError, match="--max-mb: expected another preset"):
        compress(source, tmp_path / "b.kilo", replace(OPTIONS, preset="paper", max_bytes=50_000))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"preset": "fast"}, "--preset: expected one of draft, balanced, best, paper, found fast"),
        ({"quality": "huge"}, "--quality: expected one of small, medium, high, lossless, found huge"),
        ({"seed": 2**63}, f"--seed: expected 0 to {2**63 - 1}, found {2**63}"),
        ({"max_bytes": 10}, "--max-mb: expected at least 0.001 MB, found 1e-05 MB"),
    ],
)
def test_options_are_checked(change: dict[str, object], message: str) -> None:
    with pytest.raises(KilofieldError) as caught:
        CompressOptions(**change)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_invisible_scenes_are_refused(tmp_path: Path) -> None:
    gaussians = ball(50)
    write_ply(tmp_path / "faint.ply", replace(gaussians, opacity_logits=np.full(50, -9, np.float32)))
    with pytest.raises(KilofieldError) as caught:
        compress(tmp_path / "faint.ply", tmp_path / "out.kilo", OPTIONS)
    expected = f"{tmp_path / 'faint.ply'}: opacity: expected Gaussians that can be seen, found all 50 under 1/255"
    assert str(caught.value) == expected


@pytest.mark.parametrize("count", [1, 2, 12])
def test_tiny_scenes_work(source: Path, tmp_path: Path, count: int) -> None:
    write_ply(tmp_path / "few.ply", ball().select(np.arange(count)))
    for preset in ("draft", "paper"):
        result = compress(tmp_path / "few.ply", tmp_path / f"{preset}.kilo", replace(OPTIONS, preset=preset))
        assert 1 <= result.gaussians <= count
        assert load_scene(result.path).gaussians.finite().all()


def test_a_process_killed_while_it_fits_a_budget_resumes(source: Path, tmp_path: Path) -> None:
    """SIGKILL, from outside, at whatever step it happens to be."""
    options = replace(OPTIONS, max_bytes=9_000)
    compress(source, tmp_path / "whole.kilo", options)
    script = f"""
from pathlib import Path
from fitting import checkpoint
from fitting.neuralgs.compress import compress
from fitting.neuralgs.options import EFFORTS, CompressOptions, Effort, Recipe
from scenes.content import ReadOptions
checkpoint.INTERVAL = 0.0
EFFORTS["draft"] = {TINY!r}
target = Path({str(tmp_path / "cut.kilo")!r})
compress(Path({str(source)!r}), target, {options!r}, lambda p: print(p.detail, flush=True))
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("step 23/"):
                process.kill()
                break
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "cut.kilo").exists()
    compress(source, tmp_path / "cut.kilo", replace(options, resume=True))
    assert (tmp_path / "cut.kilo").read_bytes() == (tmp_path / "whole.kilo").read_bytes()


def test_a_kill_between_judging_and_writing_leaves_a_checkpoint(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint_every_step: None
) -> None:
    compress(source, tmp_path / "whole.kilo", OPTIONS)
    with pytest.raises(KilledError):
        compress(source, tmp_path / "cut.kilo", OPTIONS, kill_at("judging", 1))
    assert not (tmp_path / "cut.kilo").exists()
    compress(source, tmp_path / "cut.kilo", replace(OPTIONS, resume=True))
    assert (tmp_path / "cut.kilo").read_bytes() == (tmp_path / "whole.kilo").read_bytes()


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_fit(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint_every_step: None
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("no space left")

    monkeypatch.setattr(torch, "save", full)
    result = compress(source, tmp_path / "out.kilo", OPTIONS)
    written = f"{tmp_path / 'out.kilo.checkpoint'}: cannot write: no space left"
    assert result.notes[-1] == f"the last checkpoint could not be written: {written}"
    assert read_kilo(result.path).decode().finite().all()


def test_a_far_background_does_not_coarsen_the_middle() -> None:
    both = ball(2400)
    positions, log_scales = both.positions.copy(), both.log_scales.copy()
    positions[2000:] *= 1000
    log_scales[2000:] = 3
    both = replace(both, positions=positions, log_scales=log_scales)
    grid = position_grid(both)
    assert np.abs(grid.positions(grid.cells(positions)) - positions).max() <= 0.51 * grid.step + 1e-4
    assert grid.step < 0.5 * np.exp(np.median(log_scales[:2000]))


@pytest.mark.parametrize("preset", ["draft", "paper"])
def test_large_coordinates(source: Path, tmp_path: Path, preset: str) -> None:
    scene = ball()
    far_off = replace(
        scene, positions=scene.positions + np.array([300_000, 0, 0], np.float32), log_scales=scene.log_scales + 3
    )
    write_ply(tmp_path / "map.ply", far_off)
    if preset == "paper":
        with pytest.raises(KilofieldError, match=r"--preset paper: expected coordinates that half floats hold"):
            compress(tmp_path / "map.ply", tmp_path / "out.kilo", replace(OPTIONS, preset=preset))
    else:
        assert compress(tmp_path / "map.ply", tmp_path / "out.kilo", OPTIONS).psnr > 15


def test_one_photograph_is_too_few(source: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "r_0.png", np.zeros((20, 30, 3), np.uint8))
    pose = np.diag([1, -1, -1, 1.0])
    pose[2, 3] = -4
    frames = [{"file_path": "r_0", "transform_matrix": pose.tolist()}]
    (tmp_path / "transforms.json").write_text(json.dumps({"camera_angle_x": 0.9, "frames": frames}))
    with pytest.raises(KilofieldError) as caught:
        compress(source, tmp_path / "out.kilo", replace(OPTIONS, images=tmp_path / "transforms.json"))
    expected = f"{tmp_path / 'transforms.json'}: frames: expected at least 2 photographs, found 1"
    assert str(caught.value) == expected
