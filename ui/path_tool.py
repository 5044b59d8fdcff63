"""The camera path in the scene: its spline and frusta over the picture, a click on one of them, playing."""

from __future__ import annotations

from dataclasses import replace
from operator import is_not
from pathlib import Path
from typing import TYPE_CHECKING

import glfw
import numpy as np
from imgui_bundle import ImVec2, imgui

from scenes.cameras import Camera
from ui.camera_reel import CameraReel
from ui.gui import colour_u32
from ui.path_editor import PathEditor
from ui.path_preview import CameraGroup, mark_at, polyline, screen_lines, spline_points, uncovered
from ui.screen import Points
from ui.theme import ACCENT
from ui.timeline import Timeline
from ui.tool import Tool

if TYPE_CHECKING:
    from ui.app import App

SIZES = {"key": 0.2, "reel": 0.12}  # of frusta, in scene radii
TOO_NEAR = 1.5  # of a frustum's size: one this near to the eye would only be in the way
NEAR = 0.01  # of the scene's radius: where lines are cut before the eye
MOST_FRUSTA = 100  # of a file's cameras; the farther ones are dots
REACH = 11.0  # screen coordinates at 96 dots an inch, around a mark
NUMBER_ROOM = 1.9  # text lines between the numbers of keys
TREMBLE = 4.0  # of a hand that clicks
REEL = (0.95, 0.72, 0.35)
SELECTED = (1.0, 1.0, 1.0)
SHADE = (0.0, 0.0, 0.0)
COLOURS = {"key": ACCENT, "reel": REEL}


