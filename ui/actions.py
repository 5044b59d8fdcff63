"""Every action, its key and its words: the one table that key presses, menus, the help and tooltips read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import glfw

from renderer.gaussian_renderer import PIPELINES, RESIDENCIES
from ui.action import Action
from ui.camera_actions import CAMERA_ACTIONS
from ui.compare_actions import COMPARE_ACTIONS
from ui.export_actions import EXPORT_ACTIONS
from ui.measure_actions import MEASURE_ACTIONS
from ui.path_actions import PATH_ACTIONS
from ui.save_tool import SaveTool
from ui.settings import ANTIALIASED, BACKGROUNDS, SPLAT_SCALES, TEXT_STEPS
from ui.stage_actions import STAGE_ACTIONS
from ui.surface_actions import SURFACE_ACTIONS
from ui.together import TogetherTool

if TYPE_CHECKING:
    from ui.app import App

SPLAT_STEP = 1.1


def _scale_splats(factor: float) -> Callable[[App], None]:
    low, high = SPLAT_SCALES
    return lambda app: app.set_look(scale=min(max(app.look.scale * factor, low), high))


def _next_view(step: int) -> Callable[[App], None]:
    return lambda app: app.set_view(app.views[(app.views.index(app.view) + step) % len(app.views)])


def _next_sh_degree(app: App) -> None:
    degree = app.shown_sh_degree - 1
    app.set_look(sh_degree=None if degree < 0 else degree)


def _next_background(app: App) -> None:
    here = BACKGROUNDS.index(app.look.background) if app.look.background in BACKGROUNDS else -1
    app.set_look(background=BACKGROUNDS[(here + 1) % len(BACKGROUNDS)])


def _next_antialiased(app: App) -> None:
    values = [value for _, value in ANTIALIASED]
    app.set_look(antialiased=values[(values.index(app.look.antialiased) + 1) % len(values)])


def _next_pipeline(app: App) -> None:
    app.set_pipeline(PIPELINES[(PIPELINES.index(app.renderer.pipeline) + 1) % len(PIPELINES)])


def _next_residency(app: App) -> None:
    app.set_residency(RESIDENCIES[(RESIDENCIES.index(app.renderer.residency) + 1) % len(RESIDENCIES)])


def _toggle_vsync(app: App) -> None:
    app.set_vsync(not app.switches.vsync)


def _toggle_every_frame(app: App) -> None:
    app.switches.every_frame = not app.switches.every_frame


def _toggle_panels(app: App) -> None:
    app.switches.panels = not app.switches.panels
    if not app.switches.panels:
        app.note(f"{key_of('panels: all')} brings the panels back")


def _panel(key: int, title: str) -> Action:
    def shown(app: App) -> bool:
        return title in app.panels.open

    return Action(key, f"panels: {title.lower()}", lambda app: app.toggle_panel(title), on=shown)


def _scale_text(step: int) -> Callable[[App], None]:
    def scale(app: App) -> None:
        nearest = min(TEXT_STEPS, key=lambda size: abs(size - app.stored.text_size))
        index = TEXT_STEPS.index(nearest) + step
        app.set_text_size(TEXT_STEPS[min(max(index, 0), len(TEXT_STEPS) - 1)])

    return scale


def _toggle_help(app: App) -> None:
    app.switches.help = not app.switches.help


ACTIONS: dict[str, tuple[Action, ...]] = {
    "File": (
        Action(glfw.KEY_O, "open a file", lambda app: app.ask_for_file(), glfw.MOD_CONTROL),
        Action(
            glfw.KEY_O,
            "add a scene to this one: Gaussians to a surface, or a surface to them",
            lambda app: app.tool(TogetherTool).ask(app),
            glfw.MOD_CONTROL | glfw.MOD_SHIFT,
        ),
        Action(
            glfw.KEY_BACKSPACE,
            "remove the added scene",
            lambda app: app.tool(TogetherTool).remove(app),
            glfw.MOD_CONTROL,
        ),
        Action(
            glfw.KEY_E,
            "save the Gaussians, in any format",
            lambda app: app.tool(SaveTool).ask(app),
            glfw.MOD_CONTROL | glfw.MOD_SHIFT,
            needs="gaussians",
        ),
        Action(glfw.KEY_P, "save a picture (PNG)", lambda app: app.take_screenshot()),
        Action(glfw.KEY_PAGE_DOWN, "next file", lambda app: app.open_next(1)),
        Action(glfw.KEY_PAGE_UP, "previous file", lambda app: app.open_next(-1)),
        Action(glfw.KEY_Q, "quit", lambda app: app.quit(), glfw.MOD_CONTROL),
    ),
    "View": (
        Action(glfw.KEY_N, "next view: colour, depth, normals, ...", _next_view(1)),
        Action(glfw.KEY_N, "previous view", _next_view(-1), glfw.MOD_SHIFT),
        Action(glfw.KEY_H, "next lower SH degree", _next_sh_degree, needs="gaussians"),
        Action(glfw.KEY_MINUS, "smaller splats", _scale_splats(1 / SPLAT_STEP), repeats=True, needs="gaussians"),
        Action(glfw.KEY_EQUAL, "larger splats", _scale_splats(SPLAT_STEP), repeats=True, needs="gaussians"),
        Action(glfw.KEY_0, "splats as they are", lambda app: app.set_look(scale=1.0), needs="gaussians"),
        Action(glfw.KEY_BACKSPACE, "display as at first", lambda app: app.reset_display()),
        Action(glfw.KEY_B, "black, grey or white background", _next_background),
        Action(glfw.KEY_M, "antialiasing: as trained, on, off", _next_antialiased, needs="gaussians"),
        Action(
            glfw.KEY_B,
            "crop box",
            lambda app: app.toggle_crop(),
            glfw.MOD_SHIFT,
            on=lambda app: bool(app.look.crop),
            needs="gaussians",
        ),
        Action(glfw.KEY_P, "next pipeline: auto, tiles, quads", _next_pipeline, glfw.MOD_CONTROL, needs="gaussians"),
        Action(glfw.KEY_R, "neural scenes decoded or resident", _next_residency, glfw.MOD_CONTROL, needs="gaussians"),
        Action(glfw.KEY_V, "v-sync", _toggle_vsync, on=lambda app: app.switches.vsync),
        Action(glfw.KEY_L, "draw every frame, to measure", _toggle_every_frame, on=lambda a: a.switches.every_frame),
        Action(glfw.KEY_F11, "full screen", lambda app: app.window.toggle_fullscreen()),
    ),
    "Surface": SURFACE_ACTIONS,
    "Edit": STAGE_ACTIONS,
    "Camera": CAMERA_ACTIONS,
    "Camera path": PATH_ACTIONS,
    "Compare": COMPARE_ACTIONS,
    "Measure": MEASURE_ACTIONS,
    "Export": EXPORT_ACTIONS,
    "Panels": (
        Action(glfw.KEY_G, "panels: all", _toggle_panels, on=lambda app: app.switches.panels),
        _panel(glfw.KEY_F2, "Scene"),
        _panel(glfw.KEY_F4, "Camera"),
        _panel(glfw.KEY_F5, "Display"),
        _panel(glfw.KEY_F6, "Timings"),
        Action(glfw.KEY_G, "panels: where they were at first", lambda app: app.docking.reset(), glfw.MOD_SHIFT),
        Action(glfw.KEY_MINUS, "panels: smaller text", _scale_text(-1), glfw.MOD_CONTROL),
        Action(glfw.KEY_EQUAL, "panels: larger text", _scale_text(1), glfw.MOD_CONTROL),
    ),
    "Help": (
        Action(glfw.KEY_F1, "all keys (also ?)", _toggle_help, on=lambda app: app.switches.help),
        Action(glfw.KEY_ESCAPE, "close a dialog or the help, stop loading", lambda app: app.escape()),
    ),
}

_NAMES = {
    glfw.KEY_TAB: "Tab",
    glfw.KEY_ESCAPE: "Esc",
    glfw.KEY_PAGE_DOWN: "Page Down",
    glfw.KEY_PAGE_UP: "Page Up",
    glfw.KEY_SPACE: "Space",
    glfw.KEY_ENTER: "Enter",
    glfw.KEY_DELETE: "Delete",
    glfw.KEY_INSERT: "Insert",
    glfw.KEY_HOME: "Home",
    glfw.KEY_END: "End",
    glfw.KEY_BACKSPACE: "Backspace",
    glfw.KEY_LEFT: "Left",
    glfw.KEY_RIGHT: "Right",
    glfw.KEY_UP: "Up",
    glfw.KEY_DOWN: "Down",
} | {glfw.KEY_F1 + i: f"F{i + 1}" for i in range(12)}
_COMMAND = glfw.MOD_CONTROL | glfw.MOD_SUPER


def all_actions() -> list[Action]:
    """Of all groups."""
    return [action for group in ACTIONS.values() for action in group]


def action_for(key: int, modifiers: int) -> Action | None:
    """What a press does; a Mac's Command counts as Control, and Alt changes nothing.

    Shift changes nothing either, unless there is an action for the key with Shift.
    """
    command = glfw.MOD_CONTROL if modifiers & _COMMAND else 0
    by_key = {(action.key, action.modifier): action for action in all_actions()}
    shifted = by_key.get((key, command | glfw.MOD_SHIFT)) if modifiers & glfw.MOD_SHIFT else None
    return shifted or by_key.get((key, command))


def key_name(key: int, modifier: int = 0) -> str:
    """What is written on the key, on this keyboard's layout."""
    name = _NAMES.get(key) or glfw.get_key_name(key, 0) or "?"
    prefix = ("Ctrl+" if modifier & glfw.MOD_CONTROL else "") + ("Shift+" if modifier & glfw.MOD_SHIFT else "")
    return prefix + (name.upper() if len(name) == 1 else name)


def key_of(text: str) -> str:
    """The key of the action with this text."""
    action = next(action for action in all_actions() if action.text == text)
    return key_name(action.key, action.modifier)
