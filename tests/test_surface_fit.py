"""`fit_surface` from file to file: what it learns, what it writes, stopping and going on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from trimesh.visual import ColorVisuals

from fitting.checkpoint import Checkpoint
from fitting.kiloneus import options as options_module
from fitting.kiloneus import surface as surface_module
from fitting.kiloneus.fidelity import fidelity
from fitting.kiloneus.options import Choices, Effort, SurfaceOptions, SurfaceProgress
from fitting.kiloneus.surface import fit_surface
from scenes.errors import KilofieldError
from scenes.kilo_surface import read_surface
from scenes.surface import NeuralSurface

TINY = Effort(5, 16, 8, 3, 2, 3, 128, 96, 2e-3)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(options_module.EFFORTS, "draft", TINY)
    monkeypatch.setattr(surface_module, "fidelity", partial(fidelity, count=2000))


@pytest.fixture
def ball(tmp_path: Path) -> Path:
    sphere = trimesh.creation.icosphere(4, 0.8)
    colours = np.clip(255 * (0.5 + 0.4 * sphere.vertices / 0.8), 0, 255).astype(np.uint8)
    sphere.visual = ColorVisuals(sphere, vertex_colors=colours)
    sphere.export(tmp_path / "ball.ply")
    return tmp_path / "ball.ply"


def _check_sphere(surface: NeuralSurface) -> None:
    """Distances and normals along the sphere, in closed form."""
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(2000, 3))
    normals = (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32)
    sample = surface.sample(0.8 * normals)
    assert sample.inside.all()
    assert np.abs(sample.distance).mean() < 2e-3
    unit = sample.gradient / np.linalg.norm(sample.gradient, axis=1, keepdims=True)
    angle = np.degrees(np.arccos(np.clip((unit * normals).sum(axis=1), -1, 1)))
    assert angle.mean() < 1.0
    colour = surface.colour(0.8 * normals, normals, -normals)
    assert np.abs(colour - (0.5 + 0.4 * normals)).mean() < 0.02


def test_a_coloured_ball(ball: Path, tmp_path: Path) -> None:
    seen: list[SurfaceProgress] = []
    result = fit_surface(ball, tmp_path / "ball.kilo", SurfaceOptions("draft"), seen.append)
    _check_sphere(read_surface(result.path))
    assert result.bytes == result.path.stat().st_size == sum(result.streams.values())
    assert result.fidelity.normal < 1.0
    assert result.fidelity.normal >= result.before_rounding.normal - 0.05
    assert result.fidelity.lost == 0
    assert result.colour_psnr is not None
    assert result.colour_psnr > 34
    assert [now.done for now in seen] == sorted(now.done for now in seen)
    assert {"geometry shared", "geometry", "colour", "rounding"} <= {now.stage for now in seen}
    assert not (tmp_path / "ball.kilo.checkpoint").exists()


@pytest.mark.parametrize(
    "choices",
    [Choices(shared=False, width=8), Choices(overlap=0.0), Choices(modulation=2)],
    ids=["own hidden layers", "no overlap", "CAM"],
)
def test_other_recipes_learn_too(ball: Path, tmp_path: Path, choices: Choices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(options_module.EFFORTS, "draft", replace(TINY, iterations=20))
    result = fit_surface(ball, tmp_path / "ball.kilo", SurfaceOptions("draft", cells=4, choices=choices))
    assert result.before_rounding.normal < 3
    assert result.fidelity.normal < 4


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_stopped_and_resumed_gives_the_same_file(ball: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit_surface(ball, tmp_path / "whole.kilo", SurfaceOptions("draft")).path
    target, saves = tmp_path / "parts.kilo", []
    save_when_due = Checkpoint.save_when_due

    def stop_at_third(self: Checkpoint, state: Callable[[], dict[str, Any]]) -> None:
        saves.append(1)
        if len(saves) == 3:
            self.save(state())
            raise KeyboardInterrupt
        save_when_due(self, state)

    monkeypatch.setattr(Checkpoint, "save_when_due", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        fit_surface(ball, target, SurfaceOptions("draft"))
    assert not target.exists()
    assert target.with_name("parts.kilo.checkpoint").exists()
    fit_surface(ball, target, SurfaceOptions("draft", resume=True))
    assert _digest(target) == _digest(whole)


def test_a_checkpoint_of_another_run_is_refused(ball: Path, tmp_path: Path) -> None:
    Checkpoint(tmp_path / "a.kilo.checkpoint", "something else").save({})
    with pytest.raises(KilofieldError, match="belongs to another run"):
        fit_surface(ball, tmp_path / "a.kilo", SurfaceOptions("draft", resume=True))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"preset": "fast"}, "--preset: expected one of draft, balanced, best, found fast"),
        ({"cells": 3}, "--cells: expected 4 to 64, found 3"),
        ({"steps": 0}, "--steps: expected 1 to 1,000,000, found 0"),
        ({"seed": -1}, "--seed: expected 0 to 9223372036854775807, found -1"),
    ],
)
def test_wrong_options(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(KilofieldError) as error:
        SurfaceOptions(**wrong)
    assert str(error.value) == message


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KilofieldError, match="--device: expected one of auto, cpu, cuda, found tpu"):
        SurfaceOptions(device="tpu")  # pyright: ignore[reportArgumentType]
    if not torch.cuda.is_available():
        with pytest.raises(KilofieldError, match="--device: expected a CUDA GPU, found none"):
            fit_surface(tmp_path / "spot.obj", tmp_path / "spot.kilo", SurfaceOptions(device="cuda"))
