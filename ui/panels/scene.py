"""The panel that says what is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, imgui

from scenes.naming import scene_name
from ui.actions import key_of
from ui.facts import scene_facts
from ui.panels.panel import Panel
from ui.panels.widgets import gap, quiet, rows, separated, shortened, tip
from ui.settings import SCENE_WORDS
from ui.together import TogetherTool

if TYPE_CHECKING:
    from ui.app import App


def draw(app: App) -> None:
    """One frame of it."""
    if app.loaded is None:
        imgui.text("No scene" if app.loader.path is None else f"Opening {shortened(scene_name(app.loader.path))}")
        if app.loader.path is None:
            quiet(f"Drop a scene on the window: {SCENE_WORDS}.")
        return
    if len(app.files) > 1:
        _file_choice(app)
    else:
        imgui.text(shortened(scene_name(app.loaded.file.path)))
        tip(str(app.loaded.file.path))
    gap()
    rows(scene_facts(app.loaded.file, app.scenes[0].video_memory))
    _added(app)
    gap()
    quiet(f"{key_of('all keys (also ?)')}  all keys      {key_of('panels: all')}  hide the panels")


def _added(app: App) -> None:
    tool = app.tool(TogetherTool)
    if tool.slot is None:
        return
    separated()
    loaded = tool.slot.loaded
    if loaded is None:
        path = tool.slot.loader.path
        imgui.text(f"Adding {shortened(scene_name(path))}" if path else "")
        return
    imgui.text(f"With {shortened(scene_name(loaded.file.path))}")
    tip(str(loaded.file.path))
    gap()
    rows(scene_facts(loaded.file, tool.slot.video_memory))
    if imgui.button(f"Remove it ({key_of('remove the added scene')})", ImVec2(-1, 0)):
        tool.remove(app)


def _file_choice(app: App) -> None:
    imgui.set_next_item_width(-1)
    changed, index = imgui.combo("##file", app.file_index, [scene_name(file) for file in app.files])
    tip(f"{key_of('previous file')} and {key_of('next file')}")
    if changed:
        app.open_index(index)


PANEL = Panel("Scene", draw, "left", shown=True)
