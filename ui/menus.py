"""The menu bar: each group of `ui.actions.ACTIONS` is a menu, and View has the panels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgui_bundle import imgui

from ui.action import Action
from ui.actions import ACTIONS, key_name
from ui.panels import PANELS

if TYPE_CHECKING:
    from ui.app import App


def draw_menus(app: App) -> None:
    """One frame of it."""
    if not imgui.begin_main_menu_bar():
        return
    for group, actions in ACTIONS.items():
        if imgui.begin_menu(group):
            for action in actions:
                _entry(app, action)
            if group == "View":
                imgui.separator()
                _panels(app)
            imgui.end_menu()
    imgui.end_main_menu_bar()


def _entry(app: App, action: Action) -> None:
    on = action.on(app) if action.on else False
    label = action.text[0].upper() + action.text[1:]
    if imgui.menu_item(label, key_name(action.key, action.modifier), on)[0]:
        action.run(app)


def _panels(app: App) -> None:
    for panel in PANELS:
        if imgui.menu_item(f"{panel.title}##panel", "", panel.title in app.shown_panels)[0]:
            app.toggle_panel(panel.title)
    if imgui.menu_item("Panels where they were at first", "", False)[0]:
        app.docking.reset()
