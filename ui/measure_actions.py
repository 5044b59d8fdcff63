"""The keys of measuring."""

from __future__ import annotations

import glfw

from ui.action import Action
from ui.measure import MeasureTool

MEASURE_ACTIONS = (
    Action(
        glfw.KEY_F3,
        "measure: pick two points, or stop",
        lambda app: app.tool(MeasureTool).toggle(app),
        on=lambda app: app.tool(MeasureTool).on,
    ),
    Action(glfw.KEY_F3, "measure: forget the points", lambda app: app.tool(MeasureTool).forget(), glfw.MOD_SHIFT),
)
