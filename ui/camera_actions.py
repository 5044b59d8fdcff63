"""The keys of the camera, and what buttons and gamepads do to it besides."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import glfw
from imgui_bundle import imgui

from scenes.cameras import PROJECTIONS
from scenes.errors import KilofieldError
from ui.action import Action
from ui.camera_text import camera_of_text, camera_text
from ui.heading import UP_AXES
from ui.scene_memory import SceneMemory

if TYPE_CHECKING:
    from ui.app import App

FOV_STEP = 1.1  # times, a press


def toggle_mode(app: App) -> None:
    """Orbits or flies."""
    app.navigator.set_mode("fly" if app.navigator.mode == "orbit" else "orbit")


def focus_at(app: App, x: float, y: float) -> bool:
    """Focuses on what is at a position on screen; False where there is nothing."""
    point = app.pick(x, y) if app.view_rect.holds(x, y) else None
    if point is not None:
        app.navigator.focus(point)
    return point is not None


def focus_or_frame(app: App) -> None:
    """Focuses on what is under the cursor, or shows the whole scene where nothing is."""
    if not focus_at(app, *app.inputs.cursor):
        app.navigator.frame_scene()


def next_projection(app: App) -> None:
    """Pinhole, orthographic, equirectangular, and round again."""
    here = PROJECTIONS.index(app.navigator.projection)
    app.navigator.set_projection(PROJECTIONS[(here + 1) % len(PROJECTIONS)])


def next_up(app: App) -> None:
    """The next of the world's axes is up, and is remembered."""
    axes = list(UP_AXES.values())
    index = max(range(len(axes)), key=lambda i: float(axes[i] @ app.navigator.up))
    app.tool(SceneMemory).set_up(app, axes[(index + 1) % len(axes)])


def up_as_in_picture(app: App) -> None:
    """What is up in the picture is up in the world, and is remembered."""
    app.tool(SceneMemory).set_up(app, app.navigator.up_in_picture())


def scale_fov(factor: float) -> Callable[[App], None]:
    """Multiplies the field of view."""
    return lambda app: app.navigator.set_fov(app.navigator.fov_y * factor)


def copy_camera(app: App) -> None:
    """Puts the camera on the clipboard, as JSON."""
    imgui.set_clipboard_text(camera_text(app.camera()))
    app.note("The camera is on the clipboard")


def paste_camera(app: App) -> None:
    """Goes to the camera on the clipboard."""
    try:
        app.navigator.fly_to(camera_of_text(imgui.get_clipboard_text() or ""))
    except KilofieldError as error:
        app.messages.error(str(error))


CAMERA_ACTIONS = (
    Action(glfw.KEY_TAB, "orbit or fly", toggle_mode),
    Action(glfw.KEY_F, "focus under the cursor, else the whole scene", focus_or_frame),
    Action(glfw.KEY_HOME, "show the whole scene", lambda app: app.navigator.frame_scene()),
    Action(glfw.KEY_R, "back to the first view", lambda app: app.navigator.reset()),
    Action(
        glfw.KEY_HOME,
        "this is the first view",
        lambda app: app.tool(SceneMemory).keep_first_view(app),
        glfw.MOD_CONTROL,
    ),
    Action(glfw.KEY_X, "level: no roll", lambda app: app.navigator.level()),
    Action(glfw.KEY_U, "next up axis", next_up),
    Action(glfw.KEY_U, "up is up in the picture", up_as_in_picture, glfw.MOD_SHIFT),
    Action(glfw.KEY_O, "next projection", next_projection),
    Action(glfw.KEY_LEFT_BRACKET, "narrower field of view", scale_fov(1 / FOV_STEP), repeats=True),
    Action(glfw.KEY_RIGHT_BRACKET, "wider field of view", scale_fov(FOV_STEP), repeats=True),
    Action(glfw.KEY_COMMA, "fly slower", lambda app: app.navigator.change_speed(-1), repeats=True),
    Action(glfw.KEY_PERIOD, "fly faster", lambda app: app.navigator.change_speed(1), repeats=True),
    Action(glfw.KEY_C, "copy the camera", copy_camera, glfw.MOD_CONTROL),
    Action(glfw.KEY_V, "paste a camera", paste_camera, glfw.MOD_CONTROL),
)
