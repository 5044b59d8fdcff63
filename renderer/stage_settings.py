"""How a scene to be lit is path-traced for a window: what the scene itself (`scenes/scene_file.py`) does not say."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scenes.errors import KilofieldError

MOST_PATHS = 65_536  # of a pixel


@dataclass(frozen=True)
class StageSettings:
    """Frozen, so that two can be compared to see whether anything changed."""

    samples: int = 1  # paths of a pixel
    instant: bool = False  # direct light alone, but for what is seen in mirrors and through glass
    denoise: bool = False  # less noise of few samples, by blur
    hurried: bool = False  # both while the picture moves in a window

    def moving(self) -> StageSettings:
        """While the picture moves."""
        return replace(self, instant=True, denoise=True) if self.hurried else self

    def __post_init__(self) -> None:
        if not 1 <= self.samples <= MOST_PATHS:
            raise KilofieldError(f"samples: expected 1 to {MOST_PATHS}, found {self.samples}")
