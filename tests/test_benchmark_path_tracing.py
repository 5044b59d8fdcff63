"""The benchmark of the path tracer, small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import path_tracing
from scenes.kilo_surface import write_surface
from scenes.scene_file import Surface
from scenes.scene_file_read import read_scene_file
from tests.surface_samples import fitted_surface, sphere


def test_the_benchmark_draws_and_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spot = tmp_path / "spot.kilo"
    write_surface(spot, fitted_surface(sphere, cells=4, colour=lambda p: 0.5 + 0.3 * p))
    monkeypatch.setattr(path_tracing, "ASKED", ((12, 8), 1))
    monkeypatch.setattr(path_tracing, "HD", (16, 9))
    monkeypatch.setattr(path_tracing, "CONVERGED", 2)
    monkeypatch.setattr(path_tracing, "FRAMES", 2)
    options = ["--out", tmp_path, "--picture", tmp_path / "a.png", "--scene", tmp_path / "a.json"]
    path_tracing.main([str(o) for o in (spot, *options, "--spp", 2, "--width", 48, "--height", 27, "--hd")])
    report = json.loads((tmp_path / "path-tracing.json").read_text())
    assert report["asked"]["size"] == [12, 8]
    assert report["asked"]["seconds"] > 0
    assert report["hd"]["frames_per_second"] > 0
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (48, 27)
        assert np.asarray(picture).std() > 20
    scene = read_scene_file(tmp_path / "a.json")
    assert isinstance(scene.objects[0], Surface)
    assert scene == path_tracing.scene_of(spot)
