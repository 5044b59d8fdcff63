"""The panel of the display's switches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, imgui

from renderer.settings import VIEWS
from ui.actions import key_of
from ui.panels.panel import Panel
from ui.panels.widgets import choice, name, tip
from ui.settings import ANTIALIASED, SPLAT_SCALES

if TYPE_CHECKING:
    from ui.app import App


def draw(app: App) -> None:
    """One frame of it."""
    look = app.look
    view = choice("View", VIEWS, look.view)
    if view != look.view:
        app.set_look(view=view)
    if app.scenes[0].sh_degree:
        _sh_degree(app)
    name("Splat scale")
    changed, scale = imgui.slider_float("##scale", look.scale, *SPLAT_SCALES, "%.2f", imgui.SliderFlags_.always_clamp)
    if changed:
        app.set_look(scale=scale)
    name("Antialiased")
    labels, values = [label for label, _ in ANTIALIASED], [value for _, value in ANTIALIASED]
    changed, index = imgui.combo("##antialiased", values.index(look.antialiased), labels)
    if changed:
        app.set_look(antialiased=values[index])
    name("Background")
    changed, colour = imgui.color_edit3("##background", list(look.background), imgui.ColorEditFlags_.no_inputs)
    if changed:
        app.set_look(background=(colour[0], colour[1], colour[2]))
    if imgui.button(f"Save a picture ({key_of('save a picture (PNG)')})", ImVec2(-1, 0)):
        app.take_screenshot()


def _sh_degree(app: App) -> None:
    there = app.scenes[0].sh_degree
    name("SH degree")
    changed, degree = imgui.slider_int("##sh", app.shown_sh_degree, 0, there)
    tip("how much of the colour's change with direction is shown")
    if changed:
        app.set_look(sh_degree=None if degree == there else degree)


PANEL = Panel("Display", draw, "left below", shown=True)
