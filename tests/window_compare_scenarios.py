"""Comparing, exporting and measuring in the window: `python window_compare_scenarios.py NAME FOLDER`.

Scenarios as in `window_scenarios.py`; the window opens `shell.ply` with `second.ply` as its B.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import glfw
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from window_scenarios import Driver, Scenario, drag, press, scene_part

import viewer
from renderer.camera_paths import preset_path
from renderer.compare_screen import heat, split_column
from renderer.gaussian_renderer import GaussianRenderer
from renderer.images import straight_alpha, to_8_bit
from renderer.metrics import psnr, ssim
from scenes.json_entry import read_json
from ui.app import App
from ui.compare import CompareTool
from ui.export_tool import EDITED, ExportTool
from ui.measure import MeasureTool
from ui.path_tool import PathTool

SIZE = (1080, 480)  # room for the panels at both sides
LABELS = 40  # px at the top, where the names are
BAR = 14  # px on each side of the bar that its grip covers


def until(done: Callable[[], bool], steps: int = 400) -> Iterator[None]:
    """Lets the window run."""
    for _ in range(steps):
        yield
        if done():
            return
    raise AssertionError("it does not come to an end")


def compared(app: App) -> Iterator[None]:
    tool = app.tool(CompareTool)
    yield from until(lambda: tool.active and tool.score is not None and not tool.measuring)
    yield


def own(app: App, renderer: GaussianRenderer) -> NDArray[np.float32]:
    return renderer.render(app.camera(), *app.view_size, app.settings()).clip(0, 1)


def both(app: App) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    a, b = (own(app, slot.renderer) for slot in app.tool(CompareTool).sides(app))
    return a, b


def assert_same(found: NDArray[np.uint8], wanted: NDArray[np.float32]) -> None:
    difference = np.abs(found[LABELS:].astype(int) - to_8_bit(wanted)[LABELS:])
    assert difference.max() <= 1, difference.max()


def assert_split(app: App) -> int:
    """A left of the bar and B right of it; returns its column."""
    tool, picture = app.tool(CompareTool), scene_part(app)
    a, b = both(app)
    column = split_column(tool.split, app.view_size[0])
    assert_same(picture[:, : column - BAR], a[:, : column - BAR])
    assert_same(picture[:, column + BAR :], b[:, column + BAR :])
    assert np.abs(picture[LABELS:, column].astype(int) - to_8_bit(a)[LABELS:, column]).max() > 30  # the bar
    return column


def splits(app: App, folder: Path) -> Iterator[None]:
    yield from compared(app)
    a, b = both(app)
    assert np.abs(a - b).max() > 0.3
    width = app.view_size[0]
    assert assert_split(app) == round(width / 2)
    camera, tool = app.camera(), app.tool(CompareTool)
    drag(app, glfw.MOUSE_BUTTON_LEFT, (app.view_rect.middle[0] + 3, app.view_rect.y + 90), (60, 5))
    yield
    assert abs(assert_split(app) - round(width / 2) - 60) <= 1
    press(app, glfw.KEY_SEMICOLON)
    yield
    assert assert_split(app) < width / 2 + 60
    np.testing.assert_array_equal(app.camera().camera_from_world, camera.camera_from_world)
    drag(app, glfw.MOUSE_BUTTON_LEFT, (app.view_rect.x + 20, app.view_rect.bottom - 30), (40, 5))  # beside the bar
    yield
    assert not np.array_equal(app.camera().camera_from_world, camera.camera_from_world)
    yield from compared(app)
    assert_split(app)
    tool.move_split(-3.0)
    yield
    assert_same(scene_part(app)[:, BAR:], both(app)[1][:, BAR:])
    tool.move_split(0.3)
    os.chdir(folder)
    press(app, glfw.KEY_P)  # the picture without what is drawn over it
    yield
    saved, column = np.array(Image.open(folder / "shell-001.png")).astype(int), split_column(tool.split, width)
    a, b = (to_8_bit(picture) for picture in both(app))
    assert np.abs(saved - np.concatenate([a[:, :column], b[:, column:]], axis=1)).max() <= 1


def splits_under_a_real_mouse(app: App, folder: Path) -> Iterator[None]:
    yield from compared(app)
    assert shutil.which("xdotool"), "xdotool is not installed"
    left, top = glfw.get_window_pos(app.window.handle)
    x, y = (round(side) for side in (left + app.view_rect.middle[0], top + app.view_rect.y + 120))
    before = app.tool(CompareTool).split
    # fmt: off
    words = ["mousemove", x, y, "sleep", 0.2, "mousedown", 1, "sleep", 0.2, "mousemove", x - 70, y, "sleep", 0.2,
             "mouseup", 1]
    # fmt: on
    with subprocess.Popen(["xdotool", *map(str, words)]) as hand:
        yield from until(lambda: hand.poll() is not None)
    yield
    moved = (before - app.tool(CompareTool).split) * app.view_size[0]
    assert abs(moved - 70) <= 1, moved
    assert_split(app)


def shows_every_way(app: App, folder: Path) -> Iterator[None]:
    yield from compared(app)
    tool = app.tool(CompareTool)
    press(app, glfw.KEY_T)
    yield
    assert tool.mode == "a"
    assert_same(scene_part(app), own(app, app.renderer))
    press(app, glfw.KEY_T)
    yield
    assert tool.mode == "b"
    assert tool.slot is not None
    assert_same(scene_part(app), own(app, tool.slot.renderer))
    press(app, glfw.KEY_Y)
    yield
    assert_same(scene_part(app), own(app, app.renderer))
    tool.set_mode(app, "sides")
    yield
    width, height = app.view_size
    half = [slot.renderer.render(app.camera(), width // 2, height, app.settings()) for slot in tool.sides(app)]
    picture = scene_part(app)
    line = slice(2, None)  # of the second half: the line between them
    assert_same(picture[:, : width // 2 - 2], half[0][:, :-2].clip(0, 1))
    assert_same(picture[:, width // 2 : width // 2 * 2][:, line], half[1][:, line].clip(0, 1))
    press(app, glfw.KEY_J)
    yield
    assert tool.mode == "difference"
    for highest in (None, 0.03):
        tool.fixed_highest = highest
        yield from compared(app)
        a, b = both(app)
        wanted = heat(np.abs(a - b).max(axis=2) / tool.highest)
        assert_same(scene_part(app), wanted.astype(np.float32))
    tool.set_flicker(app, True)
    modes = set()
    for _ in until(lambda: len(modes) == 2):
        modes.add(tool.mode)
        yield
    assert modes == {"a", "b"}


def measures_the_view(app: App, folder: Path) -> Iterator[None]:
    yield from compared(app)
    tool = app.tool(CompareTool)
    first = tool.score
    for _ in range(2):
        a, b = both(app)
        assert tool.score is not None
        assert tool.score.size == app.view_size
        assert abs(tool.score.psnr - psnr(a, b)) < 0.01
        assert tool.score.ssim is not None
        assert abs(tool.score.ssim - ssim(a, b)) < 1e-3
        drag(app, glfw.MOUSE_BUTTON_LEFT, (app.view_rect.x + 20, app.view_rect.bottom - 30), (70, -20))
        yield
        yield from compared(app)
    assert tool.score != first
    tool.stop(app)
    yield
    assert len(app.scenes) == 1
    assert np.abs(scene_part(app).astype(int) - to_8_bit(own(app, app.renderer))).max() <= 1


def keeps_the_scene_when_the_other_is_bad(app: App, folder: Path) -> Iterator[None]:
    yield from compared(app)
    tool = app.tool(CompareTool)
    tool.stop(app)
    yield
    before = scene_part(app)
    tool.compare_with(app, folder / "bad.ply")
    yield from until(lambda: tool.slot is None)
    assert len(app.scenes) == 1
    assert any("bad.ply" in message.text for message in app.messages.shown(0.0))
    press(app, glfw.KEY_ESCAPE)
    yield
    np.testing.assert_array_equal(scene_part(app), before)


def saves_larger_pictures(app: App, folder: Path) -> Iterator[None]:
    yield from compared(app)
    tool = app.tool(ExportTool)
    tool.picture.size, tool.picture.alpha, tool.picture.out = (1201, 907), True, str(folder / "large.png")
    press(app, glfw.KEY_F8)
    assert tool.job is not None
    yield from until(lambda: tool.job is None)
    found = np.array(Image.open(folder / "large.png")).astype(int)
    wanted = to_8_bit(straight_alpha(app.renderer.render_rgba(app.camera(), 1201, 907, app.settings())))
    assert found.shape == (907, 1201, 4)
    assert np.abs(found[..., 3] - wanted[..., 3]).max() <= 1
    opaque = wanted[..., 3] > 128
    assert np.abs(found - wanted)[opaque].max() <= 2
    press(app, glfw.KEY_F8)  # it is there: asked
    yield
    assert tool.job is None
    assert tool.question is not None
    assert "large.png: this file is there already" in tool.question.text
    (folder / "large.png").write_bytes(b"somebody's")
    tool.question = None
    yield
    assert (folder / "large.png").read_bytes() == b"somebody's"
    press(app, glfw.KEY_F8)
    assert tool.question is not None
    tool.question.yes()
    yield from until(lambda: tool.job is None)
    assert np.array(Image.open(folder / "large.png")).shape == (907, 1201, 4)


def exports_a_path(app: App, folder: Path) -> Iterator[None]:
    yield from compared(app)
    tool = app.tool(ExportTool)
    wishes = tool.path
    wishes.source, wishes.size, wishes.video, wishes.out = "orbit", (200, 120), False, str(folder / "frames")
    wishes.seconds, wishes.fps = 0.5, 10.0
    press(app, glfw.KEY_F9)
    assert tool.job is not None
    yield from until(lambda: tool.job is None)
    assert app.loaded is not None
    cameras = preset_path("orbit", replace(app.loaded.extent, up=app.navigator.up), 5, 200 / 120)
    files = sorted((folder / "frames").iterdir())
    assert [file.name for file in files] == [f"frame-{i:05d}.png" for i in range(5)]
    for file, camera in zip(files, cameras, strict=True):
        wanted = to_8_bit(app.renderer.render(camera, 200, 120, app.settings())).astype(int)
        assert np.abs(np.array(Image.open(file)) - wanted).max() <= 1
    path = app.tool(PathTool)
    path.editor.add(cameras[0])
    path.editor.add(cameras[1])
    wishes.source, wishes.out, wishes.seconds = EDITED, str(folder / "edited"), 0.3
    press(app, glfw.KEY_F9)
    yield from until(lambda: tool.job is None)
    for i, camera in enumerate(path.cameras(app, 3)):
        wanted = to_8_bit(app.renderer.render(camera, 200, 120, app.settings())).astype(int)
        assert np.abs(np.array(Image.open(folder / "edited" / f"frame-{i:05d}.png")) - wanted).max() <= 1
    wishes.out, wishes.seconds = str(folder / "stopped"), 60.0
    there = set(folder.iterdir())
    press(app, glfw.KEY_F9)
    camera = app.camera()
    drag(app, glfw.MOUSE_BUTTON_LEFT, (app.view_rect.x + 20, app.view_rect.bottom - 30), (40, 5))
    for _ in range(6):
        app.frame()  # the window goes on
        app.show()
    assert tool.job is not None
    assert 0 < tool.job.progress < 1
    assert not np.array_equal(app.camera().camera_from_world, camera.camera_from_world)
    press(app, glfw.KEY_F7)
    yield
    assert set(folder.iterdir()) == there


def measures_distances(app: App, folder: Path) -> Iterator[None]:
    yield from compared(app)
    app.tool(CompareTool).stop(app)
    yield
    tool, (x, y) = app.tool(MeasureTool), app.view_rect.middle
    empty = scene_part(app)
    press(app, glfw.KEY_F3)
    places = [(x - 60, y), (x + 60, y + 10)]
    for place in places:
        drag(app, glfw.MOUSE_BUTTON_LEFT, place, (1, 0))
        yield
    assert len(tool.points) == 2
    for point, place in zip(tool.points, places, strict=True):
        assert abs(np.linalg.norm(point) - 1) < 0.05  # on the shell
        np.testing.assert_allclose(app.on_screen(point[None])[0][0], [place[0] + 1, place[1]], atol=0.01)
    distance = tool.distance
    assert distance is not None
    assert abs(distance - np.linalg.norm(tool.points[0] - tool.points[1])) < 1e-12
    assert tool.metres(app) is None
    changed = np.abs(scene_part(app).astype(int) - empty).max(axis=2) > 30
    density = app.window.density
    line = changed[round((y + 5 - app.view_rect.y) * density), round((x + 1 - app.view_rect.x) * density)]
    assert line, "no line between the points"
    tool.set_metres(app, 1.8)
    assert abs((tool.metres(app) or 0) - 1.8) < 1e-12
    assert tool.text(app) == "1.8 m"
    note = read_json(folder / "shell.view.json")
    assert isinstance(note, dict)
    assert abs(note["metres_per_unit"] * distance - 1.8) < 1e-9
    camera = app.camera()
    drag(app, glfw.MOUSE_BUTTON_LEFT, places[1], (-30, 0))  # the point, not the camera
    yield
    assert len(tool.points) == 2
    assert tool.distance is not None
    assert tool.distance < distance
    np.testing.assert_array_equal(app.camera().camera_from_world, camera.camera_from_world)
    drag(app, glfw.MOUSE_BUTTON_LEFT, (x, y - 60), (40, 0))  # elsewhere: the camera as ever
    yield
    assert not np.array_equal(app.camera().camera_from_world, camera.camera_from_world)
    assert len(tool.points) == 2


def measures_side_by_side(app: App, folder: Path) -> Iterator[None]:
    """The same place of both pictures is the same point, and what is drawn over the scene is drawn over both."""
    yield from compared(app)
    app.tool(CompareTool).set_mode(app, "sides")
    yield
    before = scene_part(app)
    tool, rect = app.tool(MeasureTool), app.view_rect
    press(app, glfw.KEY_F3)
    for side in (0.25, 0.75):
        drag(app, glfw.MOUSE_BUTTON_LEFT, (rect.x + side * rect.width - 20, rect.y + 0.5 * rect.height), (1, 0))
        yield
    first, second = tool.points
    np.testing.assert_allclose(first, second, atol=1e-9)
    drag(app, glfw.MOUSE_BUTTON_LEFT, (rect.x + 0.75 * rect.width + 30, rect.y + 0.6 * rect.height), (1, 0))
    drag(app, glfw.MOUSE_BUTTON_LEFT, (rect.x + 0.25 * rect.width - 20, rect.y + 0.5 * rect.height), (1, 0))
    yield
    np.testing.assert_allclose(tool.points[1], first, atol=1e-9)
    changed = np.abs(scene_part(app).astype(int) - before).max(axis=2) > 60
    half = changed.shape[1] // 2
    left, right = changed[:, :half], changed[:, half : 2 * half]
    assert left.sum() > 200
    assert abs(left.sum() - right.sum()) < 0.2 * left.sum()
    assert app.view_rect == rect


SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        splits,
        splits_under_a_real_mouse,
        shows_every_way,
        measures_the_view,
        keeps_the_scene_when_the_other_is_bad,
        saves_larger_pictures,
        exports_a_path,
        measures_distances,
        measures_side_by_side,
    )
}

if __name__ == "__main__":
    chosen, where = SCENARIOS[sys.argv[1]], Path(sys.argv[2])
    viewer.run([where / "shell.ply"], on_frame=Driver(chosen, where), size=SIZE, compare=where / "second.ply")
    heavy = {"torch", "taichi", "numba", "fitting"} & set(sys.modules)
    assert not heavy, heavy
    print("done")
