"""Two scenes in one picture: A is the scene that is open, B another file, both through the same camera and settings."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import glfw
from imgui_bundle import ImVec2, imgui

from renderer.compare_screen import MODES, CompareScreen, Paint, split_column
from renderer.picture_difference import PictureDifference, PictureScore
from renderer.scene_settings import SceneSettings
from scenes.cameras import Camera
from scenes.naming import scene_name
from scenes.sizes import readable_bytes
from ui.gui import colour_u32
from ui.scene_picture import Painter
from ui.scene_slot import SceneSlot
from ui.screen import Rect
from ui.theme import PANEL, TEXT
from ui.tool import Tool

if TYPE_CHECKING:
    import moderngl

    from ui.app import App

PANEL_TITLE = "Compare"
MODE_NAMES = {"split": "Split", "sides": "Side by side", "difference": "Difference", "a": "A alone", "b": "B alone"}
assert set(MODE_NAMES) == set(MODES)

GRIP = 9.0  # screen coordinates at 96 dots an inch from the bar at which it can be taken
SPLIT_STEP = 0.05  # of the width, a press of a key
FLICKER_SECONDS = 0.5  # each of A and B
HIGHEST = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # ends of the heat map that are chosen by themselves
DEVIATIONS = 4.0  # root mean squares of the difference that they hold
STEP_SECONDS = 0.008  # of measuring in a frame
MOVING_SECONDS = 1.0  # between measurements while the camera moves


class CompareTool(Tool):
    """What is compared, how it is shown, and the latest figures. `slot` is B; None while nothing is compared."""

    def __init__(self) -> None:
        self.slot: SceneSlot | None = None
        self.mode = "split"
        self.split = 0.5  # share of the width that shows A
        self.swapped = False  # the scene that is open is B
        self.flicker = False  # A and B in turn
        self.fixed_highest: float | None = None  # the difference at the map's end; None: by what there is
        self.score: PictureScore | None = None
        self._screen: CompareScreen | None = None
        self._difference: PictureDifference | None = None
        self._composed: object = None  # what the picture was made with
        self._painted = self._measured = 0  # how often, and which painting was measured last
        self._measured_at = 0.0
        self._flicked_at = 0.0
        self._rect = Rect(0, 0, 1, 1)  # the scene's; while tools draw, `app.view_rect` may be a part's
        self._grip: float | None = None  # from the cursor to the bar, while it is held

    # What is compared

    def compare_with(self, app: App, path: Path) -> None:
        """Begins to load `path` as the other scene, in place of the one before."""
        if self.slot is None:
            self.slot = app.add_scene()
        self.slot.open(path)
        app.show_panel(PANEL_TITLE)

    def stop(self, app: App) -> None:
        """Back to the one scene."""
        if self.slot is None:
            return
        app.set_painter(None)
        app.side_by_side = False
        app.remove_scene(self.slot)
        self.slot = self.score = None
        self.close()

    @property
    def active(self) -> bool:
        """Both scenes are there, and in the picture."""
        return self._screen is not None

    @property
    def measuring(self) -> bool:
        """The figures are not yet those of the picture."""
        return self._painted > self._measured or (self._difference is not None and self._difference.busy)

    def sides(self, app: App) -> list[SceneSlot]:
        """A and B."""
        assert self.slot is not None
        both = [app.scenes[0], self.slot]
        return both[::-1] if self.swapped else both

    # How it is shown

    @property
    def highest(self) -> float:
        """The difference (0 to 1, of the channel that differs most) at the end of the heat map."""
        if self.fixed_highest is not None:
            return self.fixed_highest
        wanted = DEVIATIONS * math.sqrt(self.score.error) if self.score else 0.1
        return next((value for value in HIGHEST if value >= wanted), HIGHEST[-1])

    def set_mode(self, app: App, mode: str) -> None:
        """One of `MODES`."""
        if "sides" in (mode, self.mode) and mode != self.mode:
            app.picture.invalidate()  # its pictures are half as wide
        self.mode = mode
        self.flicker = False
        app.side_by_side = self.active and mode == "sides"

    def next_mode(self, app: App, step: int) -> None:
        """Round and round."""
        names = list(MODE_NAMES)
        self.set_mode(app, names[(names.index(self.mode) + step) % len(names)])

    def flick(self, app: App) -> None:
        """To A alone, or from A to B, or back."""
        self.set_mode(app, "b" if self.mode == "a" else "a")

    def set_flicker(self, app: App, on: bool) -> None:
        """A and B in turn, by themselves."""
        self.set_mode(app, "a" if on else "split")
        self.flicker = on
        self._flicked_at = glfw.get_time()

    def swap(self) -> None:
        """What was A is B."""
        self.swapped = not self.swapped
        if self._screen is not None:
            self._screen.swap()

    def move_split(self, share: float) -> None:
        """To a share of the width, held inside the picture."""
        self.split = min(max(share, 0.0), 1.0)

    # One frame

    def step(self, app: App, seconds: float) -> bool:
        """Loads, flickers, composes and measures."""
        if self.slot is None or not self._begun(app):
            return False
        now = glfw.get_time()
        if self.flicker and now - self._flicked_at >= FLICKER_SECONDS:
            self.mode = "b" if self.mode == "a" else "a"
            self._flicked_at = now
        self._recompose(app)
        self._rect = app.view_rect
        self.patience = FLICKER_SECONDS if self.flicker else math.inf
        return self._measure(app, now)

    def _begun(self, app: App) -> bool:
        """Whether both are there; takes over the picture as soon as they are, and gives up when B cannot be read."""
        assert self.slot is not None
        if self.slot.loaded is None and self.slot.loader.path is None:
            self.stop(app)
            return False
        if self.slot.loaded is None or app.loaded is None:
            return False
        if self._screen is None:
            self._screen, self._difference = CompareScreen(app.context), PictureDifference(app.context)
            app.set_painter(self._painter(app))
            app.side_by_side = self.mode == "sides"
            app.show_panel(PANEL_TITLE)
        return True

    def _painter(self, app: App) -> Painter:
        def paint(target: moderngl.Framebuffer, camera: Camera, settings: SceneSettings) -> None:
            assert self._screen is not None
            width, height = target.size
            size = (max(width // 2, 1), height) if self.mode == "sides" else (width, height)
            paints = [_painter_of(slot, camera, settings) for slot in self.sides(app)]
            self._screen.paint(size, paints[0], paints[1])
            self._painted += 1
            self._compose(target)

        return paint

    def _compose(self, target: moderngl.Framebuffer) -> None:
        assert self._screen is not None
        self._composed = self._wanted
        self._screen.draw(target, self.mode, self.split, self.highest)

    @property
    def _wanted(self) -> object:
        return self.mode, self.split, self.swapped, self.highest

    def _recompose(self, app: App) -> None:
        """Makes the picture anew of what is painted already."""
        picture = app.picture.picture
        if self._painted and self._composed != self._wanted and picture.size != (0, 0):
            picture.draw(*picture.size, self._compose)

    def _measure(self, app: App, now: float) -> bool:
        """A little of it; True while there is more to do."""
        assert self._screen is not None
        assert self._difference is not None
        if self._difference.busy:
            self.score = self._difference.step(STEP_SECONDS) or self.score
        elif self._painted > self._measured and (_resting(app) or now - self._measured_at > MOVING_SECONDS):
            self._difference.start(*self._screen.pictures)
            self._measured, self._measured_at = self._painted, now
        return self._difference.busy

    def close(self) -> None:
        """Frees what is on the device, but the scene."""
        for thing in (self._screen, self._difference):
            if thing is not None:
                thing.release()
        self._screen = self._difference = None
        self._painted = self._measured = 0

    # The bar

    def on_press(self, app: App, x: float, y: float, button: int, modifiers: int) -> bool:
        """The bar, where it is."""
        grip = self._bar(app) - x
        if not self.active or self.mode != "split" or button != glfw.MOUSE_BUTTON_LEFT:
            return False
        self._grip = grip if abs(grip) <= GRIP * app.gui.scale else None
        return self._grip is not None

    def on_drag(self, app: App, x: float, y: float, dx: float, dy: float) -> None:
        """The bar follows the cursor."""
        assert self._grip is not None
        self.move_split((x + self._grip - self._rect.x) / self._rect.width)

    def on_release(self, app: App, x: float, y: float) -> None:
        """Lets go of the bar."""
        self._grip = None

    def _bar(self, app: App) -> float:
        """Where it is, in screen coordinates."""
        return self._rect.x + split_column(self.split, app.view_size[0]) / app.window.density

    def draw(self, app: App, pen: imgui.ImDrawList) -> None:
        """The bar and the names."""
        if not self.active:
            return
        rect = self._rect
        if self.mode == "split":
            _draw_bar(pen, self._bar(app), rect.y, rect.bottom, app.gui.scale, self._grip is not None)
        elif self.mode == "sides":
            middle = rect.x + (app.view_size[0] // 2) / app.window.density
            pen.add_line(ImVec2(middle, rect.y), ImVec2(middle, rect.bottom), colour_u32(TEXT, 0.7))
        for slot, letter, right in zip(self.sides(app), "AB", (False, True), strict=True):
            if self.mode not in MODES[:2] or self.mode == letter.lower():
                _draw_label(pen, rect, app.gui.scale, _label(letter, slot), right)


def _resting(app: App) -> bool:
    """The picture will stay as it is."""
    return app.picture.whole and not app.switches.every_frame


def _painter_of(slot: SceneSlot, camera: Camera, settings: SceneSettings) -> Paint:
    return lambda target: slot.draw(camera, target, settings)


def _label(letter: str, slot: SceneSlot) -> str:
    assert slot.loaded is not None
    return f"{letter}   {scene_name(slot.loaded.file.path)}   {readable_bytes(slot.loaded.file.bytes)}"


def _draw_bar(pen: imgui.ImDrawList, x: float, top: float, bottom: float, scale: float, held: bool) -> None:
    for width, colour in ((3.0, colour_u32(PANEL, 0.8)), (1.0, colour_u32(TEXT))):
        pen.add_line(ImVec2(x, top), ImVec2(x, bottom), colour, width * scale)
    middle = ImVec2(x, 0.5 * (top + bottom))
    pen.add_circle_filled(middle, (GRIP + 2 * held) * scale, colour_u32(PANEL, 0.9))
    pen.add_circle(middle, (GRIP + 2 * held) * scale, colour_u32(TEXT), 0, 1.5 * scale)
    for side in (-1, 1):
        tip, back = x + side * 6 * scale, x + side * 2.5 * scale
        corners = (ImVec2(back, middle.y - 3.5 * scale), ImVec2(tip, middle.y), ImVec2(back, middle.y + 3.5 * scale))
        pen.add_triangle_filled(*corners, colour_u32(TEXT))


def _draw_label(pen: imgui.ImDrawList, rect: Rect, scale: float, text: str, right: bool) -> None:
    """In an upper corner of the scene."""
    size = imgui.calc_text_size(text)
    pad = ImVec2(8 * scale, 4 * scale)
    edge = 10 * scale
    left = rect.right - edge - size.x - 2 * pad.x if right else rect.x + edge
    corner, opposite = (
        ImVec2(left, rect.y + edge),
        ImVec2(left + size.x + 2 * pad.x, rect.y + edge + size.y + 2 * pad.y),
    )
    pen.add_rect_filled(corner, opposite, colour_u32(PANEL, 0.8), 5 * scale)
    pen.add_text(ImVec2(corner.x + pad.x, corner.y + pad.y), colour_u32(TEXT), text)
