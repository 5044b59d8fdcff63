"""Every format in the window: `python window_format_scenarios.py NAME FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import glfw
import numpy as np
from every_format import WRITTEN
from ui_scenes import shell
from window_scenarios import SIZE, Driver, Scenario, assert_shows_the_scene, press

import viewer
from renderer.settings import CropBox
from scenes.content import ReadOptions
from scenes.load import load_scene
from scenes.naming import scene_name
from scenes.ply import write_ply
from ui.app import App
from ui.save_tool import SaveTool

SCENE = shell(600)


def opens_every_format(app: App, folder: Path) -> Iterator[None]:
    yield
    for name, write in WRITTEN.items():
        path = write(folder / "dropped" / name.replace(" ", "-"), SCENE)
        app.dropped([path])
        yield
        assert app.loaded is not None
        assert app.loaded.gaussians is not None
        assert app.loaded.file.path in (path, path / "meta.json", path / "lod-meta.json"), app.loaded.file.path
        assert len(app.loaded.gaussians) == len(SCENE)
        assert_shows_the_scene(app)
        assert glfw.get_window_title(app.window.handle) == f"{scene_name(app.loaded.file.path)} - Kilofield"
    assert len(app.files) == 1 + len(WRITTEN)
    (folder / "empty").mkdir()
    app.dropped([folder / "empty"])
    message = app.messages.shown(0.0)[0]
    assert message.title == "empty cannot be opened"
    assert message.text == f"{folder / 'empty'}: folder: expected a file lod-meta.json or meta.json in it, found none"
    app.messages.dismiss()
    yield


def says_what_was_left_out(app: App, folder: Path) -> Iterator[None]:
    yield
    positions = SCENE.positions.copy()
    positions[:5] = np.nan
    write_ply(folder / "nan.ply", replace(SCENE, positions=positions))
    app.open(folder / "nan.ply")
    while app.loaded is None or app.loaded.file.path.name != "nan.ply":
        app.frame()
        app.show()
    texts = [message.text for message in app.messages.shown(glfw.get_time())]
    assert texts == ["5 Gaussians left out: they cannot be drawn"]
    yield


def keeps_to_the_options(app: App, folder: Path) -> Iterator[None]:
    """The window was opened with --max-gaussians 1000, which the first file of 3,000 is refused for."""
    expected = f"{folder / 'shell.ply'}: element vertex: expected at most 1000 Gaussians (--max-gaussians), found 3000"
    while not app.messages.shown(0.0):
        yield
    assert app.messages.shown(0.0)[0].text == expected
    app.messages.dismiss()
    write_ply(folder / "small.ply", SCENE)
    app.open(folder / "small.ply")
    yield
    assert app.loaded is not None
    app.add_scene().open(folder / "shell.ply")
    while not app.messages.shown(0.0):
        yield
    assert app.messages.shown(0.0)[0].text == expected
    app.messages.dismiss()
    yield


def saves_the_gaussians(app: App, folder: Path) -> Iterator[None]:
    yield
    assert app.loaded is not None
    scene = app.loaded.gaussians
    assert scene is not None
    tool = app.tool(SaveTool)
    for name, count in (("copy.spz", 3000), ("copy.sog", 3000), ("cut.compressed.ply", None)):
        if count is None:
            app.set_look(crop=CropBox((0.0, -9.0, -9.0), (9.0, 9.0, 9.0)))
            count = int((scene.positions[:, 0] >= 0).sum())
        tool.save(app, folder / name)
        yield from _saved(app)
        assert app.messages.shown(glfw.get_time())[0].text.startswith(f"Saved {folder / name}: {count:,} Gaussians")
        assert len(load_scene(folder / name).gaussians) == count
    for name, message in (
        ("a.xyz", "expected an output named *.compressed.ply, *.glb, *.ply, *.sog, *.splat, *.spz"),
        ("shell.ply", "expected a file other than the scene that is open"),
    ):
        tool.save(app, folder / name)
        assert app.messages.shown(0.0)[0].text == f"{folder / name}: {message}"
        app.messages.dismiss()
    press(app, glfw.KEY_E, glfw.MOD_CONTROL | glfw.MOD_SHIFT)
    yield
    assert app.dialogs.in_window
    app.dialogs.folder = folder
    app.dialogs.cancel()
    app.dialogs.save_file("Save", "copy.spz", ("*.spz",), lambda path: tool.save(app, path))
    yield
    app.dialogs.accept()
    yield
    assert app.dialogs.in_window  # asks before it replaces a file
    app.dialogs.accept()
    while app.dialogs.asking:
        yield
    yield from _saved(app)
    assert len(load_scene(folder / "copy.spz").gaussians) == count


def _saved(app: App) -> Iterator[None]:
    """What is being saved is there; the window goes on meanwhile."""
    while app.tool(SaveTool).saving is not None:
        yield


SCENARIOS: dict[str, Scenario] = {
    s.__name__: s for s in (opens_every_format, says_what_was_left_out, keeps_to_the_options, saves_the_gaussians)
}

if __name__ == "__main__":
    chosen, where = SCENARIOS[sys.argv[1]], Path(sys.argv[2])
    options = ReadOptions(max_gaussians=1000) if chosen is keeps_to_the_options else None
    viewer.run([where / "shell.ply"], on_frame=Driver(chosen, where), size=SIZE, options=options)
    print("done")
