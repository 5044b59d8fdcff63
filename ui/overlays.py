"""What lies over the scene for a while: loading, notes, errors, nothing open."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, ImVec4, imgui

from scenes.naming import scene_name
from scenes.sizes import readable_bytes
from ui.gui import colour_u32
from ui.help import draw_help
from ui.messages import Message
from ui.panels.widgets import plain, quiet
from ui.settings import SCENE_WORDS
from ui.theme import ACCENT, ERROR

if TYPE_CHECKING:
    from ui.app import App

BOX_WIDTH = 560.0  # at 96 dots an inch
EDGE = 16.0
SWEEP_SECONDS = 1.6  # of the bar that says that something goes on
ERROR_WINDOW = "###error"

BOX = (
    imgui.WindowFlags_.no_decoration
    | imgui.WindowFlags_.no_docking
    | imgui.WindowFlags_.always_auto_resize
    | imgui.WindowFlags_.no_saved_settings
    | imgui.WindowFlags_.no_focus_on_appearing
    | imgui.WindowFlags_.no_nav
    | imgui.WindowFlags_.no_move
)
_DIALOG = (
    imgui.WindowFlags_.always_auto_resize
    | imgui.WindowFlags_.no_saved_settings
    | imgui.WindowFlags_.no_move
    | imgui.WindowFlags_.no_collapse
)


def draw_overlays(app: App, now: float) -> None:
    """One frame of what there is."""
    messages = app.messages.shown(now)
    for message in messages:
        if message.error:
            _error(app, message)
        else:
            _note(app, message)
    if app.loader.path is not None:
        _loading(app)
    elif app.loaded is None and not messages:
        _empty(app)
    if app.switches.help:
        draw_help(app)


def _box_width(app: App) -> float:
    room = app.view_rect.width - 2 * EDGE * app.gui.scale
    return max(min(BOX_WIDTH * app.gui.scale, room), 80.0)


def _note(app: App, message: Message) -> None:
    """At the bottom of the scene, as wide as it needs."""
    wrap = _box_width(app) - 2 * imgui.get_style().window_padding.x
    bottom = app.view_rect.bottom - EDGE * app.gui.scale
    imgui.set_next_window_pos(ImVec2(app.view_rect.middle[0], bottom), imgui.Cond_.always, ImVec2(0.5, 1.0))
    imgui.begin("note", None, BOX | imgui.WindowFlags_.no_inputs)
    imgui.push_text_wrap_pos(imgui.get_cursor_pos_x() + wrap)
    plain(message.text)
    imgui.pop_text_wrap_pos()
    imgui.end()


def _error(app: App, message: Message) -> None:
    """A dialog; nothing else can be clicked until it is closed."""
    title = f"{message.title}{ERROR_WINDOW}"
    if not imgui.is_popup_open(title):
        imgui.open_popup(title)
    width = min(BOX_WIDTH * app.gui.scale, 0.95 * app.window.size[0])
    imgui.set_next_window_pos(imgui.get_main_viewport().get_center(), imgui.Cond_.always, ImVec2(0.5, 0.5))
    imgui.set_next_window_size(ImVec2(width, 0))
    shown, stays = imgui.begin_popup_modal(title, True, _DIALOG)
    if not shown:
        if not stays:
            app.messages.dismiss()
        return
    imgui.push_style_color(imgui.Col_.text, ImVec4(*ERROR, 1.0))
    imgui.text_wrapped(message.text)
    imgui.pop_style_color()
    if app.loaded is not None:
        quiet(f"Still open: {scene_name(app.loaded.file.path)}")
    imgui.dummy(ImVec2(0, 0.3 * imgui.get_text_line_height()))
    if imgui.button("Close", ImVec2(6 * imgui.get_font_size(), 0)) or not stays:
        app.messages.dismiss()
    imgui.same_line()
    imgui.align_text_to_frame_padding()
    imgui.text_disabled("Esc")
    if not app.messages.shown(0.0) or not app.messages.shown(0.0)[0].error:
        imgui.close_current_popup()
    imgui.end_popup()


def _loading(app: App) -> None:
    path, status = app.loader.path, app.loader.status()
    assert path is not None
    rect = app.view_rect
    imgui.set_next_window_pos(ImVec2(rect.middle[0], rect.y + 0.3 * rect.height), imgui.Cond_.always, ImVec2(0.5, 0.5))
    imgui.set_next_window_size(ImVec2(_box_width(app), 0))
    imgui.begin("loading", None, BOX)
    imgui.text_wrapped(f"Opening {scene_name(path)}")
    if status.share is None:
        _sweep(status.seconds)
    else:
        _bar(0.0, status.share)
    percent = "" if status.share is None else f" {100 * status.share:.0f} %"
    cancel = "Cancel"
    room = imgui.calc_text_size(cancel).x + 2 * imgui.get_style().frame_padding.x
    imgui.align_text_to_frame_padding()
    imgui.text_disabled(f"{status.stage}{percent}, {_size(app)}{status.seconds:.1f} s")
    imgui.same_line(imgui.get_cursor_pos_x() + imgui.get_content_region_avail().x - room)
    if imgui.button(cancel):
        app.cancel_loading()
    imgui.end()


def _size(app: App) -> str:
    try:
        return f"{readable_bytes(app.loader.path.stat().st_size)}, " if app.loader.path else ""
    except OSError:
        return ""  # gone meanwhile: the loader will say so


def _sweep(seconds: float) -> None:
    """A bar with a part that runs to and fro, where nobody says how far it is."""
    at = 0.7 * (0.5 - 0.5 * math.cos(2 * math.pi * seconds / SWEEP_SECONDS))
    _bar(at, at + 0.3)


def _bar(start: float, stop: float) -> None:
    """A line of which the part from `start` to `stop` is lit."""
    corner, room = imgui.get_cursor_screen_pos(), imgui.get_content_region_avail().x
    height = 0.35 * imgui.get_text_line_height()
    pen, below = imgui.get_window_draw_list(), corner.y + height
    rounding = 0.5 * height
    pen.add_rect_filled(corner, ImVec2(corner.x + room, below), colour_u32((1, 1, 1), 0.1), rounding)
    left, right = corner.x + room * start, corner.x + max(room * stop, room * start + height)
    pen.add_rect_filled(ImVec2(left, corner.y), ImVec2(right, below), colour_u32(ACCENT), rounding)
    imgui.dummy(ImVec2(room, 1.6 * height))


def _empty(app: App) -> None:
    imgui.set_next_window_pos(ImVec2(*app.view_rect.middle), imgui.Cond_.always, ImVec2(0.5, 0.5))
    imgui.set_next_window_size(ImVec2(_box_width(app), 0))
    imgui.begin("empty", None, BOX)
    imgui.text_wrapped(f"Drop a scene here: {SCENE_WORDS}")
    if imgui.button("Open a file"):
        app.ask_for_file()
    imgui.end()
