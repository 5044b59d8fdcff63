"""A surface from photographs: NeuS learns it, cells are distilled from that, and coloured by the photographs again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from fitting.checkpoint import Checkpoint, Part
from fitting.devices import chosen_device
from fitting.kiloneus.cast import Caster
from fitting.kiloneus.cell_field import CellField, Shared
from fitting.kiloneus.cells import world_points
from fitting.kiloneus.colour_solve import solve_colours
from fitting.kiloneus.fit import Distilled, PreviewCallback, Say, SurfaceFit
from fitting.kiloneus.neus_photographs import View, load_views
from fitting.kiloneus.neus_teacher import NeusTeacher, judge
from fitting.kiloneus.neus_train import NeusOptions, train_on_views
from fitting.kiloneus.options import SurfaceOptions, ViewQuality
from fitting.neuralgs.targets import mean_quality
from scenes.bank import MlpBank
from scenes.cores import available_cores
from scenes.errors import KilofieldError
from scenes.gaussians import Floats
from scenes.photo_sets import PhotoSet
from scenes.photographs import Photograph
from scenes.surface import NeuralSurface

TAUGHT, DISTILLED = 0.5, 0.85  # where stages end, of the fit
JUDGED = 12  # photographs not learnt from, at most, that every stage is judged by
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
            raise KilofieldError("surface: expected cells that share hidden layers, to be coloured by photographs")
        choices = replace(options.choices, colour_width=options.effort.photo_width)
        self.options = replace(options, cells=options.cells or options.effort.photo_cells, choices=choices)
        self.effort = self.options.effort
        self.checkpoint, self.known, self.say, self.preview, self._last = checkpoint, known, say, preview, last
        self.photographs = photographs
        self._quality: list[float] = []

    def fit(self) -> Distilled:
        """The cells, coloured by the photographs."""
        self.say("photographs", 0.0)
        side = self.effort.side
        self._train = load_views(self.photographs.train, side)
        self._test = load_views(_evenly(self.photographs.test, JUDGED), side)
        self.teacher = self._taught(self._train)
        torch.set_num_threads(available_cores())
        bounds = surface_bounds(self.teacher)
        span = (TAUGHT * self._last, DISTILLED * self._last)
        distilling = SurfaceFit(
            self.teacher, bounds, self.options, self.checkpoint, self.known, self.say, self.preview, span
        )
        found = distilling.fit()
        self._beyond = _middles(self.teacher, found.surface)
        taught = judge(self.teacher, self._test, WHITE)[0] if self._test else float("nan")
        self._quality = [taught, self._judge(found.surface)]
        solved = self._coloured(found.surface)
        self._quality.append(self._judge(solved))
        return replace(found, surface=solved)

    def judged(self, written: NeuralSurface) -> ViewQuality:
        """PSNR of some views not learnt from, of every stage."""
        teacher, distilled, coloured = self._quality
        return ViewQuality(len(self._test), self.effort.side, teacher, distilled, coloured, self._judge(written))

    def _taught(self, views: list[View]) -> NeusTeacher:
        steps = self.options.steps or self.effort.teacher_steps
        options = NeusOptions(steps=steps, side=self.effort.side, seed=self.options.seed)

        def progress(stage: str, done: float, detail: str) -> None:
            self.say(f"teacher: {stage}", TAUGHT * self._last * done, detail)

        part = Part(self.checkpoint, "teacher", self.known)
        known, device = self.known.get("teacher"), chosen_device(self.options.device)
        return train_on_views(views, self.photographs.sphere, options, progress, part, known, device)

    def _coloured(self, surface: NeuralSurface) -> NeuralSurface:
        """With colours solved from the photographs."""
        field = self._field(surface)
        if "solved" in self.known:
            field.appearance.own.copy_(self.known["solved"])
            return _with_weights(surface, field)

        def say(share: float, detail: str) -> None:
            self.say("photographs again", self._last * (DISTILLED + (1 - DISTILLED) * share), detail)
            self.checkpoint.save_when_due(lambda: self.known)

        say(0.0, "")
        solve_colours(self._caster(field), self.teacher, self._train, self.options.seed, say)
        self.known["solved"] = field.appearance.own
        self.checkpoint.save_when_due(lambda: self.known)
        return _with_weights(surface, field)

    def _field(self, surface: NeuralSurface) -> CellField:
        if surface.appearance is None:
            raise KilofieldError("surface: expected colours of photographs, found none")
        banks = [
            Shared.of(bank.shape, torch.from_numpy(bank.weights)) for bank in (surface.geometry, surface.appearance)
        ]
        return CellField(surface, banks[0], banks[1], self.teacher.frame, self._beyond)

    def _caster(self, field: CellField) -> Caster:
        return Caster.of(field, self.teacher.occupancy.allowed, self.teacher.length)

    def _judge(self, surface: NeuralSurface) -> float:
        """Of the cells as they are drawn: by rays cast at them."""
        caster = self._caster(self._field(surface))
        shown = [torch.from_numpy(caster.picture(view, self.teacher.frame, WHITE)) for view in self._test]
        return mean_quality(shown, [view.over(WHITE) for view in self._test])[0] if shown else float("nan")


def _evenly(photographs: Sequence[Photograph], count: int) -> list[Photograph]:
    """At most `count` of them, spread over all."""
    chosen = np.linspace(0, len(photographs) - 1, min(count, len(photographs))).round().astype(int)
    return [photographs[i] for i in chosen]


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
