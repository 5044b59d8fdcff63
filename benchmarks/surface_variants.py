"""Ways to fit a neural surface that differ in one part, and their fits from photographs."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fitting.checkpoint import Checkpoint
from fitting.kiloneus.fit import Say, rounded
from fitting.kiloneus.options import Choices, Preset, ProgressCallback, SurfaceOptions
from fitting.kiloneus.photographs import PhotographFit
from scenes.kilo_surface import pack_surface
from scenes.photo_sets import read_photographs


@dataclass(frozen=True)
class Variant:
    """A row of the table."""

    name: str
    key: str  # in file names
    choices: Choices


COHERENT = Variant("as it is", "default", Choices())
INCOHERENT = Variant("no coherence: no overlap, no blending", "alone", Choices(overlap=0.0))
VARIANTS = (
    COHERENT,
    Variant("frequencies by FreSh", "fresh", Choices(frequency="fresh")),
    Variant("with CAM, 3 points an axis", "cam", Choices(modulation=3)),
    INCOHERENT,
    Variant("wider shared layers: 40, and 52 for colour", "wide", Choices(width=40, colour_width=52)),
    Variant("own hidden layers, 8 wide", "own", Choices(shared=False, width=8, iterations=30)),
    Variant("own hidden layers, no coherence", "own-alone", Choices(0.0, shared=False, width=8, iterations=30)),
)


class CaptureFits:
    """Variants learnt from the photographs of one capture; they all have the same teacher, trained once."""

    def __init__(self, capture: Path, preset: Preset, steps: int | None, cells: int | None, seed: int) -> None:
        self.preset: Preset = preset
        self._steps, self._cells, self._seed = steps, cells, seed
        self._photographs = read_photographs(capture)
        self._taught: dict[str, Any] = {}

    def measure(self, variant: Variant, progress: ProgressCallback) -> dict[str, Any]:
        """Bytes, PSNR of the photographs not learnt from, and seconds but for the teacher's."""
        options = SurfaceOptions(self.preset, self._cells, self._steps, seed=self._seed, choices=variant.choices)
        say, known, nowhere = Say(progress), dict(self._taught), Checkpoint(Path(), "", kept=False)
        fit = PhotographFit(self._photographs, options, nowhere, known, say, None, 1.0)
        started = time.monotonic()
        written = rounded(fit.fit(), options.effort.noise, options.seed)
        seconds = time.monotonic() - started
        self._taught = {"teacher": known["teacher"]}
        teaching = sum(t for stage, t in say.stages.items() if stage.startswith("teacher"))
        return {
            "bytes": len(pack_surface(written)),
            "cells": len(written),
            "views": asdict(fit.judged(written)),
            "seconds": seconds - teaching,
        }
