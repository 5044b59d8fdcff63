"""What the user chooses, what is reported while it runs, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fitting.devices import Device
from scenes.content import ReadOptions
from scenes.errors import KilofieldError

Preset = Literal["draft", "balanced", "best", "paper"]
Quality = Literal["small", "medium", "high", "lossless"]

CHUNK = 500_000  # Gaussians: scenes of more are fitted in chunks of at most so many
SMALLEST_CHUNK = 500  # below it the fixed part of a network costs more than its Gaussians
TARGETS = (5.0, 100.0)  # dB a file can be asked for


@dataclass(frozen=True)
class Recipe:
    """Parts of the fit to change one at a time, as `benchmarks/ablation.py` does; the defaults are what pays."""

    start: Literal["merge", "prune"] = "merge"  # how Gaussians become fewer
    codes: bool = True  # False: position to attributes alone, as in the paper
    networks: int | None = None  # as many clusters; None: by the number of Gaussians
    layers: int | None = None  # hidden ones; None: the preset's, 0: the linear path alone
    width: int | None = None  # of the hidden layers; None: the preset's
    steps: int | None = None  # of fine-tuning; None: the preset's
    position_input: bool = True  # networks see the encoded position beside the code
    rate: bool = True  # bits have a price while fitting
    frequency_weight: float = 0.0  # of the paper's frequency loss beside the others
    fresh: bool = False  # FreSh chooses the frequencies of the encoded position
    modulation: int = 0  # CAM: grid points an axis, 0 for none


DEFAULT_RECIPE = Recipe()
DEFAULT_READING = ReadOptions()


@dataclass(frozen=True)
class CompressOptions:
    """Effort is the preset's, size is the quality's unless `max_bytes` or `target_psnr` is given."""

    preset: Preset = "balanced"
    quality: Quality = "medium"
    max_bytes: int | None = None
    images: Path | None = None  # a capture: photographs are the target instead of the scene's own pictures
    device: Device = "auto"
    seed: int = 0
    resume: bool = False
    target_psnr: float | None = None  # dB in held-out views: as few bytes as reach it
    recipe: Recipe = DEFAULT_RECIPE
    chunk_gaussians: int | None = None  # at most so many are fitted at once; None: `CHUNK`
    jobs: int | None = None  # chunks fitted at the same time; None: as the machine allows
    reading: ReadOptions = DEFAULT_READING  # of the source

    def __post_init__(self) -> None:
        for name, kind in (("preset", Preset), ("quality", Quality), ("device", Device)):
            value = getattr(self, name)
            if value not in get_args(kind):
                raise KilofieldError(f"--{name}: expected one of {', '.join(get_args(kind))}, found {value}")
        if not 0 <= self.seed < 2**63:
            raise KilofieldError(f"--seed: expected 0 to {2**63 - 1}, found {self.seed}")
        if self.max_bytes is not None and self.max_bytes < 1000:
            raise KilofieldError(f"--max-mb: expected at least 0.001 MB, found {self.max_bytes / 1e6:g} MB")
        if self.target_psnr is not None:
            self._check_target(self.target_psnr)
        if self.quality == "lossless":
            self._check_lossless()
        self._check_chunks()

    @property
    def chunk_size(self) -> int:
        """Gaussians at most that are fitted at once, where this fit can do it in chunks."""
        return CHUNK if self.chunk_gaussians is None else self.chunk_gaussians

    @property
    def whole(self) -> str:
        """What keeps this fit from being one in chunks; empty: nothing does."""
        ways = {
            "--images": self.images is not None,  # a photograph shows all chunks at once
            "--target-psnr": self.target_psnr is not None,
            "--preset paper": self.preset == "paper",
            "--quality lossless": self.quality == "lossless",
        }
        return next((way for way, is_so in ways.items() if is_so), "")

    def _check_chunks(self) -> None:
        if self.jobs is not None and self.jobs < 1:
            raise KilofieldError(f"--jobs: expected at least 1, found {self.jobs}")
        if self.chunk_gaussians is None:
            return
        if self.chunk_gaussians < SMALLEST_CHUNK:
            raise KilofieldError(f"--chunk-gaussians: expected at least {SMALLEST_CHUNK}, found {self.chunk_gaussians}")
        if self.whole:
            raise KilofieldError(
                f"--chunk-gaussians: expected no {self.whole} beside it, which fits a scene as a whole"
            )

    def _check_lossless(self) -> None:
        asked = {
            "--max-mb": self.max_bytes is not None,
            "--target-psnr": self.target_psnr is not None,
            "--images": self.images is not None,
            "--resume": self.resume,
        }
        for name in (name for name, given in asked.items() if given):
            raise KilofieldError(f"{name}: expected another --quality; lossless keeps the scene as it is, in one go")
        if self.preset == "paper":
            raise KilofieldError("--quality: expected another preset for lossless, found paper, which prunes")

    def _check_target(self, target: float) -> None:
        lowest, highest = TARGETS
        if not lowest <= target <= highest:
            raise KilofieldError(f"--target-psnr: expected {lowest:g} to {highest:g} dB, found {target:g}")
        if self.max_bytes is not None:
            raise KilofieldError("--target-psnr: expected no --max-mb beside it, found both")
        if self.preset == "paper":
            raise KilofieldError(
                "--target-psnr: expected another preset; paper's size follows from its networks and pruning"
            )


@dataclass(frozen=True)
class Effort:
    """What a preset spends."""

    steps: int  # of fine-tuning through the rasteriser
    views: int  # pictures fitted to
    side: int  # longest side of those pictures, pixels
    layers: int  # hidden layers of the bank
    width: int  # of the hidden layers

    def changed(self, recipe: Recipe) -> Effort:
        """With what `recipe` sets itself."""
        own = {name: getattr(recipe, name) for name in ("steps", "layers", "width")}
        return replace(self, **{name: value for name, value in own.items() if value is not None})


EFFORTS: dict[str, Effort] = {
    "draft": Effort(steps=700, views=120, side=320, layers=1, width=16),
    "balanced": Effort(steps=8000, views=720, side=320, layers=1, width=24),
    "best": Effort(steps=16000, views=1000, side=384, layers=1, width=32),
    "lossless": Effort(steps=0, views=64, side=480, layers=0, width=0),  # a quality, whatever the preset
    "paper": Effort(steps=900, views=120, side=320, layers=4, width=128),
}


@dataclass(frozen=True)
class Trial:
    """What one fit of a search for a PSNR came to."""

    name: str  # such as `probe 1` or `run 1`
    steps: int
    bytes: int
    psnr: float  # dB, mean over held-out views


@dataclass(frozen=True)
class Look:
    """What a fit has come to, judged in held-out views."""

    fit: str  # which one of a search, such as `probe 1`; empty where there is only one
    step: int | None  # None: the finished file
    steps: int  # of this fit
    seconds: float  # since the run began
    bytes: int  # of the file it would write now
    psnr: float  # dB, mean over held-out views
    ssim: float


@dataclass(frozen=True)
class Progress:
    """One moment of a run."""

    stage: str
    done: float  # of the whole, 0 to 1
    detail: str = ""
    trial: Trial | None = None  # one that has just ended
    look: Look | None = None  # one that has just been taken


Picture = NDArray[np.uint8]  # [H, W, 3] RGB

ProgressCallback = Callable[[Progress], None]
PreviewCallback = Callable[[Look, Sequence[tuple[Picture, Picture]]], None]  # pairs of original and now


@dataclass(frozen=True)
class CompressResult:
    """What was written, and how well it shows the original in views the fit never saw."""

    path: Path
    bytes: int
    source_bytes: int
    gaussians: int
    source_gaussians: int
    dropped: int  # rows of the source that were not finite numbers
    psnr: float  # dB, mean over held-out views
    ssim: float
    seconds: float
    streams: dict[str, int]  # bytes by purpose
    preset: str
    seed: int
    networks: int  # of the bank,
    network_weights: int  # in each of them
    code: int  # numbers a Gaussian has of its own beside its position
    stages: dict[str, float]  # seconds by what was done in them
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()  # of the source beside `dropped`, one sentence each
    target_psnr: float | None = None  # what was asked for; `psnr` is under it where it could not be reached
    trials: tuple[Trial, ...] = ()  # of the search for it, in the order they were made
    looks: tuple[Look, ...] = ()  # in the order they were taken, the finished file last

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {**asdict(self), "path": str(self.path), "ratio": self.source_bytes / self.bytes}