class PathTool(Tool):
    """Holds what there is of a path: `editor` and `reel`; `shown` says whether they are drawn in the scene."""

    def __init__(self) -> None:
        self.editor = PathEditor()
        self.reel = CameraReel()
        self.shown = True
        self.timeline = Timeline()
        self.typed = ""  # in the panel
        self.replacing: Path | None = None  # a file the panel asks about
        self._spline: tuple[int, Points] = (-1, np.zeros((0, 3)))  # of a revision
        self._groups: dict[str, CameraGroup] = {}
        self._playing: Camera | None = None  # what is looked through while it plays
        self._pressed: tuple[str, int] | None = None
        self._moved = 0.0

    # What panels and keys do

    def cameras(self, app: App, frames: int) -> list[Camera]:
        """`frames` cameras along the path, evenly in time, with the near plane of the window's camera; [] without."""
        near = app.camera().near
        return [replace(camera, near=near) for camera in self.editor.cameras(frames)]

    def show_time(self, app: App) -> None:
        """Looks through the path's camera at the playhead."""
        if self.editor.keys:
            app.navigator.look_through(self.editor.camera_at(self.editor.time))
            self._playing = app.navigator.through

    def toggle_play(self, app: App) -> None:
        """Plays or pauses."""
        if self.editor.playing:
            self.editor.pause()
        elif self.editor.play():
            self.show_time(app)
        else:
            app.note("Nothing to play: a path needs two keys")

    def go_to_key(self, app: App, index: int) -> None:
        """Selects a key and flies to it."""
        self.editor.select(index)
        app.navigator.fly_to(self.editor.keys[index].camera)

    def step_key(self, app: App, by: int) -> None:
        """The key after the selected one, or before it."""
        count = len(self.editor.keys)
        if not count:
            app.note("No keys yet")
            return
        here = self.editor.selected
        first = 0 if by > 0 else count - 1
        self.go_to_key(app, first if here is None else (here + by) % count)

    def step_reel(self, app: App, by: int) -> None:
        """The next camera of the file that was read, or the one before."""
        camera = self.reel.step(by)
        if camera is None:
            app.note("No cameras yet: import a file with some")
            return
        self.editor.pause()
        app.navigator.fly_to(camera)
        app.note(f"Camera {(self.reel.index or 0) + 1} of {len(self.reel.cameras):,}  {camera.name}")

    # What the window asks of tools

    def step(self, app: App, seconds: float) -> bool:
        """Plays, until somebody takes the camera away."""
        if self.editor.playing and app.navigator.through is not self._playing:
            self.editor.pause()
        if not self.editor.advance(seconds):
            return False
        self.show_time(app)
        return True

    def draw(self, app: App, pen: imgui.ImDrawList) -> None:
        """Spline, keys and cameras; nothing while playing, when the eye is on the spline."""
        if not self.shown or self.editor.playing:
            return
        camera = replace(app.camera(), near=max(app.camera().near, NEAR * app.navigator.extent.radius))
        if self.reel.shown and self.reel.cameras:
            self._draw_reel(app, pen, camera)
        if self.editor.keys:
            self._draw_path(app, pen, camera)

    def on_press(self, app: App, x: float, y: float, button: int, modifiers: int) -> bool:
        """Takes a click on a key or a camera."""
        if button != glfw.MOUSE_BUTTON_LEFT or modifiers or not self.shown or self.editor.playing:
            return False
        reach = REACH * app.gui.scale
        for kind in ("key", "reel") if self.reel.shown else ("key",):
            index = mark_at(*self._marks(app, kind), x, y, reach)
            if index is not None:
                self._pressed, self._moved = (kind, index), 0.0
                return True
        return False

    def on_drag(self, app: App, x: float, y: float, dx: float, dy: float) -> None:
        """A drag that began on a mark turns the camera like any other."""
        before, self._moved = self._moved, self._moved + float(np.hypot(dx, dy))
        if before > TREMBLE * app.gui.scale:
            app.dragged("turn", dx, dy)

    def on_release(self, app: App, x: float, y: float) -> None:
        """A click flies to what is there."""
        pressed, self._pressed = self._pressed, None
        if pressed is None or self._moved > TREMBLE * app.gui.scale:
            return
        kind, index = pressed
        if kind == "key" and index < len(self.editor.keys):
            self.go_to_key(app, index)
        elif kind == "reel" and index < len(self.reel.cameras):
            self.reel.index = index - 1
            self.step_reel(app, 1)

    # Drawing

    def _group(self, kind: str) -> CameraGroup:
        """The cameras of the keys, or those that were imported."""
        cameras = tuple(key.camera for key in self.editor.keys) if kind == "key" else self.reel.cameras
        group = self._groups.get(kind)
        if group is None or len(group.cameras) != len(cameras) or any(map(is_not, group.cameras, cameras)):
            group = self._groups[kind] = CameraGroup(cameras)
        return group

    def _marks(self, app: App, kind: str) -> tuple[Points, Points]:
        """Where cameras are on screen; NaN for those that are not seen, or too near."""
        return self._group(kind).marks(
            app.camera(), app.view_rect, TOO_NEAR * SIZES[kind] * app.navigator.extent.radius
        )

    def _draw_path(self, app: App, pen: imgui.ImDrawList, camera: Camera) -> None:
        scale = app.gui.scale
        if self._spline[0] != self.editor.revision:
            self._spline = (self.editor.revision, polyline(spline_points(self.editor.keys)))
        lines = screen_lines(self._spline[1], camera, app.view_rect)
        _draw_lines(pen, lines, colour_u32(SHADE, 0.5), 4.0 * scale)
        _draw_lines(pen, lines, colour_u32(ACCENT), 2.0 * scale)
        places = self._draw_frusta(app, pen, camera, "key", self.editor.selected)
        free = uncovered([place for _, place in places], NUMBER_ROOM * imgui.get_text_line_height())
        for (i, place), room in zip(places, free, strict=True):
            colour = SELECTED if i == self.editor.selected else ACCENT
            if room or i == self.editor.selected:
                _draw_number(pen, place, i + 1, colour, scale)
            else:
                pen.add_circle_filled(ImVec2(*place), 2.5 * scale, colour_u32(colour))
        if all(key.time != self.editor.time for key in self.editor.keys):  # else its number is there
            head = CameraGroup([self.editor.camera_at(self.editor.time)])
            place = head.marks(camera, app.view_rect)[0][0]
            if np.isfinite(place).all():
                pen.add_circle_filled(ImVec2(*place), 4.0 * scale, colour_u32(SELECTED))

    def _draw_reel(self, app: App, pen: imgui.ImDrawList, camera: Camera) -> None:
        radius = 2.5 * app.gui.scale
        for i, place in self._draw_frusta(app, pen, camera, "reel", self.reel.index):
            colour = colour_u32(SELECTED if i == self.reel.index else REEL)
            pen.add_circle_filled(ImVec2(*place), radius, colour)

    def _draw_frusta(
        self, app: App, pen: imgui.ImDrawList, camera: Camera, kind: str, chosen: int | None
    ) -> list[tuple[int, Points]]:
        """The nearest of the frusta; the indices and places of all that are seen, the nearest last."""
        places, depths = self._marks(app, kind)
        order = np.argsort(depths)
        order = order[np.isfinite(depths[order])]
        size, scale = SIZES[kind] * app.navigator.extent.radius, app.gui.scale
        for colour, which in ((COLOURS[kind], order[order != chosen]), (SELECTED, order[order == chosen])):
            lines = self._group(kind).frusta(which[:MOST_FRUSTA], size, app.aspect)
            _draw_lines(pen, screen_lines(lines, camera, app.view_rect), colour_u32(colour), 1.3 * scale)
        return [(int(i), places[i]) for i in order[::-1]]


def _draw_lines(pen: imgui.ImDrawList, lines: Points, colour: int, thickness: float) -> None:
    for (x0, y0), (x1, y1) in lines.tolist():
        pen.add_line(ImVec2(x0, y0), ImVec2(x1, y1), colour, thickness)


def _draw_number(
    pen: imgui.ImDrawList, place: Points, number: int, colour: tuple[float, float, float], scale: float
) -> None:
    text = str(number)
    size = imgui.calc_text_size(text)
    corner = ImVec2(float(place[0]) - 0.5 * size.x, float(place[1]) - 0.5 * size.y)
    radius = max(0.62 * size.y, 0.6 * size.x + 3.0)
    pen.add_circle_filled(ImVec2(*place), radius, colour_u32(SHADE, 0.75))
    pen.add_circle(ImVec2(*place), radius, colour_u32(colour), thickness=1.3 * scale)
    pen.add_text(corner, colour_u32(SELECTED), text)
