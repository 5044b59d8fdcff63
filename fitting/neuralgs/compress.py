"""The whole job: a scene in, a .kilo out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from fitting.devices import chosen_device
from fitting.neuralgs.checkpoint import checkpoint_beside
from fitting.neuralgs.fit import fit_ours
from fitting.neuralgs.job import Job, prepare
from fitting.neuralgs.looks import show
from fitting.neuralgs.lossless import VISUALLY_LOSSLESS, fit_lossless
from fitting.neuralgs.options import (
    EFFORTS,
    CompressOptions,
    CompressResult,
    Look,
    PreviewCallback,
    Progress,
    ProgressCallback,
    Trial,
)
from fitting.neuralgs.paper import fit_paper
from fitting.neuralgs.reporter import FITTED, PREPARE_SHARE, Reporter
from fitting.neuralgs.run import Run
from fitting.neuralgs.search import Attempt, budget_limits, first_budget, search
from fitting.neuralgs.tune import judge
from fitting.tensors import GaussianTensors
from scenes.errors import KilofieldError
from scenes.kilo import unpack_kilo, write_kilo
from scenes.kilo_writer import encode_kilo
from scenes.load import load_scene
from scenes.neural_gaussians import NeuralGaussians

__all__ = ["CompressOptions", "CompressResult", "Progress", "compress"]


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
    file = load_scene(source, options=options.reading)
    device = chosen_device(options.device)
    lossless = options.quality == "lossless"
    effort = EFFORTS["lossless" if lossless else options.preset].changed(options.recipe)
    checkpoint = checkpoint_beside(target, source, options, device.type)
    state = checkpoint.load() if options.resume else None
    job = prepare(
        source, file.gaussians, effort, images=options.images, seed=options.seed, device=device, progress=say.preparing
    )
    way = _keep_all if lossless else _fit_once if options.target_psnr is None else _fit_to_psnr
    run = Run(job, options, effort, checkpoint, state, say)
    neural, psnr, ssim, trials = way(run)
    chunks = [1] * len(neural.bank) if lossless else None
    say("writing", 0.995)
    report = write_kilo(target, neural, tool=run.maker, chunks=chunks)
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
        left_out=file.notes,
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


def _fit_once(run: Run) -> Fitted:
    neural = fit_paper(run) if run.options.preset == "paper" else fit_ours(run)
    run.say("judging", 0.99)
    return neural, *_judge_file(neural, run.job), ()


def _keep_all(run: Run) -> Fitted:
    """Nothing merged or tuned: the preset has no part in it."""
    share = FITTED - PREPARE_SHARE
    run.say("rounding", PREPARE_SHARE)
    neural = fit_lossless(
        run.job, run.options.seed, lambda f, detail: run.say("rounding", PREPARE_SHARE + share * f, detail)
    )
    run.say("judging", 0.99)
    return neural, *_judge_file(neural, run.job), ()


def _shortfall(options: CompressOptions, psnr: float) -> str:
    if options.quality != "lossless" or psnr >= VISUALLY_LOSSLESS:
        return ""
    return f"lossless: expected {VISUALLY_LOSSLESS:g} dB, found {psnr:.2f} dB at best"


def _fit_to_psnr(run: Run) -> Fitted:
    """The smallest scene that reaches `target_psnr`, or the best found."""
    job, effort = run.job, run.effort
    target, degree, count = run.options.target_psnr or 0.0, job.gaussians.sh_degree, len(job.gaussians)
    never_written = replace(run.checkpoint, kept=False)  # a fit of several would not know which it was

    def fit(name: str, budget: int, steps: int) -> Attempt:
        asked = replace(run.options, max_bytes=budget, target_psnr=None)
        part = run.say.part(name, steps, effort.steps)
        once = replace(run, options=asked, effort=replace(effort, steps=steps), checkpoint=never_written, say=part)
        neural = fit_ours(once, exact=False)
        part("judging", FITTED)
        psnr, ssim = _judge_file(neural, job)
        trial = Trial(name, steps, encode_kilo(neural, tool=run.maker)[1].total, psnr)
        run.say("judging", part.stop, trial=trial)
        return Attempt(budget, trial, ssim, neural)

    found = search(target, first_budget(count, degree), budget_limits(count, degree), effort.steps, fit)
    best = found.best
    return best.neural, best.trial.psnr, best.ssim, tuple(a.trial for a in found.attempts)


def _judge_file(neural: NeuralGaussians, job: Job) -> tuple[float, float]:
    """PSNR and SSIM of what a reader of the file sees."""
    decoded = unpack_kilo(encode_kilo(neural)[0]).decode()
    return judge(GaussianTensors.of(decoded, job.device), job.held_out, neural.antialiased)
