"""The keys of exporting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import glfw

from ui.action import Action
from ui.export_tool import PANEL_TITLE, ExportTool, PictureWishes

if TYPE_CHECKING:
    from ui.app import App


def _without_background(app: App) -> None:
    app.tool(ExportTool).save_picture(app, PictureWishes(alpha=True))


EXPORT_ACTIONS = (
    Action(glfw.KEY_E, "export: the panel", lambda app: app.toggle_panel(PANEL_TITLE), glfw.MOD_CONTROL),
    Action(glfw.KEY_P, "save a picture without background", _without_background, glfw.MOD_SHIFT),
    Action(glfw.KEY_F8, "export: a picture, as the panel says", lambda app: app.tool(ExportTool).save_picture(app)),
    Action(glfw.KEY_F9, "export: the camera path, as the panel says", lambda app: app.tool(ExportTool).save_path(app)),
    Action(glfw.KEY_F7, "export: stop", lambda app: app.tool(ExportTool).cancel(app)),
)
