"""Cells tuned on the photographs, through the volume rendering their teacher was learnt with.

What cells share and what they own moves, and the sharpness; cells stay where they are. The losses are the teacher's
(`neus_losses.py`) but for those the teacher needed to find the surface at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fitting.hash_grid_numba import in_pieces
from fitting.kiloneus.cell_field import CellField, CellModel
from fitting.kiloneus.neus_losses import Batch, colour_error, eikonal, mask_loss
from fitting.kiloneus.neus_photographs import Pixels, View
from fitting.kiloneus.neus_teacher import NeusTeacher
from fitting.kiloneus.occupancy import Occupancy, hits, march
from fitting.kiloneus.volume import render
from scenes.errors import KilofieldError

EIKONAL, MASK = 0.05, 0.1
RATES = {"hidden": 2e-4, "own": 2e-3, "sharpness": 5e-3}
BETAS, EPSILON = (0.9, 0.99), 1e-15
FINAL_RATE, WARM_UP = 0.05, 20
PIECES = 4
LOOK_EVERY = 100  # steps between two updates of the occupancy grid
SECTIONS = 16384  # a step


class Tuner:
    """A tuning in progress."""

    def __init__(self, field: CellField, teacher: NeusTeacher, views: Sequence[View], steps: int, seed: int) -> None:
        self.field, self.teacher, self.steps, self.seed = field, teacher, steps, seed
        self.pictures = Pixels.of(views, teacher.frame, torch.device("cpu"))
        self.occupancy = Occupancy.everywhere(teacher.occupancy.allowed)
        self.useful = self._useful()
        self.log_sharpness = teacher.model.sharpness.detach().log().clone()
        self.step, self.rays, self.squares = 0, 512, 0.0
        groups = [{"params": [t], "base": RATES[kind], "lr": 0.0} for kind, t in self._learnt()]
        for _, tensor in self._learnt():
            tensor.requires_grad_()
        self.optimiser = torch.optim.Adam(groups, betas=BETAS, eps=EPSILON, fused=True)

    def _learnt(self) -> list[tuple[str, Tensor]]:
        shape, colour = self.field.geometry_bank, self.field.appearance
        banks = [("hidden", shape.hidden), ("own", shape.own), ("hidden", colour.hidden), ("own", colour.own)]
        return [*banks, ("sharpness", self.log_sharpness)]

    def _useful(self) -> np.ndarray:
        """Pixels that can show the object."""
        seen = self.pictures.seen
        if not self.pictures.masked:
            return seen
        blocks = np.split(seen, range(1 << 15, len(seen), 1 << 15))
        return np.concatenate([block[hits(self.occupancy, self.pictures.rays(block))] for block in blocks])

    def run(self, each: Callable[[Tuner], None]) -> None:
        """To the end, calling `each(self)` after every step."""
        while self.step < self.steps:
            self._one_step()
            each(self)

    def _one_step(self) -> None:
        if self.step % LOOK_EVERY == 0:
            sharpness = math.exp(float(self.log_sharpness.detach()))
            self.occupancy.update(self.field.distance, sharpness, self.teacher.length, torch.device("cpu"))
        done = self.step / self.steps
        cosine = FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * done))
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * min((self.step + 1) / WARM_UP, cosine)
        batch = self._draw(np.random.default_rng((self.seed, 3, self.step)))
        count = len(batch.samples.depths)
        found = in_pieces(lambda piece: self._gradients(piece, len(batch.rays), count), batch.pieces(PIECES))
        for tensors, (_, tensor) in zip(zip(*(f[0] for f in found), strict=True), self._learnt(), strict=True):
            known = [t for t in tensors if t is not None]
            tensor.grad = torch.stack(known).sum(dim=0) if known else None
        self.optimiser.step()
        squares = sum(f[1] for f in found)
        if not math.isfinite(squares):
            raise KilofieldError(f"tuning cells: the error became {squares} at step {self.step}")
        self.squares += max(0.02, 1 / (self.step + 1)) * (squares - self.squares)
        wanted = self.rays * SECTIONS / max(count, 1)
        self.rays = int(np.clip(wanted, max(0.8 * self.rays, 64), min(1.25 * self.rays, SECTIONS)))
        self.step += 1

    def _draw(self, rng: np.random.Generator) -> Batch:
        pixels = rng.choice(self.useful, self.rays)
        rays = self.pictures.rays(pixels)
        offsets = torch.from_numpy(rng.random(self.rays).astype(np.float32))
        samples = march(self.occupancy, rays, self.teacher.length, offsets)
        behind = torch.from_numpy(rng.random((self.rays, 3)).astype(np.float32))
        nothing = torch.zeros(0, 3)
        return Batch(rays, samples, self.pictures.colours(pixels), behind, nothing, nothing[:, 0], torch.zeros(0, 4))

    def _gradients(self, batch: Batch, rays: int, sections: int) -> tuple[tuple[Tensor | None, ...], float]:
        """Gradients of the loss and the squared error, of one piece of a step of `rays` and `sections`."""
        shown = render(self.field, batch.rays, batch.samples, self.log_sharpness.exp())
        masked = self.pictures.masked
        with torch.no_grad():
            behind = batch.behind if masked else self.teacher.model.background(batch.rays.directions)
        error = colour_error(shown, batch, behind)
        inside = shown.geometry.gradient.square().sum(dim=1) > 0
        loss = error.abs().sum() / (3 * rays)
        loss = loss + EIKONAL * (eikonal(shown.geometry.gradient + 1e-9) * inside).sum() / max(sections, 1)
        if masked:
            loss = loss + MASK * mask_loss(shown, batch).sum() / rays
        gradients = torch.autograd.grad(loss, [t for _, t in self._learnt()], allow_unused=True)
        return gradients, float(error.detach().square().sum()) / (3 * rays)

    @property
    def psnr(self) -> float:
        """Of the rays of the last steps, dB."""
        return -10 * math.log10(max(self.squares, 1e-12))

    def state(self) -> dict[str, Any]:
        """All that changes, for a checkpoint."""
        tensors = [t.detach() for _, t in self._learnt()]
        numbers = {"step": self.step, "rays": self.rays, "squares": self.squares}
        found = {"occupancy": self.occupancy.tensors(), "optimiser": self.optimiser.state_dict()}
        return {**numbers, **found, "tensors": tensors}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to a checkpoint's `state()`."""
        with torch.no_grad():
            for (_, tensor), known in zip(self._learnt(), state["tensors"], strict=True):
                tensor.copy_(known)
        self.optimiser.load_state_dict(state["optimiser"])
        self.occupancy = Occupancy.of_tensors(self.teacher.occupancy.allowed, state["occupancy"])
        self.step, self.rays, self.squares = int(state["step"]), int(state["rays"]), float(state["squares"])


def pictured(field: CellField, teacher: NeusTeacher, sharpness: Tensor) -> NeusTeacher:
    """What renders pictures of cells, in the place of their teacher."""
    occupancy = Occupancy.everywhere(teacher.occupancy.allowed)
    occupancy.update(field.distance, float(sharpness), teacher.length, torch.device("cpu"))
    return replace(teacher, model=CellModel(field, sharpness, teacher.model.background), occupancy=occupancy)
