"""imgui in a glfw window: its context, its renderer, and the events it is fed.

imgui-bundle's own glfw backend is not used: it would install callbacks of its own beside ours.
"""

from __future__ import annotations

import sys
from typing import Any

import glfw
from imgui_bundle import ImVec2, ImVec4, imgui, implot

from ui.theme import add_font, apply_theme
from ui.window import Window

GLSL_VERSION = "#version 410"  # of the oldest OpenGL there can be
AWAY = -sys.float_info.max  # imgui's "no mouse here"
LONGEST_STEP = 0.1  # s; after a wait imgui's animations must not jump

# What text fields and sliders use; no shortcut of ours goes through imgui.
_KEYS = {
    glfw.KEY_TAB: imgui.Key.tab,
    glfw.KEY_LEFT: imgui.Key.left_arrow,
    glfw.KEY_RIGHT: imgui.Key.right_arrow,
    glfw.KEY_HOME: imgui.Key.home,
    glfw.KEY_END: imgui.Key.end,
    glfw.KEY_DELETE: imgui.Key.delete,
    glfw.KEY_BACKSPACE: imgui.Key.backspace,
    glfw.KEY_ENTER: imgui.Key.enter,
    glfw.KEY_KP_ENTER: imgui.Key.keypad_enter,
    glfw.KEY_ESCAPE: imgui.Key.escape,
    glfw.KEY_A: imgui.Key.a,
    glfw.KEY_C: imgui.Key.c,
    glfw.KEY_V: imgui.Key.v,
    glfw.KEY_X: imgui.Key.x,
    glfw.KEY_Y: imgui.Key.y,
    glfw.KEY_Z: imgui.Key.z,
    glfw.KEY_UP: imgui.Key.up_arrow,
    glfw.KEY_DOWN: imgui.Key.down_arrow,
}
_MODIFIERS = {
    glfw.MOD_CONTROL: "ctrl",
    glfw.MOD_SHIFT: "shift",
    glfw.MOD_ALT: "alt",
    glfw.MOD_SUPER: "super",
}
_MODIFIER_PREFIX = "mod_" if hasattr(imgui.Key, "mod_ctrl") else "im_gui_mod_"  # before imgui-bundle 1.6


_CURSORS = {
    imgui.MouseCursor_.arrow: glfw.ARROW_CURSOR,
    imgui.MouseCursor_.text_input: glfw.IBEAM_CURSOR,
    imgui.MouseCursor_.resize_ew: glfw.HRESIZE_CURSOR,
    imgui.MouseCursor_.resize_ns: glfw.VRESIZE_CURSOR,
    imgui.MouseCursor_.hand: glfw.HAND_CURSOR,
}


