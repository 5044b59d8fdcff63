"""Scene files in the window: `python window_stage_scenarios.py NAME FOLDER`.

Scenarios as in `window_scenarios.py`; the window opens `room.json`, plain things under a sky with Gaussians before
them. `ring.json` has a neural surface.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import glfw
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from window_compare_scenarios import until
from window_scenarios import Driver, Scenario, drag, press, scene_part

import viewer
from renderer.images import to_8_bit
from renderer.lit_picture import displayed, gaussians_before
from renderer.path_tracer import PathTracer
from renderer.stage_renderer import traced_part
from scenes.cameras import Camera
from scenes.scene_file import (
    Box,
    ConstantSky,
    SceneDescription,
)
from ui import app_state, scene_picture
from ui.actions import ACTIONS
from ui.app import App
from ui.compare import CompareTool
from ui.export_tool import ExportTool, PictureWishes
from ui.measure import MeasureTool
from ui.stage_edit import NEW, things_of, title_of, world_of
from ui.stage_gizmo import is_over
from ui.stage_tool import StageTool
from ui.together import TogetherTool

SIZE = (480, 200)  # small, for the software rasteriser's sake
SAMPLES = 2
START = (430.0, 60.0)  # of drags
ROUNDED = 2  # of 255: what was traced, and then the Gaussians over it


def scene(app: App) -> SceneDescription:
    description = app.scenes[0].description
    assert description is not None
    return description


def traced(app: App, camera: Camera, size: tuple[int, int], samples: int = SAMPLES) -> NDArray[np.uint8]:
    """What `kilofield render` makes of the scene as it is now."""
    assert app.scenes[0].stage is not None
    stage = app.scenes[0].stage.stage
    tracer = PathTracer(app.context, stage)
    light = tracer.render(camera, *size, samples)
    picture = to_8_bit(displayed(light, gaussians_before(tracer, camera), stage.scene))
    tracer.release()
    return picture


def assert_shows_the_scene(app: App) -> None:
    difference = np.abs(scene_part(app).astype(int) - traced(app, app.camera(), app.view_size))
    assert difference.max() <= ROUNDED, difference.max()


def assert_shows_the_light(app: App) -> None:
    """As `assert_shows_the_scene`, beside handles that are drawn over it."""
    difference = np.abs(scene_part(app).astype(int) - traced(app, app.camera(), app.view_size)).max(axis=2)
    assert 0 < (difference > ROUNDED).mean() < 0.25


def click(app: App, place: tuple[float, float]) -> None:
    app.inputs.on_cursor(None, place[0], place[1])
    for _ in range(2):  # the handles let go of the mouse
        app.frame()
        app.show()
    drag(app, glfw.MOUSE_BUTTON_LEFT, (place[0], place[1]), (0, 0))


def notes(app: App) -> list[str]:
    return [message.text for message in app.messages.shown(0.0)]


def shows(app: App, folder: Path) -> Iterator[None]:
    yield
    assert app.kinds == {"stage"}
    assert_shows_the_scene(app)
    first = scene(app).view()
    assert first is not None
    np.testing.assert_allclose(app.camera().camera_from_world, first.camera_from_world)
    assert app.camera().fov_y == first.fov_y
    assert app.navigator.up.tolist() == [0, 0, 1]
    assert app.stored.recent == [folder / "room.json"]
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (40, 10))
    yield
    assert_shows_the_scene(app)
    press(app, glfw.KEY_R)
    yield
    np.testing.assert_allclose(app.camera().camera_from_world, first.camera_from_world, atol=1e-9)


def stays_alive_while_it_is_traced(app: App, folder: Path) -> Iterator[None]:
    """Small while the camera moves; at rest a frame takes no longer than it may, and shows whole samples only."""
    yield
    scene_picture.BAND_SECONDS = 0.0
    stage = app.scenes[0].stage
    assert stage is not None
    app.picture.moving.value = 0.5
    width, height = app.view_size
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (60, 10))
    small, samples = 0, []
    while not samples or not app.picture.whole:
        app.frame()
        app.show()
        if app.picture.picture.size == (round(width / 2), round(height / 2)) and not small:
            moving = app.scene_settings().moving().sampled(1).stage
            assert (moving.instant, moving.denoise) == (True, True)
            again = stage.render(app.camera(), round(width / 2), round(height / 2), moving)
            assert np.abs(app.picture.picture.read().astype(int) - to_8_bit(again)).max() <= ROUNDED
        small += app.picture.picture.size == (round(width / 2), round(height / 2))
        samples.append(app.picture.samples)
    assert small > 3
    assert set(samples) == {1, SAMPLES}
    assert app.scenes[0].facts.wall_ms["paths"] > 0
    app.frame()
    assert_shows_the_scene(app)


def begins_anew_when_the_light_changes(app: App, folder: Path) -> Iterator[None]:
    """Exposure and tone mapping do not change it."""
    yield
    before = scene_part(app)
    assert app.scenes[0].stage is not None
    tracer = app.scenes[0].stage.tracer
    paths = tracer.paths
    for changes in ({"exposure": -2.0}, {"tone_mapping": "linear"}):
        app.scenes[0].edit(replace(scene(app), **changes))
        for _ in range(2):
            app.frame()
            app.show()
        assert app.picture.whole
        assert tracer.paths == paths
        assert_shows_the_scene(app)
        assert np.abs(scene_part(app).astype(int) - before).mean() > 5
    app.stage_look = replace(app.stage_look, samples=3)
    app.frame()
    app.show()
    assert tracer.paths >= paths
    yield
    assert app.picture.samples == 3
    app.stage_look = replace(app.stage_look, samples=SAMPLES)
    app.scenes[0].edit(replace(scene(app), objects=scene(app).objects[:1]))
    app.frame()
    app.show()
    assert not app.picture.whole
    yield
    assert_shows_the_scene(app)


def keeps_what_is_open(app: App, folder: Path) -> Iterator[None]:
    yield
    before = scene_part(app)
    for name, text in (("bad.json", "bad.json: line 3"), ("gone.json", "gone.json: ")):
        app.open(folder / name)
        yield
        assert notes(app)[-1].startswith(str(folder / text)), notes(app)
        press(app, glfw.KEY_ENTER)
        yield
    np.testing.assert_array_equal(scene_part(app), before)
    app.open(folder / "shell.ply")
    yield
    assert (app.scenes[0].kind, app.scenes[0].stage) == ("gaussians", None)
    app.open(folder / "room.json")
    yield
    assert app.scenes[0].kind == "stage"
    assert app.renderer.facts.gaussians == 0
    assert_shows_the_scene(app)


def shows_a_surface(app: App, folder: Path) -> Iterator[None]:
    """Without a camera in the file, all of it is in the picture."""
    yield
    app.open(folder / "ring.json")
    yield
    assert_shows_the_scene(app)
    assert app.navigator.extent.radius < 2
    angles = np.radians(np.arange(0, 360, 45))
    top = np.stack([0.6 * np.cos(angles), 0.6 * np.sin(angles), np.full(8, 0.75)], axis=1)  # of the torus
    for point, place in zip(top, app.on_screen(top)[0], strict=True):
        picked = app.pick(*place)
        assert picked is not None
        np.testing.assert_allclose(picked, point, atol=0.1)


def picks(app: App, folder: Path) -> Iterator[None]:
    yield
    tool = app.tool(MeasureTool)
    tool.on = True
    tool.pick(app, app.view_rect.middle[0], app.view_rect.bottom - 5)
    assert tool.points[0][2] == pytest.approx(0, abs=1e-6)  # on the floor
    tool.pick(app, app.view_rect.middle[0], app.view_rect.y + 3)  # the sky
    assert len(tool.points) == 1
    assert notes(app)[-1] == "Nothing to measure there"


def saves_pictures(app: App, folder: Path) -> Iterator[None]:
    yield
    os.chdir(folder)
    press(app, glfw.KEY_P)
    found = np.asarray(Image.open("room-001.png")).astype(int)
    assert np.abs(found - traced(app, app.camera(), app.view_size)).max() <= ROUNDED
    tool = app.tool(ExportTool)
    for alpha, supersampling in ((False, 1), (True, 2)):
        tool.save_picture(app, PictureWishes((40, 30), alpha, supersampling, f"{supersampling}.png"))
        yield from until(lambda: tool.job is None)
    found = np.asarray(Image.open("1.png")).astype(int)
    assert np.abs(found - traced(app, app.camera(), (40, 30))).max() <= ROUNDED
    found = np.asarray(Image.open("2.png")).astype(float)
    wanted = traced(app, app.camera(), (80, 60)).reshape(30, 2, 40, 2, 3).mean(axis=(1, 3))
    assert np.abs(found[..., :3] - wanted).max() <= 1
    assert (found[..., 3] == 255).all()
    yield from until(lambda: not app.messages.shown(glfw.get_time()))
    yield
    assert_shows_the_scene(app)  # the window's own picture is back


def answers_every_key(app: App, folder: Path) -> Iterator[None]:
    yield
    os.chdir(folder)  # where pictures go
    actions = [action for group in ACTIONS.values() for action in group]
    refused = [action for action in actions if action.needs in ("gaussians", "surface")]
    assert len(refused) > 10
    for action in refused:
        press(app, action.key, action.modifier)
        assert notes(app)[-1].startswith("Only for ")
    for action in actions:
        if action.text not in ("quit", "full screen"):
            press(app, action.key, action.modifier)
            app.frame()
            app.show()
    assert app.loaded is not None


def moves_things_by_handles(app: App, folder: Path) -> Iterator[None]:
    yield
    tool = app.tool(StageTool)
    box = scene(app).objects[1]
    click(app, app.on_screen(np.array([[0.0, 0.0, 0.6]]))[0][0])  # on its front
    assert tool.thing() == box
    yield
    middle, up = app.on_screen(np.array([[0.0, 0.4, 0.6], [0.0, 0.4, 0.8]]))[0]
    place = middle
    for share in np.linspace(3, 0.3, 28):  # where the handle upwards ends depends on its size
        place = middle + share * (up - middle)
        app.inputs.on_cursor(None, *place)
        for _ in range(2):
            app.frame()
            app.show()
        if is_over():
            break
    app.inputs.on_button(None, glfw.MOUSE_BUTTON_LEFT, glfw.PRESS, 0)
    for _ in range(4):
        app.frame()
        app.show()
        place = place + 0.5 * (up - middle)
        app.inputs.on_cursor(None, *place)
    app.frame()
    app.show()
    app.inputs.on_button(None, glfw.MOUSE_BUTTON_LEFT, glfw.RELEASE, 0)
    yield
    moved = tool.thing()
    assert isinstance(moved, Box)
    by = world_of(moved)[:3, 3] - world_of(box)[:3, 3]
    assert abs(by[2] - 0.4) < 0.05, by
    np.testing.assert_allclose(by[:2], 0, atol=1e-5)
    np.testing.assert_allclose(world_of(moved)[:3, :3], np.eye(3), atol=1e-5)
    assert app.navigator.at_home  # the drag was the handle's alone
    assert_shows_the_light(app)
    tool.undo(app, -1)  # all of the drag
    assert scene(app).objects[1] == box
    click(app, (app.view_rect.middle[0], app.view_rect.y + 3))  # the sky
    assert tool.thing() is None
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (30, 5))
    assert not app.navigator.at_home
    yield
    assert_shows_the_scene(app)


def edits(app: App, folder: Path) -> Iterator[None]:
    """What the panel and the keys do, without its widgets."""
    yield
    tool, first = app.tool(StageTool), scene(app)
    for key, operation in ((glfw.KEY_2, "turn"), (glfw.KEY_3, "scale"), (glfw.KEY_1, "move")):
        press(app, key)
        assert tool.operation == operation
    for when in ((True, True, True), (False, False, False), (False, False, True)):
        press(app, glfw.KEY_5)
        look = app.stage_look
        assert (look.instant, look.denoise, look.hurried) == when
    for kind in NEW:
        tool.add(app, kind)
        assert tool.chosen is not None
        assert title_of(scene(app), tool.chosen).startswith(kind)
        yield  # the panel has widgets for each
    assert_shows_the_light(app)
    tool.copy(app)
    assert len(scene(app).lights) == 4
    tool.delete(app)
    for _ in range(len(NEW) + 2):
        tool.undo(app, -1)
    assert scene(app) == first
    tool.undo(app, 1)
    assert len(scene(app).objects) == len(first.objects) + 1
    tool.chosen = 3  # Gaussians
    yield
    tool.change(app, replace(scene(app), environment=ConstantSky((0.5, 0.5, 0.6)), clamp=4.0))
    tool.keep_camera(app)
    yield
    kept = scene(app).view()
    assert kept is not None
    np.testing.assert_allclose(kept.camera_from_world, app.camera().camera_from_world, atol=1e-6)
    assert tool.history.dirty
    press(app, glfw.KEY_F10)
    assert not tool.history.dirty
    assert notes(app)[-1] == f"Saved {folder / 'room.json'}"
    assert '"shell.ply"' in (folder / "room.json").read_text()
    (folder / "below").mkdir()
    tool.save_to(app, folder / "below" / "copy")
    assert '"../shell.ply"' in (folder / "below" / "copy.json").read_text()
    tool.save_to(app, folder / "nowhere" / "copy.json")
    assert any(text.startswith(f"{folder / 'nowhere' / 'copy.json'}: ") for text in notes(app)), notes(app)
    press(app, glfw.KEY_ENTER)
    saved = scene(app)
    app.open(folder / "below" / "copy.json")
    yield
    assert traced_part(replace(scene(app), objects=())) == traced_part(replace(saved, objects=()))
    assert [world_of(thing).tolist() for thing in things_of(scene(app))] == [
        world_of(thing).tolist() for thing in things_of(saved)
    ]
    assert not tool.history.dirty


def goes_beside_other_scenes(app: App, folder: Path) -> Iterator[None]:
    """Compared with a scene of Gaussians; never in one picture with them."""
    yield
    together = app.tool(TogetherTool)
    together.add(app, folder / "shell.ply")
    yield from until(lambda: together.slot is None)
    wanted = "shell.ply is not shown: only Gaussians and a surface go together, these are scene files and Gaussians"
    assert notes(app)[-1] == wanted
    tool = app.tool(CompareTool)
    tool.compare_with(app, folder / "shell.ply")
    yield from until(lambda: tool.active and tool.score is not None and not tool.measuring)
    tool.set_mode(app, "b")
    yield from until(lambda: not app.messages.shown(glfw.get_time()))
    yield
    wanted = to_8_bit(app.scenes[1].render(app.camera(), *app.view_size, app.scene_settings()))
    assert np.abs(scene_part(app)[40:].astype(int) - wanted[40:]).max() <= 1  # under the names


SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        shows,
        stays_alive_while_it_is_traced,
        begins_anew_when_the_light_changes,
        keeps_what_is_open,
        shows_a_surface,
        picks,
        saves_pictures,
        moves_things_by_handles,
        edits,
        answers_every_key,
        goes_beside_other_scenes,
    )
}


def main(scenarios: Mapping[str, Scenario]) -> None:
    """Runs the one that the command line names."""
    chosen, where = scenarios[sys.argv[1]], Path(sys.argv[2])
    app_state.STAGE_SAMPLES = SAMPLES
    steps: Callable[[App, int], None] = Driver(chosen, where)
    viewer.run([where / "room.json"], on_frame=steps, size=SIZE)
    heavy = {"torch", "taichi", "numba", "fitting"} & set(sys.modules)
    assert not heavy, heavy
    print("done")


if __name__ == "__main__":
    main(SCENARIOS)
