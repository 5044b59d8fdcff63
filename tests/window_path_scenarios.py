"""What the tests of the camera do in the window: `python window_path_scenarios.py NAME FOLDER`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import glfw
import numpy as np
import xdotool
from imgui_bundle import imgui
from numpy.typing import NDArray
from window_scenarios import (
    SIZE,
    START,
    Driver,
    Scenario,
    assert_shows_the_scene,
    drag,
    expected,
    press,
    scene_part,
)

import viewer
from renderer.camera_paths import PRESETS, preset_keys, read_keys
from scenes.camera_files import write_cameras
from scenes.cameras import Camera
from scenes.extent import Extent
from ui import file_dialogs, gamepad, path_actions
from ui.app import App
from ui.inputs import DOUBLE_CLICK
from ui.messages import Messages
from ui.pad_tool import PadTool
from ui.path_tool import PathTool
from ui.scene_memory import SceneMemory
from ui.scene_notes import notes_path

CONTROL, SHIFT = glfw.MOD_CONTROL, glfw.MOD_SHIFT


def overlay(app: App) -> NDArray[np.bool_]:
    """[H, W] where the window shows something else than the scene."""
    return np.abs(scene_part(app).astype(int) - expected(app)).max(axis=2) > 24


def still(app: App) -> Iterator[None]:
    """Until nothing moves, with no note over the scene."""
    app.messages = Messages()
    yield


def mark_on_screen(app: App, camera: Camera) -> tuple[float, float]:
    """Where a camera is in the window."""
    places, _ = app.on_screen(camera.position[None])
    return float(places[0, 0]), float(places[0, 1])


def click(app: App, x: float, y: float) -> None:
    drag(app, glfw.MOUSE_BUTTON_LEFT, (x, y), (0, 0))


def add_three_keys(app: App) -> Iterator[None]:
    for _ in range(3):
        press(app, glfw.KEY_K)
        drag(app, glfw.MOUSE_BUTTON_LEFT, START, (70, 25))
        yield from still(app)


def keys_are_added_scrubbed_saved_and_read(app: App, folder: Path) -> Iterator[None]:
    yield from still(app)
    first = app.camera()
    yield from add_three_keys(app)
    path = app.tool(PathTool)
    editor = path.editor
    assert len(editor.keys) == 3
    np.testing.assert_array_equal(editor.keys[0].camera.camera_from_world, first.camera_from_world)
    app.navigator.wheel(-7)
    yield from still(app)
    seen = overlay(app)
    assert 0.002 < seen.mean() < 0.4, seen.mean()  # the spline and the frusta
    press(app, glfw.KEY_BACKSLASH)
    yield from still(app)
    assert_shows_the_scene(app)
    press(app, glfw.KEY_BACKSLASH)
    editor.scrub(0.0)
    for _ in range(13):
        press(app, glfw.KEY_RIGHT, CONTROL | SHIFT)
    yield from still(app)
    assert abs(editor.time - 1.3) < 1e-9
    np.testing.assert_array_equal(app.camera().camera_from_world, editor.camera_at(editor.time).camera_from_world)
    path.shown = False
    yield from still(app)
    assert_shows_the_scene(app)
    path_actions.save_chosen(app, folder / "path.json")
    kept = editor.keys
    for _ in range(3):
        press(app, glfw.KEY_DELETE)
    assert editor.keys == ()
    path_actions.load_path(app, folder / "path.json")
    assert [key.time for key in editor.keys] == [key.time for key in kept]
    for found, key in zip(editor.keys, kept, strict=True):
        np.testing.assert_array_equal(found.camera.camera_from_world, key.camera.camera_from_world)
        assert found.camera.fov_y == key.camera.fov_y
    assert [key.time for key in read_keys(folder / "path.json")] == [0, 2, 4]


def keys_are_edited(app: App, folder: Path) -> Iterator[None]:
    yield from still(app)
    yield from add_three_keys(app)
    editor = app.tool(PathTool).editor
    three = editor.keys
    editor.select(1)
    press(app, glfw.KEY_D, CONTROL)
    assert [key.time for key in editor.keys] == [0, 2, 3, 4]
    press(app, glfw.KEY_ENTER)
    np.testing.assert_array_equal(editor.keys[2].camera.camera_from_world, app.camera().camera_from_world)
    press(app, glfw.KEY_K, SHIFT)
    assert len(editor.keys) == 5
    for _ in range(3):
        press(app, glfw.KEY_Z, CONTROL)
    assert editor.keys == three
    press(app, glfw.KEY_Z, CONTROL | SHIFT)
    assert len(editor.keys) == 4
    press(app, glfw.KEY_RIGHT, CONTROL)
    yield from still(app)
    np.testing.assert_array_equal(
        app.camera().camera_from_world, editor.keys[editor.selected or 0].camera.camera_from_world
    )


def a_path_is_played_until_somebody_moves(app: App, folder: Path) -> Iterator[None]:
    yield from still(app)
    press(app, glfw.KEY_1, CONTROL)
    path = app.tool(PathTool)
    assert len(path.editor.keys) == len(preset_keys("orbit", Extent(np.zeros(3), 1.0, np.eye(3)[1]), 1.0, 1.0))
    press(app, glfw.KEY_SPACE)
    times = []
    for _ in range(4):
        app.frame()
        app.show()
        times.append(path.editor.time)
        shown = path.editor.camera_at(path.editor.time).camera_from_world
        np.testing.assert_array_equal(app.camera().camera_from_world, shown)
    assert (np.diff(times) > 0).all(), times
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (30, 0))
    app.frame()
    app.show()
    assert not path.editor.playing
    press(app, glfw.KEY_SPACE)
    press(app, glfw.KEY_SPACE)
    assert not path.editor.playing
    yield from still(app)
    for i in range(len(PRESETS)):
        press(app, glfw.KEY_1 + i, CONTROL)
        yield from still(app)
        assert overlay(app).mean() > 0.002


def cameras_are_imported_and_stepped_through(app: App, folder: Path) -> Iterator[None]:
    yield from still(app)
    first = app.camera()
    path = app.tool(PathTool)
    keys = preset_keys("ellipse", app.navigator.extent, 1.0, app.aspect)[:-1]
    write_cameras(folder / "cameras.json", [key.camera for key in keys])
    path_actions.open_typed(app, str(folder / "cameras.json"))
    yield from still(app)
    assert len(path.reel.cameras) == len(keys)
    assert overlay(app).mean() > 0.002
    press(app, glfw.KEY_I)
    yield from still(app)
    np.testing.assert_array_equal(app.camera().camera_from_world, path.reel.cameras[0].camera_from_world)
    press(app, glfw.KEY_I, SHIFT)
    yield from still(app)
    np.testing.assert_array_equal(app.camera().camera_from_world, path.reel.cameras[-1].camera_from_world)
    app.navigator.look_through(first)
    yield from still(app)
    marked = next(i for i, camera in enumerate(path.reel.cameras) if app.view_rect.holds(*mark_on_screen(app, camera)))
    click(app, *mark_on_screen(app, path.reel.cameras[marked]))
    yield from still(app)
    assert path.reel.index == marked
    np.testing.assert_array_equal(app.camera().camera_from_world, path.reel.cameras[marked].camera_from_world)
    press(app, glfw.KEY_I, CONTROL | SHIFT)
    assert len(path.editor.keys) == len(keys)


def a_key_on_the_screen_is_clicked(app: App, folder: Path) -> Iterator[None]:
    yield from still(app)
    press(app, glfw.KEY_K)
    app.inputs.on_cursor(None, *START)
    app.inputs.on_scroll(None, 0.0, -6.5)
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (60, 20))
    press(app, glfw.KEY_K)
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (-90, 30))
    yield from still(app)
    keys = app.tool(PathTool).editor.keys
    x, y = mark_on_screen(app, keys[0].camera)
    before = app.camera()
    drag(app, glfw.MOUSE_BUTTON_LEFT, (x, y), (6, 0))  # the first of a drag is only trembling
    app.inputs.on_button(None, glfw.MOUSE_BUTTON_LEFT, glfw.PRESS, 0)
    app.inputs.on_cursor(None, x + 40, y)
    app.inputs.on_cursor(None, x + 60, y)
    app.inputs.on_button(None, glfw.MOUSE_BUTTON_LEFT, glfw.RELEASE, 0)
    yield from still(app)
    assert not np.allclose(app.camera().camera_from_world, before.camera_from_world)  # turned, and flown nowhere
    assert app.navigator.through is None
    click(app, *mark_on_screen(app, keys[0].camera))
    yield from still(app)
    np.testing.assert_array_equal(app.camera().camera_from_world, keys[0].camera.camera_from_world)
    assert app.tool(PathTool).editor.selected == 0


def up_and_first_view_are_remembered(app: App, folder: Path) -> Iterator[None]:
    yield from still(app)
    assert not notes_path(folder / "shell.ply").exists()
    press(app, glfw.KEY_U)
    yield from still(app)
    up = app.navigator.up.copy()
    assert json.loads(notes_path(folder / "shell.ply").read_text()) == {"up": up.tolist()}
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (100, 30))
    press(app, glfw.KEY_HOME, CONTROL)
    kept = app.camera()
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (100, 30))
    press(app, glfw.KEY_R)
    yield from still(app)
    np.testing.assert_array_equal(app.camera().camera_from_world, kept.camera_from_world)
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (100, 30))
    app.navigator.go_home(app.loaded.extent if app.loaded else app.navigator.extent)
    app.open(folder / "shell.ply")
    yield from still(app)
    np.testing.assert_allclose(app.camera().camera_from_world, kept.camera_from_world, atol=1e-12)
    np.testing.assert_array_equal(app.navigator.up, up)
    memory = app.tool(SceneMemory)
    memory.set_up(app, None)
    memory.forget_first_view(app)
    assert json.loads(notes_path(folder / "shell.ply").read_text()) == {}


def every_projection_is_shown(app: App, folder: Path) -> Iterator[None]:
    yield from still(app)
    path = app.tool(PathTool)
    path.editor.set_keys(preset_keys("orbit", app.navigator.extent, 1.0, app.aspect))
    for _ in range(2):
        path.shown = False
        before = scene_part(app)
        press(app, glfw.KEY_O)
        yield from still(app)
        assert np.abs(scene_part(app).astype(int) - before).mean() > 1
        assert_shows_the_scene(app)
        drag(app, glfw.MOUSE_BUTTON_LEFT, START, (70, 20))
        yield from still(app)
        assert_shows_the_scene(app)
        path.shown = True
        yield from still(app)
        assert 0.002 < overlay(app).mean() < 0.4


def a_camera_is_copied_and_pasted(app: App, folder: Path) -> Iterator[None]:
    yield from still(app)
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (100, 30))
    copied = app.camera()
    press(app, glfw.KEY_C, CONTROL)
    assert json.loads(imgui.get_clipboard_text())["fov_y"] == copied.fov_y
    press(app, glfw.KEY_R)
    yield from still(app)
    press(app, glfw.KEY_V, CONTROL)
    yield from still(app)
    np.testing.assert_array_equal(app.camera().camera_from_world, copied.camera_from_world)
    imgui.set_clipboard_text("nothing like it")
    press(app, glfw.KEY_V, CONTROL)
    told = [message.text for message in app.messages.shown(0.0)]
    assert told == ["clipboard: text: expected a camera in JSON, found nothing like it"]
    press(app, glfw.KEY_ESCAPE)
    yield from still(app)


def the_panel_holds_all_of_it(app: App, folder: Path) -> Iterator[None]:
    yield from still(app)
    press(app, glfw.KEY_BACKSLASH, CONTROL)
    press(app, glfw.KEY_2, CONTROL)
    yield from still(app)
    path = app.tool(PathTool)
    path.editor.select(3)
    yield from still(app)
    assert path_actions.PANEL_TITLE in app.panels.open
    before = path.editor.keys
    x, y, seconds = path.timeline.place(before[3].time)
    app.inputs.on_cursor(None, x, y)
    yield from still(app)
    app.inputs.on_button(None, glfw.MOUSE_BUTTON_LEFT, glfw.PRESS, 0)
    yield from still(app)
    for dx in (5.0, 10.0, 20.0):
        app.inputs.on_cursor(None, x + dx, y)
        yield from still(app)
    app.inputs.on_button(None, glfw.MOUSE_BUTTON_LEFT, glfw.RELEASE, 0)
    yield from still(app)
    moved = path.editor.keys[path.editor.selected or 0]
    assert abs(moved.time - (before[3].time + 20 * seconds)) < 2 * seconds
    press(app, glfw.KEY_Z, CONTROL)
    assert path.editor.keys == before  # a drag is one step


def f_focuses_under_the_cursor_or_frames_the_scene(app: App, folder: Path) -> Iterator[None]:
    yield from still(app)
    (x, y), rect = app.view_rect.middle, app.view_rect
    app.inputs.on_cursor(None, x + 60, y - 40)
    press(app, glfw.KEY_F)
    yield from still(app)
    assert abs(float(np.linalg.norm(app.navigator.orbit.pivot)) - 1) < 0.05  # on the shell
    app.navigator.wheel(-2)
    app.inputs.on_cursor(None, rect.x + 3, rect.y + 3)
    drag(app, glfw.MOUSE_BUTTON_RIGHT, (x, y), (150, 0))
    app.inputs.on_cursor(None, rect.right - 3, rect.bottom - 3)
    yield from still(app)
    assert app.pick(rect.right - 3, rect.bottom - 3) is None
    press(app, glfw.KEY_F)
    yield from still(app)
    np.testing.assert_allclose(app.navigator.orbit.pivot, app.navigator.extent.centre, atol=1e-9)


def touchpads_pan_with_control(app: App, folder: Path) -> Iterator[None]:
    yield from still(app)
    before = app.camera()
    app.inputs.on_cursor(None, *START)
    app.inputs.on_button(None, glfw.MOUSE_BUTTON_LEFT, glfw.PRESS, CONTROL)
    app.inputs.on_cursor(None, START[0] + 50, START[1])
    app.inputs.on_button(None, glfw.MOUSE_BUTTON_LEFT, glfw.RELEASE, CONTROL)
    moved = before.camera_from_world[:3, :3] @ (app.camera().position - before.position)
    assert moved[0] < -0.05
    np.testing.assert_allclose(moved[1:], 0, atol=1e-9)


def a_gamepad_moves_the_camera(app: App, folder: Path) -> Iterator[None]:
    yield from still(app)
    states = {0: gamepad.PadState()}
    gamepad.glfw.joystick_is_gamepad = lambda number: number in states
    gamepad.glfw.get_gamepad_name = lambda number: "Pad"
    gamepad._read = states.get
    glfw.focus_window(app.window.handle)
    yield
    assert [message.text for message in app.messages.shown(glfw.get_time())] == ["Gamepad: Pad"]
    assert app.tool(PadTool).patience < 0.05
    before = app.camera()
    states[0] = gamepad.PadState(left=(1.0, 0.0))
    app.frame()
    app.show()
    moved = before.camera_from_world[:3, :3] @ (app.camera().position - before.position)
    assert moved[0] > 0
    np.testing.assert_allclose(moved[1:], 0, atol=1e-9)
    states[0] = gamepad.PadState(down=frozenset({"mode"}))
    app.frame()
    app.show()
    app.frame()
    app.show()
    assert app.navigator.mode == "fly"
    states[0] = gamepad.PadState(down=frozenset({"focus"}))
    app.frame()
    app.show()
    states.clear()
    yield from still(app)
    assert abs(float(np.linalg.norm(app.navigator.orbit.pivot)) - 1) < 0.05
    assert app.tool(PadTool).pad.name is None


def by_hand_a_path_is_made_and_saved(app: App, folder: Path) -> Iterator[None]:
    """With a real mouse and keyboard, and the dialog that there is where the system has none."""
    file_dialogs.has_native = path_actions.has_native = lambda: False
    yield from still(app)
    xdotool.focus("shell.ply")
    editor = app.tool(PathTool).editor
    for count in (1, 2, 3):
        xdotool.type_keys("k")
        yield from until(lambda count=count: len(editor.keys) == count)
        eye = app.camera().position
        ready = glfw.get_time() + 1.5 * DOUBLE_CLICK[0]  # two presses at one place in a row are a double click
        yield from until(lambda ready=ready: glfw.get_time() > ready)
        xdotool.drag(app.view_rect.middle, (60, 20))
        yield from until(lambda eye=eye: float(np.linalg.norm(app.camera().position - eye)) > 0.1)
    xdotool.type_keys("ctrl+z", "ctrl+shift+z", "ctrl+backslash")
    yield from until(lambda: path_actions.PANEL_TITLE in app.panels.open)
    yield from still(app)
    file = folder / "tour.json"
    app.dialogs.folder = folder
    for saved in range(2):
        if saved:
            editor.set_fov(0, 0.5)
            editor.saved_to = None  # as after a start
        xdotool.type_keys("ctrl+shift+s")
        yield from until(lambda: app.dialogs.in_window)
        yield from still(app)
        yield from click_on("##name")
        xdotool.type_keys("ctrl+a", *"tour", "Return")
        if saved:
            yield from until(lambda: app.tool(PathTool).replacing == file)
            assert read_keys(file)[0].camera.fov_y != 0.5
            yield from click_on("Replace it")
        yield from until(lambda: editor.saved)
        yield from still(app)
    assert [key.time for key in read_keys(file)] == [0, 2, 4]
    assert read_keys(file)[0].camera.fov_y == 0.5


def click_on(label: str) -> Iterator[None]:
    """A button or a field, where it is drawn."""
    found: list[tuple[float, float]] = []
    before = imgui.button, imgui.input_text_with_hint

    def recording(function: Callable[..., object]) -> Callable[..., object]:
        def recorded(name: str, *rest: object) -> object:
            answer = function(name, *rest)
            if name == label:
                low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
                found.append((0.5 * (low.x + high.x), 0.5 * (low.y + high.y)))
            return answer

        return recorded

    imgui.button, imgui.input_text_with_hint = map(recording, before)
    yield from until(lambda: bool(found))
    imgui.button, imgui.input_text_with_hint = before
    xdotool.click(*found[-1])
    yield


def until(what: Callable[[], bool]) -> Iterator[None]:
    end = glfw.get_time() + 20
    while glfw.get_time() < end:
        if what():
            return
        yield
    raise AssertionError("it did not happen")


SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        keys_are_added_scrubbed_saved_and_read,
        keys_are_edited,
        a_path_is_played_until_somebody_moves,
        cameras_are_imported_and_stepped_through,
        a_key_on_the_screen_is_clicked,
        up_and_first_view_are_remembered,
        every_projection_is_shown,
        a_camera_is_copied_and_pasted,
        the_panel_holds_all_of_it,
        f_focuses_under_the_cursor_or_frames_the_scene,
        touchpads_pan_with_control,
        by_hand_a_path_is_made_and_saved,
        a_gamepad_moves_the_camera,
    )
}

if __name__ == "__main__":
    chosen, where = SCENARIOS[sys.argv[1]], Path(sys.argv[2])
    size = viewer.SIZE if chosen is the_panel_holds_all_of_it else SIZE
    viewer.run([where / "shell.ply"], on_frame=Driver(chosen, where), size=size)
    print("done")
