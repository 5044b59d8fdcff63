"""The panel of how long frames take: frames a second, and each stage over the last frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui, implot
from numpy.typing import NDArray

from renderer.gaussian_renderer import PIPELINES, RESIDENCIES
from renderer.stage_renderer import StageFacts
from renderer.surface_renderer import SurfaceFacts
from ui.panels.panel import Panel
from ui.panels.widgets import choice, gap, name, rows, tip

if TYPE_CHECKING:
    from ui.app import App

Edge = NDArray[np.float64]  # [frames], ms

GRAPH_HEIGHT = 150.0  # at 96 dots an inch
RECENT = 30  # frames, for the mean
# One after another: neighbours differ in lightness too, for those who do not see all hues.
COLOURS = (
    (0.25, 0.64, 0.62),
    (0.95, 0.78, 0.42),
    (0.45, 0.48, 0.82),
    (0.89, 0.55, 0.50),
    (0.56, 0.75, 0.35),
    (0.72, 0.52, 0.76),
    (0.55, 0.60, 0.65),
)
_PLOT = implot.Flags_.no_menus | implot.Flags_.no_box_select | implot.Flags_.no_mouse_text | implot.Flags_.no_inputs
_AXIS = implot.AxisFlags_.no_menus | implot.AxisFlags_.no_side_switch | implot.AxisFlags_.no_highlight


def draw(app: App) -> None:
    """One frame of it."""
    history = list(app.picture.stages_ms)
    if history and app.loaded:
        mean = float(np.mean(list(app.picture.frames_ms)[-RECENT:]))
        imgui.text(f"{1000 / max(mean, 1e-3):.1f} frames a second")
        imgui.same_line()
        imgui.text_disabled(f"{mean:.1f} ms each")
        tip("of the latest frames that were drawn, without waiting for the display")
        if app.switches.every_frame:
            imgui.text_disabled(
                f"{len(app.frame_seconds) / max(sum(app.frame_seconds), 1e-6):.1f} a second on the screen"
            )
        names, values = stacked(history)
        _graph(app, names, values)
        rows(_rows(app, names, values))
        gap()
    _switches(app)


def stacked(history: Sequence[dict[str, float]]) -> tuple[list[str], NDArray[np.float64]]:
    """The stages in the order they come up in, and the upper edge [stages, frames] of each when stacked, ms."""
    names = list(dict.fromkeys(stage for frame in history for stage in frame))
    values = np.array([[frame.get(stage, 0.0) for frame in history] for stage in names]).reshape(-1, len(history))
    return names, np.cumsum(values, axis=0)


def _graph(app: App, names: Sequence[str], edges: NDArray[np.float64]) -> None:
    """Bands, a stage each; the lowest is the first of a frame."""
    if not names or not implot.begin_plot("##stages", ImVec2(-1, GRAPH_HEIGHT * app.gui.scale), _PLOT):
        return
    frames = edges.shape[1]
    implot.setup_axes("", "ms", _AXIS | implot.AxisFlags_.no_tick_labels | implot.AxisFlags_.no_tick_marks, _AXIS)
    most = 1.15 * float(edges[-1].max()) or 1.0
    implot.setup_axes_limits(0, max(app.picture.history - 1, 1), 0, most, imgui.Cond_.always)
    implot.setup_legend(implot.Location_.north_west, implot.LegendFlags_.no_buttons)
    at = np.arange(frames, dtype=np.float64) + (app.picture.history - frames)
    below = np.zeros(frames)
    for number, (stage, edge) in enumerate(zip(names, edges, strict=True)):
        colour = ImVec4(*COLOURS[number % len(COLOURS)], 1.0)
        above = np.ascontiguousarray(edge)
        _band(stage, at, below, above, colour)
        below = above
    implot.end_plot()


def _band(stage: str, at: Edge, below: Edge, above: Edge, colour: ImVec4) -> None:
    if hasattr(implot, "Spec"):
        implot.plot_shaded(stage, at, below, above, implot.Spec(fill_color=colour, fill_alpha=0.85))
        return
    before: Any = implot  # before implot 0.18
    before.set_next_fill_style(colour, 0.85)
    before.plot_shaded(stage, at, below, above)


def _rows(app: App, names: Sequence[str], edges: NDArray[np.float64]) -> list[tuple[str, str]]:
    mean = edges[:, -RECENT:].mean(axis=1)
    stages = np.diff(mean, prepend=0.0)
    width, height = app.picture.picture.size
    times = [(stage.capitalize(), f"{time:.1f} ms") for stage, time in zip(names, stages, strict=True)]
    return [*times, *_drawn(app), ("Picture", f"{width} x {height} by {app.scenes[0].facts.pipeline}")]


def _drawn(app: App) -> list[tuple[str, str]]:
    facts = app.scenes[0].facts
    if isinstance(facts, StageFacts):
        speed = [("Paths", f"{facts.paths_a_second:,.0f} a second")] if facts.paths_a_second else []
        return [("Samples", f"{facts.samples:,} a pixel"), *speed]
    if isinstance(facts, SurfaceFacts):
        return [("Samples", f"{facts.samples} a pixel")]
    left_out = [("Left out", f"{facts.capped:,}: too much to draw in time")] if facts.capped else []
    return [("Drawn", f"{facts.candidates:,} Gaussians"), *left_out]


def _switches(app: App) -> None:
    if app.shows("gaussians"):
        _ways(app)
    name("Frames")
    changed, on = imgui.checkbox("all, to measure", app.switches.every_frame)
    tip("otherwise the scene is drawn when something changes")
    if changed:
        app.switches.every_frame = on
    name("V-sync")
    changed, on = imgui.checkbox("##vsync", app.switches.vsync)
    tip("frames wait for the display; without it, as many as the device can")
    if changed:
        app.set_vsync(on)


def _ways(app: App) -> None:
    """How Gaussians are drawn."""
    pipeline = choice("Pipeline", PIPELINES, app.renderer.pipeline)
    tip("auto measures both on a scene's first frames and keeps the faster")
    if pipeline != app.renderer.pipeline:
        app.set_pipeline(pipeline)
    residency = choice("Residency", RESIDENCIES, app.renderer.residency)
    tip("of neural scenes: decoded once, or kept compressed and decoded as far as it is seen, every frame")
    if residency != app.renderer.residency:
        app.set_residency(residency)


PANEL = Panel("Timings", draw, "left below", shown=True)
