"""The panel of the display's switches: what a picture of the scene shows, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, imgui

from renderer.settings import CropBox
from ui.actions import key_of
from ui.panels.panel import Panel
from ui.panels.surface_display import draw_surface_display
from ui.panels.widgets import choice, name, separated, tip
from ui.settings import ANTIALIASED, SPLAT_SCALES

if TYPE_CHECKING:
    from ui.app import App

CLAMP = imgui.SliderFlags_.always_clamp
LOGARITHMIC = imgui.SliderFlags_.logarithmic | CLAMP
OVERDRAW = (1.0, 4096.0)
DRAG = 0.002  # of the scene's radius, a pixel
NEXT_VIEW = "next view: colour, depth, normals, ..."


def draw(app: App) -> None:
    """One frame of it."""
    view = choice("View", app.views, app.view)
    tip(f"{key_of(NEXT_VIEW)} takes the next")
    if view != app.view:
        app.set_view(view)
    if view == "depth":
        _depth(app)
    elif view == "overdraw":
        _overdraw(app)
    if app.kinds != {"stage"}:
        _background(app)
    draw_surface_display(app)
    if app.shows("gaussians"):
        _splats(app)
        _culling(app)
    _buttons(app)


def _depth(app: App) -> None:
    name("Depth range")
    changed, auto = imgui.checkbox("as the camera sees it", app.switches.auto_depth)
    if changed:
        app.switches.auto_depth = auto
        app.set_look(depth_range=app.shown_depths())  # what is fixed is what was shown
    if app.switches.auto_depth:
        return
    near, far = app.look.depth_range
    step = DRAG * app.navigator.extent.radius
    name("Black, white at")
    changed, new = imgui.drag_float2("##depth", [near, far], step, 0.0, 1e9, "%.3g", CLAMP)
    tip("world units from the camera; drag, or double-click to type")
    if changed and new[0] < new[1]:
        app.set_look(depth_range=(new[0], new[1]))


def _overdraw(app: App) -> None:
    name("White at")
    changed, most = imgui.slider_float("##overdraw", app.look.overdraw_range, *OVERDRAW, "%.0f Gaussians", LOGARITHMIC)
    if changed:
        app.set_look(overdraw_range=most)


def _background(app: App) -> None:
    name("Background")
    flags = imgui.ColorEditFlags_.no_inputs | imgui.ColorEditFlags_.no_label
    changed, colour = imgui.color_edit3("##background", list(app.look.background), flags)
    tip(f"{key_of('black, grey or white background')} takes the next")
    if changed:
        app.set_look(background=(colour[0], colour[1], colour[2]))


def _splats(app: App) -> None:
    separated()
    look, there = app.look, app.sh_degree
    if there:
        name("SH degree")
        changed, degree = imgui.slider_int("##sh", app.shown_sh_degree, 0, there)
        tip("how much of the colour's change with direction is shown")
        if changed:
            app.set_look(sh_degree=None if degree == there else degree)
    name("Splat scale")
    changed, scale = imgui.slider_float("##scale", look.scale, *SPLAT_SCALES, "%.2f", CLAMP)
    if changed:
        app.set_look(scale=scale)
    name("Antialiased")
    labels, values = [label for label, _ in ANTIALIASED], [value for _, value in ANTIALIASED]
    changed, index = imgui.combo("##antialiased", values.index(look.antialiased), labels)
    if changed:
        app.set_look(antialiased=values[index])


def _culling(app: App) -> None:
    separated()
    name("Min. opacity")
    changed, opacity = imgui.slider_float("##opacity", app.look.min_opacity, 0.0, 1.0, "%.2f", CLAMP)
    tip("Gaussians less opaque than this are left out")
    if changed:
        app.set_look(min_opacity=opacity)
    _crop(app)


def _crop(app: App) -> None:
    crop, extent = app.look.crop, app.navigator.extent
    name("Crop box")
    changed, _ = imgui.checkbox("##crop", crop is not None)
    tip(f"{key_of('crop box')}; Gaussians whose centre is outside are left out")
    if changed:
        app.toggle_crop()
    if crop is None:
        return
    step = DRAG * extent.radius
    for label, ends in (("From x y z", crop.lowest), ("To x y z", crop.highest)):
        name(label)
        changed, new = imgui.drag_float3(f"##{label}", list(ends), step, 0.0, 0.0, "%.3g")
        if changed:
            end = (new[0], new[1], new[2])
            lowest, highest = (end, crop.highest) if ends is crop.lowest else (crop.lowest, end)
            if all(low <= high for low, high in zip(lowest, highest, strict=True)):
                app.set_look(crop=CropBox(lowest, highest))


def _buttons(app: App) -> None:
    separated()
    if imgui.button(f"Everything as at first ({key_of('display as at first')})", ImVec2(-1, 0)):
        app.reset_display()


PANEL = Panel("Display", draw, "left below", shown=True)
