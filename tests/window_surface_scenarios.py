"""Surfaces in the window: `python window_surface_scenarios.py NAME FOLDER`.

Scenarios as in `window_scenarios.py`; the window opens `ring.kilo`, a torus with colours. `beside.ply` are Gaussians
through one side of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import glfw
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from window_compare_scenarios import until
from window_scenarios import Driver, Scenario, drag, press, scene_part, window_picture

import viewer
from renderer.camera_paths import preset_path
from renderer.images import to_8_bit
from renderer.metrics import psnr
from renderer.settings import VIEWS
from renderer.surface_renderer import BAND
from renderer.surface_settings import SURFACE_VIEWS
from renderer.together_reference import render_together
from scenes.open_scene import SurfaceFile
from ui import app_view, scene_picture
from ui.actions import ACTIONS
from ui.app import App
from ui.compare import CompareTool
from ui.export_tool import ExportTool, PictureWishes
from ui.measure import MeasureTool
from ui.together import TogetherTool

SIZE = (560, 300)  # small, for the software rasteriser's sake
SAMPLES = 2
START = (430.0, 60.0)  # of drags
TORUS = (0.6, 0.25)  # radii of the ring and of the tube

FIT = 0.05  # how far its least squares leave the surface from the torus, at most


def own(app: App, samples: int = SAMPLES) -> NDArray[np.uint8]:
    """The renderer's own picture of what the window should show."""
    surface = app.scenes[0].surface
    assert surface is not None
    return to_8_bit(surface.render(app.camera(), *app.view_size, app.exported_settings().sampled(samples).surface))


def assert_shows_the_surface(app: App) -> None:
    difference = scene_part(app).astype(int) - own(app)
    assert np.abs(difference).max() <= 1, np.abs(difference).max()


def notes(app: App) -> list[str]:
    return [message.text for message in app.messages.shown(0.0)]


def from_torus(point: NDArray[np.float64]) -> float:
    return float(np.hypot(np.hypot(point[0], point[1]) - TORUS[0], point[2]) - TORUS[1])


def shows(app: App, folder: Path) -> Iterator[None]:
    yield
    assert_shows_the_surface(app)
    lit = scene_part(app).astype(int).sum(axis=2) > 30
    rows, columns = np.nonzero(lit)
    assert 0.1 < lit.mean() < 0.7, lit.mean()
    assert abs(columns.mean() / lit.shape[1] - 0.5) < 0.05
    assert abs(rows.mean() / lit.shape[0] - 0.5) < 0.05
    panel = window_picture(app)[:, : round(app.view_rect.x * app.window.density)]
    assert len(np.unique(panel.reshape(-1, 3), axis=0)) > 50  # letters, not a flat colour
    assert app.stored.recent == [folder / "ring.kilo"]


def samples_come_at_rest(app: App, folder: Path) -> Iterator[None]:
    yield
    surface = app.scenes[0].surface
    assert surface is not None
    assert surface.facts.samples == SAMPLES
    app.picture.moving.value = 0.5
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (60, 10))
    app.frame()
    app.show()
    width, height = app.view_size
    assert app.picture.picture.size == (round(width / 2), round(height / 2))
    assert surface.facts.samples == 1
    assert not app.picture.whole
    yield
    assert app.picture.picture.size == (width, height)
    assert surface.facts.samples == SAMPLES
    assert_shows_the_surface(app)


def stays_alive_while_it_is_drawn(app: App, folder: Path) -> Iterator[None]:
    """At rest a slow device draws a few rows a frame, and shows the picture when it is whole."""
    yield
    scene_picture.BAND_SECONDS = 0.0
    width, height = app.view_size
    app.picture.moving.value = 0.5
    drag(app, glfw.MOUSE_BUTTON_LEFT, START, (60, 10))
    frames = 0
    while not frames or not app.picture.whole:
        app.frame()
        app.show()
        frames += app.picture.picture.size == (round(width / 2), round(height / 2))
    assert frames > height / BAND  # the small picture is shown meanwhile
    app.frame()
    assert_shows_the_surface(app)


