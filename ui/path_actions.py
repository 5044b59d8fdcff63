"""The keys of the camera path, and what its panel's buttons do besides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import glfw

from renderer.camera_paths import PRESETS, is_path_file, preset_keys
from scenes.colmap import is_colmap
from scenes.errors import KilofieldError
from ui.action import Action
from ui.file_dialogs import has_native
from ui.path_editor import PathEditor
from ui.path_tool import PathTool

if TYPE_CHECKING:
    from ui.app import App

PANEL_TITLE = "Camera path"
PRESET_SECONDS = 12.0
REEL_SPACING = 1.0  # s between imported cameras that become keys
SCRUB_STEP = 0.1  # s, a press
PATTERNS = ("*.json",)


def add_key(app: App) -> None:
    """A key with the camera there is now, after the last."""
    index = app.tool(PathTool).editor.add(app.camera())
    app.note(f"Key {index + 1} added")


def insert_key(app: App) -> None:
    """The same at the playhead."""
    editor = app.tool(PathTool).editor
    index = editor.insert(app.camera(), editor.time)
    app.note(f"Key {index + 1} inserted at {editor.time:.2f} s")


def selected(run: Callable[[App, int], None]) -> Callable[[App], None]:
    """What only means something while a key is selected: `run(app, index)`."""

    def act(app: App) -> None:
        index = app.tool(PathTool).editor.selected
        if index is None:
            app.note("No key is selected")
        else:
            run(app, index)

    return act


def update_key(app: App, index: int) -> None:
    """The key sees what the window sees now."""
    app.tool(PathTool).editor.update(index, app.camera())
    app.note(f"Key {index + 1} has this view now")


def scrub(app: App, seconds: float) -> None:
    """Moves the playhead."""
    path = app.tool(PathTool)
    path.editor.scrub(path.editor.time + seconds)
    path.show_time(app)


def undo(app: App) -> None:
    """Takes the latest change of the path back."""
    if not app.tool(PathTool).editor.undo():
        app.note("Nothing to undo")


def redo(app: App) -> None:
    """Makes it again."""
    if not app.tool(PathTool).editor.redo():
        app.note("Nothing to redo")


def use_preset(name: str) -> Callable[[App], None]:
    """A preset around the scene as keys, instead of those there are."""

    def act(app: App) -> None:
        extent = replace(app.navigator.extent, up=app.navigator.up)
        path = app.tool(PathTool)
        path.editor.set_keys(preset_keys(name, extent, PRESET_SECONDS, app.aspect))
        path.shown = True

    return act


def reel_to_keys(app: App) -> None:
    """The imported cameras as keys, instead of those there are."""
    path = app.tool(PathTool)
    if path.reel.cameras:
        path.editor.set_keys(path.reel.keys(REEL_SPACING))
    else:
        app.note("No cameras yet: import a file with some")


def toggle_loop(app: App) -> None:
    """Whether playing begins again at the end."""
    editor = app.tool(PathTool).editor
    editor.loop = not editor.loop


def toggle_shown(app: App) -> None:
    """Whether the path is drawn in the scene."""
    path = app.tool(PathTool)
    path.shown = not path.shown


# Files


def load_path(app: App, file: Path) -> None:
    """The keys of a file, instead of those there are."""
    try:
        app.tool(PathTool).editor.load(file)
    except KilofieldError as error:
        app.messages.error(str(error))
    else:
        app.note(f"{len(app.tool(PathTool).editor.keys)} keys from {file}")


def save_path(app: App, file: Path) -> None:
    """Writes the keys; whether a file may be replaced has been asked before."""
    try:
        app.tool(PathTool).editor.save(file)
    except KilofieldError as error:
        app.messages.error(str(error))
    else:
        app.note(f"Saved {file}")


def import_cameras(app: App, file: Path) -> None:
    """Cameras to step through."""
    path = app.tool(PathTool)
    try:
        app.note(path.reel.load(file))
    except KilofieldError as error:
        app.messages.error(str(error))
    else:
        path.shown = True


def ask_load(app: App) -> None:
    """Asks for a path file and reads it."""
    app.dialogs.open_file("Open a camera path", PATTERNS, lambda file: load_path(app, file))


def ask_save(app: App) -> None:
    """Asks for a place and saves there."""
    editor = app.tool(PathTool).editor
    if not editor.keys:
        app.note("Nothing to save: the path has no keys")
        return
    name = editor.file.name if editor.file else "path.json"
    app.dialogs.save_file("Save the camera path", name, PATTERNS, lambda file: save_chosen(app, file))


def save_chosen(app: App, file: Path) -> None:
    """Saves in a place somebody chose; where a file is already, and no dialog has asked, the panel asks first."""
    file = file if file.suffix else file.with_suffix(".json")
    path = app.tool(PathTool)
    if file.exists() and file != path.editor.saved_to and not has_native():
        path.replacing = file
        app.show_panel(PANEL_TITLE)
    else:
        save_path(app, file)


def open_typed(app: App, text: str) -> None:
    """A file whose name was typed: a path file becomes keys, any other file with cameras those to step through."""
    file = Path(text.strip()).expanduser()
    try:
        keys = not is_colmap(file) and is_path_file(file)
    except KilofieldError as error:
        app.messages.error(str(error))
        return
    if keys:
        load_path(app, file)
    else:
        import_cameras(app, file)


def save_again(app: App) -> None:
    """Saves where it was saved last, or asks."""
    editor = app.tool(PathTool).editor
    if editor.saved_to is not None and editor.keys:
        save_path(app, editor.saved_to)
    else:
        ask_save(app)


def ask_import(app: App) -> None:
    """Asks for a file with cameras: JSON, or a file of a COLMAP model."""
    patterns = (*PATTERNS, "images.bin", "images.txt")
    app.dialogs.open_file("Import cameras", patterns, lambda file: import_cameras(app, file))


def _editor(app: App) -> PathEditor:
    return app.tool(PathTool).editor


def copy_key(app: App, index: int) -> None:
    """A copy of a key."""
    _editor(app).duplicate(index)


def close_path(app: App) -> None:
    """The path ends where it begins."""
    if _editor(app).close() is None:
        app.note("Nothing to close: fewer than two keys, or it ends where it begins")


def delete_key(app: App, index: int) -> None:
    """Takes a key away."""
    _editor(app).remove(index)


def _with_path(run: Callable[[App, PathTool], None]) -> Callable[[App], None]:
    return lambda app: run(app, app.tool(PathTool))


_CONTROL, _SHIFT = glfw.MOD_CONTROL, glfw.MOD_SHIFT

PATH_ACTIONS = (
    Action(glfw.KEY_K, "add a key here", add_key),
    Action(glfw.KEY_K, "insert a key at the playhead", insert_key, _SHIFT),
    Action(glfw.KEY_ENTER, "the selected key takes this view", selected(update_key)),
    Action(glfw.KEY_D, "copy the selected key", selected(copy_key), _CONTROL),
    Action(glfw.KEY_DELETE, "delete the selected key", selected(delete_key)),
    Action(glfw.KEY_L, "end the path where it begins", close_path, _CONTROL),
    Action(glfw.KEY_Z, "undo", undo, _CONTROL),
    Action(glfw.KEY_Z, "redo", redo, _CONTROL | _SHIFT),
    Action(glfw.KEY_SPACE, "play or pause", _with_path(lambda app, path: path.toggle_play(app))),
    Action(glfw.KEY_SPACE, "loop", toggle_loop, _SHIFT, on=lambda app: _editor(app).loop),
    Action(glfw.KEY_RIGHT, "next key", _with_path(lambda app, path: path.step_key(app, 1)), _CONTROL, repeats=True),
    Action(glfw.KEY_LEFT, "previous key", _with_path(lambda app, path: path.step_key(app, -1)), _CONTROL, repeats=True),
    Action(glfw.KEY_RIGHT, "playhead on", lambda app: scrub(app, SCRUB_STEP), _CONTROL | _SHIFT, repeats=True),
    Action(glfw.KEY_LEFT, "playhead back", lambda app: scrub(app, -SCRUB_STEP), _CONTROL | _SHIFT, repeats=True),
    Action(glfw.KEY_I, "next imported camera", _with_path(lambda app, path: path.step_reel(app, 1)), repeats=True),
    Action(
        glfw.KEY_I,
        "previous imported camera",
        _with_path(lambda app, path: path.step_reel(app, -1)),
        _SHIFT,
        repeats=True,
    ),
    Action(glfw.KEY_I, "import cameras", ask_import, _CONTROL),
    Action(glfw.KEY_I, "imported cameras as keys", reel_to_keys, _CONTROL | _SHIFT),
    Action(glfw.KEY_S, "save the path", save_again, _CONTROL),
    Action(glfw.KEY_S, "save the path as", ask_save, _CONTROL | _SHIFT),
    Action(glfw.KEY_K, "open a path", ask_load, _CONTROL),
    *(Action(glfw.KEY_1 + i, f"path: {name}", use_preset(name), _CONTROL) for i, name in enumerate(PRESETS)),
    Action(glfw.KEY_BACKSLASH, "path in the scene", toggle_shown, on=lambda app: app.tool(PathTool).shown),
    Action(glfw.KEY_BACKSLASH, "path: the panel", lambda app: app.toggle_panel(PANEL_TITLE), _CONTROL),
)
