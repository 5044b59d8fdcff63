"""The real window with files of every format: each scenario of `window_format_scenarios.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_viewer import config, display, python  # noqa: F401 - fixtures
from ui_scenes import shell
from window_format_scenarios import SCENARIOS

from scenes.ply import write_ply


@pytest.mark.parametrize("name", SCENARIOS)
def test_formats_in_the_window(name: str, display: str, tmp_path: Path) -> None:  # noqa: F811
    write_ply(tmp_path / "shell.ply", shell())
    (tmp_path / "dropped").mkdir()
    done = python("tests/window_format_scenarios.py", name, str(tmp_path), display=display)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("done\n", "")
