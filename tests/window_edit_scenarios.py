"""The scene editor and files: `python window_edit_scenarios.py NAME FOLDER`, as `window_stage_scenarios.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import glfw
import numpy as np
from PIL import Image
from window_compare_scenarios import until
from window_scenarios import Scenario, press
from window_stage_scenarios import ROUNDED, assert_shows_the_scene, main, notes, scene, traced

from scenes.scene_file import GaussianScene, MeshObject, Plane, RectangleLight, SphereLight, Surface
from scenes.stage_extent import own_ball
from ui import stage_export
from ui.app import App
from ui.export_tool import ExportTool, PictureWishes
from ui.stage_edit import world_of
from ui.stage_tool import StageTool
from ui.unsaved import UnsavedTool

PYRAMID = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n"


def takes_in_files(app: App, folder: Path) -> Iterator[None]:
    """A surface, Gaussians and a mesh that are dropped on it; undone, and saved."""
    yield
    tool, first = app.tool(StageTool), scene(app)
    (folder / "pyramid.obj").write_text(PYRAMID)
    app.dropped([folder / name for name in ("ring.kilo", "shell.ply", "pyramid.obj")])
    yield from until(lambda: len(scene(app).objects) == len(first.objects) + 3)
    added = scene(app).objects[-3:]
    assert [type(thing) for thing in added] == [Surface, GaussianScene, MeshObject]
    assert tool.thing() == added[-1]
    assert app.loaded is not None
    assert app.loaded.file.path == folder / "room.json"
    stage = app.scenes[0].stage
    assert stage is not None
    for thing in added:
        assert not isinstance(thing, Plane | RectangleLight | SphereLight)
        centre = (world_of(thing) @ [*own_ball(stage.stage, thing)[0], 1])[:3]
        np.testing.assert_allclose(centre, app.navigator.orbit.pivot, atol=1e-5)
    tool.chosen = None
    yield
    assert_shows_the_scene(app)
    tool.undo(app, -1)
    assert scene(app).objects == (*first.objects, *added[:2])
    tool.undo(app, 1)
    (folder / "bad.kilo").write_bytes(b"KILO")
    app.dropped([folder / "bad.kilo"])
    yield from until(lambda: any(text.startswith(f"{folder / 'bad.kilo'}: ") for text in notes(app)))
    press(app, glfw.KEY_ENTER)
    press(app, glfw.KEY_F10)
    assert all(f'"{name}"' in (folder / "room.json").read_text() for name in ("ring.kilo", "pyramid.obj"))
    app.open(folder / "room.json")
    yield
    assert [type(thing) for thing in scene(app).objects[-3:]] == [Surface, GaussianScene, MeshObject]


def asks_before_changes_are_lost(app: App, folder: Path) -> Iterator[None]:
    yield
    tool, unsaved = app.tool(StageTool), app.tool(UnsavedTool)
    before = (folder / "room.json").read_text()
    tool.add(app, "sphere")
    for leave in (unsaved.cancel, lambda: press(app, glfw.KEY_ESCAPE)):
        app.open(folder / "ring.json")
        yield  # with the dialog
        assert unsaved.asking
        leave()
        assert not unsaved.asking
        assert app.loader.path is None
    glfw.set_window_should_close(app.window.handle, True)
    assert not app.closing
    assert unsaved.asking
    yield
    assert not app.closing  # it waits
    unsaved.cancel()
    assert not app.closing
    assert (folder / "room.json").read_text() == before
    app.open(folder / "ring.json")
    press(app, glfw.KEY_ENTER)  # saves, and goes on
    yield from until(lambda: app.loaded is not None and app.loaded.file.path == folder / "ring.json")
    assert (folder / "room.json").read_text() != before
    yield
    before = (folder / "ring.json").read_text()
    tool.add(app, "box")
    app.open(folder / "room.json")
    unsaved.lose(app)
    yield from until(lambda: app.loaded is not None and app.loaded.file.path == folder / "room.json")
    assert (folder / "ring.json").read_text() == before
    yield
    assert not tool.history.dirty
    assert not unsaved.before(app, app.quit)
    tool.add(app, "box")
    assert unsaved.before(app, app.quit)
    unsaved.lose(app)
    assert app.closing


def exports_a_little_at_a_time(app: App, folder: Path) -> Iterator[None]:
    """The window is drawn meanwhile, and what is stopped leaves nothing."""
    yield
    stage_export.SECONDS = 0.0
    tool, size = app.tool(ExportTool), (160, 120)
    for out, stops in ((folder / "stopped.png", True), (folder / "whole.png", False)):
        tool.save_picture(app, PictureWishes(size, out=str(out)))
        assert tool.job is not None
        assert tool.job.long
        shares = []
        while tool.job is not None and not (stops and len(shares) == 3):
            app.frame()
            app.show()
            shares.append(tool.job.progress if tool.job else 1.0)
        assert sum(0 < share < 1 for share in shares) >= 3, shares
        assert shares == sorted(shares)
        if stops:
            tool.cancel(app)
        assert out.exists() != stops
    picture = np.asarray(Image.open(folder / "whole.png")).astype(int)
    assert np.abs(picture - traced(app, app.camera(), size)).max() <= ROUNDED
    assert sorted(path.suffix for path in folder.iterdir()).count(".png") == 1


SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (takes_in_files, exports_a_little_at_a_time, asks_before_changes_are_lost)
}

if __name__ == "__main__":
    main(SCENARIOS)
