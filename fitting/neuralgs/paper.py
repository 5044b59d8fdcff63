"""NeuralGS as published (arXiv 2503.23162, section 3), with fewer iterations on a CPU.

    importance -> prune 40 % -> k-means on attributes -> one MLP a cluster, position to attributes -> fine-tune the MLPs

Five linear layers of width 128, tanh, ten levels of positional encoding; targets min-max normalised; half floats in the
file. Where the paper is silent: positions are local to the cluster's box, rotations are the canonical vector form, SH
weighs in the loss like everything else after normalisation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from torch import Tensor

from fitting.losses import frequency_loss, photometric_loss
from fitting.neuralgs.canonical import canonical_attributes
from fitting.neuralgs.importance import volume_term
from fitting.neuralgs.job import Job
from fitting.neuralgs.looks import look_at_fit
from fitting.neuralgs.model import attributes_to_tensors, cluster_boxes
from fitting.neuralgs.options import Effort, Look
from fitting.neuralgs.reporter import FITTED, PREPARE_SHARE, Reporter
from fitting.neuralgs.run import Run
from fitting.neuralgs.tune import random_background
from fitting.rasterize import rasterize
from fitting.tensors import GaussianTensors
from fitting.torch_bank import ClusterBatch, evaluate_bank, initial_weights
from scenes.bank import BankShape, MlpBank
from scenes.errors import KilofieldError
from scenes.kilo_writer import encode_kilo
from scenes.neural_gaussians import NeuralGaussians

PRUNED = 0.4  # section 3.2
LEVELS = 10  # of positional encoding
CLUSTERS = {"small": 6, "medium": 8, "high": 10}  # section 4.1: six to ten for objects
FIT_STEPS = 3000  # the paper: 60,000
FIT_BATCH = 512  # Gaussians of each cluster a step
FIT_RATE, TUNE_RATE = 2e-3, 3e-4  # Adam, falling to 2 % along a cosine
FREQUENCY_WEIGHT = 0.01
STEPS_BETWEEN_LOOKS = 200
FIT_SHARE = 0.4  # of the time goes into fitting, for the progress bar


@dataclass
class PaperModel:
    """Positions that stay, and a bank that learns what lies at them."""

    positions: Tensor  # [N, 3] exactly representable as half floats
    local: Tensor  # [N, 3] in the cluster's box
    targets: Tensor  # [N, D] attributes in [-1, 1]
    importance: Tensor  # [N] mean 1
    weights: Tensor  # [K, P] learns
    shape: BankShape
    clusters: NDArray[np.int64]  # [N] ascending
    boxes: NDArray[np.float32]  # [K, 2, 3]
    offset: Tensor  # [D] attribute = offset + scale * output
    scale: Tensor  # [D]
    sh_degree: int
    antialiased: bool

    def decode(self, batch: ClusterBatch) -> GaussianTensors:
        """The Gaussians the bank holds."""
        raw = evaluate_bank(self.shape, self.weights, self.local, self.local.new_zeros(len(self.local), 0), batch)
        return attributes_to_tensors(self.positions, self.offset + self.scale * raw, self.sh_degree)

    def pack(self) -> NeuralGaussians:
        """Half floats throughout, as the paper stores them."""
        halves = self.weights.detach().half().float().cpu().numpy()
        return NeuralGaussians(
            positions=self.positions.cpu().numpy(),
            codes=np.zeros((len(self.positions), 0), np.int16),
            counts=np.bincount(self.clusters, minlength=len(self.weights)),
            boxes=self.boxes,
            bank=MlpBank(self.shape, halves),
            output_offset=self.offset.cpu().numpy(),
            output_scale=self.scale.cpu().numpy(),
            sh_degree=self.sh_degree,
            antialiased=self.antialiased,
        )


def fit_paper(run: Run) -> NeuralGaussians:
    """The published recipe, start to end."""
    job, options, steps = run.job, run.options, run.effort.steps
    if options.max_bytes is not None:
        raise KilofieldError("--max-mb: expected another preset; paper's size follows from its networks and pruning")
    run.say("fitting networks", PREPARE_SHARE)
    model = start_paper_model(job, CLUSTERS[options.quality], run.effort, options.seed)
    optimiser = torch.optim.Adam([model.weights])
    step = 0
    if run.state is not None:
        with torch.no_grad():
            model.weights.copy_(run.state["weights"])
        optimiser.load_state_dict(run.state["optimiser"])
        step = int(run.state["step"])
    whole = ClusterBatch(model.clusters, len(model.weights), job.device)
    with run.checkpoint.guarding():
        while step < FIT_STEPS + steps:
            loss = _one_step(model, optimiser, whole, job, options.seed, step, steps)
            step += 1
            found = _look(model, whole, job, step, steps, run.say) if step % STEPS_BETWEEN_LOOKS == 0 else None
            _report(run.say, step, steps, loss, found)
            run.checkpoint.save_when_due(partial(_state, step, model, optimiser))
    return model.pack()


def _one_step(
    model: PaperModel,
    optimiser: torch.optim.Optimizer,
    whole: ClusterBatch,
    job: Job,
    seed: int,
    step: int,
    tune_steps: int,
) -> float:
    """Fits the networks to the attributes, and later to the pictures; gives the loss."""
    tuning = step - FIT_STEPS
    if tuning < 0:
        loss = _fit_loss(model, seed, step)
        rate = FIT_RATE * _cosine(step / FIT_STEPS)
    else:
        loss = _tune_loss(model, whole, job, seed, tuning, tune_steps)
        rate = TUNE_RATE * _cosine(tuning / tune_steps)
    optimiser.param_groups[0]["lr"] = rate
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    return float(loss.detach())


def _look(model: PaperModel, whole: ClusterBatch, job: Job, step: int, tune_steps: int, say: Reporter) -> Look:
    with torch.no_grad():
        tensors = model.decode(whole)
    size = encode_kilo(model.pack())[1].total
    return look_at_fit(tensors, size, step, FIT_STEPS + tune_steps, job, model.antialiased, say)


def start_paper_model(job: Job, clusters: int, effort: Effort, seed: int) -> PaperModel:
    """Prunes, clusters and normalises; the networks are fresh."""
    importance = job.weight * volume_term(job.gaussians)
    kept = np.sort(np.argsort(-importance, kind="stable")[: max(round((1 - PRUNED) * len(importance)), 1)])
    gaussians, importance = job.gaussians.select(kept), importance[kept]
    attributes = canonical_attributes(gaussians)
    labels = attribute_clusters(attributes, min(clusters, len(attributes)), seed)
    order = np.argsort(labels, kind="stable")
    labels, attributes, importance = labels[order], attributes[order], importance[order]
    positions = half_positions(gaussians.positions[order])
    count = int(labels.max()) + 1
    boxes = cluster_boxes(positions, labels, count)
    low, high = attributes.min(axis=0), attributes.max(axis=0)
    offset, scale = (low + high) / 2, np.maximum((high - low) / 2, 1e-6)
    frequencies = tuple(float(2**level) for level in range(LEVELS))
    shape = BankShape(
        frequencies, 0, effort.width, effort.layers, attributes.shape[1], linear=False, output_activation="tanh"
    )
    local = (positions - boxes[labels, 0]) / boxes[labels, 1]
    generator = torch.Generator().manual_seed(seed)

    def tensor(array: NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(job.device)

    return PaperModel(
        tensor(positions),
        tensor(local),
        tensor((attributes - offset) / scale),
        tensor(importance / importance.mean()),
        initial_weights(shape, count, generator).to(job.device).requires_grad_(),
        shape,
        labels,
        boxes,
        tensor(offset),
        tensor(scale),
        gaussians.sh_degree,
        gaussians.antialiased,
    )


def half_positions(positions: NDArray[np.float32]) -> NDArray[np.float32]:
    """[N, 3] rounded to half floats, as the paper stores them; `KilofieldError` for a scene these cannot hold."""
    if np.abs(positions).max() > np.finfo(np.float16).max:
        farthest = float(np.abs(positions).max())
        raise KilofieldError(f"--preset paper: expected coordinates that half floats hold (65504), found {farthest:g}")
    return positions.astype(np.float16).astype(np.float32)


def attribute_clusters(attributes: NDArray[np.float32], count: int, seed: int) -> NDArray[np.int64]:
    """[N] labels 0.. of k-means on standardised attributes (section 3.2), none of them empty."""
    values = (attributes - attributes.mean(axis=0)) / np.maximum(attributes.std(axis=0), 1e-6)
    labels = kmeans2(values.astype(np.float64), count, minit="++", rng=np.random.default_rng((seed, 4)), iter=20)[1]
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _fit_loss(model: PaperModel, seed: int, step: int) -> Tensor:
    """Importance-weighted squared error of a random batch of every cluster (section 3.2)."""
    rng = np.random.default_rng((seed, 5, step))
    counts = np.bincount(model.clusters)
    first = np.cumsum(counts) - counts
    picks = np.concatenate([f + rng.integers(0, n, min(FIT_BATCH, n)) for f, n in zip(first, counts, strict=True)])
    index = torch.from_numpy(picks).to(model.local.device)
    batch = ClusterBatch(model.clusters[picks], len(counts), model.local.device)
    empty = model.local.new_zeros(len(picks), 0)
    outputs = evaluate_bank(model.shape, model.weights, model.local[index], empty, batch)
    squared = ((outputs - model.targets[index]) ** 2).mean(dim=1)
    return (model.importance[index] * squared).mean()


def _tune_loss(model: PaperModel, whole: ClusterBatch, job: Job, seed: int, step: int, steps: int) -> Tensor:
    """L1 + D-SSIM + frequency loss of one view (section 3.3), from low to high frequencies."""
    rng = np.random.default_rng((seed, 6, step))
    target = job.targets[int(rng.integers(len(job.targets)))]
    background = random_background(rng)
    image = rasterize(*model.decode(whole), target.view(background, model.antialiased))
    truth = target.over(background)
    frequency = frequency_loss(image, truth, reach=min(1.0, 0.1 + step / steps))
    return photometric_loss(image, truth) + FREQUENCY_WEIGHT * frequency


def _cosine(done: float) -> float:
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done))


def _state(step: int, model: PaperModel, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    return {"step": step, "weights": model.weights.detach(), "optimiser": optimiser.state_dict()}


def _report(say: Reporter, step: int, tune_steps: int, loss: float, look: Look | None) -> None:
    if step <= FIT_STEPS:
        done = PREPARE_SHARE + FIT_SHARE * step / FIT_STEPS
        say("fitting networks", done, f"step {step:,}/{FIT_STEPS:,} · loss {loss:.4f}", look=look)
    else:
        share = (step - FIT_STEPS) / tune_steps
        done = PREPARE_SHARE + FIT_SHARE + (FITTED - PREPARE_SHARE - FIT_SHARE) * share
        say("tuning", done, f"step {step - FIT_STEPS:,}/{tune_steps:,} · loss {loss:.4f}", look=look)
