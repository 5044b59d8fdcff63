"""What the panel and the keys can set about how a scene is shown."""

from __future__ import annotations

from dataclasses import dataclass

SPLAT_SCALES = (0.05, 3.0)
BACKGROUNDS = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
ANTIALIASED = (("As trained", None), ("On", True), ("Off", False))


@dataclass
class Switches:
    """What else is on."""

    vsync: bool = True
    every_frame: bool = False  # draw the scene even where nothing changed, to measure
    panel: bool = True
    help: bool = False
