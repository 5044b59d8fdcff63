"""What the tests do in the window with a real mouse and keyboard: `python window_hand_scenarios.py NAME FOLDER`.

Events come from the X server; a scenario waits until what they should do has happened.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import glfw
import numpy as np
from imgui_bundle import imgui
from window_scenarios import SIZE, Driver, Scenario, assert_shows_the_scene, scene_part
from xdnd import drop_file
from xdotool import click, drag, focus, type_keys, xdotool

import viewer
from ui.app import App

PATIENCE = 300  # steps; each is some frames


def until(what: Callable[[], bool]) -> Iterator[None]:
    for _ in range(PATIENCE):
        if what():
            return
        yield
    raise AssertionError("it did not happen")


class Places:
    """Where menus, their entries and buttons are, by their labels; recorded as they are drawn."""

    def __init__(self) -> None:
        self.middle: dict[str, tuple[float, float]] = {}
        for name in ("menu_item", "button", "selectable"):
            setattr(imgui, name, self._recording(getattr(imgui, name)))
        begin_menu = imgui.begin_menu

        def recorded(label: str, *rest: bool) -> bool:
            opened = begin_menu(label, *rest)
            if not opened:  # else the last item is in the menu
                self._record(label)
            return opened

        imgui.begin_menu = recorded

    def _recording(self, function: Callable[..., object]) -> Callable[..., object]:
        def recorded(label: str, *rest: object) -> object:
            answer = function(label, *rest)
            self._record(label)
            return answer

        return recorded

    def _record(self, label: str) -> None:
        low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
        self.middle[label] = 0.5 * (low.x + high.x), 0.5 * (low.y + high.y)

    def see(self, label: str) -> Iterator[None]:
        """Waits until it is drawn, afresh."""
        self.middle.pop(label, None)
        yield from until(lambda: label in self.middle)


PLACES: Places


def choose(*labels: str) -> Iterator[None]:
    """A menu, and in it an entry."""
    for label in labels:
        yield from PLACES.see(label)
        click(*PLACES.middle[label])
        yield


def steers(app: App, folder: Path) -> Iterator[None]:
    yield
    focus("shell.ply")
    home, before = app.navigator.camera(), scene_part(app)
    drag(app.view_rect.middle, (120, 30))
    yield from until(lambda: float(np.linalg.norm(app.navigator.camera().position - home.position)) > 0.3)
    yield
    assert np.abs(scene_part(app).astype(int) - before).mean() > 1
    assert_shows_the_scene(app)
    distance = app.navigator.orbit.distance
    click(*app.view_rect.middle, button=4)  # the wheel, away from the user
    yield from until(lambda: app.navigator.orbit.distance < distance)
    type_keys("Tab")
    yield from until(lambda: app.navigator.mode == "fly")
    start = app.navigator.camera().position
    xdotool("keydown", "w")
    yield from until(lambda: float(np.linalg.norm(app.navigator.camera().position - start)) > 0.1)
    xdotool("keyup", "w")
    yield
    ahead = app.navigator.camera().camera_from_world[:3, :3] @ (app.navigator.camera().position - start)
    assert ahead[2] > 0.1
    np.testing.assert_allclose(ahead[:2], 0, atol=1e-9)


def uses_menus(app: App, folder: Path) -> Iterator[None]:
    yield
    before = scene_part(app)
    yield from choose("View", "Next view: colour, depth, normals, ...")
    yield from until(lambda: app.look.view == "depth")
    yield
    assert np.abs(scene_part(app).astype(int) - before).max() > 50
    assert app.look.depth_range != app.settings().depth_range  # follows the camera
    near, far = app.settings().depth_range
    distance = app.navigator.orbit.distance
    assert near < distance < far
    width = app.view_rect.width
    yield from choose("Panels", "Timings##panel")
    yield from until(lambda: "Timings" not in app.panels.open)
    for title in ("Scene", "Camera", "Display"):
        yield from choose("Panels", f"{title}##panel")
    yield from until(lambda: app.view_rect.width > width)  # the room is the scene's
    yield from choose("Panels", "Where they were at first")
    yield from choose("Panels", "Scene##panel")
    yield from until(lambda: app.view_rect.width == width)


def opens_a_file(app: App, folder: Path) -> Iterator[None]:
    yield
    focus("shell.ply")
    type_keys("ctrl+o")
    yield from until(lambda: app.dialogs.in_window)
    yield from PLACES.see("other.kilo")
    assert "bad.ply" in PLACES.middle
    type_keys("b")  # keys do nothing behind a dialog
    yield from choose("other.kilo")
    type_keys("Return")
    yield from until(lambda: app.loaded is not None and app.loaded.file.path.name == "other.kilo")
    assert not app.dialogs.asking
    assert app.look.background == (0.0, 0.0, 0.0)
    yield
    assert_shows_the_scene(app)
    assert [path.name for path in app.stored.recent] == ["other.kilo", "shell.ply"]
    yield from choose("File", "Recent files", "shell.ply##1")
    yield from until(lambda: app.loaded is not None and app.loaded.file.path.name == "shell.ply")
    type_keys("ctrl+o")
    yield from until(lambda: app.dialogs.in_window)
    type_keys("Escape")
    yield from until(lambda: not app.dialogs.asking)


def is_told_of_a_bad_file(app: App, folder: Path) -> Iterator[None]:
    yield
    before = scene_part(app)
    drop_file(glfw.get_x11_window(app.window.handle), folder / "bad.ply", app.view_rect.middle)
    yield from until(lambda: app.asking)
    assert [message.title for message in app.messages.shown(0.0)] == ["bad.ply cannot be opened"]
    yield from choose("Close")
    yield from until(lambda: not app.asking)
    yield
    np.testing.assert_array_equal(scene_part(app), before)
    assert app.loaded is not None
    assert app.loaded.file.path.name == "shell.ply"


SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario for scenario in (steers, uses_menus, opens_a_file, is_told_of_a_bad_file)
}

if __name__ == "__main__":
    PLACES = Places()
    chosen, where = SCENARIOS[sys.argv[1]], Path(sys.argv[2])
    viewer.run([where / "shell.ply"], on_frame=Driver(chosen, where), size=SIZE)
    print("done")
