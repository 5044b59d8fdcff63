"""What lies over the scene for a while: loading, messages, help."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, ImVec4, imgui

from scenes.sizes import readable_bytes
from ui.actions import ACTIONS, key_name
from ui.inputs import HELD_KEYS
from ui.messages import Message
from ui.panels.widgets import quiet
from ui.theme import ACCENT, ERROR, TEXT

if TYPE_CHECKING:
    from ui.app import App

BOX_WIDTH = 560.0  # at 96 dots an inch
EDGE = 16.0
SWEEP_SECONDS = 1.6  # of the bar that says that something goes on

_BOX = (
    imgui.WindowFlags_.no_decoration
    | imgui.WindowFlags_.no_docking
    | imgui.WindowFlags_.always_auto_resize
    | imgui.WindowFlags_.no_saved_settings
    | imgui.WindowFlags_.no_focus_on_appearing
    | imgui.WindowFlags_.no_nav
    | imgui.WindowFlags_.no_move
)

MOUSE = (
    ("Left drag", "orbit; look around when flying"),
    ("Right or middle drag", "move sideways"),
    ("Wheel", "nearer and farther; speed when flying"),
    ("Double click", "focus on that point"),
    ("Drop a file", "open it"),
)


def draw_overlays(app: App, now: float) -> None:
    """One frame of what there is."""
    bottom = app.view_rect.bottom - EDGE * app.window.scale
    for message in app.messages.shown(now):
        bottom -= _message(app, message, bottom) + 0.5 * EDGE * app.window.scale
    if app.loader.path is not None:
        _loading(app)
    elif app.loaded is None and not app.messages.shown(now):
        _empty(app)
    if app.switches.help:
        _help(app)


def _box_width(app: App) -> float:
    room = app.view_rect.width - 2 * EDGE * app.window.scale
    return max(min(BOX_WIDTH * app.window.scale, room), 80.0)


def _message(app: App, message: Message, bottom: float) -> float:
    """Draws one with its lower edge at `bottom`; its height."""
    width = _box_width(app)
    imgui.set_next_window_pos(ImVec2(app.view_rect.middle[0], bottom), imgui.Cond_.always, ImVec2(0.5, 1.0))
    imgui.set_next_window_size(ImVec2(width, 0))
    imgui.begin("error" if message.error else "note", None, _BOX)
    imgui.push_style_color(imgui.Col_.text, ImVec4(*(ERROR if message.error else TEXT), 1.0))
    imgui.text_wrapped(message.text.replace("%", "%%"))
    imgui.pop_style_color()
    if message.error and imgui.button("Close (Esc)"):
        app.messages.dismiss()
    height = imgui.get_window_height()
    imgui.end()
    return height


def _loading(app: App) -> None:
    assert app.loader.path is not None
    stage, seconds = app.loader.status()
    rect = app.view_rect
    imgui.set_next_window_pos(ImVec2(rect.middle[0], rect.y + 0.3 * rect.height), imgui.Cond_.always, ImVec2(0.5, 0.5))
    imgui.set_next_window_size(ImVec2(_box_width(app), 0))
    imgui.begin("loading", None, _BOX)
    imgui.text_wrapped(f"Opening {app.loader.path.name}".replace("%", "%%"))
    _sweep(seconds)
    quiet(f"{stage}, {_size(app)}{seconds:.1f} s")
    imgui.end()


def _size(app: App) -> str:
    try:
        return f"{readable_bytes(app.loader.path.stat().st_size)}, " if app.loader.path else ""
    except OSError:
        return ""  # gone meanwhile: the loader will say so


def _sweep(seconds: float) -> None:
    """A bar with a part that runs to and fro: reading does not say how far it is."""
    corner, room = imgui.get_cursor_screen_pos(), imgui.get_content_region_avail().x
    height = 0.35 * imgui.get_text_line_height()
    at = 0.5 - 0.5 * math.cos(2 * math.pi * seconds / SWEEP_SECONDS)
    pen = imgui.get_window_draw_list()
    round_ = 0.5 * height
    pen.add_rect_filled(corner, ImVec2(corner.x + room, corner.y + height), _colour((1, 1, 1), 0.1), round_)
    left = corner.x + 0.7 * room * at
    pen.add_rect_filled(ImVec2(left, corner.y), ImVec2(left + 0.3 * room, corner.y + height), _colour(ACCENT), round_)
    imgui.dummy(ImVec2(room, 1.6 * height))


def _colour(rgb: tuple[float, float, float], alpha: float = 1.0) -> int:
    return imgui.color_convert_float4_to_u32(ImVec4(*rgb, alpha))


def _empty(app: App) -> None:
    imgui.set_next_window_pos(ImVec2(*app.view_rect.middle), imgui.Cond_.always, ImVec2(0.5, 0.5))
    imgui.begin("empty", None, _BOX)
    imgui.text("Drop a scene here: .ply, .compressed.ply or .kilo")
    imgui.end()


def _help(app: App) -> None:
    imgui.set_next_window_pos(ImVec2(*app.view_rect.middle), imgui.Cond_.always, ImVec2(0.5, 0.5))
    room = ImVec2(*app.window.size)
    imgui.set_next_window_size_constraints(ImVec2(0, 0), ImVec2(room.x, room.y))
    imgui.begin("help", None, _BOX & ~imgui.WindowFlags_.no_scrollbar)
    imgui.begin_group()
    _rows("Mouse", MOUSE)
    _rows("Keys held", _held_rows())
    _rows("File", _action_rows("File"))
    imgui.end_group()
    imgui.same_line(0, 2.5 * imgui.get_text_line_height())
    imgui.begin_group()
    _rows("Camera", _action_rows("Camera"))
    _rows("View", _action_rows("View"))
    imgui.end_group()
    imgui.end()


def _held_rows() -> list[tuple[str, str]]:
    keys = {name: key_name(key) for key, name in HELD_KEYS.items()}
    return [
        (f"{keys['forward']} {keys['back']}", "forward and back; nearer and farther"),
        (f"{keys['left']} {keys['right']}", "left and right"),
        (f"{keys['down']} {keys['up']}", "down and up"),
        ("Arrow keys", "orbit; look around when flying"),
        (f"{keys['roll anticlockwise']} {keys['roll clockwise']}", "roll"),
        ("Shift, Alt", "with these: fast, slow"),
    ]


def _action_rows(group: str) -> list[tuple[str, str]]:
    return [(key_name(action.key, action.modifier), action.text) for action in ACTIONS[group]]


def _rows(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Keys and what they do under a title, in two columns as wide as their text."""
    imgui.push_style_color(imgui.Col_.text, ImVec4(*ACCENT, 1.0))
    imgui.text(title)
    imgui.pop_style_color()
    left = imgui.get_cursor_pos_x()
    column = left + max(imgui.calc_text_size(keys).x for keys, _ in rows) + imgui.get_text_line_height()
    for keys, text in rows:
        imgui.text(keys)
        imgui.same_line()
        imgui.set_cursor_pos_x(column)
        imgui.text_disabled(text)
    imgui.dummy(ImVec2(0, 0.3 * imgui.get_text_line_height()))
