"""The panel that steers the camera."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imgui_bundle import imgui

from scenes.cameras import PROJECTIONS
from ui.actions import key_of
from ui.heading import UP_AXES
from ui.navigation import FOV_LIMITS, SPEED_LIMITS
from ui.panels.panel import Panel
from ui.panels.widgets import choice, half_width, name, tip

if TYPE_CHECKING:
    from ui.app import App


def draw(app: App) -> None:
    """One frame of it."""
    _steering(app)
    _up_axis(app)
    _lens(app)
    if app.navigator.mode == "fly":
        _speed(app)
    _buttons(app)


def _steering(app: App) -> None:
    name("Steering")
    for mode in ("orbit", "fly"):
        if imgui.radio_button(mode.capitalize(), app.navigator.mode == mode):
            app.navigator.set_mode(mode)
        tip(f"{key_of('orbit or fly')} switches")
        imgui.same_line()
    imgui.new_line()


def _up_axis(app: App) -> None:
    name("Up axis")
    names = list(UP_AXES)
    here = max(range(len(names)), key=lambda i: float(UP_AXES[names[i]] @ app.navigator.up))
    changed, index = imgui.combo("##up", here, names)
    tip(f"{key_of('next up axis')} takes the next; {key_of('level: no roll')} levels the camera")
    if changed:
        app.navigator.set_up(UP_AXES[names[index]])


def _lens(app: App) -> None:
    projection = choice("Projection", PROJECTIONS, app.navigator.projection)
    if projection != app.navigator.projection:
        app.navigator.set_projection(projection)
    name("Field of view")
    degrees = math.degrees(app.navigator.fov_y)
    low, high = (math.degrees(limit) for limit in FOV_LIMITS)
    changed, degrees = imgui.slider_float("##fov", degrees, low, high, "%.0f°", imgui.SliderFlags_.always_clamp)
    if changed:
        app.navigator.set_fov(math.radians(degrees))


def _speed(app: App) -> None:
    name("Speed")
    flags = imgui.SliderFlags_.logarithmic | imgui.SliderFlags_.always_clamp
    changed, speed = imgui.slider_float("##speed", app.navigator.speed, *SPEED_LIMITS, "%.2f radii/s", flags)
    tip("of the scene's radius a second; the wheel changes it")
    if changed:
        app.navigator.speed = speed


def _buttons(app: App) -> None:
    half = half_width()
    if imgui.button("Whole scene", half):
        app.navigator.frame_scene()
    tip(key_of("show the whole scene"))
    imgui.same_line()
    if imgui.button("First view", half):
        app.navigator.reset()
    tip(key_of("back to the first view"))


PANEL = Panel("Camera", draw, "left", shown=True)
