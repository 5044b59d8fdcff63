"""The keys of comparing two scenes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import glfw

from ui.action import Action
from ui.compare import PANEL_TITLE, SPLIT_STEP, CompareTool

if TYPE_CHECKING:
    from ui.app import App


def _compared(run: Callable[[CompareTool, App], None]) -> Callable[[App], None]:
    """What only means something while two scenes are compared."""

    def act(app: App) -> None:
        tool = app.tool(CompareTool)
        if tool.active:
            run(tool, app)
        else:
            app.show_panel(PANEL_TITLE)
            app.note("Nothing to compare with: choose another file in the panel")

    return act


def _move(step: float) -> Callable[[App], None]:
    def move(tool: CompareTool, app: App) -> None:
        if tool.mode != "split":
            tool.set_mode(app, "split")
        tool.move_split(tool.split + step)

    return _compared(move)


COMPARE_ACTIONS = (
    Action(glfw.KEY_J, "compare: next way to show both", _compared(lambda tool, app: tool.next_mode(app, 1))),
    Action(glfw.KEY_J, "compare: previous way", _compared(lambda tool, app: tool.next_mode(app, -1)), glfw.MOD_SHIFT),
    Action(glfw.KEY_SEMICOLON, "compare: split further left", _move(-SPLIT_STEP), repeats=True),
    Action(glfw.KEY_APOSTROPHE, "compare: split further right", _move(SPLIT_STEP), repeats=True),
    Action(glfw.KEY_T, "compare: A or B alone, in turn", _compared(lambda tool, app: tool.flick(app))),
    Action(
        glfw.KEY_T,
        "compare: flicker by itself",
        _compared(lambda tool, app: tool.set_flicker(app, not tool.flicker)),
        glfw.MOD_SHIFT,
        on=lambda app: app.tool(CompareTool).flicker,
    ),
    Action(glfw.KEY_Y, "compare: swap A and B", _compared(lambda tool, app: tool.swap())),
    Action(glfw.KEY_J, "compare: the panel", lambda app: app.toggle_panel(PANEL_TITLE), glfw.MOD_CONTROL),
)
