"""Scene files in the real window: each scenario of `window_stage_scenarios.py` and `window_edit_scenarios.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_samples import kilofield
from test_viewer import config, display, python  # noqa: F401 - fixtures
from test_viewer_surface import colours
from ui_scenes import shell
from window_edit_scenarios import SCENARIOS as EDITS
from window_stage_scenarios import SCENARIOS

from scenes.kilo_surface import write_surface
from scenes.ply import write_ply
from scenes.scene_file import (
    Box,
    Diffuse,
    GaussianScene,
    Glass,
    Plane,
    SceneCamera,
    SceneDescription,
    Sky,
    Sphere,
    SphereLight,
    Surface,
    placed,
)
from scenes.scene_file_write import write_scene_file
from tests.surface_samples import fitted_surface, torus

FLOOR = Plane(material=Diffuse((0.5, 0.4, 0.3)), name="floor")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: fitting takes longer than drawing."""
    folder = tmp_path_factory.mktemp("scenes")
    write_surface(folder / "ring.kilo", fitted_surface(torus, cells=6, width=8, layers=1, colour=colours))
    write_ply(folder / "shell.ply", shell(300))
    room = SceneDescription(
        objects=(
            FLOOR,
            Box((0.8, 0.8, 1.2), Diffuse((0.7, 0.2, 0.15)), placed((0, 0.4, 0.6))),
            Sphere(0.4, Glass(), placed((1.1, 0.2, 0.4)), "ball"),
            GaussianScene(folder / "shell.ply", placed((-1, -0.4, 0.5), scale=0.4)),
        ),
        lights=(SphereLight((20, 20, 30), 0.1, (0, -1.5, 2)),),
        environment=Sky((0.5, -0.6, 0.7)),
        camera=SceneCamera((1.5, -3.5, 1.5), (0, 0, 0.5)),
    )
    write_scene_file(folder / "room.json", room)
    ring = SceneDescription((FLOOR, Surface(folder / "ring.kilo", Diffuse(None), placed((0, 0, 0.5)))), bounces=1)
    write_scene_file(folder / "ring.json", ring)
    (folder / "bad.json").write_text('{\n"objects": [\n{"kind": "spere"}]}')
    return folder


@pytest.mark.parametrize("name", [*SCENARIOS, *EDITS])
def test_window(name: str, display: str, scenes: Path, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    for file in scenes.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    script = "window_edit_scenarios.py" if name in EDITS else "window_stage_scenarios.py"
    done = python(f"tests/{script}", name, str(tmp_path), display=display)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"
    assert done.stderr == ""


def test_a_scene_file_goes_together_with_nothing(scenes: Path) -> None:
    room = scenes / "room.json"
    done = kilofield("view", "--together", str(room), str(scenes / "shell.ply"))
    assert done.exit_code == 1
    assert done.output == (
        f"--together: expected one file of Gaussians and one of a surface, found the scene file {room}\n"
    )
