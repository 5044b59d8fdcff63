"""The running window: what the user does, and one frame after another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import glfw
from imgui_bundle import ImVec2, imgui

from scenes.detect import is_scene_name
from scenes.errors import KilofieldError
from ui.actions import action_for
from ui.app_view import AppView
from ui.gui import texture_reference
from ui.inputs import Inputs
from ui.kinds import KIND_WORDS
from ui.loading import SceneLoader
from ui.menus import draw_menus
from ui.overlays import draw_overlays
from ui.scene_slot import device_error
from ui.stage_tool import StageTool
from ui.stored import write_layout, write_stored
from ui.tool import Tool
from ui.unsaved import UnsavedTool

EMPTY = (0.07, 0.075, 0.08)  # behind everything while there is no scene
SETTLE_FRAMES = 3  # imgui needs after an event until what it shows stands still
IDLE_SECONDS = 0.5  # between frames when nothing goes on
LOADING_SECONDS = 1 / 30  # while a file is read: its bar moves, and the thread that reads has the rest of the time
LONGEST_STEP = 0.1  # s of motion in one frame, however long it took


class App(AppView):
    """The viewer. Files are opened in the order given; the first at once."""

    def __init__(
        self, files: Sequence[Path], size: tuple[int, int] | None = None, loader: SceneLoader | None = None
    ) -> None:
        """A window of `size`, or as large as the last; `loader` may be at work on the first file already."""
        super().__init__(files, size, loader)
        self.inputs = Inputs(self.window.handle, self.gui, self)
        self._holder: Tool | None = None  # the tool that has the drag
        self._settling = SETTLE_FRAMES
        self._then = glfw.get_time()
        if self.files and self.loader.path is None:
            self.loader.start(self.files[0])

    # What the user does: see `inputs.Listener`

    def grabbed(self, x: float, y: float, button: int, modifiers: int) -> bool:
        """Whether a tool takes the press."""
        tools = reversed(self.tools) if self.loaded else ()
        with self.seeing(self.part_at(x)):
            self._holder = next((tool for tool in tools if tool.on_press(self, x, y, button, modifiers)), None)
        return self._holder is not None

    def held_moved(self, x: float, y: float, dx: float, dy: float) -> None:
        """The tool that took the press."""
        if self._holder:
            with self.seeing(self.part_at(x)):
                self._holder.on_drag(self, x, y, dx, dy)

    def let_go(self, x: float, y: float) -> None:
        """The end of that."""
        holder, self._holder = self._holder, None
        if holder:
            with self.seeing(self.part_at(x)):
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
        with self.seeing(self.part_at(x)):
            point = self.pick(x, y)
        if point is None:
            self.note("Nothing to focus on there")
        else:
            self.navigator.focus(point)

    def pressed(self, key: int, modifiers: int, again: bool = False) -> None:
        """A key of `actions.ACTIONS`, or another; in a dialog only what closes it."""
        if self.asking:
            self._answer(key)
            return
        action = action_for(key, modifiers)
        if action is not None and action.needs is not None and not self.shows(action.needs):
            self.note(f"Only {KIND_WORDS[action.needs]}: {action.text}")
        elif action is not None and (action.repeats or not again):
            with self.seeing(self.part_at(self.inputs.cursor[0])):  # some act where the cursor is
                action.run(self)

    def _answer(self, key: int) -> None:
        """What a key does to a dialog."""
        enter, unsaved = key in (glfw.KEY_ENTER, glfw.KEY_KP_ENTER), self.tool(UnsavedTool)
        if unsaved.asking and not any(message.error for message in self.messages.shown(0.0)):
            if enter:
                unsaved.save(self)
            elif key == glfw.KEY_ESCAPE:
                unsaved.cancel()
            return
        if enter and self.dialogs.in_window and not any(message.error for message in self.messages.shown(0.0)):
            self.dialogs.accept()
        elif enter or key == glfw.KEY_ESCAPE:
            self.escape()

    @property
    def asking(self) -> bool:
        """A dialog of the window waits for an answer."""
        return (
            self.tool(UnsavedTool).asking
            or self.dialogs.in_window
            or any(message.error for message in self.messages.shown(0.0))
        )

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
        """Opens the first, and lists all; what is dropped on a scene file and is none itself is added to it."""
        if paths and self.scenes[0].stage is not None and not any(is_scene_name(path) for path in paths):
            for path in paths:
                self.tool(StageTool).add_file(path)
            return
        found = self.listed(paths)
        if found:
            self.open(found[0])

    def open(self, path: Path) -> None:
        """Begins to load a file, once it is known what becomes of changes that are not saved."""
        if not self.tool(UnsavedTool).before(self, lambda: self.open(path)):
            super().open(path)

    def open_index(self, index: int) -> None:
        """The same with file number `index` of the list."""
        if not self.tool(UnsavedTool).before(self, lambda: self.open_index(index)):
            super().open_index(index)

    # One frame

    @property
    def closing(self) -> bool:
        """The user has had enough, and has said what becomes of changes that are not saved."""
        if not glfw.window_should_close(self.window.handle):
            return False
        unsaved = self.tool(UnsavedTool)
        if unsaved.asking or unsaved.before(self, self.quit):
            glfw.set_window_should_close(self.window.handle, False)
            self._settling = SETTLE_FRAMES
            return False
        return True

    def frame(self) -> None:
        """Takes in events, moves the camera, brings the picture up to date, and draws; without showing it yet."""
        self._wait_for_events()
        now = glfw.get_time()
        seconds, self._then = now - self._then, now
        self.frame_seconds.append(seconds)
        self.take_loaded()
        if self.gui.scale != self.docking.scale:  # another text size, or another display
            self.docking.rescale(self.gui.scale)
        self.gui.begin(seconds)
        if self.switches.panels:
            draw_menus(self)
        self.view_rect = self.docking.update(not self.switches.panels)
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
            again = self.picture.update(self.painter, self.camera(), self.view_size, self.scene_settings(), now, every)
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
        self.tool(UnsavedTool).draw_question(self)
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
        for seen, rect in self.parts:
            pen.push_clip_rect(ImVec2(seen.x, seen.y), ImVec2(seen.right, seen.bottom), True)
            with self.seeing(rect):
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
