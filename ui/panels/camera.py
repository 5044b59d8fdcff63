"""The panel that steers the camera, by hand and by numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from imgui_bundle import imgui

from scenes.cameras import PROJECTIONS
from ui.actions import key_of
from ui.camera_actions import copy_camera, paste_camera, up_as_in_picture
from ui.heading import UP_AXES
from ui.navigation import FOV_LIMITS, SPEED_LIMITS
from ui.pad_tool import PadTool
from ui.panels.panel import Panel
from ui.panels.widgets import choice, half_width, name, quiet, section, tip
from ui.scene_memory import SceneMemory

if TYPE_CHECKING:
    from ui.app import App

PLACE_SPEED = 0.002  # of the scene's radius, a pixel of a drag
ANGLE_SPEED = 0.2  # degrees a pixel
NEAR_LIMITS = (1e-4, 10.0)  # of the scene's radius
GUESSED, OTHER, AS_IN_PICTURE = "as guessed", "another", "up in the picture"


def draw(app: App) -> None:
    """One frame of it."""
    _steering(app)
    _up_axis(app)
    _lens(app)
    if app.navigator.mode == "fly":
        _speed(app)
    _buttons(app)
    if section("By numbers"):
        _numbers(app)
    if section("First view"):
        _first_view(app)


def _steering(app: App) -> None:
    name("Steering")
    for mode in ("orbit", "fly"):
        if imgui.radio_button(mode.capitalize(), app.navigator.mode == mode):
            app.navigator.set_mode(mode)
        tip(f"{key_of('orbit or fly')} switches")
        imgui.same_line()
    imgui.new_line()
    pad = app.tool(PadTool).pad.name
    if pad:
        name("Gamepad")
        quiet(pad)


def _up_axis(app: App) -> None:
    name("Up axis")
    memory = app.tool(SceneMemory)
    axes = list(UP_AXES)
    here = next((axis for axis in axes if np.allclose(UP_AXES[axis], app.navigator.up)), OTHER)
    names = [*axes, AS_IN_PICTURE, *([GUESSED] if memory.notes.up is not None else []), *([OTHER] * (here == OTHER))]
    changed, index = imgui.combo("##up", names.index(here), names)
    tip(
        f"Remembered beside the file. {key_of('next up axis')} takes the next axis, {key_of('up is up in the picture')}"
        f" what is up in the picture; {key_of('level: no roll')} levels the camera"
    )
    if not changed or names[index] == OTHER:
        return
    if names[index] == AS_IN_PICTURE:
        up_as_in_picture(app)
    else:
        memory.set_up(app, UP_AXES.get(names[index]))


def _lens(app: App) -> None:
    navigator = app.navigator
    projection = choice("Projection", PROJECTIONS, navigator.projection)
    tip(f"{key_of('next projection')} takes the next")
    if projection != navigator.projection:
        navigator.set_projection(projection)
    name("Field of view")
    degrees = math.degrees(app.camera().fov_y)
    low, high = (math.degrees(limit) for limit in FOV_LIMITS)
    changed, degrees = imgui.slider_float("##fov", degrees, low, high, "%.1f°", imgui.SliderFlags_.always_clamp)
    tip(f"{key_of('narrower field of view')} and {key_of('wider field of view')}; Ctrl and a click to type")
    if changed:
        navigator.set_fov(math.radians(degrees))
    _near_plane(app)


def _near_plane(app: App) -> None:
    navigator = app.navigator
    name("Near plane")
    changed, own = imgui.checkbox("##own near", navigator.near is not None)
    tip("Cuts away what is nearer than this, in world units")
    if changed:
        navigator.near = navigator.extent.near if own else None
    imgui.same_line()
    imgui.set_next_item_width(-1)
    imgui.begin_disabled(navigator.near is None)
    low, high = (limit * navigator.extent.radius for limit in NEAR_LIMITS)
    flags = imgui.SliderFlags_.logarithmic | imgui.SliderFlags_.always_clamp
    changed, near = imgui.slider_float("##near", app.camera().near, low, high, "%.4g", flags)
    imgui.end_disabled()
    if changed and navigator.near is not None:
        navigator.near = near


def _speed(app: App) -> None:
    name("Speed")
    flags = imgui.SliderFlags_.logarithmic | imgui.SliderFlags_.always_clamp
    changed, speed = imgui.slider_float("##speed", app.navigator.speed, *SPEED_LIMITS, "%.2f radii/s", flags)
    tip(f"of the scene's radius a second; the wheel changes it, and {key_of('fly slower')} {key_of('fly faster')}")
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


def _numbers(app: App) -> None:
    """Place, target and angles to drag or, with a double click, to type; the camera as text."""
    navigator, orbit = app.navigator, app.navigator.orbit
    speed = PLACE_SPEED * navigator.extent.radius
    digits = f"%.{min(max(2 - math.floor(math.log10(navigator.extent.radius)), 0), 6)}f"  # a thousandth of the scene
    name("Position")
    changed, eye = imgui.drag_float3("##eye", orbit.eye.tolist(), speed, 0, 0, digits)
    if changed and np.isfinite(eye).all():
        navigator.move_to(np.array(eye, np.float64))
    name("Looks at")
    changed, target = imgui.drag_float3("##target", orbit.pivot.tolist(), speed, 0, 0, digits)
    if changed and np.isfinite(target).all():
        navigator.look_at(np.array(target, np.float64))
    name("Angles")
    heading = orbit.heading
    angles = [math.degrees(angle) for angle in (heading.yaw, heading.pitch, heading.roll)]
    changed, angles = imgui.drag_float3("##angles", angles, ANGLE_SPEED, 0, 0, "%.1f°")
    tip("Yaw, pitch and roll over the up axis")
    if changed and np.isfinite(angles).all():
        navigator.turn_to(*(math.radians(angle) for angle in angles))
    half = half_width()
    if imgui.button("Copy as JSON", half):
        copy_camera(app)
    tip(key_of("copy the camera"))
    imgui.same_line()
    if imgui.button("Paste", half):
        paste_camera(app)
    tip(key_of("paste a camera"))


def _first_view(app: App) -> None:
    memory = app.tool(SceneMemory)
    half = half_width()
    if imgui.button("Keep this one", half):
        memory.keep_first_view(app)
    tip(f"The scene opens with this view from now on ({key_of('this is the first view')})")
    imgui.same_line()
    imgui.begin_disabled(memory.notes.camera is None)
    if imgui.button("Forget it", half):
        memory.forget_first_view(app)
    imgui.end_disabled()


PANEL = Panel("Camera", draw, "left", shown=True)
