"""What the tests of the window do in it, each in a process of its own: `python window_scenarios.py NAME FOLDER`.

A scenario is a generator: at each `yield` the window runs until it stands still, with the picture whole.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import glfw
import numpy as np
import pytest
from imgui_bundle import imgui
from numpy.typing import NDArray
from PIL import Image

import viewer
from renderer.images import to_8_bit
from renderer.window import read_window
from scenes.content import ReadOptions
from scenes.errors import KilofieldError
from scenes.load import READABLE, load_scene
from scenes.progress import Progress
from ui import app as app_module
from ui import loading, scene_slot
from ui.actions import ACTIONS
from ui.app import App
from ui.panels import PANELS
from ui.stored import WINDOW

MOST_FRAMES = 2000  # of one step; a window that has not come to rest by then never will
STILL_FRAMES = 4  # imgui shows what was pressed a frame or two later

SIZE = (860, 460)  # small, for the software rasteriser's sake
START = (500.0, 60.0)  # of drags: over the scene, beside what is shown over it

Scenario = Callable[[App, Path], Iterator[None]]


class Driver:
    """Runs a scenario in the frames of a window."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self._scenario, self._folder = scenario, folder
        self._steps: Iterator[None] | None = None
        self._frames = self._still = 0

    def __call__(self, app: App, frame: int) -> None:
        self._frames += 1
        app.inputs.fresh = True  # no waiting for events between frames
        assert self._frames < MOST_FRAMES, "the window does not come to rest"
        busy = app.loader.path is not None or (app.loaded is not None and not app.picture.whole)
        self._still = 0 if busy or app.navigator.step([], 0.0) else self._still + 1
        if self._still < STILL_FRAMES:
            return
        self._frames = self._still = 0
        self._steps = self._steps or self._scenario(app, self._folder)
        if next(self._steps, self) is self:
            app.quit()


def window_picture(app: App) -> NDArray[np.uint8]:
    return read_window(app.context, *glfw.get_framebuffer_size(app.window.handle))


def scene_part(app: App) -> NDArray[np.uint8]:
    left, top = (round(side * app.window.density) for side in (app.view_rect.x, app.view_rect.y))
    width, height = app.view_size
    return window_picture(app)[top : top + height, left : left + width]


def expected(app: App) -> NDArray[np.uint8]:
    """The renderer's own picture of what the window should show."""
    return to_8_bit(app.renderer.render(app.camera(), *app.view_size, app.look))


def assert_shows_the_scene(app: App) -> None:
    difference = scene_part(app).astype(int) - expected(app)
    assert np.abs(difference).max() <= 1, np.abs(difference).max()


def press(app: App, key: int, modifiers: int = 0) -> None:
    app.inputs.on_key(app.window.handle, key, 0, glfw.PRESS, modifiers)
    app.inputs.on_key(app.window.handle, key, 0, glfw.RELEASE, modifiers)


def drag(app: App, button: int, start: tuple[float, float], by: tuple[float, float]) -> None:
    app.inputs.on_cursor(None, *start)
    app.inputs.on_button(None, button, glfw.PRESS, 0)
    app.inputs.on_cursor(None, start[0] + by[0], start[1] + by[1])
    app.inputs.on_button(None, button, glfw.RELEASE, 0)


def shows(app: App, folder: Path) -> Iterator[None]:
    yield
    assert_shows_the_scene(app)
    picture = scene_part(app).astype(float).sum(axis=2)
    height, width = picture.shape
    assert (width, height) == app.view_size
    lit = picture > 30
    rows, columns = np.nonzero(lit)
    assert 0.2 < lit.mean() < 0.7, lit.mean()  # of a good size
    assert abs(columns.mean() / width - 0.5) < 0.03  # in the middle
    assert abs(rows.mean() / height - 0.5) < 0.03
    panel = window_picture(app)[:, : round(app.view_rect.x * app.window.density)]
    assert len(np.unique(panel.reshape(-1, 3), axis=0)) > 50  # letters, not a flat colour
    press(app, glfw.KEY_G)
    yield
    assert "brings the panels back" in app.messages.shown(glfw.get_time())[0].text
    while app.messages.shown(glfw.get_time()):
        yield
    yield  # the frame in the window may have been drawn just before the message went
    assert app.view_size == glfw.get_framebuffer_size(app.window.handle)
    assert_shows_the_scene(app)


