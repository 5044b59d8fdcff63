"""The panel of exporting: a picture of any size, a camera path as a video or as PNGs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, imgui

from renderer.large_pictures import SUPERSAMPLING
from ui.actions import key_of
from ui.export_tool import (
    EDITED,
    FRAME_RATES,
    LONGEST,
    PANEL_TITLE,
    SIZES,
    SOURCES,
    ExportTool,
    PathWishes,
    PictureWishes,
)
from ui.panels.panel import Panel
from ui.panels.widgets import choice, gap, half_width, name, quiet, section, tip
from ui.path_tool import PathTool

if TYPE_CHECKING:
    from ui.app import App

LARGEST_SIDE = 65536
BUTTON = 30.0  # wide, at 96 dots an inch


def draw(app: App) -> None:
    """One frame of it."""
    tool = app.tool(ExportTool)
    if tool.question is not None:
        _question(tool)
    elif tool.job is not None:
        _progress(app, tool)
    else:
        _picture(app, tool)
        _path(app, tool)


def _question(tool: ExportTool) -> None:
    question = tool.question
    assert question is not None
    imgui.text_wrapped(question.text)
    half = half_width()
    if imgui.button("Replace", half):
        question.yes()
    imgui.same_line()
    if imgui.button("Keep", half):
        tool.question = None


def _progress(app: App, tool: ExportTool) -> None:
    job = tool.job
    assert job is not None
    imgui.text_wrapped(str(job.out))
    imgui.progress_bar(job.progress, ImVec2(-1, 0), job.text)
    left = job.seconds_left
    quiet("" if left is None else f"{_duration(left)} left")
    if imgui.button(f"Stop ({key_of('export: stop')})", ImVec2(-1, 0)):
        tool.cancel(app)


def _picture(app: App, tool: ExportTool) -> None:
    if not section("Picture"):
        return
    wishes = tool.picture
    name("Size")
    names = ["The window's", *map(_size_name, SIZES), "Another"]
    here = 0 if wishes.size is None else _index_of(wishes.size) + 1
    changed, index = imgui.combo("##picture size", here, names)
    if changed:
        wishes.size = None if index == 0 else SIZES[index - 1] if index <= len(SIZES) else (4096, 2048)
    if wishes.size is not None:
        wishes.size = _sides("##picture", wishes.size)
    wishes.supersampling = _samples("##picture samples", wishes.supersampling)
    name("Background")
    _, wishes.alpha = imgui.checkbox("None: transparent##picture", wishes.alpha)
    _destination(app, "##picture out", wishes, "a free name ending in .png", ".png")
    if imgui.button(f"Save the picture ({key_of('export: a picture, as the panel says')})", ImVec2(-1, 0)):
        tool.save_picture(app)
    gap()


def _path(app: App, tool: ExportTool) -> None:
    if not section("Camera path"):
        return
    wishes = tool.path
    wishes.source = choice("Path", SOURCES, wishes.source)
    name("Size")
    changed, index = imgui.combo("##path size", _index_of(wishes.size), [*map(_size_name, SIZES), "Another"])
    if changed and index < len(SIZES):
        wishes.size = SIZES[index]
    wishes.size = _sides("##path", wishes.size)
    _time(app, wishes)
    name("As")
    if imgui.radio_button("Video (mp4)", wishes.video):
        wishes.video = True
    imgui.same_line()
    if imgui.radio_button("PNGs", not wishes.video):
        wishes.video = False
    wishes.supersampling = _samples("##path samples", wishes.supersampling)
    if not wishes.video:
        name("Background")
        _, wishes.alpha = imgui.checkbox("None: transparent##path", wishes.alpha)
    hint = "a free name ending in .mp4" if wishes.video else "a new folder"
    _destination(app, "##path out", wishes, hint, ".mp4" if wishes.video else "")
    if imgui.button(f"Export ({key_of('export: the camera path, as the panel says')})", ImVec2(-1, 0)):
        tool.save_path(app)


def _time(app: App, wishes: PathWishes) -> None:
    editor = app.tool(PathTool).editor
    own = editor.end - editor.start
    other = wishes.source == EDITED and own > 0 and own != wishes.seconds
    if other and imgui.button(f"As long as the path: {own:.4g} s", ImVec2(-1, 0)):
        wishes.seconds = own
    name("Duration")
    changed, seconds = imgui.input_float("##seconds", wishes.seconds, 1.0, 10.0, "%.2f s")
    if changed:
        wishes.seconds = min(max(seconds, 0.01), LONGEST / FRAME_RATES[0])
    name("Frame rate")
    changed, fps = imgui.input_float("##fps", wishes.fps, 1.0, 10.0, "%.2f /s")
    if changed:
        wishes.fps = min(max(fps, FRAME_RATES[0]), FRAME_RATES[1])
    name("Frames")
    changed, frames = imgui.input_int("##frames", wishes.frames, 1, 10)
    if changed:
        wishes.seconds = min(max(frames, 1), LONGEST) / wishes.fps


def _sides(label: str, size: tuple[int, int]) -> tuple[int, int]:
    name("")
    _, (width, height) = imgui.input_int2(f"{label} sides", list(size))
    return min(max(width, 1), LARGEST_SIDE), min(max(height, 1), LARGEST_SIDE)


def _samples(label: str, here: int) -> int:
    name("Samples")
    changed, index = imgui.combo(label, SUPERSAMPLING.index(here), [f"{n} x {n}" for n in SUPERSAMPLING])
    tip("of a pixel: more make edges smoother, and take as many times longer")
    return SUPERSAMPLING[index] if changed else here


def _destination(app: App, label: str, wishes: PictureWishes | PathWishes, hint: str, suffix: str) -> None:
    """A row for where to; `suffix` is that of a file, empty for a folder."""
    name("To")
    imgui.set_next_item_width(-BUTTON * app.gui.scale)
    _, wishes.out = imgui.input_text_with_hint(label, hint, wishes.out)
    imgui.same_line()
    if imgui.button(f"...{label}", ImVec2(-1, 0)):

        def chosen(path: Path) -> None:
            wishes.out = str(path)

        if suffix:
            app.dialogs.save_file("Export to", f"export{suffix}", (f"*{suffix}",), chosen)
        else:
            app.dialogs.choose_folder("Export to an empty folder", chosen)


def _size_name(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _index_of(size: tuple[int, int]) -> int:
    """Of a preset, or one after the last."""
    return SIZES.index(size) if size in SIZES else len(SIZES)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


PANEL = Panel(PANEL_TITLE, draw, "right")
