"""The camera and its path in the real window, on a virtual display: each scenario of `window_path_scenarios.py`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from test_viewer import display, python  # noqa: F401  # the fixture
from ui_scenes import shell
from window_path_scenarios import SCENARIOS

from scenes.ply import write_ply
from ui.actions import all_actions
from ui.inputs import HELD_KEYS


@pytest.mark.parametrize("name", SCENARIOS)
def test_window(name: str, display: str, tmp_path: Path) -> None:  # noqa: F811
    if name.startswith("by_hand") and not shutil.which("xdotool"):
        message = "a hand for the mouse: expected xdotool, found none (Debian and Ubuntu: apt-get install xdotool)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    write_ply(tmp_path / "shell.ply", shell())
    config = {"KILOFIELD_CONFIG": str(tmp_path / "config")}
    done = python("tests/window_path_scenarios.py", name, str(tmp_path), display=display, **config)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"
    assert done.stderr == ""


def test_no_key_does_two_things() -> None:
    keys = [(action.key, action.modifier) for action in all_actions()]
    assert len(keys) == len(set(keys)), sorted({key for key in keys if keys.count(key) > 1})
    assert not {key for key, modifier in keys if not modifier} & set(HELD_KEYS)


def test_every_action_has_words_of_its_own() -> None:
    texts = [action.text for action in all_actions()]
    assert len(texts) == len(set(texts))
