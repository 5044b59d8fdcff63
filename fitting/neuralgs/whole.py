"""A scene fitted as a whole: once, as often as a PSNR takes, or without any fitting at all (lossless)."""

from __future__ import annotations

from fitting.neuralgs.attempts import Attempts
from fitting.neuralgs.fit import fit_ours
from fitting.neuralgs.job import prepare
from fitting.neuralgs.lossless import fit_lossless
from fitting.neuralgs.options import Trial
from fitting.neuralgs.paper import fit_paper
from fitting.neuralgs.reporter import FITTED, PREPARE_SHARE
from fitting.neuralgs.run import Asked, Fitted, Run
from fitting.neuralgs.search import budget_limits, first_budget, search
from fitting.neuralgs.tune import judge_file
from scenes.gaussians import Gaussians
from scenes.neural_gaussians import NeuralGaussians


def fit_whole(asked: Asked, gaussians: Gaussians) -> Fitted:
    """Fits `gaussians`, read from the source."""
    options, say = asked.options, asked.say
    state = asked.checkpoint.load() if options.resume else None
    job = prepare(
        asked.source,
        gaussians,
        asked.effort,
        images=options.images,
        seed=options.seed,
        device=asked.device,
        progress=say.preparing,
    )
    lossless = options.quality == "lossless"
    way = _keep_all if lossless else _fit_once if options.target_psnr is None else _fit_to_psnr
    neural, psnr, ssim, trials = way(Run(job, options, asked.effort, asked.checkpoint, state, say))
    chunks = [1] * len(neural.bank) if lossless else None
    return Fitted(neural, chunks, psnr, ssim, job.held_out, job.notes, trials)


Judged = tuple[NeuralGaussians, float, float, tuple[Trial, ...]]  # PSNR, SSIM, what else was tried


def _fit_once(run: Run) -> Judged:
    neural = fit_paper(run) if run.options.preset == "paper" else fit_ours(run)
    run.say("judging", 0.99)
    return neural, *judge_file(neural, run.job.held_out, run.job.device), ()


def _keep_all(run: Run) -> Judged:
    """Nothing merged or tuned: the preset has no part in it."""
    share = FITTED - PREPARE_SHARE
    run.say("rounding", PREPARE_SHARE)
    neural = fit_lossless(
        run.job, run.options.seed, lambda f, detail: run.say("rounding", PREPARE_SHARE + share * f, detail)
    )
    run.say("judging", 0.99)
    return neural, *judge_file(neural, run.job.held_out, run.job.device), ()


def _fit_to_psnr(run: Run) -> Judged:
    """The smallest scene that reaches `target_psnr`, or the best found."""
    target, degree, count = run.options.target_psnr or 0.0, run.job.gaussians.sh_degree, len(run.job.gaussians)
    limits, attempts = budget_limits(count, degree), Attempts.of(run)
    found = search(target, first_budget(count, degree), limits, run.effort.steps, attempts.fit)
    best = found.best
    return best.neural, best.trial.psnr, best.ssim, tuple(a.trial for a in found.attempts)