def looks_different(app: App, folder: Path) -> Iterator[None]:
    yield
    seen = [scene_part(app)]
    for view in (*SURFACE_VIEWS[1:], SURFACE_VIEWS[0]):
        press(app, glfw.KEY_N)
        yield
        assert app.view == view
        assert_shows_the_surface(app)
        seen.append(scene_part(app))
    assert all(np.abs(a.astype(int) - b).mean() > 1 for a, b in pairwise(seen))
    np.testing.assert_array_equal(seen[0], seen[-1])
    press(app, glfw.KEY_H, glfw.MOD_SHIFT)
    yield
    assert app.surface_look.headlight
    assert np.abs(scene_part(app).astype(int) - seen[0]).mean() > 1
    assert_shows_the_surface(app)
    press(app, glfw.KEY_BACKSPACE)
    yield
    np.testing.assert_array_equal(scene_part(app), seen[0])


def slices(app: App, folder: Path) -> Iterator[None]:
    yield
    press(app, glfw.KEY_PERIOD, glfw.MOD_CONTROL)  # the first press shows the slice, through the middle
    yield
    assert app.view == "slice"
    assert app.surface_look.slice.offset is None
    middle = scene_part(app)
    for _ in range(5):
        press(app, glfw.KEY_PERIOD, glfw.MOD_CONTROL)
    yield
    assert app.surface_look.slice.offset == pytest.approx(0.2)  # of a box from -1 to 1
    assert_shows_the_surface(app)
    assert np.abs(scene_part(app).astype(int) - middle).mean() > 1
    for _ in range(80):
        press(app, glfw.KEY_COMMA, glfw.MOD_CONTROL)
    assert app.surface_look.slice.offset == -1
    press(app, glfw.KEY_SLASH, glfw.MOD_CONTROL)
    assert app.surface_look.slice.normal == (1.0, 0.0, 0.0)
    assert app.surface_look.slice.offset is None
    yield
    assert_shows_the_surface(app)


def refuses_what_is_for_gaussians(app: App, folder: Path) -> Iterator[None]:
    yield
    before, look = scene_part(app), app.look
    refused = [action for group in ACTIONS.values() for action in group if action.needs == "gaussians"]
    assert len(refused) > 5
    for action in refused:
        press(app, action.key, action.modifier)
        assert notes(app)[-1] == f"Only for Gaussians: {action.text}"
    yield
    assert app.look == look
    while app.messages.shown(glfw.get_time()):
        yield
    yield
    np.testing.assert_array_equal(scene_part(app), before)


def answers_every_key(app: App, folder: Path) -> Iterator[None]:
    yield
    os.chdir(folder)  # where pictures go
    for group in ACTIONS.values():
        for action in group:
            if action.text not in ("quit", "full screen"):
                press(app, action.key, action.modifier)
                app.frame()
                app.show()
    yield
    assert app.loaded is not None


def gives_way_to_gaussians(app: App, folder: Path) -> Iterator[None]:
    """A list with both kinds: each is freed when the other comes."""
    yield
    first = scene_part(app)
    app.set_view("cells")
    app.open(folder / "shell.ply")
    yield
    assert (app.scenes[0].kind, app.scenes[0].surface, app.view) == ("gaussians", None, "colour")
    wanted = to_8_bit(app.renderer.render(app.camera(), *app.view_size, app.settings()))
    assert np.abs(scene_part(app).astype(int) - wanted).max() <= 1
    press(app, glfw.KEY_MINUS)
    assert app.look.scale < 1
    app.set_view("colour")
    press(app, glfw.KEY_PAGE_UP)
    yield
    assert app.scenes[0].kind == "surface"
    assert app.renderer.facts.gaussians == 0
    np.testing.assert_array_equal(scene_part(app), first)
    app.open(folder / "bad.kilo")
    yield
    assert notes(app)[-1].startswith(f"{folder / 'bad.kilo'}: ")
    press(app, glfw.KEY_ENTER)
    yield
    np.testing.assert_array_equal(scene_part(app), first)


