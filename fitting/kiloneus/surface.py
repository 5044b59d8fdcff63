"""The run behind `kilofield surface`: from a mesh to a .kilo of kind `surface`.

read -> teacher -> cells, places -> geometry networks -> appearance networks -> rounded -> judged -> written
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fitting.checkpoint import Checkpoint, checksum
from fitting.kiloneus.cells import Places, draw_places, grid_around, occupied_cells
from fitting.kiloneus.colours import Colours, draw_colours
from fitting.kiloneus.distil import AppearanceProblem, GeometryProblem
from fitting.kiloneus.features import learn
from fitting.kiloneus.fidelity import fidelity, surface_points
from fitting.kiloneus.levenberg import State
from fitting.kiloneus.mesh_teacher import MeshTeacher
from fitting.kiloneus.options import (
    Fidelity,
    ProgressCallback,
    SurfaceOptions,
    SurfaceProgress,
    SurfaceResult,
)
from fitting.kiloneus.student import CodedBank, ProblemOf, coded, fit, shared_start
from fitting.kiloneus.teacher import Teacher
from scenes.bank import BankShape, MlpBank
from scenes.cores import available_cores
from scenes.errors import KilofieldError
from scenes.kilo_surface import write_surface
from scenes.meshes import read_mesh
from scenes.surface import APPEARANCE_CODE, NeuralSurface

PreviewCallback = Callable[[NeuralSurface, str], None]
LOOK_EVERY = 20.0  # seconds between two previews
COLOUR_PLACES = 384  # of a cell
COLOUR_NOISE = 4e-3  # that rounding may add to colours of -1 to 1: half a step of 8 bits
COLOUR_FREQUENCIES = (2.0,)
READ, PLACED, SHAPED, COLOURED, ROUNDED = 0.02, 0.2, 0.72, 0.9, 0.96  # where stages end, of the whole run


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
        self._stage, self._since = stage, now
        if self.callback is not None:
            self.callback(SurfaceProgress(stage, done, detail))

    def within(self, stage: str, start: float, stop: float) -> Callable[[float], None]:
        """Progress of a part of the run that goes from `start` to `stop`."""
        return lambda share: self(stage, start + (stop - start) * share)


def fit_surface(
    source: Path,
    target: Path,
    options: SurfaceOptions,
    progress: ProgressCallback | None = None,
    preview: PreviewCallback | None = None,
) -> SurfaceResult:
    """Learns the mesh in `source` and writes the .kilo `target`, replacing it only when all is done.

    `preview` is called now and then with the surface as it is. Raises `KilofieldError` for what the user can mend. The
    same input, options and number of cores give the same bytes.
    """
    if not target.parent.is_dir():
        raise KilofieldError(f"{target}: cannot write: no such folder {target.parent}")
    torch.set_num_threads(available_cores())
    say = Say(progress)
    say("reading", 0.0)
    mesh = read_mesh(source)
    made = f"{options.preset} {options.cells} {options.steps} {options.choices} {metadata.version('kilofield')}"
    mark = f"{checksum(source)} surface {made} seed {options.seed}"
    checkpoint = Checkpoint(target.with_name(target.name + ".checkpoint"), mark)
    known = checkpoint.load() if options.resume else None
    run = SurfaceFit(MeshTeacher(mesh), options, checkpoint, known, say, preview)
    with checkpoint.guarding():
        surface, coded_banks = run.fit()
    return run.finish(surface, coded_banks, source, target, mesh.notes)


class SurfaceFit:
    """One teacher, distilled."""

    def __init__(
        self,
        teacher: Teacher,
        options: SurfaceOptions,
        checkpoint: Checkpoint,
        known: dict[str, Any] | None,
        say: Say,
        preview: PreviewCallback | None,
    ) -> None:
        self.teacher, self.options, self.effort = teacher, options, options.effort
        self.checkpoint, self.known, self.say, self.preview = checkpoint, known or {}, say, preview
        self.seed, self.overlap = options.seed, options.choices.overlap
        self._looked = time.monotonic()

    def fit(self) -> tuple[NeuralSurface, NeuralSurface]:
        """The surface before rounding and as it will be written."""
        self.say("finding cells", READ)
        self.grid = grid_around(self.teacher.bounds, self.effort.cells)
        self.cells = occupied_cells(self.teacher, self.grid, self.overlap, self.say.within("finding cells", READ, 0.05))
        places = self._places()
        geometry = GeometryProblem.of(self._geometry_shape(), places, self.overlap, self.effort.drawn)
        shaped = self._fitted("geometry", geometry, self.effort.iterations, PLACED, SHAPED)
        appearance = colour_weights = None
        if self.teacher.coloured:
            seen = self._colours(places)
            appearance = AppearanceProblem.of(
                self._appearance_shape(), seen.local, seen.codes, seen.colours, seen.importance, self.effort.drawn
            )
            colour_weights = self._fitted("colour", appearance, self.effort.colour_iterations, SHAPED, COLOURED)
        self.say("rounding", COLOURED)
        before = self._surface(shaped, colour_weights)
        after = self._rounded(geometry, shaped, appearance, colour_weights)
        return before, after

    def finish(
        self, before: NeuralSurface, after: NeuralSurface, source: Path, target: Path, notes: tuple[str, ...]
    ) -> SurfaceResult:
        """Judges, writes and reports."""
        self.say("judging", ROUNDED)
        was, now = fidelity(before, self.teacher, self.seed), fidelity(after, self.teacher, self.seed)
        colours = [colour_psnr(s, self.teacher, self.seed) for s in (before, after)]
        self.say("writing", 0.99)
        report = write_surface(target, after, tool=self._tool(now))
        self.checkpoint.remove()
        self.say("done", 1.0)
        appearance = after.appearance
        return SurfaceResult(
            path=target,
            bytes=report.total,
            source_bytes=source.stat().st_size,
            cells=len(after),
            grid=after.grid.size,
            edge=after.grid.edge,
            geometry_weights=after.geometry.shape.parameters,
            appearance_weights=0 if appearance is None else appearance.shape.parameters,
            fidelity=now,
            before_rounding=was,
            colour_psnr=colours[1],
            colour_psnr_before=colours[0],
            streams={name: int(n) for name, n in vars(report).items() if name != "total"},
            seconds=time.monotonic() - self.say.started,
            stages=self.say.stages,
            preset=self.options.preset,
            seed=self.seed,
            notes=tuple(note for note in (*notes, self.checkpoint.trouble) if note),
        )

    def _places(self) -> Places:
        within = self.say.within("measuring distances", 0.05, PLACED)
        return draw_places(self.teacher, self.grid, self.cells, self.overlap, self.effort.places, self.seed, within)

    def _colours(self, places: Places) -> Colours:
        return draw_colours(
            self.teacher, self.grid, self.cells, places, self.overlap, COLOUR_PLACES, self.seed,
            self.say.within("looking at colours", SHAPED, SHAPED + 0.02),
        )  # fmt: skip

    def _geometry_shape(self) -> BankShape:
        choices = self.options.choices
        sides = (choices.modulation,) * 3 if choices.modulation else ()
        return BankShape((), 0, self.effort.width, choices.layers, 1, False, "sine", "none", sides)

    def _appearance_shape(self) -> BankShape:
        code = APPEARANCE_CODE if self.teacher.view_dependent else 0
        return BankShape(COLOUR_FREQUENCIES, code, self.effort.colour_width, 1, 3, False, "sine", "tanh")

    def _fitted(self, name: str, problem: ProblemOf, iterations: int, start: float, stop: float) -> Tensor:
        """[K, P] weights of one bank, from the checkpoint where it has them."""
        shared, middle = None, start
        if self.options.choices.shared:
            middle = 0.5 * (start + stop)
            shared = self._shared(name, problem, start, middle)
            problem.moving = len(shared)
        known = self.known.get(name)
        state = State(**known) if known else shared_start(problem.shape, len(self.cells), self.seed, shared)
        start = middle

        def after(state: State, cost: float) -> None:
            share = state.iteration / iterations
            self.say(name, start + (stop - start) * share, f"iteration {state.iteration} of {iterations} · {cost:.2e}")
            self.known[name] = {"weights": state.weights, "damping": state.damping, "iteration": state.iteration}
            self.checkpoint.save_when_due(lambda: self.known)
            self._look(name, state)

        fit(problem, state, iterations, self.seed, after)
        return state.weights

    def _shared(self, name: str, problem: ProblemOf, start: float, stop: float) -> Tensor:
        """Hidden layers for all cells of one bank."""
        key, iterations = f"{name} shared", self.options.steps or self.effort.shared
        if key not in self.known:

            def after(iteration: int, cost: float) -> None:
                share = iteration / iterations
                self.say(key, start + (stop - start) * share, f"iteration {iteration} of {iterations} · {cost:.2e}")

            self.known[key] = learn(problem, iterations, self.seed, after)
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

    def _rounded(
        self, geometry: GeometryProblem, shaped: Tensor, appearance: AppearanceProblem | None, colours: Tensor | None
    ) -> NeuralSurface:
        shape = coded(geometry, shaped, self.effort.noise, self.seed)
        colour: CodedBank | None = None
        if appearance is not None and colours is not None:
            self.say("rounding", 0.5 * (COLOURED + ROUNDED))
            colour = coded(appearance, colours, COLOUR_NOISE, self.seed)
        return NeuralSurface(
            self.grid, self.cells, self.overlap, shape.bank, colour and colour.bank, shape.coding,
            colour and colour.coding,
        )  # fmt: skip

    def _tool(self, found: Fidelity) -> dict[str, Any]:
        return {
            "name": "kilofield",
            "version": metadata.version("kilofield"),
            "preset": self.options.preset,
            "seed": self.seed,
            "normal_error_degrees": round(found.normal, 4),
        }


def colour_psnr(surface: NeuralSurface, teacher: Teacher, seed: int) -> float | None:
    """dB at points of the surface seen head-on; None without colour."""
    if surface.appearance is None:
        return None
    points, normals = surface_points(surface, 10_000, seed)
    error = surface.colour(points, normals, -normals) - teacher.colour(points, normals, -normals)
    return float(-10 * np.log10(max(float(np.square(error).mean()), 1e-12)))
