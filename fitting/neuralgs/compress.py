"""The whole job: a scene in, a .kilo out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fitting.neuralgs.checkpoint import Checkpoint
from fitting.neuralgs.job import Job, prepare
from fitting.neuralgs.looks import look_at_fit, show
from fitting.neuralgs.lossless import VISUALLY_LOSSLESS, fit_lossless
from fitting.neuralgs.merge import merge_to
from fitting.neuralgs.model import start_model
from fitting.neuralgs.options import (
    EFFORTS,
    CompressOptions,
    CompressResult,
    Effort,
    Look,
    PreviewCallback,
    Progress,
    ProgressCallback,
    Trial,
)
from fitting.neuralgs.paper import fit_paper
from fitting.neuralgs.reporter import FITTED, PREPARE_SHARE, Reporter
from fitting.neuralgs.search import Attempt, budget_limits, first_budget, search
from fitting.neuralgs.size import drop_to_fit, plan_for_bytes, plan_for_quality, rescale_towards
from fitting.neuralgs.tune import Tuner, judge
from fitting.tensors import GaussianTensors
from scenes.errors import KilofieldError
from scenes.gaussians import Gaussians
from scenes.kilo import unpack_kilo, write_kilo
from scenes.kilo_writer import encode_kilo
from scenes.load import load_scene
from scenes.neural_gaussians import NeuralGaussians

__all__ = ["CompressOptions", "CompressResult", "Progress", "compress"]

RESOLUTION = 0.005  # scene radii: the detail merging may ignore, about a pixel's footprint at the usual distance
LOOKS = 40  # times the quality is measured during a fit,
STEPS_BETWEEN_LOOKS = 8  # at least
SIZE_CHECKS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9)  # of the steps: where a fit to a budget corrects its code units


def compress(
    source: Path,
    target: Path,
    options: CompressOptions,
    progress: ProgressCallback | None = None,
    preview: PreviewCallback | None = None,
) -> CompressResult:
    """Compresses the scene in `source` to the .kilo file `target`, replacing it only when all is done.

    `preview` is called at every look with pictures of a few held-out views, and at the end with those of the file.
    Raises `KilofieldError` for what the user can mend. The same input, options and device give the same bytes.
    """
    if not target.parent.is_dir():
        raise KilofieldError(f"{target}: cannot write: no such folder {target.parent}")
    torch.set_num_threads(1)  # small tensors: more threads only wait for each other, and one gives the same sums always
    say = Reporter(progress, preview)
    say("reading", 0.0)
    file = load_scene(source)
    device = _device(options.device)
    lossless = options.quality == "lossless"
    effort = EFFORTS["lossless" if lossless else options.preset]
    checkpoint = Checkpoint.beside(target, source, options, device.type)
    state = checkpoint.load() if options.resume else None
    job = prepare(
        source, file.gaussians, effort, images=options.images, seed=options.seed, device=device, progress=say.preparing
    )
    way = _keep_all if lossless else _fit_once if options.target_psnr is None else _fit_to_psnr
    neural, psnr, ssim, trials = way(job, options, effort, checkpoint, state, say)
    chunks = [1] * len(neural.bank) if lossless else None
    say("writing", 0.995)
    report = write_kilo(target, neural, tool=_maker(options), chunks=chunks)
    checkpoint.remove()
    written = Look("", None, effort.steps, say.seconds, report.total, psnr, ssim)
    if preview is not None:
        show(written, GaussianTensors.of(neural.decode(), device), job, neural.antialiased, say)
    say("done", 1.0, look=written)
    return CompressResult(
        path=target,
        bytes=report.total,
        source_bytes=file.bytes,
        gaussians=len(neural),
        source_gaussians=len(file.gaussians),
        dropped=file.dropped,
        psnr=psnr,
        ssim=ssim,
        seconds=say.seconds,
        streams={name: int(n) for name, n in vars(report).items() if name != "total"},
        preset=options.preset,
        seed=options.seed,
        networks=len(neural.bank),
        network_weights=neural.bank.shape.parameters,
        code=neural.bank.shape.code,
        stages=say.stages,
        notes=tuple(note for note in (*job.notes, checkpoint.trouble, _shortfall(options, psnr)) if note),
        target_psnr=options.target_psnr,
        trials=trials,
        looks=tuple(say.looks),
    )


Fitted = tuple[NeuralGaussians, float, float, tuple[Trial, ...]]  # PSNR, SSIM, what else was tried


def _fit_once(
    job: Job,
    options: CompressOptions,
    effort: Effort,
    checkpoint: Checkpoint,
    state: dict[str, Any] | None,
    say: Reporter,
) -> Fitted:
    fit = fit_paper if options.preset == "paper" else fit_ours
    neural = fit(job, options, effort, checkpoint, state, say)
    say("judging", 0.99)
    return neural, *_judge_file(neural, job), ()


def _keep_all(
    job: Job,
    options: CompressOptions,
    _effort: Effort,
    _checkpoint: Checkpoint,
    _state: dict[str, Any] | None,
    say: Reporter,
) -> Fitted:
    """Nothing merged or tuned: the preset has no part in it."""
    share = FITTED - PREPARE_SHARE
    say("rounding", PREPARE_SHARE)
    neural = fit_lossless(job, options.seed, lambda f, detail: say("rounding", PREPARE_SHARE + share * f, detail))
    say("judging", 0.99)
    return neural, *_judge_file(neural, job), ()


def _shortfall(options: CompressOptions, psnr: float) -> str:
    if options.quality != "lossless" or psnr >= VISUALLY_LOSSLESS:
        return ""
    return f"lossless: expected {VISUALLY_LOSSLESS:g} dB, found {psnr:.2f} dB at best"


def _fit_to_psnr(
    job: Job,
    options: CompressOptions,
    effort: Effort,
    checkpoint: Checkpoint,
    _: dict[str, Any] | None,
    say: Reporter,
) -> Fitted:
    """The smallest scene that reaches `options.target_psnr`, or the best found."""
    target, degree, count = options.target_psnr or 0.0, job.gaussians.sh_degree, len(job.gaussians)
    never_written = replace(checkpoint, kept=False)  # a fit of several would not know which it was

    def fit(name: str, budget: int, steps: int) -> Attempt:
        asked = replace(options, max_bytes=budget, target_psnr=None)
        part = say.part(name, steps, effort.steps)
        neural = fit_ours(job, asked, replace(effort, steps=steps), never_written, None, part, exact=False)
        part("judging", FITTED)
        psnr, ssim = _judge_file(neural, job)
        trial = Trial(name, steps, encode_kilo(neural, tool=_maker(options))[1].total, psnr)
        say("judging", part.stop, trial=trial)
        return Attempt(budget, trial, ssim, neural)

    found = search(target, first_budget(count, degree), budget_limits(count, degree), effort.steps, fit)
    best = found.best
    return best.neural, best.trial.psnr, best.ssim, tuple(a.trial for a in found.attempts)


def fit_ours(
    job: Job,
    options: CompressOptions,
    effort: Effort,
    checkpoint: Checkpoint,
    state: dict[str, Any] | None,
    say: Reporter,
    exact: bool = True,
) -> NeuralGaussians:
    """Merge, start from principal components, tune with a price on bits. Not `exact`: a budget may be a little over."""
    degree, count = job.gaussians.sh_degree, len(job.gaussians)
    plan = (
        plan_for_quality(options.quality, count)
        if options.max_bytes is None
        else plan_for_bytes(options.max_bytes, count, degree)
    )
    if state is not None:
        merged, weight = _unpacked(state["start"], job.gaussians.antialiased)
    else:
        say("merging", PREPARE_SHARE)
        merged, weight = merge_to(
            job.gaussians,
            job.weight,
            plan.count,
            RESOLUTION * job.radius,
            lambda share: say("merging", PREPARE_SHARE, f"{share:.0%} of {count - plan.count:,} merges"),
        )
    say("tuning", PREPARE_SHARE)
    model = start_model(
        merged,
        weight,
        coarseness=plan.coarseness,
        layers=effort.layers,
        width=effort.width,
        networks=plan.networks,
        seed=options.seed,
        device=job.device,
    )
    tuner = Tuner(model, job.targets, job.radius, effort.steps, options.seed, plan.price)
    if state is not None:
        tuner.restore(state["tuner"])
    start = {"gaussians": list(GaussianTensors.of(merged)), "weight": torch.from_numpy(weight)}
    watcher = _Watcher(job, options.max_bytes, checkpoint, say, start)
    with checkpoint.guarding():
        tuner.run(effort.steps, watcher)
    neural = model.pack()
    if options.max_bytes is not None and exact:
        neural = drop_to_fit(neural, weight[model.file_order()], options.max_bytes, _maker(options))
    return neural


def _unpacked(start: dict[str, Any], antialiased: bool) -> tuple[Gaussians, NDArray[np.float64]]:
    """The merged Gaussians and their weights, from a checkpoint."""
    positions, log_scales, rotations, opacity_logits, sh = (t.numpy() for t in start["gaussians"])
    return Gaussians(positions, log_scales, rotations, opacity_logits, sh, antialiased), start["weight"].numpy()


@dataclass
class _Watcher:
    """Called after every step: checkpoints, measures, reports, and keeps a budget."""

    job: Job
    max_bytes: int | None
    checkpoint: Checkpoint
    say: Reporter
    start: dict[str, Any]  # the merged Gaussians: merged again elsewhere, they might differ in the last bits

    def __call__(self, tuner: Tuner, loss: float) -> None:
        check = self.max_bytes is not None and tuner.step in [int(c * tuner.steps) for c in SIZE_CHECKS]
        look = tuner.step % max(tuner.steps // LOOKS, STEPS_BETWEEN_LOOKS) == 0
        if (check or look) and tuner.model.positions.requires_grad:
            tuner.model.follow_curve()
        if check and self.max_bytes is not None:
            rescale_towards(tuner, self.max_bytes)
        found = self._look(tuner) if look else None
        done = PREPARE_SHARE + (FITTED - PREPARE_SHARE) * tuner.step / tuner.steps
        self.say("tuning", done, f"step {tuner.step:,}/{tuner.steps:,} · loss {loss:.4f}", look=found)
        self.checkpoint.save_when_due(lambda: {"start": self.start, "tuner": tuner.state()})

    def _look(self, tuner: Tuner) -> Look:
        model = tuner.model
        with torch.no_grad():
            tensors = model.decode(rounded_weights=True)
        size = encode_kilo(model.pack())[1].total
        return look_at_fit(tensors, size, tuner.step, tuner.steps, self.job, model.antialiased, self.say)


def _maker(options: CompressOptions) -> dict[str, Any]:
    """What the manifest says of how the file was made."""
    return {"name": "kilofield", "preset": options.preset, "seed": options.seed}


def _judge_file(neural: NeuralGaussians, job: Job) -> tuple[float, float]:
    """PSNR and SSIM of what a reader of the file sees."""
    decoded = unpack_kilo(encode_kilo(neural)[0]).decode()
    return judge(GaussianTensors.of(decoded, job.device), job.held_out, neural.antialiased)


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise KilofieldError("--device: expected a CUDA GPU, found none that torch can use")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")
