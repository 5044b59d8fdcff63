"""Gamepads: what sticks, triggers and buttons do to the camera.

A pad is read as glfw maps it, to the layout of an Xbox controller. Sticks and triggers push for as long as they are out
of the middle; buttons act once, when they go down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import glfw
import numpy as np

from ui.heading import Vector

DEAD_ZONE = 0.15  # of a stick's way: worn sticks do not come back to the middle
CURVE = 2.0  # power: fine near the middle, full at the rim
TRIGGER_DEAD = 0.05  # of a trigger's way
LOOK = 1.5  # times as fast as the arrow keys at the rim
SPEED_NOTCHES = 4.0  # a second, while a shoulder button is held

BUTTONS = {
    glfw.GAMEPAD_BUTTON_A: "focus",
    glfw.GAMEPAD_BUTTON_B: "reset",
    glfw.GAMEPAD_BUTTON_X: "level",
    glfw.GAMEPAD_BUTTON_Y: "mode",
    glfw.GAMEPAD_BUTTON_LEFT_BUMPER: "slower",
    glfw.GAMEPAD_BUTTON_RIGHT_BUMPER: "faster",
    glfw.GAMEPAD_BUTTON_BACK: "help",
    glfw.GAMEPAD_BUTTON_START: "play",
    glfw.GAMEPAD_BUTTON_DPAD_UP: "narrower",
    glfw.GAMEPAD_BUTTON_DPAD_DOWN: "wider",
    glfw.GAMEPAD_BUTTON_DPAD_LEFT: "roll anticlockwise",
    glfw.GAMEPAD_BUTTON_DPAD_RIGHT: "roll clockwise",
}
HELD_BUTTONS = {"slower", "faster", "roll anticlockwise", "roll clockwise"}  # the others act once

PAD_HELP = (
    ("Left stick", "move"),
    ("Right stick", "orbit; look around when flying"),
    ("Triggers", "down and up"),
    ("Shoulder buttons", "slower and faster"),
    ("A", "focus on what is in the middle"),
    ("B", "back to the first view"),
    ("X", "level"),
    ("Y", "orbit or fly"),
    ("Start", "play the camera path"),
)


@dataclass(frozen=True)
class PadState:
    """A pad at one moment: sticks -1 to 1 (right, down), triggers 0 to 1, names of the buttons that are down."""

    left: tuple[float, float] = (0.0, 0.0)
    right: tuple[float, float] = (0.0, 0.0)
    triggers: tuple[float, float] = (0.0, 0.0)
    down: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class PadMotion:
    """What a pad wants: `push` as in `navigation.HELD`, speed notches a second, buttons that have just gone down."""

    push: Vector  # [6]
    speed: float
    pressed: frozenset[str]

    @property
    def still(self) -> bool:
        """Nothing at all."""
        return not (self.push.any() or self.speed or self.pressed)


def pad_motion(state: PadState, before: PadState) -> PadMotion:
    """What the pad in `state` does, which was in `before` a frame ago."""
    right, back = stick(*state.left)
    turn, down = stick(*state.right)
    sink, rise = (max(0.0, pull - TRIGGER_DEAD) / (1 - TRIGGER_DEAD) for pull in state.triggers)
    roll = _between(state, "roll clockwise", "roll anticlockwise")
    push = np.array([right, sink - rise, -back, LOOK * turn, -LOOK * down, roll])
    speed = SPEED_NOTCHES * _between(state, "faster", "slower")
    return PadMotion(push, speed, state.down - before.down - HELD_BUTTONS)


def stick(x: float, y: float) -> tuple[float, float]:
    """A stick's push, -1 to 1 each way: none in the dead zone, from its rim on a curve, in the stick's direction."""
    length = math.hypot(x, y)
    if length <= DEAD_ZONE:
        return 0.0, 0.0
    pushed = ((min(length, 1.0) - DEAD_ZONE) / (1 - DEAD_ZONE)) ** CURVE
    return pushed * x / length, pushed * y / length


def _between(state: PadState, more: str, less: str) -> float:
    return float(more in state.down) - float(less in state.down)


class Gamepad:
    """The first pad there is; pads may come and go."""

    def __init__(self) -> None:
        self.name: str | None = None  # None: there is no pad
        self._state = PadState()

    def poll(self) -> PadMotion:
        """What it does now; nothing without a pad. What is held while it comes is not a press."""
        number = next((n for n in range(glfw.JOYSTICK_LAST + 1) if glfw.joystick_is_gamepad(n)), None)
        read = None if number is None else _read(number)
        if number is None or read is None:
            self.name, self._state = None, PadState()
            return pad_motion(self._state, self._state)
        before = self._state if self.name is not None else read
        self.name = glfw.get_gamepad_name(number) or "gamepad"
        self._state = read
        return pad_motion(read, before)


def _read(number: int) -> PadState | None:
    """glfw's state of a pad; None if it has just gone. Triggers are -1 to 1 there."""
    state = glfw.get_gamepad_state(number)
    if not state:
        return None
    axes = [float(axis) if math.isfinite(axis) else 0.0 for axis in state.axes]
    pulls = [0.5 * (axes[i] + 1) for i in (glfw.GAMEPAD_AXIS_LEFT_TRIGGER, glfw.GAMEPAD_AXIS_RIGHT_TRIGGER)]
    return PadState(
        (axes[glfw.GAMEPAD_AXIS_LEFT_X], axes[glfw.GAMEPAD_AXIS_LEFT_Y]),
        (axes[glfw.GAMEPAD_AXIS_RIGHT_X], axes[glfw.GAMEPAD_AXIS_RIGHT_Y]),
        (pulls[0], pulls[1]),
        frozenset(name for button, name in BUTTONS.items() if state.buttons[button]),
    )
