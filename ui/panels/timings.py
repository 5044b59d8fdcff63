"""The panel of how long frames take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from imgui_bundle import ImVec2, imgui

from ui.panels.panel import Panel
from ui.panels.widgets import quiet, rows, tip

if TYPE_CHECKING:
    from ui.app import App

GRAPH_HEIGHT = 32.0


def draw(app: App) -> None:
    """One frame of it."""
    frames = np.array(app.picture.frames_ms, np.float32)
    if len(frames) and app.loaded:
        mean = float(frames[-30:].mean())
        imgui.text(f"{1000 / max(mean, 1e-3):.1f} frames a second")
        imgui.same_line()
        quiet(f"{mean:.1f} ms")
        size = ImVec2(-1, GRAPH_HEIGHT * app.window.scale)
        imgui.plot_lines("##frames", frames, scale_min=0.0, scale_max=1.2 * float(frames.max()), graph_size=size)
        rows(_stage_rows(app))
    changed, on = imgui.checkbox("Draw every frame", app.switches.every_frame)
    tip("to measure; otherwise the scene is drawn when something changes")
    if changed:
        app.switches.every_frame = on
    imgui.same_line()
    changed, on = imgui.checkbox("V-sync", app.switches.vsync)
    if changed:
        app.set_vsync(on)


def _stage_rows(app: App) -> list[tuple[str, str]]:
    facts = app.renderer.facts
    stages = [(stage.capitalize(), f"{facts.wall_ms.get(stage, 0.0):.1f} ms") for stage in ("project", "sort", "blend")]
    width, height = app.picture.picture.size
    return [*stages, ("Drawn", f"{facts.candidates:,} at {width} x {height}")]


PANEL = Panel("Timings", draw, "left below", shown=True)
