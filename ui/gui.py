"""imgui in a glfw window: its context, its renderer, and the events it is fed.

imgui-bundle's own glfw backend is not used: it would install callbacks of its own beside ours.
"""

from __future__ import annotations

import sys

import glfw
from imgui_bundle import ImVec2, ImVec4, imgui

from ui.theme import apply_theme
from ui.window import Window

GLSL_VERSION = "#version 430"
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
}
_MODIFIERS = {
    glfw.MOD_CONTROL: "ctrl",
    glfw.MOD_SHIFT: "shift",
    glfw.MOD_ALT: "alt",
    glfw.MOD_SUPER: "super",
}
_MODIFIER_PREFIX = "mod_" if hasattr(imgui.Key, "mod_ctrl") else "im_gui_mod_"  # before imgui-bundle 1.6


class Gui:
    """imgui's state for one window."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._context = imgui.create_context()
        self._io = imgui.get_io()
        self._io.set_ini_filename("")  # nothing is remembered in the working folder: see `layout`
        self._io.config_flags |= imgui.ConfigFlags_.docking_enable
        self._io.config_windows_move_from_title_bar_only = True
        apply_theme(window.scale, window.density)
        imgui.backends.opengl3_init(GLSL_VERSION)

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

    @property
    def layout_changed(self) -> bool:
        """Where the panels are has changed since `layout` was called; imgui waits some seconds before it says so."""
        return self._io.want_save_ini_settings

    def layout(self) -> str:
        """Where the panels are, in imgui's own format."""
        self._io.want_save_ini_settings = False
        return imgui.save_ini_settings_to_memory()

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

    def close(self) -> None:
        """Frees everything."""
        imgui.backends.opengl3_shutdown()
        imgui.destroy_context(self._context)


def texture_reference(texture: int) -> imgui.ImTextureRef:
    """What imgui draws an OpenGL texture by: before 1.92 its plain name."""
    return imgui.ImTextureRef(texture) if hasattr(imgui, "ImTextureRef") else texture  # pyright: ignore[reportReturnType]


def colour_u32(colour: tuple[float, float, float], alpha: float = 1.0) -> int:
    """A colour as draw lists take it."""
    return imgui.color_convert_float4_to_u32(ImVec4(*colour, alpha))
