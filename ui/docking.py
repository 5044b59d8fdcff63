"""Where the panels are: a dockspace over the window with the scene in its middle, and the layout it begins with."""

from __future__ import annotations

import re
from collections.abc import Callable

from imgui_bundle import ImVec2, imgui

from ui.panels import PANELS
from ui.screen import Rect

ROOT = 0x4B494C4F  # the dockspace's id, in the stored layout too
LEFT, RIGHT, BOTTOM = 308.0, 330.0, 220.0  # at 96 dots an inch
MOST = 0.42  # of a small window's width or height
UPPER = 0.4  # of the left column's height

_SPACE = imgui.DockNodeFlags_.passthru_central_node | imgui.DockNodeFlags_.no_docking_over_central_node


class Docking:
    """The dockspace of one window."""

    def __init__(self, layout: str | None, scale: float, on_build: Callable[[], None]) -> None:
        """With a layout of an earlier run, which counts only if it knows every panel there is now.

        `scale` is how much larger than at 96 dots an inch things are; `on_build` is called when the first layout is
        made.
        """
        self.scale, self._on_build = scale, on_build
        self._build = layout is None or not knows_all_panels(layout)
        if layout is not None and not self._build:
            imgui.load_ini_settings_from_memory(rescaled(layout, scale))

    def layout(self) -> str:
        """Where the panels are, to be kept."""
        return f"; scale {self.scale:g}\n{imgui.save_ini_settings_to_memory()}"

    def rescale(self, scale: float) -> None:
        """Everything grows or shrinks with its text; between frames."""
        imgui.load_ini_settings_from_memory(rescaled(self.layout(), scale))
        self.scale = scale

    def reset(self) -> None:
        """Back to the first layout, in the next frame."""
        self._build = True

    def update(self, hidden: bool) -> Rect:
        """One frame of the dockspace, all panels out of the way if `hidden`; returns the scene's rectangle."""
        viewport = imgui.get_main_viewport()
        if self._build:
            _build(viewport.work_size, self.scale)
            self._build = False
            self._on_build()
        if hidden:
            imgui.dock_space_over_viewport(ROOT, None, _SPACE | imgui.DockNodeFlags_.keep_alive_only)
            return Rect(viewport.pos.x, viewport.pos.y, viewport.size.x, viewport.size.y)
        imgui.dock_space_over_viewport(ROOT, None, _SPACE)
        node = imgui.internal.dock_builder_get_central_node(ROOT)
        return Rect(node.pos.x, node.pos.y, max(node.size.x, 1.0), max(node.size.y, 1.0))


def rescaled(layout: str, scale: float) -> str:
    """A stored layout for another scale than the one it was made at."""
    made = re.match(r"; scale (\d+\.?\d*)\n", layout)
    ratio = scale / float(made[1]) if made and float(made[1]) > 0 else 1.0

    def larger(match: re.Match[str]) -> str:
        return f"{match[1]}={round(int(match[2]) * ratio)},{round(int(match[3]) * ratio)}"

    return re.sub(r"\b(Pos|Size|SizeRef)=(-?\d+),(-?\d+)", larger, layout)


def knows_all_panels(layout: str) -> bool:
    """Whether a stored layout has a place for each panel."""
    return "[Docking]" in layout and all(f"[Window][{panel.title}]" in layout for panel in PANELS)


def _build(size: ImVec2, scale: float) -> None:
    dock = imgui.internal
    dock.dock_builder_remove_node(ROOT)
    dock.dock_builder_add_node(ROOT, imgui.internal.DockNodeFlagsPrivate_.dock_space)
    dock.dock_builder_set_node_size(ROOT, size)
    left, rest = _split(ROOT, imgui.Dir.left, min(LEFT * scale / size.x, MOST))
    right, rest = _split(rest, imgui.Dir.right, min(RIGHT * scale / max(size.x - LEFT * scale, 1), MOST))
    bottom, _ = _split(rest, imgui.Dir.down, min(BOTTOM * scale / size.y, MOST))
    upper, lower = _split(left, imgui.Dir.up, UPPER)
    nodes = {"left": upper, "left below": lower, "right": right, "bottom": bottom}
    for panel in PANELS:
        dock.dock_builder_dock_window(panel.title, nodes[panel.place])
    dock.dock_builder_finish(ROOT)


def _split(node: int, side: imgui.Dir, share: float) -> tuple[int, int]:
    """Ids of the part at `side`, `share` of the node, and of the rest."""
    halves = imgui.internal.dock_builder_split_node(node, side, share)
    return halves.id_at_dir, halves.id_at_opposite_dir
