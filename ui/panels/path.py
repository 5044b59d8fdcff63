"""The panel of the camera path: its keys on a line of time and in a table, presets, files, imported cameras."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, imgui

from renderer.camera_paths import PRESETS
from ui import path_actions as act
from ui.actions import key_of
from ui.navigation import FOV_LIMITS
from ui.panels.panel import Panel
from ui.panels.widgets import quiet, tip
from ui.path_editor import SHORTEST, PathEditor
from ui.path_tool import PathTool

if TYPE_CHECKING:
    from collections.abc import Callable

    from ui.app import App

WIDE = 44.0  # font sizes; a narrower panel has everything in one column
WIDE_COLUMNS = (1.0, 0.46, 0.44)  # parts of the width
LONGEST = 36_000.0  # s of a path
TIME_SPEED = 0.02  # s a pixel of a drag


def draw(app: App) -> None:
    """One frame of it."""
    path = app.tool(PathTool)
    if path.replacing is not None:
        _replace_question(app, path)
    wide = imgui.get_content_region_avail().x >= WIDE * imgui.get_font_size()
    columns = WIDE_COLUMNS if wide else WIDE_COLUMNS[:1]
    flags = imgui.TableFlags_.sizing_stretch_prop | imgui.TableFlags_.borders_inner_v
    if not imgui.begin_table("path", len(columns), flags):
        return
    for i, weight in enumerate(columns):
        imgui.table_setup_column(str(i), imgui.TableColumnFlags_.width_stretch, weight)
    imgui.table_next_column()
    _edit_buttons(app, path.editor)
    _play_row(app, path)
    _timeline(app, path)
    imgui.table_next_column()
    _keys(app, path)
    imgui.table_next_column()
    _files(app, path)
    _reel(app, path)
    imgui.end_table()


def _buttons(app: App, *buttons: tuple[str, str, Callable[[App], None], bool]) -> None:
    """Buttons beside each other, as many as a row holds: label, text of the action, what it does, whether it can."""
    for i, (label, action, run, enabled) in enumerate(buttons):
        if i:
            _same_line_for(label)
        imgui.begin_disabled(not enabled)
        if imgui.button(label):
            run(app)
        imgui.end_disabled()
        tip(f"{action[0].upper()}{action[1:]} ({key_of(action)})")


def _same_line_for(label: str) -> None:
    """Goes on in the row, if there is room for a button."""
    style = imgui.get_style()
    width = imgui.calc_text_size(label).x + 2 * style.frame_padding.x
    end = imgui.get_item_rect_max().x + style.item_spacing.x + width
    if end <= imgui.get_cursor_screen_pos().x + imgui.get_content_region_avail().x:
        imgui.same_line()


def _edit_buttons(app: App, editor: PathEditor) -> None:
    chosen = editor.selected is not None
    _buttons(
        app,
        ("Add", "add a key here", act.add_key, True),
        ("Insert", "insert a key at the playhead", act.insert_key, bool(editor.keys)),
        ("Update", "the selected key takes this view", act.selected(act.update_key), chosen),
        ("Copy", "copy the selected key", act.selected(act.copy_key), chosen),
        ("Delete", "delete the selected key", act.selected(act.delete_key), chosen),
        ("Close", "end the path where it begins", act.close_path, len(editor.keys) > 1),
        ("Undo", "undo", act.undo, editor.can_undo),
        ("Redo", "redo", act.redo, editor.can_redo),
    )


def _play_row(app: App, path: PathTool) -> None:
    editor = path.editor
    playable = editor.end > editor.start
    _buttons(app, ("Pause" if editor.playing else "Play", "play or pause", path.toggle_play, playable))
    imgui.same_line()
    _presets(app)
    imgui.same_line()
    changed, loop = imgui.checkbox("Loop", editor.loop)
    tip(key_of("loop"))
    if changed:
        editor.loop = loop
    imgui.same_line()
    changed, shown = imgui.checkbox("In the scene", path.shown)
    tip(key_of("path in the scene"))
    if changed:
        path.shown = shown
    imgui.same_line()
    _duration(editor)
    if editor.keys:
        imgui.same_line()
        quiet(f"at {editor.time:.2f} s")


def _duration(editor: PathEditor) -> None:
    imgui.begin_disabled(len(editor.keys) < 2)
    imgui.set_next_item_width(6 * imgui.get_text_line_height())
    seconds = editor.end - editor.start
    changed, seconds = imgui.drag_float("##length", seconds, TIME_SPEED, SHORTEST, LONGEST, "%.2f s")
    tip("How long the path takes: all times are scaled")
    if changed and seconds > 0:
        editor.stretch(seconds, "length")
    if imgui.is_item_deactivated():
        editor.end_gesture()
    imgui.end_disabled()


def _presets(app: App) -> None:
    if imgui.button("Presets"):
        imgui.open_popup("presets")
    tip("A path around the scene, to edit")
    if imgui.begin_popup("presets"):
        for name in PRESETS:
            if imgui.menu_item(name.capitalize(), key_of(f"path: {name}"), False)[0]:
                act.use_preset(name)(app)
        imgui.end_popup()


def _timeline(app: App, path: PathTool) -> None:
    editor = path.editor
    event = path.timeline.draw([key.time for key in editor.keys], editor.selected, editor.time)
    if event is None:
        return
    if event.kind == "pick":
        editor.select(event.index)
        path.show_time(app)
    elif event.kind == "move":
        path.timeline.follow(editor.move(event.index, event.time, "drag"))
    elif event.kind == "scrub" and editor.keys:
        editor.scrub(event.time)
        path.show_time(app)
    elif event.kind == "drop":
        editor.end_gesture()


def _keys(app: App, path: PathTool) -> None:
    """A row a key: number, time, field of view."""
    editor = path.editor
    if not editor.keys:
        quiet("No keys yet. Steer the camera to where the path should go and add a key, or begin with a preset.")
        return
    flags = imgui.TableFlags_.scroll_y | imgui.TableFlags_.row_bg
    if not imgui.begin_table("keys", 3, flags, ImVec2(0, max(imgui.get_content_region_avail().y, 90.0))):
        return
    imgui.table_setup_scroll_freeze(0, 1)
    for title, weight in (("Key", 0.7), ("Time", 1.0), ("FOV", 1.0)):
        imgui.table_setup_column(title, imgui.TableColumnFlags_.width_stretch, weight)
    imgui.table_headers_row()
    for index in range(len(editor.keys)):
        if index < len(editor.keys):
            _key_row(app, path, index)
    imgui.end_table()


def _key_row(app: App, path: PathTool, index: int) -> None:
    editor = path.editor
    key = editor.keys[index]
    imgui.push_id(index)
    imgui.table_next_row()
    imgui.table_next_column()
    imgui.align_text_to_frame_padding()
    if imgui.selectable(f"{index + 1}  {key.camera.name}", index == editor.selected)[0]:
        path.go_to_key(app, index)
    imgui.table_next_column()
    imgui.set_next_item_width(-1)
    changed, time = imgui.drag_float("##time", key.time, TIME_SPEED, 0.0, LONGEST, "%.2f s")
    if changed:
        editor.move(index, min(max(time, 0.0), LONGEST), f"time {index}")
    ended = imgui.is_item_deactivated()
    imgui.table_next_column()
    imgui.set_next_item_width(-1)
    low, high = (math.degrees(limit) for limit in FOV_LIMITS)
    changed, fov = imgui.drag_float("##fov", math.degrees(key.camera.fov_y), 0.2, low, high, "%.1f°")
    if changed:
        editor.set_fov(index, math.radians(min(max(fov, low), high)), f"fov {index}")
        editor.select_quietly(index)
        path.show_time(app)
    if ended or imgui.is_item_deactivated():
        editor.end_gesture()
    imgui.pop_id()


def _files(app: App, path: PathTool) -> None:
    some = bool(path.editor.keys)
    _buttons(
        app,
        ("Open", "open a path", act.ask_load, True),
        ("Save", "save the path", act.save_again, some),
        ("Save as", "save the path as", act.ask_save, some),
        ("Import cameras", "import cameras", act.ask_import, True),
    )
    imgui.set_next_item_width(-1)
    enter = imgui.InputTextFlags_.enter_returns_true
    entered, path.typed = imgui.input_text_with_hint("##typed", "path of a file to open or import", path.typed, enter)
    tip("A path file becomes keys; any other file with cameras, or a COLMAP folder, cameras to step through")
    if entered and path.typed:
        act.open_typed(app, path.typed)
    if path.editor.file is not None:
        quiet(f"{path.editor.file.name}{'' if path.editor.saved else ', changed'}")


def _reel(app: App, path: PathTool) -> None:
    """The cameras of a file."""
    reel = path.reel
    if not reel.cameras:
        return
    imgui.separator()
    here = "" if reel.index is None else f"{reel.index + 1} of "
    name = "" if reel.index is None else f"  {reel.cameras[reel.index].name}"
    quiet(f"{here}{len(reel.cameras):,} cameras{name}")
    _buttons(
        app,
        ("Previous", "previous imported camera", lambda a: path.step_reel(a, -1), True),
        ("Next", "next imported camera", lambda a: path.step_reel(a, 1), True),
        ("As keys", "imported cameras as keys", act.reel_to_keys, True),
    )
    _same_line_for("Forget")
    if imgui.button("Forget"):
        reel.clear()


def _replace_question(app: App, path: PathTool) -> None:
    """Whether a file may be replaced."""
    assert path.replacing is not None
    file = path.replacing
    imgui.text_wrapped(f"{file} is there already.")
    if imgui.button("Replace it"):
        path.replacing = None
        act.save_path(app, file)
    imgui.same_line()
    if imgui.button("Keep it"):
        path.replacing = None


PANEL = Panel(act.PANEL_TITLE, draw, "bottom")
