"""A surface from photographs, from a folder to a file: teacher, cells, colours; stopping and going on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fitting.checkpoint import Checkpoint
from fitting.hash_grid import HashGridShape
from fitting.kiloneus import options as options_module
from fitting.kiloneus import photographs as photographs_module
from fitting.kiloneus import surface as surface_module
from fitting.kiloneus.fidelity import fidelity
from fitting.kiloneus.neus_train import NeusOptions
from fitting.kiloneus.options import Choices, Effort, SurfaceOptions
from fitting.kiloneus.surface import fit_surface
from scenes.errors import KilofieldError
from scenes.kilo_surface import read_surface
from tests.neus_samples import CENTRE, RADIUS, sphere_views

TINY = Effort(6, 16, 8, 3, 2, 3, 128, 96, 2e-3, 80, 8, 6, 32)
TEACHER = {"shape": HashGridShape(5, 2, 12, 8, 1.5), "voxels": 32, "warm_steps": 40, "samples": 2048}


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(options_module.EFFORTS, "draft", TINY)
    monkeypatch.setattr(surface_module, "fidelity", partial(fidelity, count=1000))
    monkeypatch.setattr(photographs_module, "NeusOptions", lambda **given: replace(NeusOptions(**given), **TEACHER))
    monkeypatch.setattr(photographs_module, "PROBED", 32)


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, frames, views = tmp_path_factory.mktemp("sphere"), [], sphere_views(20, 32)
    for i, view in enumerate(views):
        rgba = view.rgba.float().numpy().copy()
        rgba[..., :3] /= np.maximum(rgba[..., 3:], 1e-3)
        Image.fromarray((255 * np.clip(rgba, 0, 1)).round().astype(np.uint8)).save(folder / f"{i}.png")
        pose = np.linalg.inv(view.photograph.camera.camera_from_world) @ np.diag([1, -1, -1, 1])
        frames.append({"file_path": f"{i}.png", "transform_matrix": pose.tolist()})
    angle = views[0].photograph.camera.fov_y
    (folder / "transforms.json").write_text(json.dumps({"camera_angle_x": angle, "frames": frames}))
    return folder


def test_a_sphere_from_photographs(capture: Path, tmp_path: Path) -> None:
    result = fit_surface(capture, tmp_path / "sphere.kilo", SurfaceOptions("draft"))
    views = result.views
    assert views is not None
    assert views.count == 3  # every eighth of 20
    assert views.teacher > 18
    assert views.coloured > views.distilled
    assert views.written > views.coloured - 0.3
    surface = read_surface(result.path)
    normals = np.random.default_rng(0).normal(size=(500, 3))
    points = np.asarray(CENTRE) + RADIUS * normals / np.linalg.norm(normals, axis=1, keepdims=True)
    sample = surface.sample(points.astype(np.float32))
    assert sample.inside.mean() > 0.97
    assert np.abs(sample.distance[sample.inside]).mean() < 0.06 * RADIUS


@pytest.mark.parametrize("stage", ["geometry", "solved"])
def test_stopped_and_resumed(stage: str, capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit_surface(capture, tmp_path / "whole.kilo", SurfaceOptions("draft")).path
    save_when_due = Checkpoint.save_when_due
    target = tmp_path / "parts.kilo"

    def stop(self: Checkpoint, state: Callable[[], dict[str, Any]]) -> None:
        found = state()
        if stage in found:
            self.save(found)
            raise KeyboardInterrupt
        save_when_due(self, state)

    monkeypatch.setattr(Checkpoint, "save_when_due", stop)
    with pytest.raises(KeyboardInterrupt):
        fit_surface(capture, target, SurfaceOptions("draft"))
    monkeypatch.setattr(Checkpoint, "save_when_due", save_when_due)
    fit_surface(capture, target, SurfaceOptions("draft", resume=True))
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (whole, target)]
    assert digests[0] == digests[1]


def test_cells_of_their_own_are_refused(capture: Path, tmp_path: Path) -> None:
    with pytest.raises(KilofieldError, match="expected cells that share hidden layers"):
        fit_surface(capture, tmp_path / "a.kilo", SurfaceOptions("draft", choices=Choices(shared=False)))
