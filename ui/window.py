"""The window itself: glfw, an OpenGL context, sizes. Errors are one line that says what to do."""

from __future__ import annotations

import sys
from typing import Any

# Sets where glfw finds its library: the one imgui-bundle carries (X11 on Linux), so that there is only one.
import imgui_bundle  # noqa: F401  # isort: skip
import glfw

from scenes.errors import KilofieldError

WITHOUT_WINDOW = "use `kilofield fly` or `kilofield render`"
OPENGL = ((4, 3), (4, 1))  # compute shaders and storage buffers; or what a Mac has
SMALLEST = (640, 400)  # at 96 dots an inch, that the panels, the menus and a message fit into

glfw.ERROR_REPORTING = False  # errors are asked for where they can happen; warnings on stderr help nobody


class Window:
    """One window and its OpenGL context, current on this thread. `handle` is glfw's."""

    def __init__(self, title: str, size: tuple[int, int]) -> None:
        if not glfw.init():
            raise KilofieldError(
                f"no display: expected a window system ($DISPLAY; XWayland where $WAYLAND_DISPLAY is set), "
                f"found none ({_reason()}); {WITHOUT_WINDOW}"
            )
        self.handle = _created(title, _fitting(size))
        glfw.make_context_current(self.handle)
        width, height = (round(side * self.scale) for side in SMALLEST)
        glfw.set_window_size_limits(self.handle, width, height, glfw.DONT_CARE, glfw.DONT_CARE)
        self._windowed = (*glfw.get_window_pos(self.handle), *glfw.get_window_size(self.handle))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in screen coordinates, which are also the cursor's."""
        return glfw.get_window_size(self.handle)

    @property
    def density(self) -> float:
        """Pixels of the framebuffer a screen coordinate: 2 on a Mac's display, 1 elsewhere."""
        width = self.size[0]
        return glfw.get_framebuffer_size(self.handle)[0] / width if width else 1.0

    @property
    def scale(self) -> float:
        """How much larger than at 96 dots an inch things should be drawn, in screen coordinates."""
        return max(glfw.get_window_content_scale(self.handle)[0] / self.density, 1.0)

    @property
    def size_to_keep(self) -> tuple[int, int]:
        """What to ask for in the next run: at 96 dots an inch, and of the window even while it fills the screen."""
        width, height = self._windowed[2:] if glfw.get_window_monitor(self.handle) else self.size
        return round(width / self.scale), round(height / self.scale)

    @property
    def hidden(self) -> bool:
        """Minimised: there is nothing to draw into."""
        return bool(glfw.get_window_attrib(self.handle, glfw.ICONIFIED)) or 0 in self.size

    def set_title(self, title: str) -> None:
        """The text in its frame."""
        glfw.set_window_title(self.handle, title)

    def set_vsync(self, wanted: bool) -> None:
        """Whether frames wait for the display."""
        glfw.swap_interval(int(wanted))

    def toggle_fullscreen(self) -> None:
        """Over all of the monitor, or back to where it was."""
        if glfw.get_window_monitor(self.handle):
            glfw.set_window_monitor(self.handle, None, *self._windowed, 0)  # pyright: ignore[reportArgumentType]
            return
        monitor = glfw.get_primary_monitor()
        if monitor:
            self._windowed = (*glfw.get_window_pos(self.handle), *self.size)
            mode = glfw.get_video_mode(monitor)
            glfw.set_window_monitor(self.handle, monitor, 0, 0, *mode.size, mode.refresh_rate)

    def close(self) -> None:
        """Destroys the window, and leaves glfw."""
        glfw.destroy_window(self.handle)
        glfw.terminate()


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    """`size`, or as much of it as the display has room for."""
    monitor = glfw.get_primary_monitor()
    if not monitor:
        return size
    room = glfw.get_monitor_workarea(monitor)[2:]
    # Where windows are scaled to the monitor, the room is in pixels; a Mac's is in the units of `size`.
    scale = 1.0 if sys.platform == "darwin" else max(glfw.get_monitor_content_scale(monitor)[0], 1.0)
    return min(size[0], int(room[0] / scale)), min(size[1], int(room[1] / scale))


def _created(title: str, size: tuple[int, int]) -> Any:
    """A window with the newest OpenGL of `OPENGL` there is."""
    for version in OPENGL:
        handle = _create(title, size, version)
        if handle:
            return handle
    reason = _reason()
    version = _version_there_is()
    glfw.terminate()
    found = f"found {version}" if version else f"found none ({reason})"
    raise KilofieldError(f"OpenGL: expected version 4.1 for a window, {found}; {WITHOUT_WINDOW}")


def _create(title: str, size: tuple[int, int], version: tuple[int, int]) -> Any:
    glfw.default_window_hints()
    glfw.window_hint(glfw.CONTEXT_VERSION_MAJOR, version[0])
    glfw.window_hint(glfw.CONTEXT_VERSION_MINOR, version[1])
    glfw.window_hint(glfw.OPENGL_PROFILE, glfw.OPENGL_CORE_PROFILE)
    glfw.window_hint(glfw.OPENGL_FORWARD_COMPAT, True)
    glfw.window_hint(glfw.CONTEXT_ROBUSTNESS, glfw.LOSE_CONTEXT_ON_RESET)  # or a lost device could not be told
    glfw.window_hint(glfw.SCALE_TO_MONITOR, True)
    return glfw.create_window(*size, title, None, None)


def _version_there_is() -> str | None:
    """The version of the context a window gets that asks for none."""
    glfw.default_window_hints()
    glfw.window_hint(glfw.VISIBLE, False)
    handle = glfw.create_window(64, 64, "", None, None)
    if not handle:
        return None
    parts = (glfw.CONTEXT_VERSION_MAJOR, glfw.CONTEXT_VERSION_MINOR)
    version = ".".join(str(glfw.get_window_attrib(handle, part)) for part in parts)
    glfw.destroy_window(handle)
    return version


def _reason() -> str:
    """What glfw says of its latest error, on one line."""
    text: Any = glfw.get_error()[1] or b"no reason given"  # bytes, whatever the stub says
    return " ".join(text.decode(errors="replace").split())