def steers(app: App, folder: Path) -> Iterator[None]:
    yield
    home, first = app.navigator.camera(), scene_part(app)
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (160, 40))
    yield
    turned = app.navigator.camera()
    assert np.linalg.norm(turned.position - home.position) > 0.5
    assert np.abs(scene_part(app).astype(int) - first).mean() > 1
    assert_shows_the_scene(app)
    drag(app, glfw.MOUSE_BUTTON_RIGHT, START, (50, 0))
    yield
    across = turned.camera_from_world[:3, :3] @ (app.navigator.camera().position - turned.position)
    assert across[0] < -0.05
    np.testing.assert_allclose(across[1:], 0, atol=1e-9)
    distance = app.navigator.orbit.distance
    app.inputs.on_scroll(None, 0.0, 2.0)
    yield
    assert app.navigator.orbit.distance < distance
    drag(app, glfw.MOUSE_BUTTON_LEFT, (100, 400), (50, 10))  # over the panel
    same = app.navigator.camera()
    yield
    np.testing.assert_array_equal(app.navigator.camera().camera_from_world, same.camera_from_world)
    press(app, glfw.KEY_R)
    yield
    np.testing.assert_allclose(app.navigator.camera().camera_from_world, home.camera_from_world, atol=1e-9)
    np.testing.assert_allclose(scene_part(app), first, atol=1)


def flies(app: App, folder: Path) -> Iterator[None]:
    yield
    press(app, glfw.KEY_TAB)
    assert app.navigator.mode == "fly"
    start = app.navigator.camera()
    app.inputs.on_cursor(None, *START)
    app.inputs.on_key(None, glfw.KEY_W, 0, glfw.PRESS, 0)
    app.frame()
    app.show()
    app.frame()
    app.inputs.on_key(None, glfw.KEY_W, 0, glfw.RELEASE, 0)
    moved = start.camera_from_world[:3, :3] @ (app.navigator.camera().position - start.position)
    assert moved[2] > 0
    np.testing.assert_allclose(moved[:2], 0, atol=1e-9)
    speed = app.navigator.speed
    app.inputs.on_scroll(None, 0.0, 1.0)
    assert app.navigator.speed > speed
    yield
    still = app.navigator.camera()
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (60, 0))
    yield
    np.testing.assert_allclose(app.navigator.camera().position, still.position, atol=1e-9)
    assert_shows_the_scene(app)


def focuses(app: App, folder: Path) -> Iterator[None]:
    yield
    width, height = app.window.size
    x, y = app.view_rect.middle[0] + 90, app.view_rect.middle[1] - 60
    for _ in range(2):
        drag(app, glfw.MOUSE_BUTTON_LEFT, (x, y), (1, 0))
    yield
    pivot = app.navigator.orbit.pivot
    assert abs(float(np.linalg.norm(pivot)) - 1) < 0.05, pivot  # on the shell
    assert_shows_the_scene(app)
    before = app.navigator.camera()
    for _ in range(2):
        drag(app, glfw.MOUSE_BUTTON_LEFT, (width - 5, height - 5), (0, 0))
    yield
    assert [m.text for m in app.messages.shown(glfw.get_time())] == ["Nothing to focus on there"]
    np.testing.assert_array_equal(app.navigator.camera().camera_from_world, before.camera_from_world)


def keeps_the_scene_when_a_file_is_bad(app: App, folder: Path) -> Iterator[None]:
    yield
    before = scene_part(app)
    app.inputs.on_drop(None, [str(folder / "bad.ply")])
    yield
    bad = folder / "bad.ply"
    found = "a file that begins with no scene at all"
    text = f"{bad}: file: expected {READABLE}, found {found}"
    told = [m.text for m in app.messages.shown(0.0)]
    assert told == [text], told
    assert app.loaded is not None
    assert app.files == [folder / "shell.ply"]
    shown = scene_part(app).astype(int)
    assert (shown <= before + 1).mean() > 0.5  # dimmed, under the dialog
    assert np.abs(shown - before).max() > 50
    press(app, glfw.KEY_B)  # keys wait until it is closed
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (50, 0))
    yield
    press(app, glfw.KEY_ESCAPE)
    yield
    np.testing.assert_array_equal(scene_part(app), before)
    app.inputs.on_drop(None, [str(folder / "other.kilo")])
    yield
    assert app.loaded.file.path == folder / "other.kilo"
    assert app.files == [folder / "shell.ply", folder / "other.kilo"]
    assert_shows_the_scene(app)
    press(app, glfw.KEY_PAGE_DOWN)
    yield
    assert app.loaded.file.path == folder / "shell.ply"
    np.testing.assert_array_equal(scene_part(app), before)


