"""One compression under way: what it starts from, what is asked, and where it tells and keeps how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fitting.checkpoint import Checkpoint, Part
from fitting.neuralgs.job import Job
from fitting.neuralgs.model import Frame
from fitting.neuralgs.options import CompressOptions, Effort, Trial
from fitting.neuralgs.reporter import Reporter
from fitting.neuralgs.targets import Target
from scenes.neural_gaussians import NeuralGaussians


@dataclass(frozen=True)
class Asked:
    """What is to be done with a scene."""

    source: Path
    target: Path
    options: CompressOptions
    effort: Effort
    device: torch.device
    checkpoint: Checkpoint
    say: Reporter


@dataclass(frozen=True)
class Fitted:
    """What came of it."""

    neural: NeuralGaussians
    chunks: list[int] | None  # clusters of each chunk of the file; None: one of all
    psnr: float
    ssim: float
    held_out: Sequence[Target]
    notes: tuple[str, ...]
    trials: tuple[Trial, ...] = ()  # what else was tried


@dataclass(frozen=True)
class Run:
    """What every way of fitting takes."""

    job: Job
    options: CompressOptions
    effort: Effort
    checkpoint: Checkpoint | Part
    state: dict[str, Any] | None  # of an interrupted run, to go on from
    say: Reporter
    frame: Frame | None = None  # of the file, where this is one chunk of it,
    richer: float = 1.0  # and how much more of it is kept than its quality says

    @property
    def maker(self) -> dict[str, Any]:
        """What the manifest says of how the file was made."""
        return maker_of(self.options)


def maker_of(options: CompressOptions) -> dict[str, Any]:
    """What the manifest says of how a file was made."""
    return {"name": "kilofield", "preset": options.preset, "seed": options.seed}
