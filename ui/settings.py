"""What the panels and the keys can set about how a scene is shown, beside `renderer.settings`."""

from __future__ import annotations

from dataclasses import dataclass

from scenes.naming import SUFFIXES

SCENE_PATTERNS = (*(f"*{s}" for s in SUFFIXES if s != ".compressed.ply"), "*.json")  # *.ply has the left out one, too
SCENE_WORDS = "PLY, SPLAT, SPZ, KSPLAT, SOG (also a folder), glTF, KILO, or a scene file (JSON)"  # what can be opened
SPLAT_SCALES = (0.05, 3.0)
BACKGROUNDS = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
ANTIALIASED = (("As trained", None), ("On", True), ("Off", False))
REST_SAMPLES = 16  # rays of a pixel of a surface once the camera rests
STAGE_SAMPLES = 256  # paths of a pixel of a scene file once the camera rests
STAGE_VIEWS = ("colour",)
COST_RANGES = (8.0, 1024.0)  # networks a pixel that are red in the cost view
LINE_SPACINGS = (0.05, 4.0)  # cell edges between the lines of the slice view
SLICE_STEP = 0.02  # of the box, a press of a key
TEXT_STEPS = (0.75, 1.0, 1.25, 1.5, 2.0, 2.5)  # times the first
TEXT_SIZES = (TEXT_STEPS[0], TEXT_STEPS[-1])


@dataclass
class Switches:
    """What else is on."""

    vsync: bool = True
    every_frame: bool = False  # draw the scene even where nothing changed, to measure
    auto_depth: bool = True  # the depth view's range follows the camera
    panels: bool = True
    help: bool = False