def helps(app: App, folder: Path) -> Iterator[None]:
    yield
    before = window_picture(app)
    for show in (lambda: press(app, glfw.KEY_F1), lambda: app.inputs.on_character(None, ord("?"))):
        show()
        yield
        changed = np.abs(window_picture(app).astype(int) - before).max(axis=2) > 8
        rows, columns = np.nonzero(changed)
        height, width = changed.shape
        assert changed.mean() > 0.2
        assert rows.min() > 0  # all of it is in the window
        assert rows.max() < height - 1
        assert columns.max() < width - 1
        press(app, glfw.KEY_ESCAPE)
        yield
        np.testing.assert_array_equal(window_picture(app), before)


def saves_pictures(app: App, folder: Path) -> Iterator[None]:
    yield
    os.chdir(folder)
    (folder / "shell-001.png").write_bytes(b"somebody's")
    app.set_look(background=(0.2, 0.4, 0.6))
    press(app, glfw.KEY_P)
    yield
    press(app, glfw.KEY_P)
    yield
    assert (folder / "shell-001.png").read_bytes() == b"somebody's"
    for name in ("shell-002.png", "shell-003.png"):
        assert np.abs(np.array(Image.open(folder / name)).astype(int) - expected(app)).max() <= 1
    assert [m.text for m in app.messages.shown(glfw.get_time())] == [f"Saved {folder / 'shell-003.png'}"]


def looks_different(app: App, folder: Path) -> Iterator[None]:
    """Each switch of the display changes the picture to what the renderer makes of it."""
    yield
    before = scene_part(app)
    for key in (glfw.KEY_B, glfw.KEY_MINUS, glfw.KEY_M):
        for _ in range(25 if key == glfw.KEY_MINUS else 1):  # small splats are what antialiasing is about
            press(app, key)
        yield
        now = scene_part(app)
        assert np.abs(now.astype(int) - before).max() > 8, key
        assert_shows_the_scene(app)
        before = now


def answers_every_key(app: App, folder: Path) -> Iterator[None]:
    yield
    os.chdir(folder)
    for group in ACTIONS.values():
        for action in group:
            if action.text not in ("quit", "full screen"):
                press(app, action.key, action.modifier)
                app.frame()
                app.show()
    yield
    assert app.loaded is not None


def stays_alive_while_loading(app: App, folder: Path) -> Iterator[None]:
    yield
    before = scene_part(app)
    release = threading.Event()

    def load(path: Path, progress: Progress, options: ReadOptions) -> object:
        assert release.wait(30)
        return load_scene(path)

    loading.open_scene = load  # pyright: ignore[reportAttributeAccessIssue]
    app.open(folder / "other.kilo")
    for _ in range(5):
        app.frame()
        app.show()
    assert app.loaded is not None
    assert app.loaded.file.path == folder / "shell.ply"
    app.frame()
    assert np.abs(scene_part(app).astype(int) - before).max() > 50  # it says what it does
    pose = app.navigator.camera().camera_from_world
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (160, 40))
    app.frame()
    app.show()
    assert not np.array_equal(app.navigator.camera().camera_from_world, pose)
    release.set()
    yield
    assert app.loaded.file.path == folder / "other.kilo"


