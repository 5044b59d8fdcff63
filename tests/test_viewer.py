"""The real window, on a virtual display: each scenario of `window_scenarios.py`, and what happens without one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kilo_scenes import random_scene
from ui_scenes import shell
from window_scenarios import SCENARIOS

from scenes.kilo import write_kilo
from scenes.neural_gaussians import AttributeLayout, NeuralGaussians
from scenes.ply import write_ply

ROOT = Path(__file__).resolve().parents[1]
SCREEN = "1400x900x24"
SOON = 8.0  # seconds, of a machine that is busy with other things as well


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the window keeps its settings during a test."""
    folder = tmp_path / "config"
    monkeypatch.setenv("KILOFIELD_CONFIG", str(folder))
    return folder


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A virtual X display, on a number that is free. Without Xvfb a failure in CI and a skip elsewhere."""
    if not shutil.which("Xvfb"):
        message = "a virtual display: expected Xvfb, found none (Debian and Ubuntu: apt-get install xvfb)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", SCREEN, "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
        server.terminate()


def python(*arguments: str, display: str | None, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE")}
    environment |= {"PYTHONPATH": str(ROOT), **more} | ({"DISPLAY": display} if display else {})
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("name", SCENARIOS)
def test_window(name: str, display: str, tmp_path: Path) -> None:
    write_ply(tmp_path / "shell.ply", shell())
    write_kilo(tmp_path / "other.kilo", random_scene(count=200))
    (tmp_path / "bad.ply").write_text("no scene at all")
    done = python("tests/window_scenarios.py", name, str(tmp_path), display=display)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"
    assert done.stderr == ""


def test_settings_are_kept_from_run_to_run(display: str, tmp_path: Path) -> None:
    write_ply(tmp_path / "shell.ply", shell())
    write_kilo(tmp_path / "other.kilo", random_scene(count=200))
    for _ in range(2):
        done = python("tests/window_scenarios.py", "keeps_its_settings", str(tmp_path), display=display)
        assert done.returncode == 0, done.stderr
        assert (done.stdout, done.stderr) == ("done\n", "")


def test_settings_that_are_broken_are_told_in_the_window(display: str, config: Path) -> None:
    config.mkdir()
    (config / "settings.json").write_text("{")
    script = """
import viewer
viewer.run([], max_frames=1, on_frame=lambda app, i: print(*(m.text for m in app.messages.shown(0.0))))
"""
    done = python("-c", script, display=display)
    assert done.stdout.startswith(f"{config / 'settings.json'}: settings are as at first: "), done.stderr


def test_a_window_is_not_larger_than_the_display(display: str, config: Path) -> None:
    config.mkdir()
    (config / "settings.json").write_text('{"window": [3000, 2000]}')
    script = "import viewer; viewer.run([], max_frames=1, on_frame=lambda app, i: print(app.window.size))"
    done = python("-c", script, display=display)
    assert done.stdout == "(1400, 900)\n", done.stderr


def test_a_first_file_that_is_missing_is_told_and_the_next_is_opened(display: str, tmp_path: Path) -> None:
    write_ply(tmp_path / "shell.ply", shell())
    script = """
import sys, pathlib, viewer
def on_frame(app, frame):
    if app.loaded:
        print(*(message.text for message in app.messages.shown(0.0)))
        print(*app.files)
        app.quit()
