"""How far a file has been read, for whoever waits: readers call a function with the share, 0 to 1.

It may raise to stop the reader, which then holds nothing.
"""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float], None]


def silent(share: float) -> None:
    """Nobody waits."""
