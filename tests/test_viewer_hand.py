"""The real window, used with a mouse and a keyboard: each scenario of `window_hand_scenarios.py`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from kilo_scenes import random_scene
from test_viewer import config, display, python  # noqa: F401 - fixtures
from ui_scenes import shell

from scenes.kilo import write_kilo
from scenes.ply import write_ply

NAMES = ("steers", "uses_menus", "opens_a_file", "is_told_of_a_bad_file")


@pytest.mark.parametrize("name", NAMES)
def test_by_hand(name: str, display: str, tmp_path: Path) -> None:  # noqa: F811
    if not shutil.which("xdotool"):
        message = "a hand for the mouse: expected xdotool, found none (Debian and Ubuntu: apt-get install xdotool)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    write_ply(tmp_path / "shell.ply", shell())
    write_kilo(tmp_path / "other.kilo", random_scene(count=200))
    (tmp_path / "bad.ply").write_text("no scene at all")
    done = python("tests/window_hand_scenarios.py", name, str(tmp_path), display=display)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("done\n", "")
