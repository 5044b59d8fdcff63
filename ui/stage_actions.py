"""The keys that edit a scene file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import glfw

from renderer.stage_settings import StageSettings
from ui.action import Action
from ui.stage_gizmo import OPERATIONS
from ui.stage_tool import PANEL_TITLE, StageTool

if TYPE_CHECKING:
    from ui.app import App

WORDS = {"move": "handles that move", "turn": "handles that turn", "scale": "handles that scale"}
INSTANT = ("never", "moving", "always")  # when there is instant light
INSTANT_WORDS = "edit: instant light: never, while the picture moves, always"
AXES_WORDS = "edit: handles along the thing's own axes, or the world's"


def _operation(name: str) -> Callable[[App], None]:
    def choose(app: App) -> None:
        app.tool(StageTool).operation = name

    return choose


def _toggle_axes(app: App) -> None:
    tool = app.tool(StageTool)
    tool.own_axes = not tool.own_axes


def instantly(look: StageSettings, when: str) -> StageSettings:
    """With instant light at one of `INSTANT`; always, it has less noise, too."""
    always = when == "always"
    return replace(look, instant=always, denoise=always, hurried=when != "never")


def _save(app: App) -> None:
    app.tool(StageTool).save(app)


def _next_instant(app: App) -> None:
    look = app.stage_look
    here = 2 if look.instant else int(look.hurried)
    when = INSTANT[(here + 1) % len(INSTANT)]
    app.stage_look = instantly(look, when)
    app.note(f"Instant light: {when}")


STAGE_ACTIONS = (
    *(
        Action(
            glfw.KEY_1 + i,
            f"edit: {WORDS[name]}",
            _operation(name),
            on=lambda app, name=name: app.tool(StageTool).operation == name,
            needs="stage",
        )
        for i, name in enumerate(OPERATIONS)
    ),
    Action(
        glfw.KEY_4,
        AXES_WORDS,
        _toggle_axes,
        on=lambda app: app.tool(StageTool).own_axes,
        needs="stage",
    ),
    Action(glfw.KEY_5, INSTANT_WORDS, _next_instant, needs="stage"),
    Action(glfw.KEY_F10, "edit: save the scene file", _save, needs="stage"),
    Action(
        glfw.KEY_F10,
        "edit: save the scene file as",
        lambda app: app.tool(StageTool).ask_save(app),
        glfw.MOD_SHIFT,
        needs="stage",
    ),
    Action(glfw.KEY_F12, "edit: the panel", lambda app: app.toggle_panel(PANEL_TITLE), needs="stage"),
)
