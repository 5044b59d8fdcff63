"""What can be seen and taken hold of in the scene: the base of every tool."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgui_bundle import imgui

    from ui.app import App


class Tool:
    """Does nothing. Positions are screen coordinates, inside `app.view_rect` when a button goes down."""

    patience = math.inf  # s it can go without a `step`, when nothing else goes on

    def on_press(self, app: App, x: float, y: float, button: int, modifiers: int) -> bool:
        """A mouse button (glfw's) goes down over the scene; True takes it, and the drag and the release after it."""
        return False

    def on_drag(self, app: App, x: float, y: float, dx: float, dy: float) -> None:
        """The cursor moved by dx, dy to x, y while the button is held."""

    def on_release(self, app: App, x: float, y: float) -> None:
        """The button that was taken went up; also when the window lost the keyboard meanwhile."""

    def step(self, app: App, seconds: float) -> bool:
        """Before each frame is drawn; True while something goes on, so that the next frame comes at once."""
        return False

    def draw(self, app: App, pen: imgui.ImDrawList) -> None:
        """Draws over the picture; called every frame while a scene is open. imgui's windows are not to be made here."""

    def close(self) -> None:
        """The window closes: frees what it holds."""
