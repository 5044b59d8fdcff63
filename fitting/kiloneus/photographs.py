"""A surface from photographs: NeuS learns it, cells are distilled from that and tuned on the photographs again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fitting.checkpoint import Checkpoint, Part
from fitting.kiloneus.cell_field import CellField, Shared
from fitting.kiloneus.cells import world_points
from fitting.kiloneus.fit import Distilled, PreviewCallback, Say, SurfaceFit
from fitting.kiloneus.neus_photographs import View, load_views
from fitting.kiloneus.neus_teacher import NeusTeacher, judge
from fitting.kiloneus.neus_train import NeusOptions, train_on_views
from fitting.kiloneus.options import SurfaceOptions, ViewQuality
from fitting.kiloneus.tune_cells import Tuner, pictured
from scenes.bank import MlpBank
from scenes.errors import KilofieldError
from scenes.gaussians import Floats
from scenes.photo_sets import PhotoSet
from scenes.surface import NeuralSurface

TAUGHT, DISTILLED = 0.5, 0.7  # where stages end, of the fit
PROBED = 96  # points an axis at which the surface is looked for
WHITE = (1.0, 1.0, 1.0)  # behind photographs with alpha, where they are judged


class PhotographFit:
    """One capture. `teacher` is there once `fit` has run."""

    teacher: NeusTeacher

    def __init__(
        self,
        photographs: PhotoSet,
        options: SurfaceOptions,
        checkpoint: Checkpoint,
        known: dict[str, Any],
        say: Say,
        preview: PreviewCallback | None,
        last: float,
    ) -> None:
        if not options.choices.shared:
            raise KilofieldError("surface: expected cells that share hidden layers, to be tuned on photographs")
        self.options, self.effort = options, options.effort
        self.checkpoint, self.known, self.say, self.preview, self._last = checkpoint, known, say, preview, last
        self.photographs = photographs
        self._quality: list[float] = []

    def fit(self) -> Distilled:
        """The cells, tuned."""
        self.say("photographs", 0.0)
        side = self.effort.side
        self._train = load_views(self.photographs.train, side)
        self._test = load_views(self.photographs.test, side)
        self.teacher = self._taught(self._train)
        bounds = surface_bounds(self.teacher)
        span = (TAUGHT * self._last, DISTILLED * self._last)
        distilling = SurfaceFit(
            self.teacher, bounds, self.options, self.checkpoint, self.known, self.say, self.preview, span
        )
        found = distilling.fit()
        self._beyond = _middles(self.teacher, found.surface)
        self._quality = [self._judge(self.teacher), self._judge(self._pictured(found.surface))]
        return self._tuned(found)

    def judged(self, written: NeuralSurface) -> ViewQuality:
        """PSNR of the views not learnt from, of every stage."""
        teacher, distilled, tuned = self._quality
        return ViewQuality(
            len(self._test), self.effort.side, teacher, distilled, tuned, self._judge(self._pictured(written))
        )

    def _taught(self, views: list[View]) -> NeusTeacher:
        steps = self.options.steps or self.effort.teacher_steps
        options = NeusOptions(steps=steps, side=self.effort.side, seed=self.options.seed)

        def progress(stage: str, done: float, detail: str) -> None:
            self.say(f"teacher: {stage}", TAUGHT * self._last * done, detail)

        part = Part(self.checkpoint, "teacher", self.known)
        return train_on_views(views, self.photographs.sphere, options, progress, part, self.known.get("teacher"))

    def _tuned(self, found: Distilled) -> Distilled:
        field = self._field(found.surface)
        tuner = Tuner(field, self.teacher, self._train, self.effort.tuning_steps, self.options.seed)
        if "tuning" in self.known:
            tuner.restore(self.known["tuning"])
        part = Part(self.checkpoint, "tuning", self.known)

        def each(now: Tuner) -> None:
            share = DISTILLED + (1 - DISTILLED) * now.step / now.steps
            self.say("tuning", share * self._last, f"step {now.step:,} of {now.steps:,} · {now.psnr:.2f} dB")
            part.save_when_due(now.state)

        tuner.run(each)
        self._sharpness = tuner.log_sharpness.detach().exp()
        surface = _with_weights(found.surface, field)
        self._quality.append(self._judge(self._pictured(surface)))
        return Distilled(surface, found.geometry, found.appearance)

    def _field(self, surface: NeuralSurface) -> CellField:
        if surface.appearance is None:
            raise KilofieldError("surface: expected colours of photographs, found none")
        banks = [
            Shared.of(bank.shape, torch.from_numpy(bank.weights)) for bank in (surface.geometry, surface.appearance)
        ]
        return CellField(surface, banks[0], banks[1], self.teacher.frame, self._beyond)

    _sharpness: Tensor | None = None

    def _pictured(self, surface: NeuralSurface) -> NeusTeacher:
        sharpness = self.teacher.model.sharpness.detach() if self._sharpness is None else self._sharpness
        return pictured(self._field(surface), self.teacher, sharpness)

    def _judge(self, shown: NeusTeacher) -> float:
        return judge(shown, self._test, WHITE)[0] if self._test else float("nan")


def surface_bounds(teacher: NeusTeacher) -> Floats:
    """[2, 3] corners of a box around the teacher's surface, which its own box may hold loosely."""
    low, high = teacher.bounds.astype(np.float64)
    axes = [np.linspace(a, b, PROBED) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float32)
    spacing = float(((high - low) / (PROBED - 1)).max())
    near = points[np.abs(teacher.distance(points)[0]) < spacing]
    if not len(near):
        raise KilofieldError("surface: the photographs taught none; more of them, or more steps, may help")
    box = np.stack([near.min(axis=0) - spacing, near.max(axis=0) + spacing])
    return np.clip(box, low, high).astype(np.float32)


def _middles(teacher: NeusTeacher, surface: NeuralSurface) -> np.ndarray:
    """[X, Y, Z] distances at the middles of all cells, world units."""
    grid = surface.grid
    places = np.stack(np.meshgrid(*map(np.arange, grid.size), indexing="ij"), axis=-1).reshape(-1, 3) + 0.5
    return teacher.distance(world_points(grid, places))[0].reshape(grid.size)


def _with_weights(surface: NeuralSurface, field: CellField) -> NeuralSurface:
    """`surface` with the field's weights, shared layers rounded as they are written."""
    banks = [MlpBank(bank.shape, bank.weights().numpy()) for bank in (field.geometry_bank, field.appearance)]
    return replace(surface, geometry=banks[0], appearance=banks[1])
