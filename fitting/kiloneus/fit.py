"""Cells distilled from a teacher: found, learnt, rounded, judged.

teacher -> cells, places -> geometry networks -> appearance networks -> (coloured again) -> rounded
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fitting.checkpoint import Checkpoint
from fitting.kiloneus.cells import Places, draw_places, grid_around, occupied_cells
from fitting.kiloneus.colours import Colours, draw_colours
from fitting.kiloneus.distil import AppearanceProblem, GeometryProblem
from fitting.kiloneus.faces import FacedGeometry
from fitting.kiloneus.features import learn
from fitting.kiloneus.fidelity import surface_points
from fitting.kiloneus.frequencies import Look
from fitting.kiloneus.levenberg import State
from fitting.kiloneus.options import ProgressCallback, SurfaceOptions, SurfaceProgress
from fitting.kiloneus.student import ProblemOf, coded, fit, shared_start
from fitting.kiloneus.teacher import Teacher
from scenes.bank import BankShape, MlpBank
from scenes.errors import KilofieldError
from scenes.gaussians import Floats
from scenes.surface import APPEARANCE_CODE, NeuralSurface

LOGGER = logging.getLogger("kilofield.fit")
PreviewCallback = Callable[[NeuralSurface, str], None]
LOOK_EVERY = 20.0  # seconds between two previews
COLOUR_PLACES = 384  # of a cell
COLOUR_NOISE = 4e-3  # that rounding may add to colours of -1 to 1: half a step of 8 bits
COLOUR_FREQUENCIES = (2.0,)
FACE_ITERATIONS = 12  # at least, where cells are asked to meet at their faces: they do it step by step
FOUND, PLACED, SHAPED, SEEN = 0.05, 0.25, 0.8, 0.82  # where stages end, of the distillation


class Say:
    """Passes progress on and keeps the time of each stage."""

    def __init__(self, callback: ProgressCallback | None) -> None:
        self.callback = callback
        self.started = self._since = time.monotonic()
        self._stage = ""
        self.stages: dict[str, float] = {}

    def __call__(self, stage: str, done: float, detail: str = "") -> None:
        """`stage` has come to `done`, 0 to 1 of the whole run."""
        now = time.monotonic()
        if self._stage:
            self.stages[self._stage] = self.stages.get(self._stage, 0.0) + now - self._since
        if stage != self._stage:
            LOGGER.info("%s, %.1f s after the start", stage, now - self.started)
        self._stage, self._since = stage, now
        if self.callback is not None:
            self.callback(SurfaceProgress(stage, done, detail))

    def within(self, stage: str, start: float, stop: float) -> Callable[[float], None]:
        """Progress of a part of the run that goes from `start` to `stop`."""
        return lambda share: self(stage, start + (stop - start) * share)


@dataclass
class Distilled:
    """Cells that have been learnt and not been rounded yet."""

    surface: NeuralSurface
    geometry: GeometryProblem
    appearance: AppearanceProblem | None


class SurfaceFit:
    """One teacher, distilled. Takes the part of a run from `first` to `last`, of 0 to 1."""

    def __init__(
        self,
        teacher: Teacher,
        bounds: Floats,
        options: SurfaceOptions,
        checkpoint: Checkpoint,
        known: dict[str, Any],
        say: Say,
        preview: PreviewCallback | None,
        span: tuple[float, float],
    ) -> None:
        self.teacher, self.bounds, self.options, self.effort = teacher, bounds, options, options.effort
        self.checkpoint, self.known, self.say, self.preview = checkpoint, known, say, preview
        self.seed, self.overlap = options.seed, options.choices.overlap
        self._fresh = options.choices.frequency == "fresh"
        self._scale, self._encoding = 1.0, COLOUR_FREQUENCIES  # of the first layer of geometry; of places, for colour
        self._first, self._last = span
        self._looked = time.monotonic()

    def fit(self) -> Distilled:
        """Finds the cells and learns their networks."""
        self.say("finding cells", self._at(0))
        self.grid = grid_around(self.bounds, self.effort.cells)
        self.cells = occupied_cells(self.teacher, self.grid, self.overlap, self._within("finding cells", 0, FOUND))
        if not len(self.cells):
            raise KilofieldError("surface: expected one within the bounds, found none")
        places = self._places()
        if self._fresh:
            self._choose_scale()
        geometry = self._geometry(places)
        met = self.options.choices.face_loss > 0
        iterations = max(self.effort.iterations, FACE_ITERATIONS) if met else self.effort.iterations
        shaped = self._fitted("geometry", geometry, iterations, PLACED, SHAPED)
        appearance = colours = None
        if self.teacher.coloured:
            seen = self._colours(places)
            if self._fresh:
                self._choose_encoding()
            appearance = AppearanceProblem.of(
                self._appearance_shape(), seen.local, seen.codes, seen.colours, seen.importance, self.effort.drawn
            )
            colours = self._fitted("colour", appearance, self.effort.colour_iterations, SEEN, 1)
        return Distilled(self._surface(shaped, colours), geometry, appearance)

    def _geometry(self, places: Places) -> GeometryProblem:
        """With faces where they are asked for."""
        problem = GeometryProblem.of(self._geometry_shape(), places, self.overlap, self.effort.drawn)
        weight = self.options.choices.face_loss
        if weight == 0:
            return problem
        return FacedGeometry.of_places(problem, self.teacher, self.grid, self.cells, weight, self.seed)

    def _choose_scale(self) -> None:
        self._scale = self._look_around().choose_scale(self._geometry_shape()).chosen
        self.say("frequencies", self._at(PLACED), f"geometry x {self._scale:g}")

    def _choose_encoding(self) -> None:
        self._encoding = self._look_around().choose_encoding(self._appearance_shape()).chosen
        self.say("frequencies", self._at(SEEN), f"colour {', '.join(f'{f:g}' for f in self._encoding)}")

    def _look_around(self) -> Look:
        return Look(self.teacher, self.grid, self.cells, self.overlap, self.seed)

    def _places(self) -> Places:
        within = self._within("measuring distances", FOUND, PLACED)
        return draw_places(self.teacher, self.grid, self.cells, self.overlap, self.effort.places, self.seed, within)

    def _colours(self, places: Places) -> Colours:
        within = self._within("looking at colours", SHAPED, SEEN)
        count = COLOUR_PLACES
        return draw_colours(self.teacher, self.grid, self.cells, places, self.overlap, count, self.seed, within)

    def _geometry_shape(self) -> BankShape:
        choices = self.options.choices
        sides = (choices.modulation,) * 3 if choices.modulation else ()
        return BankShape((), 0, self.effort.width, choices.layers, 1, False, "sine", "none", sides)

    def _appearance_shape(self) -> BankShape:
        code = APPEARANCE_CODE if self.teacher.view_dependent else 0
        return BankShape(self._encoding, code, self.effort.colour_width, 1, 3, False, "sine", "tanh")

    def _fitted(self, name: str, problem: ProblemOf, iterations: int, start: float, stop: float) -> Tensor:
        """[K, P] weights of one bank, from the checkpoint where it has them."""
        shared = None
        if self.options.choices.shared:
            start, begin = 0.5 * (start + stop), start
            shared = self._shared(name, problem, begin, start)
            problem.moving = len(shared)
        known = self.known.get(name)
        scale = self._scale if name == "geometry" else 1.0
        state = State(**known) if known else shared_start(problem.shape, len(self.cells), self.seed, shared, scale)

        def after(state: State, cost: float) -> None:
            done = self._at(start + (stop - start) * state.iteration / iterations)
            self.say(name, done, f"iteration {state.iteration} of {iterations} · {cost:.2e}")
            self.known[name] = dict(vars(state))
            self.checkpoint.save_when_due(lambda: self.known)
            self._look(name, state)

        fit(problem, state, iterations, self.seed, after)
        return state.weights

    def _shared(self, name: str, problem: ProblemOf, start: float, stop: float) -> Tensor:
        """Hidden layers for all cells of one bank."""
        key, iterations = f"{name} shared", self.effort.shared
        if key not in self.known:

            def after(iteration: int, cost: float) -> None:
                done = self._at(start + (stop - start) * iteration / iterations)
                self.say(key, done, f"iteration {iteration} of {iterations} · {cost:.2e}")

            scale = self._scale if name == "geometry" else 1.0
            self.known[key] = learn(problem, iterations, self.seed, after, scale)
            self.checkpoint.save_when_due(lambda: self.known)
        return self.known[key]

    def _look(self, name: str, state: State) -> None:
        """A preview, when it is time for one."""
        if self.preview is None or time.monotonic() - self._looked < LOOK_EVERY:
            return
        shape = self.known["geometry"]["weights"]
        self.preview(self._surface(shape, state.weights if name == "colour" else None), f"{name} {state.iteration}")
        self._looked = time.monotonic()

    def _surface(self, geometry: Tensor, appearance: Tensor | None) -> NeuralSurface:
        colours = None if appearance is None else MlpBank(self._appearance_shape(), appearance.numpy().copy())
        bank = MlpBank(self._geometry_shape(), geometry.numpy().copy())
        return NeuralSurface(self.grid, self.cells, self.overlap, bank, colours)

    def _at(self, share: float) -> float:
        return self._first + (self._last - self._first) * share

    def _within(self, stage: str, start: float, stop: float) -> Callable[[float], None]:
        return self.say.within(stage, self._at(start), self._at(stop))


def rounded(found: Distilled, noise: float, seed: int) -> NeuralSurface:
    """The surface with weights as integers, as it is written; `noise` is what that may add to distances and gradients.

    Distances in cells and the parts of unit gradients, root mean square.
    """
    surface = found.surface
    shape = coded(found.geometry, torch.from_numpy(surface.geometry.weights), noise, seed)
    if found.appearance is None or surface.appearance is None:
        return replace(surface, geometry=shape.bank, geometry_coding=shape.coding)
    colour = coded(found.appearance, torch.from_numpy(surface.appearance.weights), COLOUR_NOISE, seed)
    return replace(
        surface,
        geometry=shape.bank,
        geometry_coding=shape.coding,
        appearance=colour.bank,
        appearance_coding=colour.coding,
    )


def colour_psnr(surface: NeuralSurface, teacher: Teacher, seed: int) -> float | None:
    """dB at points of the surface seen head-on; None without colour."""
    if surface.appearance is None:
        return None
    points, normals = surface_points(surface, 10_000, seed)
    error = surface.colour(points, normals, -normals) - teacher.colour(points, normals, -normals)
    return float(-10 * np.log10(max(float(np.square(error).mean()), 1e-12)))
