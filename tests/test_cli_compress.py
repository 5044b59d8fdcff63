"""`kilofield compress` from outside: its file, its figures, and a run that was interrupted."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from cli_samples import kilofield, sample_gaussians

from commands import console
from fitting.checkpoint import Checkpoint
from fitting.neuralgs import paper
from fitting.neuralgs.options import EFFORTS
from scenes.errors import KilofieldError
from scenes.kilo import read_kilo
from scenes.ply import write_ply


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Ctrl-C counts, even where the tests were started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small scene, and a draft of a few steps."""
    path = tmp_path / "scene.ply"
    write_ply(path, sample_gaussians(200))
    monkeypatch.setattr(console, "SECONDS_BETWEEN_LINES", math.inf)  # compiling may take longer
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


def test_the_report_and_its_figures_say_what_was_spent(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch, 24)
    out, figures = scene.with_name("out.kilo"), scene.with_name("figures.json")
    result = kilofield("compress", scene, out, "--preset", "draft", "--json", figures)
    assert result.exit_code == 0
    found = json.loads(figures.read_text())
    assert {s["purpose"]: s["bytes"] for s in found["spent"]} == found["streams"]
    assert [s["bytes"] for s in found["spent"]] == sorted(found["streams"].values(), reverse=True)
    assert sum(s["percent"] for s in found["spent"]) == pytest.approx(100)
    bits = sum(s["bits_per_gaussian"] for s in found["spent"])
    assert bits * found["gaussians"] / 8 == pytest.approx(out.stat().st_size)
    for spent in (s for s in found["spent"] if s["bytes"]):
        row = f"{spent['bytes']:,}", f"{spent['percent']:.1f}", f"{spent['bits_per_gaussian']:.2f}"
        assert any(tuple(text.split()[-3:]) == row for text in result.stdout.splitlines())
    assert "\x1b" not in result.stdout  # no colours where it is no terminal
    assert f"{found['gaussians']:,} of {found['source_gaussians']:,}" in result.stdout
    scene_in_file = read_kilo(out)
    assert (found["networks"], found["code"]) == (len(scene_in_file.bank), scene_in_file.bank.shape.code)
    assert found["network_weights"] == scene_in_file.bank.shape.parameters
    assert all(stage in " ".join(result.stdout.split()) for stage in found["stages"])
    assert set(found["stages"]) >= {"reading", "drawing the original", "merging", "tuning"}
    assert sum(found["stages"].values()) == pytest.approx(found["seconds"], abs=0.1)
    assert [look["step"] for look in found["looks"]] == [8, 16, 24, None]
    last = found["looks"][-1]
    assert (last["bytes"], last["psnr"], last["ssim"]) == (found["bytes"], found["psnr"], found["ssim"])


@pytest.mark.parametrize(("preset", "times"), [("draft", 1), ("draft", 2), ("paper", 1)])
def test_ctrl_c_in_the_middle_of_a_step_loses_nothing_and_a_second_one_does_not_wait(
    preset: str, times: int, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = scene.with_name("whole.kilo"), scene.with_name("out.kilo")
    assert kilofield("compress", scene, whole, "--preset", preset, "--quiet").exit_code == 0
    steps = pressed_at(4, times, monkeypatch)
    result = kilofield("compress", scene, out, "--preset", preset)
    checkpoint = scene.with_name("out.kilo.checkpoint")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert len(steps) == 4
    if times == 2:
        expected = "interrupted before the first checkpoint; nothing was written\n"
        assert (result.exit_code, result.stderr, checkpoint.exists()) == (130, expected, False)
        return
    expected = f"interrupted; the same command with --resume continues from {checkpoint}\n"
    assert (result.exit_code, result.stderr) == (130, expected)
    assert kilofield("compress", scene, out, "--preset", preset, "--resume", "--quiet").exit_code == 0
    assert len(steps) == (6 if preset == "draft" else 11)  # each once
    assert out.read_bytes() == whole.read_bytes()


def pressed_at(step: int, times: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ctrl-C, so many times, as step `step` changes the parameters; gives the steps as they are made."""
    made: list[int] = []
    original = torch.optim.Adam.step

    def pressed(self: torch.optim.Adam) -> None:
        made.append(len(made) + 1)
        if len(made) == step:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        original(self)

    monkeypatch.setattr(torch.optim.Adam, "step", pressed)
    return made


def test_ctrl_c_in_a_search_leaves_a_checkpoint(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pressed_at(4, 1, monkeypatch)
    out = scene.with_name("out.kilo")
    result = kilofield("compress", scene, out, "--preset", "draft", "--target-psnr", "24")
    expected = f"interrupted; the same command with --resume continues from {out}.checkpoint\n"
    assert (result.exit_code, result.stderr) == (130, expected)
    assert sorted(p.name for p in scene.parent.iterdir()) == ["out.kilo.checkpoint", "scene.ply"]


def test_a_checkpoint_that_ctrl_c_cannot_write_is_told(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Checkpoint, _: dict[str, Any]) -> None:
        raise KilofieldError(f"{self.path}: cannot write: No space left on device")

    monkeypatch.setattr(Checkpoint, "save", full)
    pressed_at(4, 1, monkeypatch)
    result = kilofield("compress", scene, scene.with_name("out.kilo"), "--preset", "draft")
    trouble = f"{scene.with_name('out.kilo.checkpoint')}: cannot write: No space left on device"
    expected = f"interrupted; nothing was written; the last checkpoint could not be written: {trouble}\n"
    assert (result.exit_code, result.stderr) == (130, expected)
