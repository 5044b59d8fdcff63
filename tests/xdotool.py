"""A hand on the mouse and the keyboard of a virtual display, by xdotool."""

from __future__ import annotations

import subprocess


def xdotool(*words: object) -> str:
    """Runs it; its output."""
    done = subprocess.run(["xdotool", *map(str, words)], capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.strip()


def click(x: float, y: float, button: int = 1, times: int = 1) -> None:
    xdotool("mousemove", round(x), round(y), "click", "--repeat", times, "--delay", 60, button)


def drag(start: tuple[float, float], by: tuple[float, float], button: int = 1, steps: int = 4) -> None:
    """In a few steps, as a hand would."""
    xdotool("mousemove", round(start[0]), round(start[1]), "mousedown", button)
    for step in range(1, steps + 1):
        xdotool("mousemove", *(round(a + b * step / steps) for a, b in zip(start, by, strict=True)))
    xdotool("mouseup", button)


def type_keys(*keys: str) -> None:
    xdotool("key", *keys)


def focus(title: str) -> None:
    """A display without a window manager gives the keyboard to nobody by itself."""
    window = xdotool("search", "--name", title).splitlines()[-1]
    xdotool("windowfocus", window)
