"""Comparing, exporting and measuring in the real window: each scenario of `window_compare_scenarios.py`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_viewer import config, display, python  # noqa: F401 - fixtures
from ui_scenes import shell
from window_compare_scenarios import SCENARIOS

from scenes.ply import write_ply


@pytest.mark.parametrize("name", SCENARIOS)
def test_window(name: str, display: str, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    scene = shell()
    write_ply(tmp_path / "shell.ply", scene)
    write_ply(tmp_path / "second.ply", replace(scene, sh=-0.7 * scene.sh))
    (tmp_path / "bad.ply").write_text("no scene at all")
    done = python("tests/window_compare_scenarios.py", name, str(tmp_path), display=display)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"
    assert done.stderr == ""


def test_two_files_are_compared(display: str, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    script = """
import sys, pathlib, viewer
from ui.compare import CompareTool
run = viewer.run
def on_frame(app, frame):
    if app.tool(CompareTool).active:
        print(*(slot.loaded.file.path.name for slot in app.tool(CompareTool).sides(app)))
        app.quit()
viewer.run = lambda *a, **more: run(*a, max_frames=2000, on_frame=on_frame, **more)
viewer.view([pathlib.Path(name) for name in sys.argv[1:]])
assert "skimage" not in sys.modules
"""
    write_ply(tmp_path / "a.ply", shell(300))
    write_ply(tmp_path / "b.ply", shell(200))
    done = python("-c", script, str(tmp_path / "a.ply"), str(tmp_path / "b.ply"), display=display)
    assert (done.stdout, done.stderr) == ("a.ply b.ply\n", "")