class Gui:
    """imgui's state for one window."""

    def __init__(self, window: Window, text_size: float = 1.0) -> None:
        self._window = window
        self._context = imgui.create_context()
        self._plots = implot.create_context()
        self._io = imgui.get_io()
        self._io.set_ini_filename("")  # nothing is remembered in the working folder: see `docking`
        self._io.config_flags |= imgui.ConfigFlags_.docking_enable
        self._io.config_windows_move_from_title_bar_only = True
        self._io.config_docking_always_tab_bar = True  # so that a panel can be dragged by its name
        self._text_size, self._scaled = text_size, 0.0
        self._cursor: imgui.MouseCursor_ = imgui.MouseCursor_.arrow
        self._cursors: dict[imgui.MouseCursor_, Any] = {}
        add_font(self.scale, window.density)
        self._connect_clipboard()
        imgui.backends.opengl3_init(GLSL_VERSION)

    @property
    def scale(self) -> float:
        """How many times as large as at 96 dots an inch, and at a text size of 1, things are drawn."""
        return self._window.scale * self._text_size

    def set_text_size(self, times: float) -> None:
        """Everything larger or smaller, from the next frame on."""
        self._text_size = times

    @property
    def takes_mouse(self) -> bool:
        """The mouse is over a panel, or holds something there."""
        return self._io.want_capture_mouse

    @property
    def takes_keys(self) -> bool:
        """A text field is being typed into."""
        return self._io.want_text_input

    def begin(self, seconds: float) -> None:
        """Starts a frame, `seconds` after the one before."""
        if self.scale != self._scaled:  # wished for, or the window came to another display
            self._scaled = self.scale
            apply_theme(self.scale)
        width, height = self._window.size
        density = self._window.density
        self._io.display_size = ImVec2(width, height)
        self._io.display_framebuffer_scale = ImVec2(density, density)
        self._io.delta_time = min(max(seconds, 1e-4), LONGEST_STEP)
        imgui.backends.opengl3_new_frame()
        imgui.new_frame()

    def end(self) -> None:
        """Draws the frame over what the window shows."""
        imgui.render()
        imgui.backends.opengl3_render_draw_data(imgui.get_draw_data())
        self._show_cursor()

    @property
    def layout_changed(self) -> bool:
        """Where the panels are has changed since it was kept; imgui waits some seconds before it says so."""
        return self._io.want_save_ini_settings

    def layout_is_kept(self) -> None:
        """Somebody has written it down."""
        self._io.want_save_ini_settings = False

    def mouse_moved(self, x: float, y: float) -> None:
        """The cursor is at x, y."""
        self._io.add_mouse_pos_event(x, y)

    def mouse_left(self) -> None:
        """The cursor has left the window."""
        self._io.add_mouse_pos_event(AWAY, AWAY)

    def mouse_button(self, button: int, down: bool) -> None:
        """One of glfw's buttons went down or up."""
        if button < 5:
            self._io.add_mouse_button_event(button, down)

    def wheel(self, dx: float, dy: float) -> None:
        """The wheel turned by these notches."""
        self._io.add_mouse_wheel_event(dx, dy)

    def key(self, key: int, down: bool, modifiers: int) -> None:
        """One of glfw's keys went down or up."""
        for bit, name in _MODIFIERS.items():
            self._io.add_key_event(getattr(imgui.Key, _MODIFIER_PREFIX + name), bool(modifiers & bit))
        if key in _KEYS:
            self._io.add_key_event(_KEYS[key], down)

    def character(self, code: int) -> None:
        """A character was typed."""
        self._io.add_input_character(code)

    def _show_cursor(self) -> None:
        """The shape imgui wants."""
        shape = imgui.MouseCursor_(imgui.get_mouse_cursor())
        if shape == self._cursor or shape not in _CURSORS:
            return
        self._cursor = shape
        if shape not in self._cursors:
            self._cursors[shape] = glfw.create_standard_cursor(_CURSORS[shape])
        glfw.set_cursor(self._window.handle, self._cursors[shape])

    def _connect_clipboard(self) -> None:
        """Copy and paste in text fields go to the system's clipboard."""
        handle = self._window.handle
        platform: Any = imgui.get_platform_io()
        if hasattr(platform, "platform_set_clipboard_text_fn"):
            platform.platform_set_clipboard_text_fn = lambda context, text: glfw.set_clipboard_string(handle, text)
            platform.platform_get_clipboard_text_fn = lambda context: _clipboard(handle)
            return
        io: Any = self._io  # before imgui 1.91.1
        io.set_clipboard_text_fn_ = lambda data, text: glfw.set_clipboard_string(handle, text)
        io.get_clipboard_text_fn_ = lambda data: _clipboard(handle)

    def close(self) -> None:
        """Frees everything."""
        imgui.backends.opengl3_shutdown()
        implot.destroy_context(self._plots)
        imgui.destroy_context(self._context)


def _clipboard(handle: Any) -> str:
    found: Any = glfw.get_clipboard_string(handle) or b""  # bytes, whatever the stub says
    return found.decode("utf-8", "replace")


def texture_reference(texture: int) -> imgui.ImTextureRef:
    """What imgui draws an OpenGL texture by: before 1.92 its plain name."""
    return imgui.ImTextureRef(texture) if hasattr(imgui, "ImTextureRef") else texture  # pyright: ignore[reportReturnType]


def colour_u32(colour: tuple[float, float, float], alpha: float = 1.0) -> int:
    """A colour as draw lists take it."""
    return imgui.color_convert_float4_to_u32(ImVec4(*colour, alpha))
