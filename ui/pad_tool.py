"""The gamepad in the window: its pushes to the navigation, its buttons to what they do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import glfw

from ui.camera_actions import FOV_STEP, focus_at, scale_fov, toggle_mode
from ui.gamepad import Gamepad
from ui.path_tool import PathTool
from ui.tool import Tool

if TYPE_CHECKING:
    from ui.app import App

POLL_SECONDS = 1 / 60  # a pad sends no events: it has to be asked


def _focus(app: App) -> None:
    if not focus_at(app, *app.view_rect.middle):
        app.note("Nothing to focus on in the middle")


def _toggle_help(app: App) -> None:
    app.switches.help = not app.switches.help


PRESSES: dict[str, Callable[[App], None]] = {
    "focus": _focus,
    "reset": lambda app: app.navigator.reset(),
    "level": lambda app: app.navigator.level(),
    "mode": toggle_mode,
    "help": _toggle_help,
    "play": lambda app: app.tool(PathTool).toggle_play(app),
    "narrower": scale_fov(1 / FOV_STEP),
    "wider": scale_fov(FOV_STEP),
}


class PadTool(Tool):
    """Asks the first pad there is, every frame, while the window has the keyboard."""

    def __init__(self) -> None:
        self.pad = Gamepad()

    def step(self, app: App, seconds: float) -> bool:
        """What the pad does now; pads that come and go are told."""
        name = self.pad.name
        motion = self.pad.poll()
        if self.pad.name != name:
            app.note(f"Gamepad: {self.pad.name}" if self.pad.name else f"Gamepad gone: {name}")
        self.patience = POLL_SECONDS if self.pad.name else math.inf
        if motion.still or not glfw.get_window_attrib(app.window.handle, glfw.FOCUSED):
            return False
        if motion.push.any():
            app.navigator.step([], seconds, more=motion.push)
        app.navigator.change_speed(motion.speed * seconds)
        for name in sorted(motion.pressed):
            PRESSES[name](app)
        return True
