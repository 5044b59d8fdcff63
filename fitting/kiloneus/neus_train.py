"""Trains NeuS on photographs.

    photographs -> bounds, visual hull -> warm start: the field learns the hull
    step: pixels -> rays -> sections (occupancy) -> volume rendering -> losses -> Adam

Each step lowers

    colour + 0.1 eikonal + 0.1 mask + hull + smooth  (see `neus_losses.py`),

mask and hull only for photographs with alpha. Sections a step stay about constant: there are the more rays, the fewer
sections they need. On the CPU a step's rays are split into pieces, always as many, each one thread's work from forward
to backward; their gradients are added in order. So torch needs no threads of its own (whose spinning costs more than
they win), and the result does not depend on their number. Random numbers depend on the seed and the step alone: a
resumed run goes on exactly as an uninterrupted one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fitting.checkpoint import Checkpoint, Part
from fitting.hash_grid import HashGridShape
from fitting.hash_grid_numba import in_pieces
from fitting.kiloneus.bounds import SceneBounds, find_bounds
from fitting.kiloneus.neus import Neus
from fitting.kiloneus.neus_losses import Batch, colour_error, eikonal, elsewhere_losses, mask_loss
from fitting.kiloneus.neus_photographs import Pixels, View, load_views
from fitting.kiloneus.neus_teacher import NeusTeacher
from fitting.kiloneus.occupancy import Occupancy, hits, march
from fitting.kiloneus.volume import render
from scenes.common_view import Sphere
from scenes.errors import KilofieldError
from scenes.photo_sets import PhotoSet

BETAS, EPSILON = (0.9, 0.99), 1e-15  # of Adam, as for hash grids elsewhere
FINAL_RATE = 0.03  # of the learning rates, at the end of the cosine
WARM_UP = 50  # steps
EIKONAL, MASK, HULL = 0.1, 0.1, 0.5  # weights of the losses; the first two are NeuS's
ELSEWHERE = 1 / 16  # for each section of a step: points anywhere in the box, and places beside sections
PIECES = 4  # of a step on the CPU
PIXEL = 0.6  # of a pixel's size at the middle: the length of a section
SHORTEST = 1 / 512  # section, in units of the box
BLOCK = 1 << 15  # rays at a time when looking for those that can hit
FIRST_LEVELS = 4  # of the grid, at the start
COARSEST, GROWTH = 16, 1.36  # of the grid: vertices an axis of the first level, and from level to level, about
NEAR_HULL = 0.1  # of the box: what counts as near
WARM_POINTS, WARM_RATE = 8192, 1e-2  # a step, and its learning rate, of the warm start

Progress = Callable[[str, float, str], None]


@dataclass(frozen=True)
class NeusOptions:
    """How long and how finely."""

    steps: int = 8000
    side: int = 400  # pixels of a photograph's longest side, at most
    samples: int = 16384  # sections a step
    shape: HashGridShape | None = None  # None: as fine as the photographs; see `grid_shape`
    voxels: int = 128  # of the occupancy grid
    seed: int = 0
    table_rate: float = 1e-2
    network_rate: float = 3e-3
    sharpness_rate: float = 5e-3
    all_levels: float = 0.3  # of the steps: from here on every level of the grid takes part
    annealed: float = 0.2  # of the steps; see `volume.decline`
    warm_steps: int = 300
    warm_sharpness: float = 100.0  # after the warm start, whose surface is already near
    smoothness: float = 0.04  # weight of the loss on normals
    look_every: int = 100  # steps between two updates of the occupancy grid


class Trainer:
    """A fit in progress."""

    def __init__(
        self, views: Sequence[View], sphere: Sphere | None, options: NeusOptions, device: torch.device
    ) -> None:
        self.options, self.device = options, device
        self.bounds = find_bounds(views, sphere, options.voxels)
        self.pictures = Pixels.of(views, self.bounds.frame, device)
        self.length = section_length(views, self.bounds)
        shape = options.shape or grid_shape(self.length)
        self.model = Neus.new(shape, torch.Generator().manual_seed(options.seed), device)
        self.occupancy = Occupancy.everywhere(self.bounds.allowed)
        self.useful = self._pixels_that_can_hit()
        self.rays = 256  # a step
        self.step = 0
        self.loss = self.squares = 0.0  # running means: of the loss, of the squared error
        rates = {"table": options.table_rate, "log_sharpness": options.sharpness_rate}
        groups = [
            {"params": [t], "base": rates.get(name, options.network_rate), "lr": 0.0}
            for name, t in self.model.tensors.items()
        ]
        self.optimiser = torch.optim.Adam(groups, betas=BETAS, eps=EPSILON, fused=True)

    def _pixels_that_can_hit(self) -> NDArray[np.int64]:
        """Those whose rays meet a voxel that is allowed; of the others there is nothing to learn."""
        if not self.pictures.masked:
            return self.pictures.seen
        seen = self.pictures.seen
        blocks = np.split(seen, range(BLOCK, len(seen), BLOCK))
        return np.concatenate([block[hits(self.occupancy, self.pictures.rays(block))] for block in blocks])

    def warm_start(self) -> None:
        """Teaches the field the visual hull, if there is one, so that rendering starts near the surface."""
        if self.bounds.hull is None:
            return
        for step in range(self.options.warm_steps):
            rng = np.random.default_rng((self.options.seed, 1, step))
            self._schedule(0, WARM_RATE * min(1.0, 2 - 2 * step / self.options.warm_steps))
            points = _near_hull(self.bounds.hull, rng, WARM_POINTS)
            wanted = torch.from_numpy(_looked_up(self.bounds.hull, points)).to(self.device)
            found = self.model.geometry(torch.from_numpy(points).to(self.device))
            loss = (found.sdf - wanted).abs().mean() + EIKONAL * eikonal(found.gradient).mean()
            self._descend(torch.autograd.grad(loss, self._learnt(), allow_unused=True))
        with torch.no_grad():
            self.model.tensors["log_sharpness"].fill_(math.log(self.options.warm_sharpness))

    def run(self, until: int, each: Callable[[Trainer], None]) -> None:
        """Steps up to `until`, calling `each(self)` after every one."""
        while self.step < until:
            self._one_step()
            each(self)

    def _one_step(self) -> None:
        rng = np.random.default_rng((self.options.seed, 2, self.step))
        self._schedule(self.step, None)
        if self.step % self.options.look_every == 0:
            sharpness = float(self.model.sharpness.detach())
            self.occupancy.update(self.model.distance, sharpness, self.length, self.device)
        batch = self._draw(rng)
        count = len(batch.samples.depths)
        pieces = batch.pieces(PIECES if self.device.type == "cpu" else 1)
        found = in_pieces(lambda piece: self._gradients(piece, len(batch.rays), count), pieces)
        self._descend([_summed(parts) for parts in zip(*(f[0] for f in found), strict=True)])
        self._note(sum(f[1] for f in found), sum(f[2] for f in found))
        self.rays = int(np.clip(self.rays * self.options.samples / max(count, 1), 0.8 * self.rays, 1.25 * self.rays))
        self.rays = min(max(self.rays, 64), self.options.samples)
        self.step += 1

    def _draw(self, rng: np.random.Generator) -> Batch:
        """Pixels, the sections of their rays, and points elsewhere."""
        pixels = rng.choice(self.useful, self.rays)
        rays = self.pictures.rays(pixels)
        samples = march(self.occupancy, rays, self.length, self._tensor(rng.random(self.rays)))
        count = int(ELSEWHERE * self.options.samples)
        free = rng.uniform(-1, 1, (count, 3)).astype(np.float32)
        hull = np.zeros(1, np.float32) if self.bounds.hull is None else _looked_up(self.bounds.hull, free)
        least = np.broadcast_to(hull - 3**0.5 * 2 / self.options.voxels, count)
        probes = np.concatenate([rng.random((count, 1)), rng.standard_normal((count, 3))], axis=1)
        behind = self._tensor(rng.random((self.rays, 3)))
        others = (self._tensor(a) for a in (free, least, probes))
        return Batch(rays, samples, self.pictures.colours(pixels), behind, *others)

    def _gradients(self, batch: Batch, rays: int, sections: int) -> tuple[tuple[Tensor | None, ...], float, float]:
        """Gradients of the loss, its value and the squared error, of one piece of a step of `rays` and `sections`."""
        options = self.options
        annealing = min(1.0, self.step / max(options.annealed * options.steps, 1))
        shown = render(self.model, batch.rays, batch.samples, self.model.sharpness, annealing)
        masked = self.pictures.masked
        error = colour_error(shown, batch, batch.behind if masked else self.model.background(batch.rays.directions))
        loss = error.abs().sum() / (3 * rays) + EIKONAL * eikonal(shown.geometry.gradient).sum() / max(sections, 1)
        if masked:
            loss = loss + MASK * mask_loss(shown, batch).sum() / rays
        free, hull, smooth = elsewhere_losses(self.model, shown, batch)
        others = EIKONAL * free.sum() + HULL * hull.sum() + options.smoothness * smooth.sum()
        loss = loss + others / int(ELSEWHERE * options.samples)
        gradients = torch.autograd.grad(loss, self._learnt(), allow_unused=True)
        return gradients, float(loss.detach()), float(error.detach().square().sum()) / (3 * rays)

    def _tensor(self, values: NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self.device)

    def _learnt(self) -> list[Tensor]:
        return list(self.model.tensors.values())

    def _descend(self, gradients: Sequence[Tensor | None]) -> None:
        for tensor, gradient in zip(self._learnt(), gradients, strict=True):
            tensor.grad = gradient
        self.optimiser.step()

    def _schedule(self, step: int, rate: float | None) -> None:
        """Sets the learning rates, all to `rate` if given, and the levels of the grid that take part."""
        options = self.options
        done = step / options.steps
        cosine = FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * done))
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * min((step + 1) / WARM_UP, cosine) if rate is None else rate
        more = (self.model.shape.n_levels - FIRST_LEVELS) * min(1.0, done / max(options.all_levels, 1e-9))
        self.model.use_levels(FIRST_LEVELS + more)

    def _note(self, loss: float, squares: float) -> None:
        if not math.isfinite(loss):
            raise KilofieldError(f"training on photographs: the loss became {loss} at step {self.step}")
        share = max(0.02, 1 / (self.step + 1))
        self.loss += share * (loss - self.loss)
        self.squares += share * (squares - self.squares)

    @property
    def psnr(self) -> float:
        """Of the rays of the last steps, dB."""
        return -10 * math.log10(max(self.squares, 1e-12))

    def teacher(self) -> NeusTeacher:
        """What has been learnt so far."""
        sharpness = float(self.model.sharpness.detach())
        occupancy = Occupancy.everywhere(self.bounds.allowed)
        occupancy.update(self.model.distance, sharpness, self.length, self.device)
        backed = not self.pictures.masked
        return NeusTeacher(self.model, self.bounds.frame, occupancy, self.length, self.bounds.world_box, backed)

    def state(self) -> dict[str, Any]:
        """All that changes, for a checkpoint: tensors and numbers only."""
        return {
            "step": self.step,
            "rays": self.rays,
            "loss": self.loss,
            "squares": self.squares,
            "tensors": {name: t.detach() for name, t in self.model.tensors.items()},
            "occupancy": self.occupancy.tensors(),
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to a checkpoint's `state()`."""
        with torch.no_grad():
            for name, tensor in self.model.tensors.items():
                tensor.copy_(state["tensors"][name])
        self.occupancy = Occupancy.of_tensors(self.bounds.allowed, state["occupancy"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.rays = int(state["step"]), int(state["rays"])
        self.loss, self.squares = float(state["loss"]), float(state["squares"])


def train_teacher(
    photographs: PhotoSet,
    options: NeusOptions,
    progress: Progress | None = None,
    checkpoint: Checkpoint | Part | None = None,
    state: dict[str, Any] | None = None,
    device: torch.device | str = "cpu",
) -> NeusTeacher:
    """Learns the surface that `photographs` show, from the beginning or from a checkpoint's `state`.

    `progress` is called with the stage, the share done and a line about loss and quality. Raises `KilofieldError` for
    what the user can mend.
    """
    (progress or _silent)("photographs", 0.0, "")
    views = load_views(photographs.train, options.side)
    return train_on_views(views, photographs.sphere, options, progress, checkpoint, state, device)


def train_on_views(
    views: Sequence[View],
    sphere: Sphere | None,
    options: NeusOptions,
    progress: Progress | None = None,
    checkpoint: Checkpoint | Part | None = None,
    state: dict[str, Any] | None = None,
    device: torch.device | str = "cpu",
) -> NeusTeacher:
    """As `train_teacher`, of pictures that are there already, of what lies in `sphere`."""
    torch.set_num_threads(1)  # the pieces of a step have a thread each
    say = progress or _silent
    say("bounds", 0.0, "")
    trainer = Trainer(views, sphere, options, torch.device(device))
    if state is None:
        say("hull", 0.0, "")
        trainer.warm_start()
    else:
        trainer.restore(state)

    def each(now: Trainer) -> None:
        detail = f"loss {now.loss:.4f}, {now.psnr:.2f} dB, sharpness {float(now.model.sharpness.detach()):.0f}"
        say("surface", now.step / options.steps, detail)
        if checkpoint is not None:
            checkpoint.save_when_due(now.state)

    trainer.run(options.steps, each)
    if isinstance(checkpoint, Part):
        checkpoint.known[checkpoint.name] = trainer.state()
    return trainer.teacher()


def _silent(stage: str, done: float, detail: str) -> None:
    """Nobody waits."""


def section_length(views: Sequence[View], bounds: SceneBounds) -> float:
    """The length of a section: a part of what a pixel covers at the middle of the box."""
    distances = [np.linalg.norm(v.photograph.camera.position - bounds.frame.centre) for v in views]
    sizes = [float(distance) * v.pixel for distance, v in zip(distances, views, strict=True)]
    return max(PIXEL * float(np.median(sizes)) / bounds.frame.half, SHORTEST)


def grid_shape(length: float) -> HashGridShape:
    """A hash grid whose finest cells are as large as sections of `length`.

    A surface meets four times the cells where they are half as large. Tables grow by less, since the finest levels need
    not tell all of their cells apart: by 2^1.5, up to 2^19 entries.
    """
    finest = 2 / length
    levels = max(round(math.log(finest / COARSEST) / math.log(GROWTH)) + 1, FIRST_LEVELS)
    growth = max((finest / COARSEST) ** (1 / (levels - 1)), 1.05)
    size = 16 + round(1.5 * math.log2(finest / 256))
    return HashGridShape(levels, 2, min(max(size, 12), 19), COARSEST, growth)


def _looked_up(volume: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """[N] values of the voxels [n, n, n] that `points` [N, 3] of the box are in."""
    places = np.clip(((points + 1) * (0.5 * len(volume))).astype(np.int64), 0, len(volume) - 1)
    return volume[places[:, 0], places[:, 1], places[:, 2]]


def _near_hull(hull: NDArray[np.float32], rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """[count, 3] points, three quarters of them near the hull's surface, the others anywhere."""
    near = np.flatnonzero(np.abs(hull) < max(NEAR_HULL, 4 / len(hull)))
    chosen = rng.choice(near, 3 * count // 4)
    places = np.stack(np.unravel_index(chosen, hull.shape), axis=1) + rng.random((len(chosen), 3))
    return np.concatenate([places * (2 / len(hull)) - 1, rng.uniform(-1, 1, (count - len(chosen), 3))]).astype(
        np.float32
    )


def _summed(parts: Sequence[Tensor | None]) -> Tensor | None:
    """Gradients of the pieces of a step, added in their order."""
    there = [p for p in parts if p is not None]
    if not there:
        return None
    total = there[0]
    for part in there[1:]:
        total = total + part
    return total
