"""What a user may ask of a surface fit, what it says on the way, and what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from fitting.devices import Device
from scenes.errors import KilofieldError

Preset = Literal["draft", "balanced", "best"]
CELLS = (4, 64)  # along the longest axis, least and most
STEPS = (1, 1_000_000)
SIDE = (16, 4096)
MOST_FACE_LOSS = 1000


@dataclass(frozen=True)
class Effort:
    """What a preset spends."""

    cells: int  # along the longest axis
    width: int  # of the one hidden layer of a geometry network
    colour_width: int  # and of an appearance network learnt from a mesh
    shared: int  # iterations for the hidden layer all cells share
    iterations: int  # of what cells have for themselves (Levenberg-Marquardt)
    colour_iterations: int
    places: int  # a cell is learnt at
    drawn: int  # of them in an iteration
    noise: float  # that rounding may add to distances in cells and to gradients, root mean square
    teacher_steps: int = 0  # for photographs: of NeuS
    photo_width: int = 12  # of an appearance network learnt from photographs
    photo_cells: int = 24  # along the longest axis, for photographs: pictures need more than shapes do
    side: int = 400  # of a photograph: its longest side, pixels


EFFORTS: dict[str, Effort] = {
    "draft": Effort(16, 24, 12, 6, 3, 6, 512, 256, 1e-3, 600, 16, 20, 200),
    "balanced": Effort(24, 40, 12, 12, 4, 10, 1024, 384, 5e-4, 2500, 40, 32, 300),
    "best": Effort(32, 40, 16, 20, 8, 15, 1536, 512, 4e-4, 15000, 48, 48, 800),
}


@dataclass(frozen=True)
class Choices:
    """Parts of the fit to change one at a time, as the benchmarks do; the defaults are what pays."""

    overlap: float = 0.2  # half edges by which a cell's networks reach beyond it; 0: every cell for itself
    face_loss: float = 0.0  # weight of the differences between neighbours on their faces; 0: none
    modulation: int = 0  # CAM: grid points an axis, 0 for none
    shared: bool = True  # all cells have the same hidden layers; False: each its own
    layers: int = 1  # hidden ones of a geometry network
    width: int | None = None  # of them; None: the preset's
    colour_width: int | None = None  # of appearance networks; None: the preset's
    iterations: int | None = None  # for what cells have for themselves; None: the preset's, too few for hidden layers
    frequency: Literal["fixed", "fresh"] = "fixed"  # of the networks' waves at the start; see `frequencies`


@dataclass(frozen=True)
class SurfaceOptions:
    """Effort is the preset's but for what is given."""

    preset: Preset = "balanced"
    cells: int | None = None  # along the longest axis
    steps: int | None = None  # photographs: of the teacher
    side: int | None = None  # pixels: photographs are averaged down to this longest side
    seed: int = 0
    resume: bool = False
    device: Device = "auto"  # of the teacher of photographs
    choices: Choices = Choices()

    def __post_init__(self) -> None:
        for name, value, kind in (("preset", self.preset, Preset), ("device", self.device, Device)):
            if value not in get_args(kind):
                raise KilofieldError(f"--{name}: expected one of {', '.join(get_args(kind))}, found {value}")
        for name, value, (least, most) in (
            ("cells", self.cells, CELLS),
            ("steps", self.steps, STEPS),
            ("side", self.side, SIDE),
        ):
            if value is not None and not least <= value <= most:
                raise KilofieldError(f"--{name}: expected {least:,} to {most:,}, found {value:,}")
        if not 0 <= self.choices.face_loss <= MOST_FACE_LOSS:
            raise KilofieldError(f"--face-loss: expected 0 to {MOST_FACE_LOSS:,}, found {self.choices.face_loss:g}")
        if not 0 <= self.seed < 2**63:
            raise KilofieldError(f"--seed: expected 0 to {2**63 - 1}, found {self.seed}")

    @property
    def effort(self) -> Effort:
        """The preset's with what was given in its place; `steps` is left to each kind of input."""
        effort = EFFORTS[self.preset]
        effort = effort if self.cells is None else replace(effort, cells=self.cells)
        effort = effort if self.side is None else replace(effort, side=self.side)
        if self.choices.iterations is not None:
            effort = replace(effort, iterations=self.choices.iterations, colour_iterations=self.choices.iterations)
        if self.choices.colour_width is not None:
            effort = replace(effort, colour_width=self.choices.colour_width, photo_width=self.choices.colour_width)
        return effort if self.choices.width is None else replace(effort, width=self.choices.width)


@dataclass(frozen=True)
class SurfaceProgress:
    """How far a fit is."""

    stage: str
    done: float  # 0 to 1, of the whole run
    detail: str = ""


ProgressCallback = Callable[[SurfaceProgress], None]


@dataclass(frozen=True)
class Fidelity:
    """How far a surface is from what it was learnt from, at points on it."""

    distance: float  # mean, world units
    distance_percent: float  # of the diagonal of the bounding box
    distance_999: float  # 99.9th percentile, world units
    normal: float  # mean angle between the normals, degrees
    normal_999: float
    lost: float  # share of the points with no surface near them


@dataclass(frozen=True)
class ViewQuality:
    """PSNR (dB) of photographs not learnt from, on white where they are transparent; nan without any.

    The teacher is rendered as a volume, as it was learnt, cells by casting rays, as they are drawn.
    """

    count: int
    side: int  # pixels, of the longest side
    teacher: float
    distilled: float  # the cells as learnt from the teacher
    coloured: float  # and then coloured by the photographs
    written: float  # and then rounded: what the file shows


@dataclass(frozen=True)
class SurfaceResult:
    """What `fit_surface` made; sizes in bytes."""

    path: Path
    bytes: int
    source_bytes: int
    cells: int
    grid: tuple[int, int, int]
    edge: float  # of a cell, world units
    geometry_weights: int  # of one network
    appearance_weights: int  # 0: no colour
    fidelity: Fidelity  # of the file
    before_rounding: Fidelity
    colour_psnr: float | None  # dB, at points of the surface; None without colour
    colour_psnr_before: float | None
    views: ViewQuality | None  # of photographs
    streams: dict[str, int]
    seconds: float
    stages: dict[str, float]
    preset: str
    seed: int
    notes: tuple[str, ...] = ()
