"""How the panels look: one dark theme, a real font, sizes that follow the display and the user's wish."""

from __future__ import annotations

from pathlib import Path

import imgui_bundle
from imgui_bundle import ImVec2, ImVec4, imgui

FONT = Path(imgui_bundle.__file__).parent / "assets" / "fonts" / "Roboto" / "Roboto-Regular.ttf"
FONT_SIZE = 16.0  # at 96 dots an inch

ACCENT = (0.25, 0.64, 0.62)
TEXT = (0.92, 0.93, 0.94)
QUIET = (0.62, 0.65, 0.68)  # 6.5 to 1 on the panel: legible, and second to the text
PANEL = (0.11, 0.12, 0.13)
BAR = (0.075, 0.08, 0.088)  # behind tabs and menus
FIELD = (0.18, 0.19, 0.21)
ERROR = (0.96, 0.55, 0.45)

_COLOURS: dict[str, tuple[tuple[float, float, float], float]] = {
    "text": (TEXT, 1.0),
    "text_disabled": (QUIET, 1.0),
    "window_bg": (PANEL, 1.0),
    "popup_bg": ((0.135, 0.145, 0.155), 1.0),
    "modal_window_dim_bg": ((0.0, 0.0, 0.0), 0.45),
    "menu_bar_bg": (BAR, 1.0),
    "title_bg": (BAR, 1.0),
    "title_bg_active": (BAR, 1.0),
    "title_bg_collapsed": (BAR, 1.0),
    "tab": (BAR, 1.0),
    "tab_hovered": (FIELD, 1.0),
    "tab_selected": (PANEL, 1.0),
    "tab_selected_overline": (ACCENT, 1.0),
    "tab_dimmed": (BAR, 1.0),
    "tab_dimmed_selected": (PANEL, 1.0),
    "tab_dimmed_selected_overline": (ACCENT, 0.5),
    "docking_preview": (ACCENT, 0.5),
    "docking_empty_bg": (BAR, 1.0),
    "border": ((1.0, 1.0, 1.0), 0.09),
    "separator": ((1.0, 1.0, 1.0), 0.09),
    "separator_hovered": (ACCENT, 0.6),
    "separator_active": (ACCENT, 1.0),
    "resize_grip": ((1.0, 1.0, 1.0), 0.07),
    "resize_grip_hovered": (ACCENT, 0.6),
    "resize_grip_active": (ACCENT, 1.0),
    "frame_bg": (FIELD, 1.0),
    "frame_bg_hovered": ((0.23, 0.25, 0.27), 1.0),
    "frame_bg_active": ((0.26, 0.29, 0.31), 1.0),
    "button": (FIELD, 1.0),
    "button_hovered": (ACCENT, 0.55),
    "button_active": (ACCENT, 0.85),
    "header": (ACCENT, 0.28),
    "header_hovered": (ACCENT, 0.4),
    "header_active": (ACCENT, 0.55),
    "slider_grab": (ACCENT, 1.0),
    "slider_grab_active": ((0.35, 0.78, 0.75), 1.0),
    "check_mark": ((0.35, 0.78, 0.75), 1.0),
    "text_selected_bg": (ACCENT, 0.45),
    "plot_lines": (ACCENT, 1.0),
    "plot_histogram": (ACCENT, 1.0),
    "nav_cursor": (ACCENT, 1.0),
}

_SIZES: dict[str, float | tuple[float, float]] = {
    "window_rounding": 8.0,
    "popup_rounding": 8.0,
    "frame_rounding": 5.0,
    "grab_rounding": 5.0,
    "tab_rounding": 5.0,
    "scrollbar_rounding": 5.0,
    "scrollbar_size": 11.0,
    "grab_min_size": 12.0,
    "tab_bar_overline_size": 2.0,
    "docking_separator_size": 2.0,
    "window_padding": (14.0, 12.0),
    "frame_padding": (8.0, 3.0),
    "item_spacing": (8.0, 5.0),
    "cell_padding": (4.0, 2.0),
    "separator_text_padding": (0.0, 3.0),
}


_baked = FONT_SIZE  # pixels the font was made at, where imgui makes it once


def add_font(scale: float, density: float) -> None:
    """The font, once. Since 1.92 imgui rasterises it at the size and density it is shown at; before, it is told."""
    global _baked
    if not _is_live():
        _baked = float(round(FONT_SIZE * scale * density))
    imgui.get_io().fonts.add_font_from_file_ttf(str(FONT), _baked)


def _is_live() -> bool:
    return hasattr(imgui.get_style(), "font_scale_main")


def apply_theme(scale: float) -> None:
    """Colours, and sizes `scale` times those at 96 dots an inch; between frames."""
    style, first = imgui.get_style(), imgui.Style()
    for name in (name for name in dir(first) if not name.startswith("_")):
        if isinstance(getattr(first, name), float | ImVec2):  # or `scale_all_sizes` would scale what is scaled already
            setattr(style, name, getattr(first, name))
    imgui.style_colors_dark()
    for name, (colour, alpha) in _COLOURS.items():
        if hasattr(imgui.Col_, name):  # some are newer than others
            style.set_color_(getattr(imgui.Col_, name), ImVec4(*colour, alpha))
    for name, size in _SIZES.items():
        if hasattr(style, name):
            setattr(style, name, ImVec2(*size) if isinstance(size, tuple) else size)
    style.scale_all_sizes(scale)
    style.window_menu_button_position = imgui.Dir.none
    if _is_live():
        style.font_size_base, style.font_scale_main = FONT_SIZE, scale
    else:
        setattr(imgui.get_io(), "font_global_scale", FONT_SIZE * scale / _baked)  # noqa: B010 - gone from newer stubs