def cancels_loading(app: App, folder: Path) -> Iterator[None]:
    yield
    before = scene_part(app)
    release = threading.Event()

    def load(path: Path, progress: Progress, options: ReadOptions) -> object:
        progress(0.5)
        assert release.wait(30)
        progress(0.75)
        raise AssertionError("the reader goes on though nobody wants the file")

    loading.open_scene = load  # pyright: ignore[reportAttributeAccessIssue]
    app.open(folder / "other.kilo")
    while app.loader.status().share is None:
        time.sleep(0.01)
    for _ in range(3):
        app.frame()
        app.show()
    app.frame()
    assert np.abs(scene_part(app).astype(int) - before).max() > 50
    press(app, glfw.KEY_ESCAPE)
    yield
    release.set()
    assert app.files == [folder / "shell.ply"]
    np.testing.assert_array_equal(scene_part(app), before)


def keeps_its_settings(app: App, folder: Path) -> Iterator[None]:
    """Run twice: what the first changes, the second finds."""
    yield
    first = app.stored.recent == [folder / "shell.ply"] and app.look.background == (0.0, 0.0, 0.0)
    if first:
        press(app, glfw.KEY_B)
        press(app, glfw.KEY_V)
        app.set_text_size(1.25)
        app.show_panel("Timings", False)
        app.open(folder / "other.kilo")
        yield
        glfw.set_window_size(app.window.handle, 900, 500)
        yield
        return
    assert app.look.background == (0.5, 0.5, 0.5)
    assert not app.switches.vsync
    assert app.gui.scale == 1.25 * app.window.scale
    assert app.panels.open == {panel.title for panel in PANELS if panel.shown} - {"Timings"}
    assert app.stored.recent == [folder / "shell.ply", folder / "other.kilo"]
    assert app.window.size == (900, 500)
    assert_shows_the_scene(app)


def has_too_little_memory(app: App, folder: Path) -> Iterator[None]:
    """A scene that does not fit leaves the one before; a device that is lost ends the program, with the sizes."""
    yield
    before = scene_part(app)
    load = app.renderer.load_prepared

    def full(prepared: object) -> None:
        raise KilofieldError("video memory: expected 8.00 GB for positions, found too little on some device")

    app.renderer.load_prepared = full
    app.open(folder / "other.kilo")
    yield
    shown = app.messages.shown(0.0)[0]
    assert shown.title == "other.kilo cannot be opened"
    assert shown.text.startswith(f"{folder / 'other.kilo'}: 200 Gaussians: video memory: expected 8.00 GB for ")
    press(app, glfw.KEY_ENTER)
    yield
    np.testing.assert_array_equal(scene_part(app), before)
    app.renderer.load_prepared = load
    app.open(folder / "other.kilo")
    yield
    assert app.loaded is not None
    assert app.loaded.file.path.name == "other.kilo"
    scene_slot.device_error = app_module.device_error = lambda context: "GL_OUT_OF_MEMORY"
    app.set_look(scale=0.9)
    message = r"other.kilo: 200 Gaussians, [\d.]+ [KM]B of video memory: OpenGL: expected a device that goes on"
    with pytest.raises(KilofieldError, match=message):
        app.frame()
    imgui.end_frame()
    app_module.device_error = lambda context: ""


def draws_less_while_moving(app: App, folder: Path) -> Iterator[None]:
    yield
    app.picture.moving.value = 0.25
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (60, 10))
    app.frame()
    app.show()
    width, height = app.view_size
    assert app.picture.picture.size == (round(width / 4), round(height / 4))
    yield
    assert app.picture.picture.size == (width, height)
    assert_shows_the_scene(app)


SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        shows,
        steers,
        flies,
        focuses,
        keeps_the_scene_when_a_file_is_bad,
        helps,
        saves_pictures,
        looks_different,
        answers_every_key,
        stays_alive_while_loading,
        cancels_loading,
        keeps_its_settings,
        has_too_little_memory,
        draws_less_while_moving,
    )
}

if __name__ == "__main__":
    chosen, where = SCENARIOS[sys.argv[1]], Path(sys.argv[2])
    sizes = {"shows": WINDOW, "helps": WINDOW, "keeps_its_settings": None}
    size = sizes.get(sys.argv[1], SIZE)
    viewer.run([where / "shell.ply"], on_frame=Driver(chosen, where), size=size)
    heavy = {"torch", "taichi", "numba", "fitting"} & set(sys.modules)
    assert not heavy, heavy
    print("done")
