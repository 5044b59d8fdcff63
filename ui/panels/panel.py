"""What a panel is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ui.app import App

PLACES = ("left", "left below", "right", "bottom")


@dataclass(frozen=True)
class Panel:
    """A window that can be docked."""

    title: str  # also its name in the stored layout
    draw: Callable[[App], None]  # its content, while it can be seen
    place: str = "right"  # of PLACES, in the layout the window begins with
    shown: bool = False  # from the start
