"""The help: mouse, held keys and every action with its key, in as many columns as there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, ImVec4, imgui

from ui.actions import ACTIONS, key_name
from ui.gamepad import PAD_HELP
from ui.inputs import HELD_KEYS
from ui.pad_tool import PadTool
from ui.theme import ACCENT

if TYPE_CHECKING:
    from ui.app import App

MOST_COLUMNS = 4
SHARE = 0.94  # of the window's width and height it may take

MOUSE = (
    ("Left drag", "orbit; look around when flying"),
    ("Right, middle drag", "move sideways; also Ctrl and left"),
    ("Wheel, two fingers", "nearer, farther; fly speed"),
    ("Double click", "focus on that point"),
    ("Drop a file", "open it"),
)

Rows = Sequence[tuple[str, str]]

_FLAGS = (
    imgui.WindowFlags_.no_docking
    | imgui.WindowFlags_.always_auto_resize
    | imgui.WindowFlags_.no_saved_settings
    | imgui.WindowFlags_.no_collapse
    | imgui.WindowFlags_.no_move
)


def draw_help(app: App) -> None:
    """One frame of it."""
    width, height = (SHARE * side for side in app.window.size)
    imgui.set_next_window_pos(imgui.get_main_viewport().get_center(), imgui.Cond_.always, ImVec2(0.5, 0.5))
    imgui.set_next_window_size_constraints(ImVec2(0, 0), ImVec2(width, height))
    shown, stays = imgui.begin("All keys###help", True, _FLAGS)
    if shown:
        _columns(_fitting(_blocks(app), width))
    imgui.end()
    app.switches.help = bool(stays)


def _fitting(blocks: Sequence[tuple[str, Rows]], width: float) -> list[list[tuple[str, Rows]]]:
    """The blocks in as many columns as `width` has room for."""
    line = imgui.get_text_line_height()
    room = width - 2 * imgui.get_style().window_padding.x - imgui.get_style().scrollbar_size
    for columns in range(MOST_COLUMNS, 1, -1):
        parts = arranged(blocks, columns)
        if sum(_keys_width(part) + line + _texts_width(part) for part in parts) + 2 * line * (columns - 1) <= room:
            return parts
    return arranged(blocks, 1)


def arranged(blocks: Sequence[tuple[str, Rows]], columns: int) -> list[list[tuple[str, Rows]]]:
    """The blocks in their order, cut into at most `columns` parts so that the longest is as short as can be."""
    lengths = [len(rows) + 2 for _, rows in blocks]  # a title and a gap
    for tallest in range(max(lengths), sum(lengths) + 1):
        parts: list[list[tuple[str, Rows]]] = [[]]
        room = tallest
        for block, length in zip(blocks, lengths, strict=True):
            if length > room:
                parts.append([])
                room = tallest
            parts[-1].append(block)
            room -= length
        if len(parts) <= columns:
            return parts
    raise AssertionError("one column holds everything")


def _blocks(app: App) -> list[tuple[str, Rows]]:
    groups = [
        (title, [(key_name(action.key, action.modifier), action.text_in(title)) for action in actions])
        for title, actions in ACTIONS.items()
    ]
    pad = [("Gamepad", PAD_HELP)] if app.tool(PadTool).pad.name else []
    return [("Mouse", MOUSE), ("Keys held", _held_rows()), *pad, *groups]


def _held_rows() -> Rows:
    keys = {name: key_name(key) for key, name in HELD_KEYS.items()}
    return [
        (f"{keys['forward']} {keys['back']}", "forward, back; nearer, farther"),
        (f"{keys['left']} {keys['right']}", "left and right"),
        (f"{keys['down']} {keys['up']}", "down and up"),
        ("Arrow keys", "orbit; look around when flying"),
        (f"{keys['roll anticlockwise']} {keys['roll clockwise']}", "roll"),
        ("Shift, Alt", "with these: fast, slow"),
    ]


def _columns(parts: list[list[tuple[str, Rows]]]) -> None:
    for number, part in enumerate(parts):
        if number:
            imgui.same_line(0, 2 * imgui.get_text_line_height())
        imgui.begin_group()
        for title, rows in part:
            _block(title, rows, _keys_width(part) + imgui.get_text_line_height())
        imgui.end_group()


def _keys_width(part: list[tuple[str, Rows]]) -> float:
    return max(imgui.calc_text_size(keys).x for _, rows in part for keys, _ in rows)


def _texts_width(part: list[tuple[str, Rows]]) -> float:
    return max(imgui.calc_text_size(text).x for _, rows in part for _, text in rows)


def _block(title: str, rows: Rows, width: float) -> None:
    """Keys, `width` of them, and what they do under a title."""
    imgui.push_style_color(imgui.Col_.text, ImVec4(*ACCENT, 1.0))
    imgui.text(title)
    imgui.pop_style_color()
    left, spacing = imgui.get_cursor_pos_x(), imgui.get_style().item_spacing
    imgui.push_style_var(imgui.StyleVar_.item_spacing, ImVec2(spacing.x, 0.3 * spacing.y))
    for keys, text in rows:
        imgui.text(keys)
        imgui.same_line()
        imgui.set_cursor_pos_x(left + width)
        imgui.text_disabled(text)
    imgui.pop_style_var()
    imgui.dummy(ImVec2(0, 0.3 * imgui.get_text_line_height()))
