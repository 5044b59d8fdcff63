"""Asks before changes of a scene file are lost: when the window is closed, and when another scene is opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, imgui

from scenes.naming import scene_name
from ui.stage_tool import StageTool
from ui.tool import Tool

if TYPE_CHECKING:
    from ui.app import App

WINDOW = "Not saved###unsaved"
WIDTH = 380.0  # at 96 dots an inch
BUTTONS = ("Save", "Do not save", "Cancel")


class UnsavedTool(Tool):
    """`waiting` is what is done once the user has said what becomes of the changes; None: nobody is asked."""

    def __init__(self) -> None:
        self.waiting: Callable[[], None] | None = None

    @property
    def asking(self) -> bool:
        """The user has not answered yet."""
        return self.waiting is not None

    def before(self, app: App, action: Callable[[], None]) -> bool:
        """Whether `action` has to wait for an answer, and is then done unless it is `Cancel`."""
        if not app.tool(StageTool).unsaved(app):
            return False
        self.waiting = action
        return True

    def save(self, app: App) -> None:
        """Goes on when the changes are in the file; where they cannot be, the user is told and nothing is done."""
        action, self.waiting = self.waiting, None
        if app.tool(StageTool).save(app) and action is not None:
            action()

    def lose(self, app: App) -> None:
        """Goes on without the changes."""
        action, self.waiting = self.waiting, None
        app.tool(StageTool).forget_changes()
        if action is not None:
            action()

    def cancel(self) -> bool:
        """Nothing is done; False if nobody was asked."""
        was, self.waiting = self.asking, None
        return was

    def draw_question(self, app: App) -> None:
        """One frame of the dialog."""
        if not self.asking:
            return
        if not imgui.is_popup_open(WINDOW):
            imgui.open_popup(WINDOW)
        imgui.set_next_window_pos(imgui.get_main_viewport().get_center(), imgui.Cond_.always, ImVec2(0.5, 0.5))
        imgui.set_next_window_size(ImVec2(min(WIDTH * app.gui.scale, 0.95 * app.window.size[0]), 0))
        flags = imgui.WindowFlags_.no_saved_settings | imgui.WindowFlags_.no_move | imgui.WindowFlags_.no_collapse
        shown, stays = imgui.begin_popup_modal(WINDOW, True, flags)
        if shown:
            self._content(app)
            if not self.asking:
                imgui.close_current_popup()
            imgui.end_popup()
        if not stays:
            self.cancel()

    def _content(self, app: App) -> None:
        path = app.tool(StageTool).path
        imgui.text_wrapped(f"{scene_name(path) if path else 'The scene'} has changes that are not saved.")
        imgui.dummy(ImVec2(0, 0.3 * imgui.get_text_line_height()))
        actions = (lambda: self.save(app), lambda: self.lose(app), self.cancel)
        for i, (word, action) in enumerate(zip(BUTTONS, actions, strict=True)):
            if i:
                imgui.same_line()
            if imgui.button(word):
                action()
