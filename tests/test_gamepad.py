"""Gamepads: what sticks and buttons do to the camera."""

from __future__ import annotations

import math

import glfw
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.extent import Extent
from ui import gamepad
from ui.gamepad import DEAD_ZONE, Gamepad, PadState, pad_motion, stick
from ui.navigation import HELD, Navigator

EXTENT = Extent(np.array([1.0, -2.0, 0.5]), 2.0, np.array([0.0, -1.0, 0.0]))


def test_a_stick_is_dead_in_the_middle_and_full_at_the_rim() -> None:
    assert stick(0.1, -0.1) == (0.0, 0.0)
    assert stick(1.0, 0.0) == (1.0, 0.0)
    assert math.hypot(*stick(1.0, 1.0)) == pytest.approx(1.0)  # a square gate's corner is not faster
    just = stick(DEAD_ZONE + 1e-6, 0.0)[0]
    assert 0 < just < 1e-6  # no jump where the dead zone ends


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(1, 2))
def test_a_stick_keeps_its_direction_and_more_is_more(x: float, y: float, more: float) -> None:
    a, b = stick(x, y), stick(more * x, more * y)
    assert a[0] * y == pytest.approx(a[1] * x, abs=1e-12)
    assert a[0] * x >= 0
    assert a[1] * y >= 0
    assert math.hypot(*b) >= math.hypot(*a) - 1e-12


@pytest.mark.parametrize(
    ("state", "held"),
    [
        (PadState(left=(0.0, -1.0)), "forward"),
        (PadState(left=(1.0, 0.0)), "right"),
        (PadState(right=(-1.0, 0.0)), "turn left"),
        (PadState(right=(0.0, -1.0)), "turn up"),
        (PadState(triggers=(0.0, 1.0)), "up"),
        (PadState(triggers=(1.0, 0.0)), "down"),
        (PadState(down=frozenset({"roll clockwise"})), "roll clockwise"),
    ],
)
def test_a_pad_pushes_as_the_keys_do(state: PadState, held: str) -> None:
    push = pad_motion(state, PadState()).push
    np.testing.assert_allclose(push / np.abs(push).max(), HELD[held], atol=1e-12)
    with_keys, with_pad = Navigator(EXTENT), Navigator(EXTENT)
    with_keys.step([held], 0.1 * np.abs(push).max())
    assert with_pad.step([], 0.1, more=push)
    np.testing.assert_allclose(with_pad.camera().camera_from_world, with_keys.camera().camera_from_world, atol=1e-9)


def test_a_button_acts_once_and_a_shoulder_for_as_long_as_it_is_held() -> None:
    down = PadState(down=frozenset({"focus", "faster"}))
    assert pad_motion(down, PadState()).pressed == {"focus"}
    again = pad_motion(down, down)
    assert not again.pressed
    assert again.speed > 0
    assert pad_motion(PadState(), down).still
    assert pad_motion(PadState(left=(0.1, 0.1), triggers=(0.03, 0.0)), PadState()).still


def test_pads_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    there: dict[int, PadState] = {}
    monkeypatch.setattr(glfw, "joystick_is_gamepad", lambda number: number in there)
    monkeypatch.setattr(glfw, "get_gamepad_name", lambda number: f"pad {number}")
    monkeypatch.setattr(gamepad, "_read", there.get)
    pad = Gamepad()
    assert pad.poll().still
    assert pad.name is None
    there[3] = PadState(down=frozenset({"reset"}))
    assert pad.poll().still  # what is held while it comes is not a press
    assert pad.name == "pad 3"
    there[3] = PadState()
    assert pad.poll().still
    there[3] = PadState(down=frozenset({"reset"}))
    assert pad.poll().pressed == {"reset"}
    there.clear()
    assert pad.poll().still
    assert pad.name is None
