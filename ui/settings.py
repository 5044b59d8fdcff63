"""What the panel and the keys can set about how a scene is shown."""

from __future__ import annotations

from dataclasses import dataclass

SPLAT_SCALES = (0.05, 3.0)
BACKGROUNDS = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
ANTIALIASED = (("As trained", None), ("On", True), ("Off", False))


@dataclass(frozen=True)
class Look:
    """How the scene is drawn. Frozen, so that two can be compared to see whether anything changed."""

    sh_degree: int | None = None  # None: all the scene has
    splat_scale: float = 1.0
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)  # RGB, 0 to 1
    antialiased: bool | None = None  # None: as the scene was trained


@dataclass
class Switches:
    """What else is on."""

    vsync: bool = True
    every_frame: bool = False  # draw the scene even where nothing changed, to measure
    panel: bool = True
    help: bool = False
