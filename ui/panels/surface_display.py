"""What of the display only means something to a surface: part of the Display panel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imgui_bundle import imgui

from scenes.open_scene import SurfaceFile
from scenes.surface import NeuralSurface
from ui.actions import key_of
from ui.panels.widgets import choice, name, separated, tip
from ui.settings import COST_RANGES, LINE_SPACINGS
from ui.slices import AXES, axis_of, ends, offset_of, sliced

if TYPE_CHECKING:
    from ui.app import App

CLAMP = imgui.SliderFlags_.always_clamp
LOGARITHMIC = imgui.SliderFlags_.logarithmic | CLAMP


def draw_surface_display(app: App) -> None:
    """One frame of it, while a surface is open."""
    slot = app.surface_slot
    if slot is None or slot.loaded is None or not isinstance(slot.loaded.file, SurfaceFile):
        return
    surface = slot.loaded.file.surface
    if app.surface_look.view == "cost":
        _cost(app)
    elif app.surface_look.view == "slice":
        _slice(app, surface)
    elif app.surface_look.view == "colour":
        _light(app, surface)


def _cost(app: App) -> None:
    name("Red at")
    changed, most = imgui.slider_float(
        "##cost", app.surface_look.cost_range, *COST_RANGES, "%.0f networks", LOGARITHMIC
    )
    tip("networks evaluated for a pixel: blue is none, then green, yellow and red")
    if changed:
        app.set_surface_look(cost_range=most)


def _slice(app: App, surface: NeuralSurface) -> None:
    look = app.surface_look
    axis = AXES.index(choice("Slice across", AXES, AXES[axis_of(look)]))
    tip(key_of("surface: slice along the next axis"))
    if axis != axis_of(look):
        app.set_surface_look(slice=sliced(look, axis))
        return
    name(f"At {AXES[axis]}")
    changed, offset = imgui.slider_float("##slice", offset_of(look, surface), *ends(look, surface), "%.3g", CLAMP)
    tip(f"{key_of('surface: slice further back')} and {key_of('surface: slice further on')} move it; world units")
    if changed:
        app.set_surface_look(slice=sliced(look, offset=offset))
    name("Lines every")
    changed, spacing = imgui.slider_float("##spacing", look.slice.spacing, *LINE_SPACINGS, "%.2f cells", LOGARITHMIC)
    tip("of distance; the thick line is the surface, orange is inside, grey has no cells")
    if changed:
        app.set_surface_look(slice=replace(look.slice, spacing=spacing))


def _light(app: App, surface: NeuralSurface) -> None:
    separated()
    look, coloured = app.surface_look, surface.appearance is not None
    if coloured:
        name("Headlight")
        changed, on = imgui.checkbox("##headlight", look.headlight)
        tip(f"{key_of('surface: lit from the camera, without its colours')}: shows shape alone")
        if changed:
            app.set_surface_look(headlight=on)
    if look.headlight or not coloured:
        name("Material")
        flags = imgui.ColorEditFlags_.no_inputs | imgui.ColorEditFlags_.no_label
        changed, colour = imgui.color_edit3("##material", list(look.material), flags)
        if changed:
            app.set_surface_look(material=(colour[0], colour[1], colour[2]))
