"""Surfaces in the real window: each scenario of `window_surface_scenarios.py`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_samples import kilofield
from test_viewer import config, display, python  # noqa: F401 - fixtures
from ui_scenes import shell
from window_surface_scenarios import SCENARIOS

from scenes.kilo_surface import write_surface
from scenes.ply import write_ply
from tests.surface_samples import fitted_surface, torus


def colours(points: np.ndarray) -> np.ndarray:
    return 0.5 + 0.4 * np.sin([8, 6, 7] * points + [0, 1, 2])


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: fitting takes longer than drawing."""
    folder = tmp_path_factory.mktemp("scenes")
    write_surface(folder / "ring.kilo", fitted_surface(torus, cells=6, width=8, layers=1, colour=colours))
    write_ply(folder / "shell.ply", shell(1000))
    scene = shell(400)
    moved = 0.6 * scene.positions + np.array([0.5, 0.2, 0.1], np.float32)
    write_ply(folder / "beside.ply", replace(scene, positions=moved.astype(np.float32)))
    (folder / "bad.kilo").write_bytes((folder / "ring.kilo").read_bytes()[:-40])
    return folder


@pytest.mark.parametrize("name", SCENARIOS)
def test_window(name: str, display: str, scenes: Path, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    for file in scenes.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    done = python("tests/window_surface_scenarios.py", name, str(tmp_path), display=display)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"
    assert done.stderr == ""


def test_together_needs_one_of_each_kind(scenes: Path) -> None:
    ring, shells = str(scenes / "ring.kilo"), str(scenes / "shell.ply")
    for files, found in (((ring,), "0 of Gaussians and 1"), ((shells, shells), "2 of Gaussians and 0")):
        done = kilofield("view", "--together", *files)
        assert done.exit_code == 1
        assert done.output == (
            f"--together: expected one file of Gaussians and one of a surface, found {found} of surfaces\n"
        )