viewer.run([pathlib.Path(name) for name in sys.argv[1:]], max_frames=2000, on_frame=on_frame)
"""
    missing, there = str(tmp_path / "none.ply"), str(tmp_path / "shell.ply")
    done = python("-c", script, missing, there, display=display)
    assert done.stdout == f"{missing}: file: expected a file, found nothing at this path\n{there}\n", done.stderr


def test_frames_can_be_limited(display: str, tmp_path: Path) -> None:
    script = "import viewer; n = []; viewer.run([], max_frames=3, on_frame=lambda app, i: n.append(i)); print(n)"
    done = python("-c", script, display=display)
    assert (done.stdout, done.stderr, done.returncode) == ("[0, 1, 2]\n", "", 0)


@pytest.mark.parametrize("command", [["viewer.py"], ["-m", "cli", "view"]])
def test_without_a_display_it_says_so_in_one_line(command: list[str], tmp_path: Path) -> None:
    write_ply(tmp_path / "shell.ply", shell())
    done = python(*command, str(tmp_path / "shell.ply"), display=None)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "no display: expected a window system ($DISPLAY; XWayland where $WAYLAND_DISPLAY is set), " in done.stderr
    assert done.stderr.endswith("; use `kilofield fly` or `kilofield render`\n")


def mesa(version: str) -> dict[str, str]:
    """What makes Mesa's software rasteriser an OpenGL of this version."""
    return {"MESA_GL_VERSION_OVERRIDE": version, "LIBGL_ALWAYS_SOFTWARE": "1", "GALLIUM_DRIVER": "llvmpipe"}


@pytest.mark.skipif(sys.platform != "linux", reason="the variable is Mesa's")
@pytest.mark.parametrize("name", ["shows", "steers", "helps"])
def test_window_with_the_opengl_of_a_mac(name: str, display: str, tmp_path: Path) -> None:
    write_ply(tmp_path / "shell.ply", shell())
    done = python("tests/window_scenarios.py", name, str(tmp_path), display=display, **mesa("4.1"))
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)


@pytest.mark.skipif(sys.platform != "linux", reason="the variable is Mesa's")
def test_an_opengl_that_is_too_old_is_named(display: str, tmp_path: Path) -> None:
    write_ply(tmp_path / "shell.ply", shell())
    done = python("viewer.py", str(tmp_path / "shell.ply"), display=display, **mesa("3.3"))
    expected = "OpenGL: expected version 4.1 for a window, found 3.3; use `kilofield fly` or `kilofield render`"
    assert (done.returncode, done.stderr) == (1, f"{expected}\n")


def test_opening_the_viewer_imports_no_fitting() -> None:
    script = "import sys, viewer, ui.app; print(sorted({'torch', 'taichi', 'numba', 'fitting'} & set(sys.modules)))"
    done = python("-c", script, display=None)
    assert done.stdout == "[]\n", done.stderr


STARTUP = """
import sys, time
import viewer

run = viewer.run

def timed(files, **rest):
    def on_frame(app, frame):
        if app.loaded and app.picture.picture.size != (0, 0):
            print(time.time() - START)
            app.quit()
    run(files, on_frame=on_frame, max_frames=5000, **rest)

viewer.run = timed
from cli import main
try:
    main()
except SystemExit:
    pass
slow = "torch taichi numba fitting matplotlib scipy pandas skimage av rich"
print(sorted(set(slow.split()) & set(sys.modules)))
"""


def small_gaussians(scene: NeuralGaussians) -> NeuralGaussians:
    """Of a hundredth of a unit, nearly opaque: as many pixels each as in a trained scene."""
    offset = np.zeros_like(scene.output_offset)
    layout = AttributeLayout(scene.sh_degree)
    offset[0], offset[layout.log_scale] = 2.0, -4.5
    return replace(scene, output_offset=offset, output_scale=np.full_like(offset, 1e-3))


def test_the_first_frame_comes_soon_and_loads_nothing_heavy(display: str, tmp_path: Path) -> None:
    """The aim is 1.5 s on two cores with nothing else to do; what is asserted leaves room for a busy machine."""
    write_kilo(tmp_path / "scene.kilo", small_gaussians(random_scene(count=31_000)))
    lines = []
    for _ in range(2):  # the first may have to compile bytecode and shaders
        script = STARTUP.replace("START", repr(time.time()))
        done = python("-c", script, "view", str(tmp_path / "scene.kilo"), display=display)
        lines.append(done.stdout.splitlines())
        assert len(lines[-1]) == 2, done.stderr
    seconds, heavy = zip(*lines, strict=True)
    print(f"first frame after {', '.join(f'{float(s):.2f}' for s in seconds)} s")
    assert heavy == ("[]", "[]")
    assert min(map(float, seconds)) < SOON
