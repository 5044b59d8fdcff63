"""What the user does with mouse and keys, from glfw's events: to imgui where a panel wants it, else to the scene.

Keys are glfw's, which name places on the keyboard, not letters: WASD is where it is on a US keyboard on any layout.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import glfw

from ui.gui import Gui

DOUBLE_CLICK = 0.35, 4.0  # seconds and screen coordinates two clicks may be apart

# Held keys, by the names of `navigation.HELD`.
HELD_KEYS = {
    glfw.KEY_W: "forward",
    glfw.KEY_S: "back",
    glfw.KEY_A: "left",
    glfw.KEY_D: "right",
    glfw.KEY_Q: "down",
    glfw.KEY_E: "up",
    glfw.KEY_LEFT: "turn left",
    glfw.KEY_RIGHT: "turn right",
    glfw.KEY_UP: "turn up",
    glfw.KEY_DOWN: "turn down",
    glfw.KEY_C: "roll clockwise",
    glfw.KEY_Z: "roll anticlockwise",
}
_FAST = (glfw.KEY_LEFT_SHIFT, glfw.KEY_RIGHT_SHIFT)
_SLOW = (glfw.KEY_LEFT_ALT, glfw.KEY_RIGHT_ALT)
_DRAGS = {
    glfw.MOUSE_BUTTON_LEFT: "turn",
    glfw.MOUSE_BUTTON_RIGHT: "pan",
    glfw.MOUSE_BUTTON_MIDDLE: "pan",
}


class Listener(Protocol):
    """What happens to the scene."""

    def grabbed(self, x: float, y: float, button: int, modifiers: int) -> bool:
        """A button goes down over the scene; True if something there takes it, and the drag and release after it."""
        ...

    def held_moved(self, x: float, y: float, dx: float, dy: float) -> None:
        """The cursor came to x, y while what was grabbed is held."""

    def let_go(self, x: float, y: float) -> None:
        """What was grabbed is let go."""

    def dragged(self, kind: str, dx: float, dy: float) -> None:
        """By dx, dy screen coordinates; `kind` is "turn" or "pan"."""

    def scrolled(self, notches: float) -> None:
        """The wheel, over the scene; positive away from the user."""

    def double_clicked(self, x: float, y: float) -> None:
        """In screen coordinates."""

    def pressed(self, key: int, modifiers: int, again: bool = False) -> None:
        """A key; `again` while it is held down."""

    def typed(self, character: str) -> None:
        """A character, whatever keys it took."""

    def dropped(self, paths: list[Path]) -> None:
        """Files, from outside."""


class Inputs:
    """Listens to one window. `fresh` says whether anything came in since it was last set to False."""

    def __init__(self, handle: Any, gui: Gui, listener: Listener) -> None:
        self.fresh = True
        self._gui, self._listener = gui, listener
        self._down: set[int] = set()
        self._drag: str | None = None
        self._grabbed = False
        self._cursor = (0.0, 0.0)
        self._last_click = (-1.0, 0.0, 0.0)  # when and where
        glfw.set_key_callback(handle, self.on_key)
        glfw.set_char_callback(handle, self.on_character)
        glfw.set_cursor_pos_callback(handle, self.on_cursor)
        glfw.set_cursor_enter_callback(handle, self.on_enter)
        glfw.set_mouse_button_callback(handle, self.on_button)
        glfw.set_scroll_callback(handle, self.on_scroll)
        glfw.set_drop_callback(handle, self.on_drop)  # pyright: ignore[reportArgumentType]  # the stub has C's arguments
        glfw.set_window_focus_callback(handle, self.on_focus)
        glfw.set_window_refresh_callback(handle, self.on_refresh)

    def held(self) -> list[str]:
        """What held keys push the camera, by the names of `navigation.HELD`."""
        if self._down & {glfw.KEY_LEFT_CONTROL, glfw.KEY_RIGHT_CONTROL, glfw.KEY_LEFT_SUPER, glfw.KEY_RIGHT_SUPER}:
            return []
        return [name for key, name in HELD_KEYS.items() if key in self._down]

    @property
    def fast(self) -> bool:
        """Shift is down."""
        return not self._down.isdisjoint(_FAST)

    @property
    def slow(self) -> bool:
        """Alt is down."""
        return not self._down.isdisjoint(_SLOW)

    @property
    def cursor(self) -> tuple[float, float]:
        """Where the cursor is, in screen coordinates."""
        return self._cursor

    def on_key(self, handle: Any, key: int, scancode: int, action: int, modifiers: int) -> None:
        """glfw's event of this name, as are all below."""
        self.fresh = True
        self._gui.key(key, action != glfw.RELEASE, modifiers)
        if action == glfw.RELEASE:
            self._down.discard(key)
        elif not self._gui.takes_keys:
            self._down.add(key)
            self._listener.pressed(key, modifiers, action == glfw.REPEAT)

    def on_character(self, handle: Any, code: int) -> None:
        """A character typed."""
        self.fresh = True
        self._gui.character(code)
        if not self._gui.takes_keys:
            self._listener.typed(chr(code))

    def on_cursor(self, handle: Any, x: float, y: float) -> None:
        """The cursor, in screen coordinates."""
        self.fresh = True
        dx, dy = x - self._cursor[0], y - self._cursor[1]
        self._cursor = (x, y)
        self._gui.mouse_moved(x, y)
        if self._grabbed:
            self._listener.held_moved(x, y, dx, dy)
        elif self._drag:
            self._listener.dragged(self._drag, dx, dy)

    def on_enter(self, handle: Any, entered: int) -> None:
        """The cursor came or went."""
        self.fresh = True
        if not entered:
            self._gui.mouse_left()

    def on_button(self, handle: Any, button: int, action: int, modifiers: int) -> None:
        """A mouse button."""
        self.fresh = True
        down = action == glfw.PRESS
        self._gui.mouse_button(button, down)
        if not down:
            self._end_drag()
        elif self._gui.takes_mouse or self._grabbed:
            return
        elif self._listener.grabbed(*self._cursor, button, modifiers):
            self._grabbed, self._drag = True, None
        else:
            panning = button == glfw.MOUSE_BUTTON_LEFT and modifiers & glfw.MOD_CONTROL  # touchpads have one button
            self._drag = "pan" if panning else _DRAGS.get(button)
            if button == glfw.MOUSE_BUTTON_LEFT and self._is_double():
                self._drag = None  # a hand that trembles must not undo what a double click does
                self._listener.double_clicked(*self._cursor)

    def on_scroll(self, handle: Any, dx: float, dy: float) -> None:
        """The wheel, or two fingers."""
        self.fresh = True
        self._gui.wheel(dx, dy)
        if not self._gui.takes_mouse:
            self._listener.scrolled(dy)

    def on_drop(self, handle: Any, paths: list[str]) -> None:
        """Files dropped on the window."""
        self.fresh = True
        self._listener.dropped([Path(path) for path in paths])

    def on_focus(self, handle: Any, focused: int) -> None:
        """Another window has the keyboard: releases there are not told here."""
        self.fresh = True
        if not focused:
            self._down.clear()
            self._end_drag()

    def on_refresh(self, handle: Any) -> None:
        """The window was uncovered or resized."""
        self.fresh = True

    def _end_drag(self) -> None:
        self._drag = None
        if self._grabbed:
            self._grabbed = False
            self._listener.let_go(*self._cursor)

    def _is_double(self) -> bool:
        """Whether the click that happens now ends a double click."""
        now, (x, y) = glfw.get_time(), self._cursor
        then, last_x, last_y = self._last_click
        near = max(abs(x - last_x), abs(y - last_y)) <= DOUBLE_CLICK[1]
        double = now - then <= DOUBLE_CLICK[0] and near
        self._last_click = (-1.0 if double else now, x, y)
        return double
