"""Which panels are open, and their windows."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, imgui

from ui.panels import PANELS

if TYPE_CHECKING:
    from ui.app import App

FRONT_FRAMES = 3  # a window that is new pushes itself to the front a frame later
FLOATING = (340.0, 420.0)  # at 96 dots an inch, of a panel pulled out


class PanelWindows:
    """`open` has the titles of the panels there are."""

    def __init__(self, opened: Collection[str] | None) -> None:
        """With those of an earlier run, or None for a first one."""
        known = {panel.title for panel in PANELS}
        first = {panel.title for panel in PANELS if panel.shown}
        self.open = first if opened is None else known & set(opened)
        self._to_front: dict[str, int] = {}  # by title, frames

    def show(self, title: str, shown: bool = True) -> None:
        """Opens a panel and brings it to the front, or closes it."""
        if shown:
            self.open.add(title)
            self._to_front[title] = FRONT_FRAMES
        else:
            self.open.discard(title)

    def first_tabs(self) -> None:
        """Of the panels that share a place in the first layout, brings the first to the front."""
        places = {panel.place: panel.title for panel in reversed(PANELS) if panel.title in self.open}
        self._to_front |= dict.fromkeys(places.values(), FRONT_FRAMES)

    def draw(self, app: App) -> None:
        """One frame of them."""
        for panel in PANELS:
            if panel.title not in self.open:
                continue
            if self._to_front.get(panel.title):
                imgui.set_next_window_focus()
                self._to_front[panel.title] -= 1
            size = ImVec2(FLOATING[0] * app.gui.scale, FLOATING[1] * app.gui.scale)
            imgui.set_next_window_size(size, imgui.Cond_.first_use_ever)
            seen, stays = imgui.begin(panel.title, True, imgui.WindowFlags_.no_collapse)
            if seen:
                panel.draw(app)
            imgui.end()
            if not stays:
                self.show(panel.title, False)
