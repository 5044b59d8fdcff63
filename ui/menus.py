"""The menu bar: each group of `ui.actions.ACTIONS` is a menu; File has the recent files too, Panels every panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgui_bundle import imgui

from scenes.naming import scene_name
from ui.action import Action
from ui.actions import ACTIONS, key_name
from ui.panels import PANELS
from ui.panels.widgets import shortened, tip
from ui.settings import TEXT_STEPS

if TYPE_CHECKING:
    from ui.app import App


def draw_menus(app: App) -> None:
    """One frame of it."""
    if not imgui.begin_main_menu_bar():
        return
    for group, actions in ACTIONS.items():
        if imgui.begin_menu(group):
            for action in actions:
                if group == "File" and action.text == "quit":
                    _recent(app)
                _entry(app, action, action.text_in(group))
                if action.text == "previous view":
                    _views(app)
            if group == "Panels":
                _panels(app)
            imgui.end_menu()
    imgui.end_main_menu_bar()


def _entry(app: App, action: Action, text: str) -> None:
    on = action.on(app) if action.on else False
    usable = action.needs is None or app.shows(action.needs)
    if imgui.menu_item(text[0].upper() + text[1:], key_name(action.key, action.modifier), on, usable)[0]:
        action.run(app)


def _recent(app: App) -> None:
    if imgui.begin_menu("Recent files", bool(app.stored.recent)):
        for index, path in enumerate(app.stored.recent):
            if imgui.menu_item(f"{shortened(scene_name(path), 48)}##{index}", "", False)[0]:
                app.open(path)
            tip(str(path))
        imgui.separator()
        if imgui.menu_item("Forget these", "", False)[0]:
            app.stored.recent.clear()
        imgui.end_menu()
    imgui.separator()


def _views(app: App) -> None:
    if imgui.begin_menu("Show"):
        for view in app.views:
            if imgui.menu_item(view.capitalize(), "", view == app.view)[0]:
                app.set_view(view)
        imgui.end_menu()


def _panels(app: App) -> None:
    if imgui.begin_menu("Text size"):
        for size in TEXT_STEPS:
            if imgui.menu_item(f"{100 * size:.0f} %", "", app.stored.text_size == size)[0]:
                app.set_text_size(size)
        imgui.end_menu()
    imgui.separator()
    for panel in PANELS:
        if imgui.menu_item(f"{panel.title}##panel", "", panel.title in app.panels.open)[0]:
            app.toggle_panel(panel.title)
