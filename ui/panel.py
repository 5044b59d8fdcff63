"""The panel at the left: scene, camera, display, timings. It reads the app's state and sets it as the keys do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui

from ui.actions import key_of
from ui.facts import scene_facts
from ui.heading import UP_AXES
from ui.navigation import FOV_LIMITS, SPEED_LIMITS
from ui.settings import ANTIALIASED, SPLAT_SCALES
from ui.theme import FONT_SIZE, QUIET

if TYPE_CHECKING:
    from ui.app import App

WIDTH = 308.0  # at 96 dots an inch
LABELS = 110.0  # of it for names at the left
GRAPH_HEIGHT = 32.0

_FIXED = (
    imgui.WindowFlags_.no_move
    | imgui.WindowFlags_.no_resize
    | imgui.WindowFlags_.no_collapse
    | imgui.WindowFlags_.no_title_bar
    | imgui.WindowFlags_.no_nav
    | imgui.WindowFlags_.no_bring_to_front_on_focus
)


def panel_width(app: App) -> float:
    """In screen coordinates, 0 when hidden; never most of a small window."""
    return min(WIDTH * app.window.scale, 0.5 * app.window.size[0]) if app.switches.panel else 0.0


def draw_panel(app: App) -> None:
    """One frame of it."""
    width = panel_width(app)
    if not width:
        return
    imgui.set_next_window_pos(ImVec2(0, 0))
    imgui.set_next_window_size(ImVec2(width, app.window.size[1]))
    imgui.push_style_var(imgui.StyleVar_.window_rounding, 0.0)
    imgui.begin("panel", None, _FIXED)
    imgui.pop_style_var()
    _scene(app)
    _camera(app)
    _display(app)
    _timings(app)
    quiet(f"{key_of('this help (also ?)')}  all keys      {key_of('panel')}  hide this panel")
    imgui.end()


def quiet(text: str) -> None:
    """Text that is second to the rest; wraps."""
    imgui.push_style_color(imgui.Col_.text, ImVec4(*QUIET, 1.0))
    imgui.text_wrapped(text.replace("%", "%%"))
    imgui.pop_style_color()


def tip(text: str) -> None:
    """Shown while the cursor rests on what was drawn last."""
    if imgui.is_item_hovered():
        imgui.set_tooltip(text.replace("%", "%%"))


def _scene(app: App) -> None:
    if app.loaded is None:
        imgui.text("No scene")
        quiet("Drop a .ply, .compressed.ply or .kilo on the window.")
        _gap()
        return
    if len(app.files) > 1:
        _file_choice(app)
    else:
        imgui.text(_short(app.loaded.file.path.name))
        tip(str(app.loaded.file.path))
    _gap()
    _rows(scene_facts(app.loaded.file, app.video_memory))
    _gap()


def _file_choice(app: App) -> None:
    imgui.set_next_item_width(-1)
    names = [file.name for file in app.files]
    changed, index = imgui.combo("##file", app.file_index, names)
    tip(f"{key_of('previous file')} and {key_of('next file')}")
    if changed:
        app.open_index(index)


def _camera(app: App) -> None:
    if not _section("Camera"):
        return
    navigator = app.navigator
    _name("Steering")
    for mode in ("orbit", "fly"):
        if imgui.radio_button(mode.capitalize(), navigator.mode == mode):
            navigator.set_mode(mode)
        tip(f"{key_of('orbit or fly')} switches")
        imgui.same_line()
    imgui.new_line()
    _name("Up axis")
    names = list(UP_AXES)
    here = max(range(len(names)), key=lambda i: float(UP_AXES[names[i]] @ navigator.up))
    changed, index = imgui.combo("##up", here, names)
    tip(f"{key_of('next up axis')} takes the next; {key_of('level: no roll')} levels the camera")
    if changed:
        navigator.set_up(UP_AXES[names[index]])
    _name("Field of view")
    degrees = math.degrees(navigator.fov_y)
    low, high = (math.degrees(limit) for limit in FOV_LIMITS)
    changed, degrees = imgui.slider_float("##fov", degrees, low, high, "%.0f°", imgui.SliderFlags_.always_clamp)
    if changed:
        navigator.set_fov(math.radians(degrees))
    if navigator.mode == "fly":
        _name("Speed")
        flags = imgui.SliderFlags_.logarithmic | imgui.SliderFlags_.always_clamp
        changed, speed = imgui.slider_float("##speed", navigator.speed, *SPEED_LIMITS, "%.2f radii/s", flags)
        tip("of the scene's radius a second; the wheel changes it")
        if changed:
            navigator.speed = speed
    _camera_buttons(app)
    _gap()


def _camera_buttons(app: App) -> None:
    half = ImVec2(0.5 * (imgui.get_content_region_avail().x - imgui.get_style().item_spacing.x), 0)
    if imgui.button("Whole scene", half):
        app.navigator.frame_scene()
    tip(key_of("show the whole scene"))
    imgui.same_line()
    if imgui.button("First view", half):
        app.navigator.reset()
    tip(key_of("back to the first view"))


def _display(app: App) -> None:
    if not _section("Display"):
        return
    look = app.look
    if app.scene_sh_degree:
        _name("SH degree")
        changed, degree = imgui.slider_int("##sh", app.shown_sh_degree, 0, app.scene_sh_degree)
        tip("how much of the colour's change with direction is shown")
        if changed:
            app.set_look(sh_degree=None if degree == app.scene_sh_degree else degree)
    _name("Splat scale")
    changed, scale = imgui.slider_float("##scale", look.scale, *SPLAT_SCALES, "%.2f", imgui.SliderFlags_.always_clamp)
    if changed:
        app.set_look(scale=scale)
    _name("Antialiased")
    labels = [label for label, _ in ANTIALIASED]
    values = [value for _, value in ANTIALIASED]
    changed, index = imgui.combo("##antialiased", values.index(look.antialiased), labels)
    if changed:
        app.set_look(antialiased=values[index])
    _name("Background")
    changed, colour = imgui.color_edit3("##background", list(look.background), imgui.ColorEditFlags_.no_inputs)
    if changed:
        app.set_look(background=(colour[0], colour[1], colour[2]))
    if imgui.button(f"Save a picture ({key_of('save a picture (PNG)')})", ImVec2(-1, 0)):
        app.take_screenshot()
    _gap()


def _timings(app: App) -> None:
    if not _section("Timings"):
        return
    frames = np.array(app.picture.frames_ms, np.float32)
    if len(frames) and app.loaded:
        mean = float(frames[-30:].mean())
        imgui.text(f"{1000 / max(mean, 1e-3):.1f} frames a second")
        imgui.same_line()
        quiet(f"{mean:.1f} ms")
        size = ImVec2(-1, GRAPH_HEIGHT * app.window.scale)
        imgui.plot_lines("##frames", frames, scale_min=0.0, scale_max=1.2 * float(frames.max()), graph_size=size)
        _rows(_stage_rows(app))
    changed, on = imgui.checkbox("Draw every frame", app.switches.every_frame)
    tip("to measure; otherwise the scene is drawn when something changes")
    if changed:
        app.switches.every_frame = on
    imgui.same_line()
    changed, on = imgui.checkbox("V-sync", app.switches.vsync)
    if changed:
        app.set_vsync(on)
    _gap()


def _stage_rows(app: App) -> list[tuple[str, str]]:
    facts = app.renderer.facts
    stages = [(stage.capitalize(), f"{facts.wall_ms.get(stage, 0.0):.1f} ms") for stage in ("project", "sort", "blend")]
    width, height = app.picture.picture.size
    return [*stages, ("Drawn", f"{facts.candidates:,} at {width} x {height}")]


def _section(title: str) -> bool:
    imgui.separator()
    return imgui.collapsing_header(title, imgui.TreeNodeFlags_.default_open)


def _name(text: str) -> None:
    """A name at the left; what comes next is at its right and as wide as there is room."""
    imgui.align_text_to_frame_padding()
    imgui.push_style_color(imgui.Col_.text, ImVec4(*QUIET, 1.0))
    imgui.text(text)
    imgui.pop_style_color()
    imgui.same_line(_label_width())
    imgui.set_next_item_width(-1)


def _rows(rows: list[tuple[str, str]]) -> None:
    """Names and values, a text line each."""
    spacing = imgui.get_style().item_spacing
    imgui.push_style_var(imgui.StyleVar_.item_spacing, ImVec2(spacing.x, 0.4 * spacing.y))
    for name, value in rows:
        imgui.push_style_color(imgui.Col_.text, ImVec4(*QUIET, 1.0))
        imgui.text(name)
        imgui.pop_style_color()
        imgui.same_line(_label_width())
        imgui.text_wrapped(value.replace("%", "%%"))
    imgui.pop_style_var()


def _label_width() -> float:
    return LABELS * imgui.get_font_size() / FONT_SIZE


def _gap() -> None:
    imgui.dummy(ImVec2(0, 0.1 * imgui.get_text_line_height()))


def _short(name: str, longest: int = 34) -> str:
    return name if len(name) <= longest else f"{name[: longest // 2 - 1]}...{name[-(longest // 2) + 2 :]}"
