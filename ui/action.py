"""What a key does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ui.kinds import SceneKind

if TYPE_CHECKING:
    from ui.app import App


@dataclass(frozen=True)
class Action:
    """Something a key and an entry of a menu do."""

    key: int  # glfw's: a place on the keyboard
    text: str  # for the help and the menu
    run: Callable[[App], None]
    modifier: int = 0  # that must be down: 0, or one of glfw's MOD_CONTROL and MOD_SHIFT, or both
    repeats: bool = False  # while the key is held down
    on: Callable[[App], bool] | None = None  # of a switch: whether it is on, for the menu's check mark
    needs: SceneKind | None = None  # of an open scene, if it means nothing to the other

    def text_in(self, group: str) -> str:
        """`text`, without the name of its group before it, which stands above it."""
        return self.text.removeprefix(f"{group.lower()}: ")
