"""`kilofield compress` from outside: its file, its figures, and a run that was interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_samples import kilofield, sample_gaussians

from fitting.neuralgs import paper
from fitting.neuralgs.checkpoint import Checkpoint
from fitting.neuralgs.options import EFFORTS
from scenes.kilo import read_kilo
from scenes.ply import write_ply


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small scene, and a draft of a few steps."""
    path = tmp_path / "scene.ply"
    write_ply(path, sample_gaussians(200))
    shorten(monkeypatch, 6)
    return path


def shorten(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """So few steps on so small pictures that a whole run takes a second."""
    for preset in ("draft", "paper"):
        monkeypatch.setitem(EFFORTS, preset, replace(EFFORTS[preset], steps=steps, views=4, side=32))
    monkeypatch.setattr(paper, "FIT_STEPS", 5)


def test_compress_writes_the_file_and_its_figures(scene: Path) -> None:
    out, figures = scene.with_name("out.kilo"), scene.with_name("figures.json")
    result = kilofield("compress", scene, out, "--preset", "draft", "--json", figures)
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(figures.read_text())
    assert found["bytes"] == out.stat().st_size == sum(found["streams"].values())
    assert found["ratio"] == pytest.approx(scene.stat().st_size / out.stat().st_size)
    assert found["gaussians"] == len(read_kilo(out))
    assert (found["preset"], found["seed"], found["source"]) == ("draft", 0, str(scene))
    assert "PSNR" in result.stdout
    again = kilofield("compress", scene, out, "--preset", "draft")
    assert (again.exit_code, again.stderr) == (1, f"{out}: exists already; --force replaces it\n")


@pytest.mark.parametrize(("preset", "at"), [("draft", 22), ("draft", 27), ("paper", 3), ("paper", 8)])
def test_an_interrupted_run_says_how_to_go_on_and_goes_on(
    preset: str, at: int, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch, 30 if preset == "draft" else 6)  # draft: warm-up ends at 20, positions freeze at 26
    whole, out = scene.with_name("whole.kilo"), scene.with_name("out.kilo")
    arguments = ("compress", scene, out, "--preset", preset)
    assert kilofield("compress", scene, whole, "--preset", preset, "--quiet").exit_code == 0

    saved: list[int] = []

    def save_and_interrupt(self: Checkpoint, state: Callable[[], dict[str, Any]]) -> None:
        content = state()
        saved.append(content["step"] if preset == "paper" else content["tuner"]["step"])
        if saved == list(range(1, at + 1)):
            self.save(content)
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save_when_due", save_and_interrupt)
    result = kilofield(*arguments)
    checkpoint = scene.with_name("out.kilo.checkpoint")
    expected = f"interrupted; the same command with --resume continues from {checkpoint}\n"
    assert (result.exit_code, result.stderr) == (130, expected)
    assert checkpoint.exists()
    assert not out.exists()

    refused = kilofield(*arguments)
    expected = f"{checkpoint}: left by an interrupted run; --resume continues it, --force starts afresh\n"
    assert (refused.exit_code, refused.stderr) == (1, expected)

    saved.clear()
    resumed = kilofield(*arguments, "--resume", "--quiet")
    assert (resumed.exit_code, resumed.stderr) == (0, "")
    assert saved[0] == at + 1  # and not 1: it went on
    assert out.read_bytes() == whole.read_bytes()
    assert not checkpoint.exists()


def test_resume_without_a_checkpoint_starts_from_the_beginning(scene: Path) -> None:
    out = scene.with_name("out.kilo")
    result = kilofield("compress", scene, out, "--preset", "draft", "--resume", "--quiet")
    assert result.exit_code == 0
    assert result.stderr == f"{out}.checkpoint: nothing to resume, starting from the beginning\n"
    assert len(read_kilo(out)) > 0


def test_a_bad_source_leaves_the_old_output(scene: Path) -> None:
    out = scene.with_name("out.kilo")
    out.write_bytes(b"kept")
    scene.write_bytes(scene.read_bytes()[:-9])
    result = kilofield("compress", scene, out, "--force", "--preset", "draft")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"{scene}: element vertex: expected ")
    assert out.read_bytes() == b"kept"
    assert sorted(p.name for p in scene.parent.iterdir()) == ["out.kilo", "scene.ply"]


def test_dropped_gaussians_are_reported(scene: Path) -> None:
    gaussians = sample_gaussians(200)
    gaussians.positions[:4] = float("nan")
    write_ply(scene, gaussians)
    result = kilofield("compress", scene, scene.with_name("out.kilo"), "--preset", "draft", "--quiet")
    assert result.exit_code == 0
    assert result.stderr == f"{scene}: dropped 4 of 200 Gaussians (NaN, infinite or without a rotation)\n"


@pytest.mark.parametrize("images", ["nowhere", "scene.ply"])
def test_images_that_are_no_capture_are_one_line(images: str, scene: Path) -> None:
    out = scene.with_name("out.kilo")
    result = kilofield("compress", scene, out, "--preset", "draft", "--images", scene.with_name(images))
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"{scene.with_name(images)}: ")
    assert not out.exists()
