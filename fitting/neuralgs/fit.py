"""Our recipe: fewer Gaussians, codes and networks that start from principal components, everything tuned together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fitting.neuralgs.canonical import canonical_attributes
from fitting.neuralgs.looks import look_at_fit
from fitting.neuralgs.merge import merge_to
from fitting.neuralgs.model import NeuralModel, start_model
from fitting.neuralgs.options import Look
from fitting.neuralgs.prefit import fit_attributes
from fitting.neuralgs.reporter import FITTED, PREPARE_SHARE
from fitting.neuralgs.run import Run
from fitting.neuralgs.size import Plan, drop_to_fit, plan_for_bytes, plan_for_quality, rescale_towards
from fitting.neuralgs.tune import Tuner
from fitting.tensors import GaussianTensors
from scenes.gaussians import Gaussians
from scenes.kilo_writer import encode_kilo
from scenes.neural_gaussians import NeuralGaussians

RESOLUTION = 0.005  # scene radii: the detail merging may ignore, about a pixel's footprint at the usual distance
LOOKS = 40  # times the quality is measured during a fit,
STEPS_BETWEEN_LOOKS = 8  # at least
POSITION_BYTES = 2.0  # of a Gaussian without codes, measured: used to plan only
POSITIONS_SHARE = 0.5  # of a budget without codes; networks take the rest
SIZE_CHECKS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9)  # of the steps: where a fit to a budget corrects its code units

Doubles = NDArray[np.float64]


def fit_ours(run: Run, exact: bool = True) -> NeuralGaussians:
    """Merge, start from principal components, tune with a price on bits. Not `exact`: a budget may be a little over."""
    plan = _plan(run)
    kept, weight = _simplified(run, plan.count) if run.state is None else _unpacked(run)
    run.say("tuning", PREPARE_SHARE)
    model = start_model(
        kept,
        weight,
        coarseness=plan.coarseness,
        layers=run.effort.layers,
        width=run.effort.width,
        networks=plan.networks,
        seed=run.options.seed,
        device=run.job.device,
        recipe=run.options.recipe,
        frame=run.frame,
    )
    if not run.options.recipe.codes and run.state is None:
        _prefit(model, kept, weight)
    tuner = Tuner(
        model, run.job.targets, run.job.radius, run.effort.steps, run.options.seed, plan.price, run.options.recipe
    )
    if run.state is not None:
        tuner.restore(run.state["tuner"])
    start = {"gaussians": list(GaussianTensors.of(kept)), "weight": torch.from_numpy(weight)}
    with run.checkpoint.guarding():
        tuner.run(run.effort.steps, _Watcher(run, start))
    neural = model.pack()
    if run.options.max_bytes is not None and exact:
        neural = drop_to_fit(neural, weight[model.file_order()], run.options.max_bytes, run.maker)
    return neural


def _prefit(model: NeuralModel, kept: Gaussians, weight: Doubles) -> None:
    share = (weight / weight.mean()).astype(np.float32)
    fit_attributes(
        model, *(torch.from_numpy(a).to(model.positions.device) for a in (canonical_attributes(kept), share))
    )


def _plan(run: Run) -> Plan:
    count, degree, options = len(run.job.gaussians), run.job.gaussians.sh_degree, run.options
    if options.max_bytes is None:
        return plan_for_quality(options.quality, count, degree, run.richer).changed(options.recipe)
    plan = plan_for_bytes(options.max_bytes, count, degree).changed(options.recipe)
    if options.recipe.codes:
        return plan
    kept = int(POSITIONS_SHARE * options.max_bytes / POSITION_BYTES)  # what codes would take goes to positions
    return replace(plan, count=min(kept, count))


def _simplified(run: Run, count: int) -> tuple[Gaussians, Doubles]:
    """As few Gaussians as planned, and their weights: merged, or the most visible of them."""
    job = run.job
    run.say("merging", PREPARE_SHARE)
    if run.options.recipe.start == "prune":
        most = np.sort(np.argsort(-job.weight, kind="stable")[:count])
        return job.gaussians.select(most), job.weight[most]
    merges = len(job.gaussians) - count
    return merge_to(
        job.gaussians,
        job.weight,
        count,
        RESOLUTION * job.radius,
        lambda share: run.say("merging", PREPARE_SHARE, f"{share:.0%} of {merges:,} merges"),
    )


def _unpacked(run: Run) -> tuple[Gaussians, Doubles]:
    """The Gaussians a fit started with, and their weights, from its checkpoint."""
    start: dict[str, Any] = run.state["start"]  # type: ignore[index]
    positions, log_scales, rotations, opacity_logits, sh = (t.numpy() for t in start["gaussians"])
    kept = Gaussians(positions, log_scales, rotations, opacity_logits, sh, run.job.gaussians.antialiased)
    return kept, start["weight"].numpy()


@dataclass
class _Watcher:
    """Called after every step: checkpoints, measures, reports, and keeps a budget."""

    run: Run
    start: dict[str, Any]  # the merged Gaussians: merged again elsewhere, they might differ in the last bits

    def __call__(self, tuner: Tuner, loss: float) -> None:
        budget = self.run.options.max_bytes
        check = budget is not None and tuner.step in [int(c * tuner.steps) for c in SIZE_CHECKS]
        look = tuner.step % max(tuner.steps // LOOKS, STEPS_BETWEEN_LOOKS) == 0
        if (check or look) and tuner.model.positions.requires_grad:
            tuner.model.follow_curve()
        if check and budget is not None:
            rescale_towards(tuner, budget)
        found = self._look(tuner) if look else None
        done = PREPARE_SHARE + (FITTED - PREPARE_SHARE) * tuner.step / tuner.steps
        self.run.say("tuning", done, f"step {tuner.step:,}/{tuner.steps:,} · loss {loss:.4f}", look=found)
        self.run.checkpoint.save_when_due(lambda: {"start": self.start, "tuner": tuner.state()})

    def _look(self, tuner: Tuner) -> Look:
        model = tuner.model
        with torch.no_grad():
            tensors = model.decode(rounded_weights=True)
        size = encode_kilo(model.pack())[1].total
        return look_at_fit(tensors, size, tuner.step, tuner.steps, self.run.job, model.antialiased, self.run.say)
