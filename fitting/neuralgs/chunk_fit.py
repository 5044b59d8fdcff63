"""One chunk of a scene, fitted by itself into a small .kilo of its own; `chunk_pool.py` runs several at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fitting.checkpoint import Checkpoint
from fitting.devices import chosen_device
from fitting.neuralgs.chunk_views import Surroundings, chunk_views
from fitting.neuralgs.fit import fit_ours
from fitting.neuralgs.job import Job, own_pictures, visible
from fitting.neuralgs.model import Frame
from fitting.neuralgs.options import CompressOptions, Effort
from fitting.neuralgs.reporter import Reporter
from fitting.neuralgs.run import Run
from fitting.tensors import GaussianTensors
from scenes.extent import scene_extent
from scenes.gaussians import Gaussians
from scenes.kilo import write_kilo


@dataclass(frozen=True)
class Task:
    """All that fitting one chunk takes, in a form another process can be sent."""

    number: int  # from 1
    gaussians: Gaussians
    richer: float  # how much more of it is kept than its quality says
    frame: Frame
    around: Surroundings
    options: CompressOptions  # with the chunk's own share of a budget
    effort: Effort
    out: Path  # where the chunk goes
    checkpoint: Path
    fingerprint: str


def fit_chunk(task: Task, say: Reporter) -> None:
    """Fits a chunk and writes it to `task.out`, going on from its checkpoint where `task.options` say so."""
    checkpoint = Checkpoint(task.checkpoint, task.fingerprint)
    state = checkpoint.load() if task.options.resume else None
    job = _prepare(task, say.preparing)
    run = Run(job, task.options, task.effort, checkpoint, state, say, task.frame, task.richer)
    write_kilo(task.out, fit_ours(run), tool=run.maker)
    checkpoint.remove()


def _prepare(task: Task, progress: Callable[[float, str], None]) -> Job:
    """Views, pictures and weights of the chunk; the others are nowhere to be seen."""
    device = chosen_device(task.options.device)
    views = chunk_views(task.gaussians, task.around, task.effort.views, task.options.seed)
    tensors = GaussianTensors.of(task.gaussians, device)
    targets, held_out, weight = own_pictures(tensors, views, task.effort.side, task.gaussians.antialiased, progress)
    if weight.sum() == 0:  # of a chunk that nothing shows all Gaussians are worth the same
        weight = np.ones(len(weight))
    seen = visible(weight)
    place = task.around.place
    radius = scene_extent(task.gaussians).radius if place is None else place.radius
    return Job(task.gaussians.select(seen), weight[seen], targets, held_out, radius, device, ())
