"""The running window: what is open, how it is seen, and one frame after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import glfw
import numpy as np
from imgui_bundle import ImVec2, imgui

from renderer.gaussian_renderer import GaussianRenderer
from renderer.settings import RenderSettings
from renderer.window import window_context
from scenes.errors import KilofieldError
from scenes.extent import Extent
from ui.actions import action_for
from ui.gui import Gui, texture_reference
from ui.inputs import Inputs
from ui.loading import LoadedScene, SceneLoader
from ui.messages import Messages
from ui.navigation import Navigator
from ui.overlays import draw_overlays
from ui.panel import draw_panel, panel_width
from ui.picking import pick
from ui.scene_picture import ScenePicture
from ui.screenshots import save_screenshot
from ui.settings import Switches
from ui.window import Window

TITLE = "Kilofield"
EMPTY = (0.07, 0.075, 0.08)  # behind everything while there is no scene
SETTLE_FRAMES = 3  # imgui needs after an event until what it shows stands still
IDLE_SECONDS = 0.5  # between frames when nothing goes on
LONGEST_STEP = 0.1  # s of motion in one frame, however long it took
SAME_PLACE = 0.25  # of the radius: a scene this near to the last, and as large, is the same place


class App:
    """The state of the viewer. Files are opened in the order given; the first at once."""

    def __init__(self, files: Sequence[Path], size: tuple[int, int]) -> None:
        self.window = Window(TITLE, size)
        self.renderer = GaussianRenderer(window_context())
        self.picture = ScenePicture(self.renderer)
        self.gui = Gui(self.window)
        self.inputs = Inputs(self.window.handle, self.gui, self)
        self.navigator = Navigator(Extent(np.zeros(3), 1.0, np.array([0.0, -1.0, 0.0])))
        self.loader, self.messages = SceneLoader(), Messages()
        self.look, self.switches = RenderSettings(), Switches()
        self.loaded: LoadedScene | None = None
        self.files = list(files)
        self.file_index = 0
        self._settling = SETTLE_FRAMES
        self._then = glfw.get_time()
        self.window.set_vsync(self.switches.vsync)
        if self.files:
            self.loader.start(self.files[0])

    # What is open

    def open(self, path: Path) -> None:
        """Begins to load a file, as one more of the list unless it is in it."""
        if path not in self.files:
            self.files.append(path)
        self.loader.start(path)

    def open_index(self, index: int) -> None:
        """Begins to load file number `index` of the list."""
        self.loader.start(self.files[index])

    def open_next(self, step: int) -> None:
        """The next file of the list, or the one before, round and round."""
        if len(self.files) > 1:
            self.open_index((self.file_index + step) % len(self.files))

    def _take_loaded(self) -> None:
        """What the loader has finished, or its error; the old scene stays until the new one is in video memory."""
        path = self.loader.path
        try:
            loaded = self.loader.poll()
            if loaded is not None:
                self.renderer.load(loaded.file.scene)
        except (KilofieldError, OSError, MemoryError) as error:
            self.messages.error(str(error) or f"{path}: not enough memory")
            self._forget_failed(path)
            return
        if loaded is not None:
            self._show(loaded)

    def _forget_failed(self, path: Path | None) -> None:
        shown = self.loaded.file.path if self.loaded else None
        self.files = [file for file in self.files if file != path or file == shown]
        self.file_index = self.files.index(shown) if shown in self.files else 0
        if shown is None and self.files:
            self.loader.start(self.files[0])  # of several files given, the first that can be read

    def _show(self, loaded: LoadedScene) -> None:
        before = self.loaded
        self.loaded = loaded
        self.file_index = self.files.index(loaded.file.path)
        self.picture.forget()
        self.window.set_title(f"{loaded.file.path.name} - {TITLE}")
        self.navigator.aspect = self.aspect
        if before is not None and _same_place(before.extent, loaded.extent):
            self.navigator.set_extent(loaded.extent)
        else:
            self.navigator.go_home(loaded.extent)
        if loaded.file.dropped:
            self.messages.note(f"{loaded.file.dropped:,} Gaussians left out: they cannot be drawn", glfw.get_time())

    # How it is seen

    @property
    def scene_sh_degree(self) -> int:
        """Of the scene that is open."""
        return self.loaded.file.scene.sh_degree if self.loaded else 0

    @property
    def shown_sh_degree(self) -> int:
        """At most the scene's."""
        wanted = self.look.sh_degree
        return self.scene_sh_degree if wanted is None else min(wanted, self.scene_sh_degree)

    @property
    def video_memory(self) -> int:
        """Bytes the scene takes on the device."""
        return self.renderer.scene.bytes if self.loaded else 0

    def set_look(self, **changes: Any) -> None:
        """Changes fields of `look`."""
        self.look = replace(self.look, **changes)

    def set_vsync(self, wanted: bool) -> None:
        """Whether frames wait for the display."""
        self.switches.vsync = wanted
        self.window.set_vsync(wanted)

    @property
    def view_size(self) -> tuple[int, int]:
        """Pixels of the scene's part of the window."""
        width, height = self.window.size
        density = self.window.density
        return max(1, round((width - panel_width(self)) * density)), max(1, round(height * density))

    @property
    def aspect(self) -> float:
        """Width / height of the scene's part of the window."""
        return self.view_size[0] / self.view_size[1]

    def take_screenshot(self) -> None:
        """Saves the scene as it is seen, without panels, in the working folder."""
        if self.loaded is None:
            self.messages.note("Nothing to save: no scene is open", glfw.get_time())
            return
        self.picture.draw(self.navigator.camera(), self.view_size, self.look)
        try:
            path = save_screenshot(self.picture.picture.read(), self.loaded.file.path, Path.cwd())
        except KilofieldError as error:
            self.messages.error(str(error))
        else:
            self.messages.note(f"Saved {path}", glfw.get_time())

    def quit(self) -> None:
        """Closes after this frame."""
        glfw.set_window_should_close(self.window.handle, True)

    # What the user does: see `inputs.Listener`

    def dragged(self, kind: str, dx: float, dy: float) -> None:
        """Over the scene."""
        self.navigator.drag(kind, dx, dy, self.window.size[1])

    def scrolled(self, notches: float) -> None:
        """Over the scene."""
        self.navigator.wheel(notches)

    def double_clicked(self, x: float, y: float) -> None:
        """Focuses on what is there."""
        if self.loaded is None:
            return
        density = self.window.density
        pixel = (x - panel_width(self)) * density, y * density
        point = pick(self.loaded.gaussians, self.navigator.camera(), pixel, *self.view_size)
        if point is None:
            self.messages.note("Nothing to focus on there", glfw.get_time())
        else:
            self.navigator.focus(point)

    def pressed(self, key: int, modifiers: int) -> None:
        """A key of `actions.ACTIONS`, or another."""
        action = action_for(key, modifiers)
        if action is not None:
            action.run(self)

    def typed(self, character: str) -> None:
        """The question mark is a character: which keys make it depends on the layout."""
        if character == "?":
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
        self.navigator.aspect = self.aspect
        held = [] if self.gui.takes_keys else self.inputs.held()
        moving = self.navigator.step(held, min(seconds, LONGEST_STEP), self.inputs.fast, self.inputs.slow)
        if self.loaded is not None and not self.window.hidden:
            moving |= self.picture.update(
                self.navigator.camera(), self.view_size, self.look, now, self.switches.every_frame
            )
        self._draw(now, seconds)
        busy = moving or self.inputs.fresh or self.loader.path is not None
        self._settling = SETTLE_FRAMES if busy else self._settling - 1
        self.inputs.fresh = False

    def show(self) -> None:
        """Puts the drawn frame on the screen."""
        glfw.swap_buffers(self.window.handle)

    def _wait_for_events(self) -> None:
        if self._settling > 0:
            glfw.poll_events()
        else:
            glfw.wait_events_timeout(IDLE_SECONDS)

    def _draw(self, now: float, seconds: float) -> None:
        self.picture.picture.show_on(self.look.background if self.loaded else EMPTY)
        self.gui.begin(seconds)
        if self.loaded is not None and self.picture.picture.size != (0, 0):
            left, (width, height) = panel_width(self), self.window.size
            imgui.get_background_draw_list().add_image(
                texture_reference(self.picture.picture.texture),
                ImVec2(left, 0),
                ImVec2(width, height),
                ImVec2(0, 1),  # the texture's first row is the bottom
                ImVec2(1, 0),
            )
        draw_panel(self)
        draw_overlays(self, now)
        self.gui.end()

    def close(self) -> None:
        """Frees everything and closes the window."""
        self.gui.close()
        self.picture.release()
        self.renderer.release()
        self.renderer.context.release()
        self.window.close()


def _same_place(a: Extent, b: Extent) -> bool:
    """Two versions of one scene, such as a .ply and its .kilo: the camera then stays where it is."""
    near = float(np.linalg.norm(a.centre - b.centre)) <= SAME_PLACE * a.radius
    return near and abs(b.radius / a.radius - 1) <= SAME_PLACE
