"""A path on a line of time: keys to drag, the playhead to scrub. imgui only; it changes nothing by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imgui_bundle import ImVec2, imgui

from ui.gui import colour_u32
from ui.theme import ACCENT, FIELD, QUIET, TEXT

HEIGHT = 3.2  # text lines
MARGIN = 1.0  # text lines, at both ends
GRAB = 0.6  # text lines around a key
LEAST = 4.0  # s shown
TICKS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
TICK_ROOM = 5.0  # text lines between ticks with numbers, at least


@dataclass(frozen=True)
class TimelineEvent:
    """What the user does: "pick" or "move" key `index` to `time`, "scrub" to `time`, or "drop" what was dragged."""

    kind: str
    time: float
    index: int = -1


class Timeline:
    """The state of a drag; `draw` is called every frame."""

    def __init__(self) -> None:
        self._held: int | None = None  # the key that is dragged
        self._range = LEAST  # s, kept while something is dragged
        self._line = (0.0, 1.0, 0.0)  # screen coordinates: left end, length, middle

    def draw(self, times: Sequence[float], selected: int | None, now: float) -> TimelineEvent | None:
        """One frame of it, over the room there is."""
        line = imgui.get_text_line_height()
        corner, width = imgui.get_cursor_screen_pos(), max(imgui.get_content_region_avail().x, 8 * line)
        imgui.invisible_button("timeline", ImVec2(width, HEIGHT * line))
        if not imgui.is_item_active():
            self._range = max(times[-1] * 1.15 if times else 0.0, LEAST)
        left, room = corner.x + MARGIN * line, width - 2 * MARGIN * line
        self._line = left, room, corner.y + 0.5 * HEIGHT * line
        places = [left + room * time / self._range for time in times]
        event = self._event(times, places, lambda x: max((x - left) / room * self._range, 0.0), line)
        pen = imgui.get_window_draw_list()
        _draw_ruler(pen, corner, width, left, room, self._range)
        _draw_keys(pen, places, selected, corner.y + 0.62 * HEIGHT * line, 0.42 * line)
        _draw_playhead(pen, left + room * min(now / self._range, 1.0), corner.y, HEIGHT * line)
        return event

    def _event(
        self, times: Sequence[float], places: Sequence[float], time_at: Callable[[float], float], line: float
    ) -> TimelineEvent | None:
        x = imgui.get_mouse_pos().x
        if imgui.is_item_activated():
            near = min(range(len(places)), key=lambda i: abs(places[i] - x), default=None)
            self._held = near if near is not None and abs(places[near] - x) <= GRAB * line else None
            if self._held is not None:
                return TimelineEvent("pick", times[self._held], self._held)
            return TimelineEvent("scrub", time_at(x))
        if imgui.is_item_deactivated():
            self._held = None
            return TimelineEvent("drop", 0.0)
        if imgui.is_item_active() and imgui.get_io().mouse_delta.x:
            if self._held is None:
                return TimelineEvent("scrub", time_at(x))
            if imgui.is_mouse_dragging(0):
                return TimelineEvent("move", time_at(x), self._held)
        return None

    def place(self, time: float) -> tuple[float, float, float]:
        """Where a time is on screen, x and y, and the seconds of a screen coordinate."""
        left, room, y = self._line
        return left + room * time / self._range, y, self._range / room

    def follow(self, index: int) -> None:
        """The dragged key has another index now: it passed another."""
        self._held = index


def _draw_ruler(pen: imgui.ImDrawList, corner: ImVec2, width: float, left: float, room: float, range_: float) -> None:
    line = imgui.get_text_line_height()
    bottom = corner.y + HEIGHT * line
    pen.add_rect_filled(corner, ImVec2(corner.x + width, bottom), colour_u32(FIELD), 4.0)
    step = next((tick for tick in TICKS if room * tick / range_ >= TICK_ROOM * line), range_)
    for i in range(math.floor(range_ / step) + 1):
        x = left + room * i * step / range_
        pen.add_line(ImVec2(x, corner.y), ImVec2(x, bottom), colour_u32(QUIET, 0.25), 1.0)
        text = f"{i * step:g} s"
        if x + 3 + imgui.calc_text_size(text).x <= corner.x + width:
            pen.add_text(ImVec2(x + 3, corner.y + 1), colour_u32(QUIET), text)


def _draw_keys(pen: imgui.ImDrawList, places: Sequence[float], selected: int | None, y: float, size: float) -> None:
    for i, x in enumerate(places):
        colour = TEXT if i == selected else ACCENT
        corners = ImVec2(x, y - size), ImVec2(x + size, y), ImVec2(x, y + size), ImVec2(x - size, y)
        pen.add_quad_filled(*corners, colour_u32(colour))


def _draw_playhead(pen: imgui.ImDrawList, x: float, top: float, height: float) -> None:
    pen.add_line(ImVec2(x, top), ImVec2(x, top + height), colour_u32(TEXT, 0.9), 2.0)
    pen.add_triangle_filled(ImVec2(x - 5, top), ImVec2(x + 5, top), ImVec2(x, top + 7), colour_u32(TEXT, 0.9))
