"""The running window: what is open, how it is seen, and one frame after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import glfw
import numpy as np
from imgui_bundle import ImVec2, imgui

from renderer.gaussian_renderer import GaussianRenderer
from renderer.settings import CropBox, RenderSettings
from renderer.window import window_context
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.extent import Extent
from ui.actions import action_for
from ui.depth_range import depth_range
from ui.docking import Docking
from ui.file_dialogs import FileDialogs
from ui.gui import Gui, texture_reference
from ui.inputs import Inputs
from ui.loading import LoadedScene, SceneLoader
from ui.menus import draw_menus
from ui.messages import Messages
from ui.navigation import Navigator
from ui.overlays import draw_overlays
from ui.panel_windows import PanelWindows
from ui.picking import pick
from ui.scene_picture import Painter, ScenePicture
from ui.scene_slot import SceneSlot, device_error
from ui.screen import Points, Rect, halves, project_points
from ui.screenshots import save_screenshot
from ui.settings import Switches
from ui.stored import read_layout, read_stored, write_layout, write_stored
from ui.tool import Tool
from ui.tools import TOOLS
from ui.window import Window

if TYPE_CHECKING:
    import moderngl

TITLE = "Kilofield"
EMPTY = (0.07, 0.075, 0.08)  # behind everything while there is no scene
SETTLE_FRAMES = 3  # imgui needs after an event until what it shows stands still
IDLE_SECONDS = 0.5  # between frames when nothing goes on
LOADING_SECONDS = 1 / 30  # while a file is read: its bar moves, and the thread that reads has the rest of the time
LONGEST_STEP = 0.1  # s of motion in one frame, however long it took
SCENE_PATTERNS = ("*.ply", "*.kilo")
SAME_PLACE = 0.25  # of the radius: a scene this near to the last, and as large, is the same place

AnyTool = TypeVar("AnyTool", bound=Tool)


class App:
    """The state of the viewer. Files are opened in the order given; the first at once."""

    def __init__(
        self, files: Sequence[Path], size: tuple[int, int] | None = None, loader: SceneLoader | None = None
    ) -> None:
        """A window of `size`, or as large as the last; `loader` may be at work on the first file already."""
        self.stored, complaint = read_stored()
        self.window = Window(TITLE, size or self.stored.window)
        self.context = window_context()
        self.scenes = [SceneSlot(self.context, loader)]
        self.picture = ScenePicture(self.context, self.scenes)
        self.painter: Painter = self.paint_scene
        self.gui = Gui(self.window, self.stored.text_size)
        self.inputs = Inputs(self.window.handle, self.gui, self)
        self.navigator = Navigator(Extent(np.zeros(3), 1.0, np.array([0.0, -1.0, 0.0])))
        self.messages, self.dialogs = Messages(), FileDialogs()
        self.look, self.switches = self.stored.look, Switches(vsync=self.stored.vsync)
        self.panels = PanelWindows(self.stored.panels)
        self.docking = Docking(read_layout(), self.gui.scale, self.panels.first_tabs)
        self.view_rect = Rect(0, 0, *self.window.size)
        self.side_by_side = False  # the picture is two, see `screen.halves`
        self.tools: list[Tool] = [tool() for tool in TOOLS]
        self.files = list(files)
        self.file_index = 0
        self._holder: Tool | None = None  # the tool that has the drag
        self._rescaled = False  # the text has another size than in the frame before
        self._settling = SETTLE_FRAMES
        self._then = glfw.get_time()
        self.window.set_vsync(self.switches.vsync)
        if complaint:
            self.note(complaint)
        if self.files and self.loader.path is None:
            self.loader.start(self.files[0])

    # What is open

    @property
    def renderer(self) -> GaussianRenderer:
        """Of the first scene."""
        return self.scenes[0].renderer

    @property
    def loader(self) -> SceneLoader:
        """Of the first scene."""
        return self.scenes[0].loader

    @property
    def loaded(self) -> LoadedScene | None:
        """The first scene, when one is open."""
        return self.scenes[0].loaded

    def add_scene(self) -> SceneSlot:
        """One more scene beside the first, empty; `SceneSlot.open` fills it."""
        self.scenes.append(SceneSlot(self.context))
        return self.scenes[-1]

    def remove_scene(self, slot: SceneSlot) -> None:
        """Closes a scene that was added."""
        self.scenes.remove(slot)
        slot.release()
        self.picture.invalidate()

    def open(self, path: Path) -> None:
        """Begins to load a file, as one more of the list unless it is in it."""
        if path not in self.files:
            self.files.append(path)
        self.loader.start(path)

    def open_index(self, index: int) -> None:
        """Begins to load file number `index` of the list."""
        self.loader.start(self.files[index])

    def ask_for_file(self) -> None:
        """A dialog for a scene to open."""
        if self.loaded is not None:
            self.dialogs.folder = self.loaded.file.path.absolute().parent
        self.dialogs.open_file("Open a scene", SCENE_PATTERNS, self.open)

    def cancel_loading(self) -> bool:
        """Keeps what is open; False if nothing was being loaded."""
        path = self.loader.path
        if not self.loader.cancel():
            return False
        self._forget_failed(path)
        return True

    def open_next(self, step: int) -> None:
        """The next file of the list, or the one before, round and round."""
        if len(self.files) > 1:
            self.open_index((self.file_index + step) % len(self.files))

    def _take_loaded(self) -> None:
        """What the loaders have finished, or their errors; an old scene stays until the new one is in video memory."""
        for slot in list(self.scenes):
            path, before = slot.loader.path, slot.loaded
            try:
                if not slot.take():
                    continue
            except KilofieldError as error:
                self.messages.error(str(error), f"{path.name if path else 'This file'} cannot be opened")
                if slot is self.scenes[0]:
                    self._forget_failed(path)
                continue
            self.picture.forget()
            if slot is self.scenes[0]:
                self._show(before)
            self._tell_dropped(slot)

    def _forget_failed(self, path: Path | None) -> None:
        shown = self.loaded.file.path if self.loaded else None
        self.files = [file for file in self.files if file != path or file == shown]
        self.file_index = self.files.index(shown) if shown in self.files else 0
        if shown is None and self.files:
            self.loader.start(self.files[0])  # of several files given, the first that can be read

    def _show(self, before: LoadedScene | None) -> None:
        """The first scene has changed."""
        loaded = self.loaded
        assert loaded is not None
        self.file_index = self.files.index(loaded.file.path)
        self.stored.opened(loaded.file.path)
        self.window.set_title(f"{loaded.file.path.name} - {TITLE}")
        self.navigator.aspect = self.aspect
        if before is not None and _same_place(before.extent, loaded.extent):
            self.navigator.set_extent(loaded.extent)
        else:
            self.navigator.go_home(loaded.extent)

    def _tell_dropped(self, slot: SceneSlot) -> None:
        if slot.loaded and slot.loaded.file.dropped:
            self.note(f"{slot.loaded.file.dropped:,} Gaussians left out: they cannot be drawn")

    # How it is seen

    @property
    def shown_sh_degree(self) -> int:
        """At most the scene's."""
        wanted, there = self.look.sh_degree, self.scenes[0].sh_degree
        return there if wanted is None else min(wanted, there)

    def settings(self) -> RenderSettings:
        """`look` as the picture is drawn with: the depth view's range follows the camera unless it is fixed."""
        if not self.switches.auto_depth or self.look.view != "depth":
            return self.look
        return replace(self.look, depth_range=depth_range(self.camera(), self.navigator.extent))

    def toggle_crop(self) -> None:
        """A crop box around the scene, or none."""
        extent = self.navigator.extent
        low, high = (extent.centre + side * extent.radius for side in (-1, 1))
        box = CropBox((low[0], low[1], low[2]), (high[0], high[1], high[2]))
        self.set_look(crop=box if self.look.crop is None else None)

    def set_pipeline(self, pipeline: str) -> None:
        """How scenes are drawn: one of the renderer's `PIPELINES`."""
        for slot in self.scenes:
            slot.renderer.pipeline = pipeline
        self.picture.forget()

    def set_residency(self, residency: str) -> None:
        """How neural scenes are in video memory: one of the renderer's `RESIDENCIES`."""
        for slot in self.scenes:
            slot.set_residency(residency)
        self.picture.forget()

    def reset_display(self) -> None:
        """All that the Display panel sets is as at first."""
        self.look, self.switches.auto_depth, self.navigator.near = RenderSettings(), True, None

    def set_text_size(self, times: float) -> None:
        """Panels, menus and all their text."""
        self.stored.text_size = times
        self.gui.set_text_size(times)
        self._rescaled = True

    def set_look(self, **changes: Any) -> None:
        """Changes fields of `look`."""
        self.look = replace(self.look, **changes)

    def set_vsync(self, wanted: bool) -> None:
        """Whether frames wait for the display."""
        self.switches.vsync = wanted
        self.window.set_vsync(wanted)

    def set_painter(self, painter: Painter | None) -> None:
        """What paints the picture: `painter(framebuffer, camera, settings)`; None for the first scene alone."""
        self.painter = painter or self.paint_scene
        self.picture.invalidate()

    def paint_scene(self, target: moderngl.Framebuffer, camera: Camera, settings: RenderSettings) -> None:
        """The first scene, over all of `target`."""
        self.renderer.draw(camera, target, settings)

    def camera(self) -> Camera:
        """The camera of the picture."""
        return self.navigator.camera()

    @property
    def view_size(self) -> tuple[int, int]:
        """Pixels of the scene's part of the window."""
        density = self.window.density
        return max(1, round(self.view_rect.width * density)), max(1, round(self.view_rect.height * density))

    @property
    def aspect(self) -> float:
        """Width / height of the scene's part of the window."""
        return self.view_size[0] / self.view_size[1]

    @property
    def _parts(self) -> list[tuple[Rect, Rect]]:
        """Where the camera's picture is seen, and where all of it would be."""
        return halves(self.view_rect) if self.side_by_side else [(self.view_rect, self.view_rect)]

    @contextmanager
    def _seeing(self, rect: Rect) -> Iterator[None]:
        """`view_rect` is this one for a while."""
        whole, self.view_rect = self.view_rect, rect
        try:
            yield
        finally:
            self.view_rect = whole

    def _part_at(self, x: float) -> Rect:
        """All of the picture that is seen at a column of the screen."""
        return next((rect for seen, rect in self._parts if seen.x <= x < seen.right), self.view_rect)

    def on_screen(self, points: Points) -> tuple[Points, Points]:
        """Screen coordinates [N, 2] and depths [N] of world points [N, 3]; NaN for what is behind the camera."""
        return project_points(points, self.camera(), self.view_rect)

    def pick(self, x: float, y: float) -> Points | None:
        """[3] the point of the first scene under a position on screen, or None over empty space."""
        if self.loaded is None:
            return None
        density = self.window.density
        pixel = (x - self.view_rect.x) * density, (y - self.view_rect.y) * density
        return pick(self.loaded.gaussians, self.camera(), pixel, *self.view_size)

    def take_screenshot(self) -> None:
        """Saves the scene as it is seen, without panels, in the working folder."""
        if self.loaded is None:
            self.note("Nothing to save: no scene is open")
            return
        self.picture.draw(self.painter, self.camera(), self.view_size, self.settings())
        try:
            path = save_screenshot(self.picture.picture.read(), self.loaded.file.path, Path.cwd())
        except KilofieldError as error:
            self.messages.error(str(error))
        else:
            self.note(f"Saved {path}")

    def note(self, text: str) -> None:
        """Shows `text` for a few seconds."""
        self.messages.note(text, glfw.get_time())

    def tool(self, kind: type[AnyTool]) -> AnyTool:
        """The tool of this class."""
        return next(tool for tool in self.tools if isinstance(tool, kind))

    def show_panel(self, title: str, shown: bool = True) -> None:
        """Opens a panel and brings it to the front, or closes it."""
        self.panels.show(title, shown)
        self.switches.panels |= shown

    def toggle_panel(self, title: str) -> None:
        """Opens or closes a panel."""
        self.show_panel(title, not (title in self.panels.open and self.switches.panels))

    def quit(self) -> None:
        """Closes after this frame."""
        glfw.set_window_should_close(self.window.handle, True)

    # What the user does: see `inputs.Listener`

    def grabbed(self, x: float, y: float, button: int, modifiers: int) -> bool:
        """Whether a tool takes the press."""
        tools = reversed(self.tools) if self.loaded else ()
        with self._seeing(self._part_at(x)):
            self._holder = next((tool for tool in tools if tool.on_press(self, x, y, button, modifiers)), None)
        return self._holder is not None

    def held_moved(self, x: float, y: float, dx: float, dy: float) -> None:
        """The tool that took the press."""
        if self._holder:
            with self._seeing(self._part_at(x)):
                self._holder.on_drag(self, x, y, dx, dy)

    def let_go(self, x: float, y: float) -> None:
        """The end of that."""
        holder, self._holder = self._holder, None
        if holder:
            with self._seeing(self._part_at(x)):
                holder.on_release(self, x, y)

    def dragged(self, kind: str, dx: float, dy: float) -> None:
        """Over the scene."""
        self.navigator.drag(kind, dx, dy, self.view_rect.height)

    def scrolled(self, notches: float) -> None:
        """Over the scene."""
        self.navigator.wheel(notches)

    def double_clicked(self, x: float, y: float) -> None:
        """Focuses on what is there."""
        if self.loaded is None:
            return
        with self._seeing(self._part_at(x)):
            point = self.pick(x, y)
        if point is None:
            self.note("Nothing to focus on there")
        else:
            self.navigator.focus(point)

    def pressed(self, key: int, modifiers: int) -> None:
        """A key of `actions.ACTIONS`, or another; in a dialog only what closes it."""
        if self.asking and key not in (glfw.KEY_ESCAPE, glfw.KEY_ENTER, glfw.KEY_KP_ENTER):
            return
        action = action_for(glfw.KEY_ESCAPE if self.asking else key, modifiers)
        if action is not None:
            with self._seeing(self._part_at(self.inputs.cursor[0])):  # some act where the cursor is
                action.run(self)

    @property
    def asking(self) -> bool:
        """A dialog of the window waits for an answer."""
        return self.dialogs.in_window or any(message.error for message in self.messages.shown(0.0))

    def escape(self) -> None:
        """Closes what is on top: a dialog, the help; or stops loading."""
        if not (self.messages.dismiss() or self.dialogs.cancel()):
            if self.switches.help:
                self.switches.help = False
            else:
                self.cancel_loading()

    def typed(self, character: str) -> None:
        """The question mark is a character: which keys make it depends on the layout."""
        if character == "?" and not self.asking:
            self.switches.help = not self.switches.help

    def dropped(self, paths: list[Path]) -> None:
        """Opens the first, and lists all."""
        self.files += [path for path in paths if path not in self.files]
        if paths:
            self.open(paths[0])

    # One frame

    @property
    def closing(self) -> bool:
        """The user has had enough."""
        return bool(glfw.window_should_close(self.window.handle))

    def frame(self) -> None:
        """Takes in events, moves the camera, brings the picture up to date, and draws; without showing it yet."""
        self._wait_for_events()
        now = glfw.get_time()
        seconds, self._then = now - self._then, now
        self._take_loaded()
        if self._rescaled:
            self._rescaled = False
            self.docking.rescale(self.gui.scale)
        self.gui.begin(seconds)
        if self.switches.panels:
            draw_menus(self)
        self.view_rect = self.docking.update(self.gui.scale, not self.switches.panels)
        moving = self._step(min(seconds, LONGEST_STEP))
        if self.loaded is not None and not self.window.hidden:
            moving |= self._update_picture(now)
        self._draw(now)
        busy = self.dialogs.step() or moving or self.inputs.fresh
        self._settling = SETTLE_FRAMES if busy else self._settling - 1
        self.inputs.fresh = False

    def show(self) -> None:
        """Puts the drawn frame on the screen."""
        glfw.swap_buffers(self.window.handle)

    def _wait_for_events(self) -> None:
        if self._settling > 0:
            glfw.poll_events()
        else:
            loading = any(slot.loader.path for slot in self.scenes)
            longest = LOADING_SECONDS if loading else IDLE_SECONDS
            glfw.wait_events_timeout(min([longest, *(tool.patience for tool in self.tools)]))

    def _step(self, seconds: float) -> bool:
        """Moves the camera and lets tools go on; True while something moves."""
        self.navigator.aspect = self.aspect
        held = [] if self.gui.takes_keys or self.asking else self.inputs.held()
        moving = self.navigator.step(held, seconds, self.inputs.fast, self.inputs.slow)
        for tool in self.tools:
            moving |= tool.step(self, seconds)
        return moving

    def _update_picture(self, now: float) -> bool:
        """True while it may change by itself. An error here ends the program: the device cannot draw any more."""
        every, before = self.switches.every_frame, self.renderer.facts.capped
        try:
            again = self.picture.update(self.painter, self.camera(), self.view_size, self.settings(), now, every)
            if device_error(self.context):
                raise KilofieldError("OpenGL: expected a device that goes on, found none: it was reset or is full")
        except KilofieldError as error:
            raise KilofieldError(f"{'; '.join(slot.words for slot in self.scenes if slot.loaded)}: {error}") from error
        capped = self.renderer.facts.capped
        if capped and not before:
            self.note(f"{capped:,} Gaussians are left out, the farthest: all of them would take too long to draw")
        return again

    def _draw(self, now: float) -> None:
        if self.loaded is not None and self.picture.picture.size != (0, 0):
            self._draw_scene()
        if self.switches.panels:
            self.panels.draw(self)
        draw_overlays(self, now)
        self.dialogs.draw(self.gui.scale)
        self.picture.picture.show_on(self.look.background if self.loaded else EMPTY)
        self.gui.end()
        if self.gui.layout_changed:
            self._keep()

    def _draw_scene(self) -> None:
        """The picture, and over it what tools draw."""
        pen, rect = imgui.get_background_draw_list(), self.view_rect
        corner, opposite = ImVec2(rect.x, rect.y), ImVec2(rect.right, rect.bottom)
        texture = texture_reference(self.picture.picture.texture)
        pen.add_image(texture, corner, opposite, ImVec2(0, 1), ImVec2(1, 0))  # its first row is the bottom
        for seen, rect in self._parts:
            pen.push_clip_rect(ImVec2(seen.x, seen.y), ImVec2(seen.right, seen.bottom), True)
            with self._seeing(rect):
                for tool in self.tools:
                    tool.draw(self, pen)
            pen.pop_clip_rect()

    def _keep(self) -> None:
        """Settings and layout, for the next run."""
        self.gui.layout_is_kept()
        stored, layout = self.stored, self.docking.layout()
        stored.window, stored.vsync, stored.look = self.window.size_to_keep, self.switches.vsync, self.look
        stored.panels = sorted(self.panels.open)
        try:
            write_stored(stored)
            write_layout(layout)
        except KilofieldError as error:
            self.note(f"Settings are not kept: {error}")

    def close(self) -> None:
        """Frees everything and closes the window."""
        for tool in self.tools:
            tool.close()
        self._keep()
        self.gui.close()
        self.picture.release()
        for slot in self.scenes:
            slot.release()
        self.context.release()
        self.window.close()


def _same_place(a: Extent, b: Extent) -> bool:
    """Two versions of one scene, such as a .ply and its .kilo: the camera then stays where it is."""
    near = float(np.linalg.norm(a.centre - b.centre)) <= SAME_PLACE * a.radius
    return near and abs(b.radius / a.radius - 1) <= SAME_PLACE
