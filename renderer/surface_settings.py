"""How rays find a neural surface, and what a picture of it shows: all about a frame but the surface and the camera."""

from __future__ import annotations

from dataclasses import dataclass, field

from renderer.settings import Vector3
from scenes.errors import KilofieldError

SURFACE_VIEWS = ("colour", "normal", "depth", "cost", "cells", "slice")
GROUPINGS = ("auto", "direct", "grouped")
MOST_STEPS = 4096  # of a ray: with 8 networks a step, what a software rasteriser goes round in loops is far more
MOST_SAMPLES = 1024  # of a pixel


@dataclass(frozen=True)
class MarchSettings:
    """The numbers of `renderer/surface_reference.py`'s march."""

    relaxation: float = 1.2  # share of the distance that a step takes; what it may have passed is gone back to
    tolerance: float = 1e-5  # of the box's diagonal: nearer is a hit
    least_step: float = (
        1e-4  # of the box's diagonal; a chord so short lies deeper under no smooth surface than `tolerance`
    )
    most_step: float = 1.0  # cell edges: a cell's network knows little about what is far from it
    entry: float = 0.02  # cell edges: a ray that is let into a cell so little inside the object has hit it there
    steps: int = 400  # of a ray, samples and empty cubes together; one that needs more hits nothing
    refinements: int = 16  # samples between the two sides of a crossing
    skip: bool = True  # all of the empty cube around an empty cell, not just the cell

    def __post_init__(self) -> None:
        numbers = (self.relaxation, self.tolerance, self.least_step, self.most_step)
        if not (all(number > 0 for number in numbers) and self.relaxation <= 2 and self.entry >= 0):
            raise KilofieldError(f"march: expected steps and tolerances above 0, a relaxation up to 2, found {self}")
        if not (1 <= self.steps <= MOST_STEPS and 1 <= self.refinements <= MOST_STEPS):
            raise KilofieldError(f"march: expected 1 to {MOST_STEPS} steps and refinements, found {self}")


@dataclass(frozen=True)
class Slice:
    """A plane on which the distance is drawn: points p with normal . p = offset, world units."""

    normal: Vector3 = (0.0, 0.0, 1.0)
    offset: float | None = None  # None: through the middle of the box
    spacing: float = 0.5  # cell edges from line to line

    def __post_init__(self) -> None:
        if not (any(self.normal) and self.spacing > 0):
            raise KilofieldError(f"slice: expected a normal that is not 0 and a spacing above 0, found {self}")


@dataclass(frozen=True)
class SurfaceSettings:
    """Frozen, so that two can be compared to see whether anything changed.

    `view` is one of `SURFACE_VIEWS`, over `background` where nothing is hit:

    - colour: the appearance networks; of a surface without them, and with `headlight`, `material` lit from the camera.
    - normal: 0.5 + 0.5 n, n in the world's frame, out of the object.
    - depth: black at `depth_range[0]`, white at `depth_range[1]`; z along the view axis, for equirectangular cameras
      the distance. None: from the nearest to the farthest corner of the box.
    - cost: networks read for each pixel, the mean of its rays, from blue over green and yellow to red at `cost_range`.
    - cells: a colour of its own for each network, shaded by the headlight.
    - slice: the signed distance on the plane `slice`, blue outside and orange inside, with a line every
      `slice.spacing` and a thick one where it is 0; grey where no cell is; in front of it, nothing.

    `samples` rays a pixel are averaged, the first through its middle.
    """

    view: str = "colour"
    background: Vector3 = (0.0, 0.0, 0.0)  # RGB, 0 to 1
    samples: int = 1
    headlight: bool = False
    material: Vector3 = (0.85, 0.82, 0.78)  # RGB under the headlight
    depth_range: tuple[float, float] | None = None  # world units
    cost_range: float = 64.0  # networks a pixel
    slice: Slice = field(default_factory=Slice)
    march: MarchSettings = field(default_factory=MarchSettings)
    grouping: str = "auto"  # "direct": each thread reads its networks; "grouped": workgroups read them together

    def __post_init__(self) -> None:
        for name, value, known in (("view", self.view, SURFACE_VIEWS), ("grouping", self.grouping, GROUPINGS)):
            if value not in known:
                raise KilofieldError(f"{name}: expected one of {', '.join(known)}, found {value!r}")
        if not self.cost_range > 0:
            raise KilofieldError(f"cost range: expected a number above 0, found {self.cost_range:g}")
        if not 1 <= self.samples <= MOST_SAMPLES:
            raise KilofieldError(f"samples: expected 1 to {MOST_SAMPLES}, found {self.samples}")