def picks(app: App, folder: Path) -> Iterator[None]:
    yield
    rect = app.view_rect
    tool = app.tool(MeasureTool)
    tool.on = True
    lit = np.argwhere(scene_part(app).astype(int).sum(axis=2) > 30) / app.window.density
    places = np.array([lit[len(lit) // 4], lit[3 * len(lit) // 4]])[:, ::-1] + [rect.x, rect.y]
    for x, y in places:
        tool.pick(app, x, y)
    assert len(tool.points) == 2
    assert max(abs(from_torus(point)) for point in tool.points) < FIT
    np.testing.assert_allclose(app.on_screen(np.stack(tool.points))[0], places, atol=1e-3)
    assert app.pick(rect.x + 2, rect.y + 2) is None
    app.double_clicked(rect.x + lit[0][1], rect.y + lit[0][0] + 2)
    yield
    assert abs(from_torus(app.navigator.orbit.pivot)) < FIT


def saves_pictures(app: App, folder: Path) -> Iterator[None]:
    yield
    os.chdir(folder)
    press(app, glfw.KEY_P)
    np.testing.assert_array_equal(np.asarray(Image.open("ring-001.png")), own(app))
    tool = app.tool(ExportTool)
    tool.save_picture(app, PictureWishes((300, 200), True, 2, "large.png"))
    tool.path.source, tool.path.size, tool.path.video, tool.path.out = "orbit", (80, 60), False, "frames"
    yield from until(lambda: tool.job is None)
    large = np.asarray(Image.open("large.png"))
    assert large.shape == (200, 300, 4)
    assert set(np.unique(large[..., 3])) == {0, 64, 128, 191, 255}  # 2 x 2 rays a pixel
    tool.path.seconds, tool.path.fps = 1.0, 3.0
    tool.save_path(app)
    yield from until(lambda: tool.job is None)
    assert app.loaded is not None
    cameras = preset_path("orbit", app.loaded.extent, 3, 80 / 60)
    surface = app.scenes[0].surface
    assert surface is not None
    for i, camera in enumerate(cameras):
        wanted = to_8_bit(surface.render(camera, 80, 60, app.exported_settings().surface)).astype(int)
        found = np.asarray(Image.open(f"frames/frame-{i:05d}.png"))[..., :3]
        assert np.abs(found - wanted).max() <= 1
    yield from until(lambda: not app.messages.shown(glfw.get_time()))
    yield
    assert_shows_the_surface(app)  # the window's own picture is back, with all its samples


def compares(app: App, folder: Path) -> Iterator[None]:
    """A surface against Gaussians, and against another surface."""
    yield
    tool = app.tool(CompareTool)
    for name in ("shell.ply", "ring.kilo"):
        tool.compare_with(app, folder / name)
        yield from until(lambda: tool.active and tool.score is not None and not tool.measuring)
        tool.set_mode(app, "b")
        yield
        assert tool.slot is not None
        wanted = tool.slot.render(app.camera(), *app.view_size, app.scene_settings())
        difference = np.abs(scene_part(app)[40:].astype(int) - to_8_bit(wanted)[40:])  # under the names
        assert difference.max() <= 1
    assert tool.score is not None
    assert np.isinf(tool.score.psnr)
    assert app.views == SURFACE_VIEWS


def joined(app: App) -> Iterator[None]:
    yield from until(lambda: app.scenes[0].partner is not None and app.picture.whole)
    yield


def assert_shows_both(app: App) -> None:
    gaussians, surface = sorted((app.scenes[0], app.tool(TogetherTool).slot), key=lambda slot: str(slot and slot.kind))
    assert gaussians is not None
    assert gaussians.loaded is not None
    assert gaussians.loaded.gaussians is not None
    assert surface is not None
    assert surface.loaded is not None
    assert isinstance(surface.loaded.file, SurfaceFile)
    both = gaussians.loaded.gaussians, surface.loaded.file.surface
    wanted = render_together(*both, app.camera(), *app.view_size, app.exported_settings().sampled(SAMPLES))
    assert psnr(scene_part(app) / 255, wanted.clip(0, 1)) >= 40


def is_joined_with_gaussians(app: App, folder: Path) -> Iterator[None]:
    """`--together`: the window was opened on the surface, with the Gaussians added."""
    yield from joined(app)
    assert app.kinds == {"gaussians", "surface"}
    assert set(app.views) == {*VIEWS, *SURFACE_VIEWS}
    assert_shows_both(app)
    both = scene_part(app)
    assert app.navigator.extent.radius > 1.15  # of both: the shell is farther out on one side
    app.set_view("cells")
    yield
    assert (app.look.view, app.surface_look.view) == ("colour", "cells")
    assert_shows_both(app)
    app.set_view("colour")
    os.chdir(folder)
    tool = app.tool(ExportTool)
    tool.save_picture(app, PictureWishes((120, 80), False, 1, "both.png"))
    yield from until(lambda: tool.job is None and not app.messages.shown(glfw.get_time()))
    found = np.asarray(Image.open("both.png"))
    wanted = app.scenes[0].render(app.camera(), 120, 80, app.exported_settings())
    assert np.abs(found.astype(int) - to_8_bit(wanted)).max() <= 1
    rect = app.view_rect
    middle = app.pick(*rect.middle)
    assert middle is not None
    assert np.linalg.norm(middle - app.camera().position) < np.linalg.norm(app.camera().position)
    press(app, glfw.KEY_BACKSPACE, glfw.MOD_CONTROL)
    yield
    assert app.kinds == {"surface"}
    assert np.abs(scene_part(app).astype(int) - both).mean() > 1
    assert_shows_the_surface(app)


def goes_together_with_one_of_the_other_kind(app: App, folder: Path) -> Iterator[None]:
    yield from joined(app)
    both = scene_part(app)
    tool = app.tool(TogetherTool)
    tool.add(app, folder / "ring.kilo")  # in place of the Gaussians
    yield from until(lambda: tool.slot is None)
    yield
    assert notes(app)[-1].startswith("ring.kilo is not shown: only Gaussians and a surface go together, these are ")
    tool.add(app, folder / "bad.kilo")
    yield from until(lambda: tool.slot is None)
    assert any(text.startswith(f"{folder / 'bad.kilo'}: ") for text in notes(app))
    press(app, glfw.KEY_ENTER)
    app.open(folder / "beside.ply")  # now the Gaussians are the first scene
    yield from until(lambda: app.scenes[0].kind == "gaussians")
    app.navigator.go_home(app.navigator.extent)
    tool.add(app, folder / "ring.kilo")
    yield from joined(app)
    yield from until(lambda: not app.messages.shown(glfw.get_time()))
    yield
    assert_shows_both(app)
    assert both.shape == scene_part(app).shape


SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        shows,
        samples_come_at_rest,
        stays_alive_while_it_is_drawn,
        looks_different,
        slices,
        refuses_what_is_for_gaussians,
        answers_every_key,
        gives_way_to_gaussians,
        picks,
        saves_pictures,
        compares,
        is_joined_with_gaussians,
        goes_together_with_one_of_the_other_kind,
    )
}

TOGETHER = ("is_joined_with_gaussians", "goes_together_with_one_of_the_other_kind")

if __name__ == "__main__":
    chosen, where = SCENARIOS[sys.argv[1]], Path(sys.argv[2])
    app_view.REST_SAMPLES = SAMPLES
    steps: Callable[[App, int], None] = Driver(chosen, where)
    added = where / "beside.ply" if sys.argv[1] in TOGETHER else None
    viewer.run([where / "ring.kilo"], on_frame=steps, size=SIZE, together=added)
    heavy = {"torch", "taichi", "numba", "fitting"} & set(sys.modules)
    assert not heavy, heavy
    print("done")
