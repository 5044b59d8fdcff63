"""Measuring: two points picked in the scene, the distance between them, and what it is in metres."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import glfw
import numpy as np
from imgui_bundle import ImVec2, imgui

from ui.gui import colour_u32
from ui.scene_memory import SceneMemory
from ui.screen import Points
from ui.theme import PANEL, TEXT
from ui.tool import Tool

if TYPE_CHECKING:
    from ui.app import App
    from ui.loading import LoadedScene

PANEL_TITLE = "Measure"
LINE = (1.0, 0.83, 0.25)
REACH = 10.0  # screen coordinates at 96 dots an inch at which a point can be taken
TREMBLE = 4.0  # of a hand that clicks; more is a drag, which turns the camera as ever
DOT = 4.5


class MeasureTool(Tool):
    """`on`: clicks over the scene pick. `points` are the two, or as many as there are, [3] in the world."""

    def __init__(self) -> None:
        self.on = False
        self.points: list[Points] = []
        self._scene: LoadedScene | None = None
        self._pressed: tuple[float, float] | None = None
        self._taken: int | None = None  # the point under the press
        self._moved = 0.0

    def toggle(self, app: App) -> None:
        """Begins, or stops; the points stay."""
        self.on = not self.on
        if self.on:
            app.show_panel(PANEL_TITLE)
            app.note("Click on two points of the scene")

    def forget(self) -> None:
        """No points."""
        self.points = []

    @property
    def distance(self) -> float | None:
        """Between the two, in world units."""
        return float(np.linalg.norm(self.points[1] - self.points[0])) if len(self.points) == 2 else None

    def metres(self, app: App) -> float | None:
        """The distance, once the scale of the scene is known."""
        scale, distance = app.tool(SceneMemory).notes.metres_per_unit, self.distance
        return None if scale is None or distance is None else scale * distance

    def set_metres(self, app: App, metres: float) -> None:
        """The distance is this long: gives the scene its scale, which is remembered."""
        if self.distance and metres > 0:
            app.tool(SceneMemory).change(app, metres_per_unit=metres / self.distance)

    def pick(self, app: App, x: float, y: float, index: int | None = None) -> None:
        """Takes the point under a position on screen, in place of point `index`, or begins anew after two."""
        point = app.pick(x, y)
        if point is None:
            app.note("Nothing to measure there")
        elif index is not None:
            self.points[index] = point
        else:
            self.points = [*(self.points if len(self.points) < 2 else []), point]

    # What the user does

    def on_press(self, app: App, x: float, y: float, button: int, modifiers: int) -> bool:
        """A click picks, or takes hold of a point there is."""
        if not self.on or button != glfw.MOUSE_BUTTON_LEFT:
            return False
        self._pressed, self._moved = (x, y), 0.0
        self._taken = self._point_at(app, x, y)
        return True

    def on_drag(self, app: App, x: float, y: float, dx: float, dy: float) -> None:
        """Turns the camera, unless a point is held."""
        self._moved += math.hypot(dx, dy)
        if self._taken is None and self._moved > TREMBLE * app.gui.scale:
            app.dragged("turn", dx, dy)

    def on_release(self, app: App, x: float, y: float) -> None:
        """Picks."""
        dragged = self._moved > TREMBLE * app.gui.scale
        if self._taken is not None and dragged:
            self.pick(app, x, y, self._taken)
        elif not dragged:
            self.pick(app, x, y)
        self._pressed = self._taken = None

    def _point_at(self, app: App, x: float, y: float) -> int | None:
        if not self.points:
            return None
        places, _ = app.on_screen(np.stack(self.points))
        apart = np.nan_to_num(np.linalg.norm(places - [x, y], axis=1), nan=np.inf)
        nearest = int(np.argmin(apart))
        return nearest if apart[nearest] <= REACH * app.gui.scale else None

    def step(self, app: App, seconds: float) -> bool:
        """Another scene has other points."""
        if app.loaded is not self._scene:
            self._scene = app.loaded
            self.forget()
        return False

    # What is seen

    def draw(self, app: App, pen: imgui.ImDrawList) -> None:
        """The points, the line, and its length."""
        if not self.points:
            return
        places, _ = app.on_screen(np.stack(self.points))
        shown = [ImVec2(*place) for place in places if np.isfinite(place).all()]
        if len(shown) == 2:
            for width, colour in ((4.0, colour_u32(PANEL, 0.7)), (2.0, colour_u32(LINE))):
                pen.add_line(shown[0], shown[1], colour, width * app.gui.scale)
            _draw_text(pen, app, shown, self.text(app))
        elif len(self.points) == 1 and shown and self.on:
            pen.add_line(shown[0], ImVec2(*app.inputs.cursor), colour_u32(LINE, 0.6), 1.5 * app.gui.scale)
        for place in shown:
            pen.add_circle_filled(place, (DOT + 1.5) * app.gui.scale, colour_u32(PANEL, 0.8))
            pen.add_circle_filled(place, DOT * app.gui.scale, colour_u32(LINE))

    def text(self, app: App) -> str:
        """The distance as it is shown."""
        distance, metres = self.distance, self.metres(app)
        if distance is None:
            return ""
        return f"{distance:.4g} units" if metres is None else length_text(metres)


def length_text(metres: float) -> str:
    """In the unit that reads best."""
    for factor, unit in ((1e-3, "km"), (1.0, "m"), (1e2, "cm")):
        if metres * factor >= 1:
            return f"{metres * factor:.4g} {unit}"
    return f"{1e3 * metres:.4g} mm"


def _draw_text(pen: imgui.ImDrawList, app: App, ends: list[ImVec2], text: str) -> None:
    """Beside the middle of the line."""
    size, scale = imgui.calc_text_size(text), app.gui.scale
    x, y = 0.5 * (ends[0].x + ends[1].x), 0.5 * (ends[0].y + ends[1].y)
    corner = ImVec2(x - 0.5 * size.x, y - size.y - 12 * scale)
    pad = 6 * scale
    pen.add_rect_filled(
        ImVec2(corner.x - pad, corner.y - 0.5 * pad),
        ImVec2(corner.x + size.x + pad, corner.y + size.y + 0.5 * pad),
        colour_u32(PANEL, 0.85),
        4 * scale,
    )
    pen.add_text(corner, colour_u32(TEXT), text)
