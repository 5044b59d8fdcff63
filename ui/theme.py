"""How the panels look: one dark theme, a real font, sizes that follow the display."""

from __future__ import annotations

from pathlib import Path

import imgui_bundle
from imgui_bundle import ImVec4, imgui

FONT = Path(imgui_bundle.__file__).parent / "assets" / "fonts" / "Roboto" / "Roboto-Regular.ttf"
FONT_SIZE = 16.0  # at 96 dots an inch

ACCENT = (0.25, 0.64, 0.62)
TEXT = (0.92, 0.93, 0.94)
QUIET = (0.62, 0.65, 0.68)  # 6.5 to 1 on the panel: legible, and second to the text
PANEL = (0.11, 0.12, 0.13)
FIELD = (0.18, 0.19, 0.21)
ERROR = (0.96, 0.55, 0.45)

_COLOURS: dict[str, tuple[tuple[float, float, float], float]] = {
    "text": (TEXT, 1.0),
    "text_disabled": (QUIET, 1.0),
    "window_bg": (PANEL, 1.0),
    "popup_bg": (PANEL, 0.98),
    "border": ((1.0, 1.0, 1.0), 0.09),
    "separator": ((1.0, 1.0, 1.0), 0.09),
    "frame_bg": (FIELD, 1.0),
    "frame_bg_hovered": ((0.23, 0.25, 0.27), 1.0),
    "frame_bg_active": ((0.26, 0.29, 0.31), 1.0),
    "button": (FIELD, 1.0),
    "button_hovered": (ACCENT, 0.55),
    "button_active": (ACCENT, 0.85),
    "header": (FIELD, 0.0),
    "header_hovered": (FIELD, 1.0),
    "header_active": (FIELD, 1.0),
    "slider_grab": (ACCENT, 1.0),
    "slider_grab_active": (ACCENT, 1.0),
    "check_mark": (ACCENT, 1.0),
    "plot_lines": (ACCENT, 1.0),
    "plot_histogram": (ACCENT, 1.0),
}


def apply_theme(scale: float, density: float) -> None:
    """Font, colours and sizes for text `scale` times as large as at 96 dots an inch, with `density` pixels a unit."""
    imgui.style_colors_dark()
    style = imgui.get_style()
    for name, (colour, alpha) in _COLOURS.items():
        style.set_color_(getattr(imgui.Col_, name), ImVec4(*colour, alpha))
    style.window_rounding = style.popup_rounding = 8.0
    style.frame_rounding = style.grab_rounding = 5.0
    style.window_border_size = 1.0
    style.window_padding = imgui.ImVec2(14, 12)
    style.frame_padding = imgui.ImVec2(8, 3)
    style.item_spacing = imgui.ImVec2(8, 5)
    style.cell_padding = imgui.ImVec2(4, 2)
    style.grab_min_size = 12.0
    style.scale_all_sizes(scale)
    _add_font(scale, density)


def _add_font(scale: float, density: float) -> None:
    """Since 1.92 imgui rasterises a font at the density it is shown at; before, it has to be told."""
    io = imgui.get_io()
    sharp = 1.0 if hasattr(imgui.get_style(), "font_scale_main") else density
    io.fonts.add_font_from_file_ttf(str(FONT), round(FONT_SIZE * scale * sharp))
    if sharp != 1.0:
        setattr(io, "font_global_scale", 1.0 / sharp)  # noqa: B010 - gone from newer stubs
