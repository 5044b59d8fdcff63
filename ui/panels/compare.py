"""The panel of comparing: what with, how it is shown, and the figures of the view."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, imgui

from renderer.compare_screen import HEAT
from renderer.metrics import decibels
from scenes.naming import scene_name
from scenes.sizes import readable_bytes
from ui.actions import key_of
from ui.compare import MODE_NAMES, PANEL_TITLE, CompareTool
from ui.gui import colour_u32
from ui.panels.panel import Panel
from ui.panels.widgets import gap, half_width, name, quiet, rows, shortened, tip
from ui.scene_slot import content_words

if TYPE_CHECKING:
    from ui.app import App

MAP_HEIGHT = 10.0  # of the heat map's legend, at 96 dots an inch
SCALES = (1 / 255, 1.0)  # ends of the heat map one can set


def draw(app: App) -> None:
    """One frame of it."""
    tool = app.tool(CompareTool)
    if tool.slot is None:
        _choose(app, tool)
    elif not tool.active:
        _loading(app, tool)
    else:
        _facts(app, tool)
        _mode(app, tool)
        if tool.mode == "difference":
            _heat(app, tool)
        _buttons(app, tool)


def _choose(app: App, tool: CompareTool) -> None:
    if app.loaded is None:
        quiet("Open a scene first: it will be A.")
        return
    quiet(f"A is {scene_name(app.loaded.file.path)}. Which file is B?")
    others = [file for file in app.files if file != app.loaded.file.path]
    for file in others:
        if imgui.button(f"{shortened(file.name)}##{file}", ImVec2(-1, 0)):
            tool.compare_with(app, file)
        tip(str(file))
    if imgui.button("Another file...", ImVec2(-1, 0)):
        from ui.settings import SCENE_PATTERNS

        app.dialogs.open_file("Compare with", SCENE_PATTERNS, lambda path: tool.compare_with(app, path))


def _loading(app: App, tool: CompareTool) -> None:
    assert tool.slot is not None
    path, status = tool.slot.loader.path, tool.slot.loader.status()
    quiet(f"B: {scene_name(path)}, {status.stage}, {status.seconds:.1f} s" if path else "Waiting for A.")
    if imgui.button("Stop comparing", ImVec2(-1, 0)):
        tool.stop(app)


def _facts(app: App, tool: CompareTool) -> None:
    files = [slot.loaded.file for slot in tool.sides(app) if slot.loaded]
    for letter, file in zip("AB", files, strict=True):
        rows(
            [
                (letter, shortened(scene_name(file.path), 26)),
                ("", f"{readable_bytes(file.bytes)}, {content_words(file)}"),
            ]
        )
    a, b = (max(file.bytes, 1) for file in files)
    ratio = f"A has {a / b:.3g} times B's" if a >= b else f"B has {b / a:.3g} times A's"
    rows([("Bytes", ratio), *_score(app, tool)])
    gap()


def _score(app: App, tool: CompareTool) -> list[tuple[str, str]]:
    score = tool.score
    if score is None:
        return [("PSNR", "measuring"), ("SSIM", "measuring")]
    psnr = "identical" if math.isinf(score.psnr) else f"{decibels(score.psnr)} dB"
    ssim = "the picture is too small" if score.ssim is None else f"{score.ssim:.4f}"
    return [("PSNR", psnr), ("SSIM", ssim), ("Measured", f"this view at {score.size[0]} x {score.size[1]}")]


def _mode(app: App, tool: CompareTool) -> None:
    name("Show")
    names = list(MODE_NAMES)
    changed, index = imgui.combo("##mode", names.index(tool.mode), list(MODE_NAMES.values()))
    tip(f"{key_of('compare: next way to show both')} goes on to the next")
    if changed:
        tool.set_mode(app, names[index])
    if tool.mode == "split":
        name("Split")
        changed, share = imgui.slider_float("##split", 100 * tool.split, 0, 100, "%.0f %%")
        tip("or drag the bar in the picture")
        if changed:
            tool.move_split(share / 100)


def _heat(app: App, tool: CompareTool) -> None:
    name("Scale")
    automatic = tool.fixed_highest is None
    changed, automatic = imgui.checkbox("Automatic", automatic)
    if changed:
        tool.fixed_highest = None if automatic else tool.highest
    if tool.fixed_highest is not None:
        name("Up to")
        flags = imgui.SliderFlags_.logarithmic | imgui.SliderFlags_.always_clamp
        changed, highest = imgui.slider_float("##highest", tool.fixed_highest, *SCALES, "%.3f", flags)
        if changed:
            tool.fixed_highest = highest
    _legend(app, tool.highest)
    quiet("The largest difference of red, green and blue; white and black differ by 1.")


def _legend(app: App, highest: float) -> None:
    pen, start = imgui.get_window_draw_list(), imgui.get_cursor_screen_pos()
    width, height = imgui.get_content_region_avail().x, MAP_HEIGHT * app.gui.scale
    step = width / (len(HEAT) - 1)
    for i in range(len(HEAT) - 1):
        left, right = colour_u32(HEAT[i]), colour_u32(HEAT[i + 1])
        corner = ImVec2(start.x + i * step, start.y)
        pen.add_rect_filled_multi_color(corner, ImVec2(corner.x + step, start.y + height), left, right, right, left)
    imgui.dummy(ImVec2(width, height))
    for share in (0.0, 0.5, 1.0):
        text = f"{share * highest:.3g}"
        if share:
            imgui.same_line()
        imgui.set_cursor_pos_x(imgui.get_style().window_padding.x + share * (width - imgui.calc_text_size(text).x))
        imgui.text(text)


def _buttons(app: App, tool: CompareTool) -> None:
    changed, on = imgui.checkbox("Flicker between A and B", tool.flicker)
    tip(f"{key_of('compare: A or B alone, in turn')} does it by hand")
    if changed:
        tool.set_flicker(app, on)
    half = half_width()
    if imgui.button("Swap A and B", half):
        tool.swap()
    tip(key_of("compare: swap A and B"))
    imgui.same_line()
    if imgui.button("Stop comparing", half):
        tool.stop(app)


PANEL = Panel(PANEL_TITLE, draw, "right")
