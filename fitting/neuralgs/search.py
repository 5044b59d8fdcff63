"""The smallest budget of bytes at which a scene reaches a PSNR, found with few fits.

PSNR climbs with log2(bytes), by a few dB for every doubling, and a longer fit lifts it. So short fits, the probes, come
first: they find where the curve of short fits is as high as the target less what a full fit usually gains. A full fit
there follows; where it misses, the next is placed by what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fitting.neuralgs.model import CODES
from fitting.neuralgs.options import Trial
from fitting.neuralgs.size import FEWEST, FIXED_BYTES, LARGEST_SHARE, PLANNED_BYTES
from scenes.neural_gaussians import NeuralGaussians

TOLERANCES = (0.3, 1.0)  # dB above the target not worth another full fit: after the first, after the second
MARGIN = 0.12  # dB above the target that a full fit aims at,
DOUBT = 0.15  # and of the way still to go, since the slope is a guess: to fall short costs another fit
MOST_RUNS = 3  # full fits
MOST_PROBES = 3
PROBE_SHARE = 1 / 8  # of the steps
FEWEST_STEPS = 40  # of a probe: twice the warm-up of the learning rates
PROBED = 0.6  # dB between a probe and what it looks for that another probe would not mend
START_SHARE = 0.28  # of the Gaussians, in the first probe: `--quality medium`
FINEST_BITS = 3  # a code may take more than at coarseness 1: steps an eighth as large
USUAL_SLOPE = 2.5  # dB for twice the bytes, on hamburger with `draft`: only the first guesses rest on these two
GAIN = 0.6  # dB for twice the steps
SLOPES = (2.0, 8.0)  # dB for twice the bytes, to look beyond what was measured: probes of many Gaussians are too flat
CLOSE = 0.1  # doublings: budgets this near to each other tell no slope
SAME_SIZE = 1.005  # files this near in size count as equally small
LONGEST_STEP = 3.0  # doublings from one fit to the next


@dataclass(frozen=True)
class Attempt:
    """One fit to a budget."""

    budget: int  # bytes allowed
    trial: Trial  # what came of it
    ssim: float
    neural: NeuralGaussians

    @property
    def bytes(self) -> int:
        """Of the file, which may be over the budget: a Gaussian left out to keep it would cost more than it saves."""
        return self.trial.bytes

    @property
    def psnr(self) -> float:
        """dB, in the held-out views."""
        return self.trial.psnr


@dataclass(frozen=True)
class Found:
    """The end of a search."""

    best: Attempt  # the smallest that reaches the target, or else the one with the highest PSNR
    attempts: tuple[Attempt, ...]  # in the order they were made
    reached: bool


Fit = Callable[[str, int, int], Attempt]  # (name, bytes allowed, steps)


def budget_limits(count: int, sh_degree: int) -> tuple[int, int]:
    """The smallest and largest budgets worth trying for a scene of `count` visible Gaussians, bytes."""
    finest = PLANNED_BYTES[sh_degree] + FINEST_BITS * CODES[sh_degree] / 8
    lowest = FIXED_BYTES + FEWEST * PLANNED_BYTES[sh_degree]
    return round(lowest), round(max(FIXED_BYTES + LARGEST_SHARE * count * finest, lowest))


def first_budget(count: int, sh_degree: int) -> int:
    """Bytes of the first probe of such a scene."""
    lowest, highest = budget_limits(count, sh_degree)
    return int(np.clip(FIXED_BYTES + START_SHARE * count * PLANNED_BYTES[sh_degree], lowest, highest))


def search(target: float, start: int, limits: tuple[int, int], steps: int, fit: Fit) -> Found:
    """The smallest file that `fit` makes with a PSNR of at least `target` dB, or the best where none reaches it.

    Budgets stay within `limits`, the first is `start`; full fits take `steps`. One to three probes, one to three full
    fits.
    """
    probe_steps = min(max(round(PROBE_SHARE * steps), FEWEST_STEPS), steps)
    aim = target - GAIN * math.log2(steps / probe_steps)  # of the probes
    probes: list[Attempt] = []
    budget = start
    while len(probes) < MOST_PROBES and _is_new(budget, probes):
        probes.append(fit(f"probe {len(probes) + 1}", budget, probe_steps))
        if abs(probes[-1].psnr - aim) <= PROBED:
            break
        budget = _next_budget(aim, probes, USUAL_SLOPE, limits)
    slope = _slope(probes, USUAL_SLOPE)
    budget = _next_budget(aim + MARGIN, probes, slope, limits)
    runs: list[Attempt] = []
    while len(runs) < MOST_RUNS and _is_new(budget, runs):
        runs.append(fit(f"run {len(runs) + 1}", budget, steps))
        if runs[-1].psnr >= target and runs[-1].psnr <= target + TOLERANCES[min(len(runs), len(TOLERANCES)) - 1]:
            break
        budget = _next_budget(target + MARGIN * len(runs) + DOUBT * _miss(target, runs), runs, slope, limits)
    return best_of(target, [*probes, *runs])


def _miss(target: float, runs: Sequence[Attempt]) -> float:
    """dB from the target to the nearest run, as far as that says anything."""
    return min(*(abs(a.psnr - target) for a in runs), 3.0)


def _is_new(budget: int, attempts: Sequence[Attempt]) -> bool:
    return all(abs(math.log2(budget / a.budget)) > 1e-3 for a in attempts)


def _next_budget(psnr: float, attempts: Sequence[Attempt], slope: float, limits: tuple[int, int]) -> int:
    """Where `psnr` is to be expected: between the attempts around it, or else beyond the nearest."""
    below = max((a for a in attempts if a.psnr < psnr), key=lambda a: a.psnr, default=None)
    above = min((a for a in attempts if a.psnr >= psnr), key=lambda a: a.psnr, default=None)
    if below is not None and above is not None and math.isfinite(above.psnr):
        share = (psnr - below.psnr) / (above.psnr - below.psnr)
        return _clipped(below.bytes, share * math.log2(above.bytes / below.bytes), limits)
    near = min(attempts, key=lambda a: abs(a.psnr - psnr))
    doublings = (psnr - near.psnr) / _slope(attempts[-2:], slope)
    return _clipped(near.bytes, float(np.clip(doublings, -LONGEST_STEP, LONGEST_STEP)), limits)


def _slope(attempts: Sequence[Attempt], otherwise: float) -> float:
    """dB for twice the bytes, of the first and the last."""
    first, last = attempts[0], attempts[-1]
    doublings = math.log2(last.bytes / first.bytes)
    if abs(doublings) < CLOSE or not math.isfinite(last.psnr - first.psnr):
        return otherwise
    return float(np.clip((last.psnr - first.psnr) / doublings, *SLOPES))


def _clipped(budget: int, doublings: float, limits: tuple[int, int]) -> int:
    """`budget` doubled so many times, within the limits."""
    return round(float(np.clip(budget * 2.0**doublings, *limits)))


def best_of(target: float, attempts: Sequence[Attempt]) -> Found:
    """The smallest of `attempts` that reach `target`, or the one nearest to it."""
    reaching = [a for a in attempts if a.psnr >= target]
    fewest = min((a.bytes for a in reaching), default=0)
    as_small = [a for a in reaching if a.bytes <= SAME_SIZE * fewest]  # a few bytes more for what looks better
    best = max(as_small or attempts, key=lambda a: a.psnr)
    return Found(best, tuple(attempts), bool(reaching))
