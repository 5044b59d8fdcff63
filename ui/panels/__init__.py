"""The panels: everything in the window but the scene. `PANELS` is all of them, in the order of their tabs and menu."""

from __future__ import annotations

from ui.panels import camera, compare, display, export, measure, path, scene, stage, timings
from ui.panels.panel import Panel

PANELS: tuple[Panel, ...] = (
    scene.PANEL,
    camera.PANEL,
    display.PANEL,
    timings.PANEL,
    path.PANEL,
    compare.PANEL,
    measure.PANEL,
    export.PANEL,
    stage.PANEL,
)
