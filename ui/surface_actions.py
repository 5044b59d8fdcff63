"""The keys that only mean something to a surface."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import glfw

from scenes.open_scene import SurfaceFile
from ui.action import Action
from ui.settings import SLICE_STEP
from ui.slices import AXES, axis_of, moved, sliced

if TYPE_CHECKING:
    from ui.app import App


def _show_slice(app: App) -> bool:
    """Turns the slice view on; False if it already was."""
    turned_on = app.view != "slice"
    app.set_view("slice")
    return turned_on


def _next_axis(app: App) -> None:
    if not _show_slice(app):
        app.set_surface_look(slice=sliced(app.surface_look, (axis_of(app.surface_look) + 1) % len(AXES)))


def _move_slice(share: float) -> Callable[[App], None]:
    def move(app: App) -> None:
        slot = app.surface_slot
        if _show_slice(app) or slot is None or slot.loaded is None or not isinstance(slot.loaded.file, SurfaceFile):
            return
        app.set_surface_look(slice=moved(app.surface_look, slot.loaded.file.surface, share))

    return move


def _toggle_headlight(app: App) -> None:
    app.set_surface_look(headlight=not app.surface_look.headlight)


SURFACE_ACTIONS = (
    Action(
        glfw.KEY_H,
        "surface: lit from the camera, without its colours",
        _toggle_headlight,
        glfw.MOD_SHIFT,
        on=lambda app: app.surface_look.headlight,
        needs="surface",
    ),
    Action(glfw.KEY_SLASH, "surface: slice along the next axis", _next_axis, glfw.MOD_CONTROL, needs="surface"),
    Action(
        glfw.KEY_COMMA,
        "surface: slice further back",
        _move_slice(-SLICE_STEP),
        glfw.MOD_CONTROL,
        repeats=True,
        needs="surface",
    ),
    Action(
        glfw.KEY_PERIOD,
        "surface: slice further on",
        _move_slice(SLICE_STEP),
        glfw.MOD_CONTROL,
        repeats=True,
        needs="surface",
    ),
)
