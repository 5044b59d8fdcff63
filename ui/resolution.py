"""How large the picture is while the camera moves, on devices too slow for all of it.

At rest the picture is always whole.
"""

from __future__ import annotations

from collections.abc import Mapping

BUDGET_MS = 50.0  # a frame while moving: 20 a second
LADDER = (1.0, 0.75, 0.5, 0.35, 0.25)  # of the width and of the height
BY_PIXELS = (
    "blend",
    "trace",
    "normal",
    "shade",
    "slice",
    "paths",
    "filter",
)  # stages that take as long as there are pixels
HYSTERESIS = 0.8  # of the budget must hold the next larger picture before it is tried


class MovingScale:
    """The share of the full width and height a moving picture is drawn at.

    A frame takes what its size does not change (projection, sorting) and the stages `BY_PIXELS`, taken to grow with
    the pixels.
    """

    def __init__(self, first: float = 1.0) -> None:
        self.value = first

    def measured(self, scale: float, stage_ms: Mapping[str, float]) -> None:
        """Learns from a frame drawn at `scale` that took `stage_ms` (those stages, and "total" for everything)."""
        now = sum(stage_ms.get(stage, 0.0) for stage in BY_PIXELS)
        whole = now / scale**2
        fixed = max(stage_ms.get("total", 0.0) - now, 0.0)
        budget = max(BUDGET_MS, 2 * fixed)  # smaller pictures cannot help what does not depend on them
        self.value = next(
            (s for s in LADDER if fixed + whole * s * s <= budget * (HYSTERESIS if s > self.value else 1.0)), LADDER[-1]
        )
