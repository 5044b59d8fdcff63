"""The panel of measuring: the two points, the distance, the scale of the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, imgui

from ui.actions import key_of
from ui.measure import PANEL_TITLE, MeasureTool, length_text
from ui.panels.panel import Panel
from ui.panels.widgets import gap, name, quiet, rows, tip
from ui.scene_memory import SceneMemory

if TYPE_CHECKING:
    from ui.app import App


class _Typed:
    """The length that is being typed."""

    metres = 1.0


def draw(app: App) -> None:
    """One frame of it."""
    tool = app.tool(MeasureTool)
    changed, _ = imgui.checkbox("Pick points in the scene", tool.on)
    tip(key_of("measure: pick two points, or stop"))
    if changed:
        tool.toggle(app)
    if not tool.points:
        quiet("Click on two points; drag one of them to move it.")
        _scale(app)
        return
    for letter, point in zip(("From", "To"), tool.points, strict=False):
        rows([(letter, "  ".join(f"{value:.4g}" for value in point))])
    _distance(app, tool)
    if imgui.button("Forget the points", ImVec2(-1, 0)):
        tool.forget()
    gap()
    _scale(app)


def _distance(app: App, tool: MeasureTool) -> None:
    if tool.distance is None:
        return
    step = "  ".join(f"{value:.4g}" for value in tool.points[1] - tool.points[0])
    metres = tool.metres(app)
    rows([("Apart", step), ("Distance", f"{tool.distance:.5g} units")])
    if metres is not None:
        rows([("", length_text(metres))])
    name("Which is")
    _, _Typed.metres = imgui.input_float("##metres", _Typed.metres, 0, 0, "%.4g m")
    if imgui.button("Set the scale of the scene", ImVec2(-1, 0)):
        tool.set_metres(app, _Typed.metres)
    tip("remembered beside the file")


def _scale(app: App) -> None:
    memory = app.tool(SceneMemory)
    scale = memory.notes.metres_per_unit
    if scale is None:
        quiet("The scale of the scene is not known: measure something of a known length.")
        return
    rows([("Scale", f"1 unit is {length_text(scale)}")])
    if imgui.button("Forget the scale", ImVec2(-1, 0)):
        memory.change(app, metres_per_unit=None)


PANEL = Panel(PANEL_TITLE, draw, "right")
