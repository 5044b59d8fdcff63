"""The smallest budget of bytes at which a scene reaches a PSNR, found with few fits.

Near a point PSNR is a straight line over log2(bytes), steeper for some scenes than for others, and a longer fit lifts
the whole line. So two short fits, the probes, give the line's slope, and its height but for what the longer fit gains;
one full fit at the budget where the line crosses the target gives that too; where it misses, the next one is placed by
what was measured.
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

TOLERANCE = 0.3  # dB above the target that are not worth another fit
MARGIN = 0.12  # dB above the target that a fit aims at
PROBE_SHARE = 1 / 8  # of the steps
FEWEST_STEPS = 40  # of a probe: twice the warm-up of the learning rates
MOST_RUNS = 3  # full fits: the first, its correction, and another where the correction fell short
START_SHARE = 0.28  # of the Gaussians, in the first probe: `--quality medium`
FINEST_BITS = 3  # a code may take more than at coarseness 1: steps an eighth as large
# Measured on hamburger, playbot-31k and guitar with `draft`: only the first guesses rest on them
USUAL_SLOPE = 3.0  # dB for twice the bytes
SLOPES = (1.0, 8.0)  # dB for twice the bytes: outside, a measured slope is noise
GAIN = 0.5  # dB for twice the steps
CLOSE = 0.1  # doublings: budgets this near to each other tell no slope
LONGEST_STEP = 3.0  # doublings from the first probe to the second


@dataclass(frozen=True)
class Attempt:
    """One fit to a budget."""

    budget: int  # bytes allowed
    trial: Trial  # what came of it
    ssim: float
    neural: NeuralGaussians

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

    Budgets stay within `limits`, the first is `start`; full fits take `steps`. Two probes and one to three full fits.
    """
    probe_steps = min(max(round(PROBE_SHARE * steps), FEWEST_STEPS), steps)
    gain = GAIN * math.log2(steps / probe_steps)
    probes = _probes(target - gain, start, limits, lambda name, budget: fit(name, budget, probe_steps))
    slope = _slope(probes)
    nearest = min(probes, key=lambda a: abs(a.psnr + gain - target))
    budget = _budget_at(target + MARGIN, nearest, gain, slope, limits)
    runs: list[Attempt] = []
    for number in range(1, MOST_RUNS + 1):
        runs.append(fit(f"run {number}", budget, steps))
        if _is_enough(target, runs, limits):
            break
        budget = _corrected(target, runs, slope, limits)
    return _best(target, [*probes, *runs])


def _probes(target: float, start: int, limits: tuple[int, int], probe: Callable[[str, int], Attempt]) -> list[Attempt]:
    """One at `start`, one near where a usual scene would reach `target`, but not too near to the first."""
    first = probe("probe 1", start)
    doublings = (target - first.psnr) / USUAL_SLOPE
    away = math.copysign(float(np.clip(abs(doublings), 1.0, LONGEST_STEP)), doublings)
    budget = _clipped(start, away, limits)
    if abs(math.log2(budget / start)) < CLOSE:  # at a limit
        budget = _clipped(start, -away, limits)
    return [first, probe("probe 2", budget)] if budget != start else [first]


def _is_enough(target: float, runs: Sequence[Attempt], limits: tuple[int, int]) -> bool:
    """Whether another full fit would be no use, or not worth its time."""
    latest = runs[-1]
    if latest.psnr < target:
        return latest.budget == limits[1]
    return len(runs) > 1 or latest.psnr <= target + TOLERANCE or latest.budget == limits[0]


def _corrected(target: float, runs: Sequence[Attempt], slope: float, limits: tuple[int, int]) -> int:
    """The next budget; each time further above the target, so that the last does not miss by a hair."""
    nearest = min(runs, key=lambda a: abs(a.psnr - target))
    if len(runs) > 1:
        slope = _slope(runs[-2:], slope)
    return _budget_at(target + MARGIN * len(runs), nearest, 0.0, slope, limits)


def _slope(attempts: Sequence[Attempt], otherwise: float = USUAL_SLOPE) -> float:
    """dB for twice the bytes."""
    first, last = attempts[0], attempts[-1]
    doublings = math.log2(last.budget / first.budget)
    if abs(doublings) < CLOSE or not math.isfinite(last.psnr - first.psnr):
        return otherwise
    return float(np.clip((last.psnr - first.psnr) / doublings, *SLOPES))


def _budget_at(psnr: float, near: Attempt, gain: float, slope: float, limits: tuple[int, int]) -> int:
    return _clipped(near.budget, (psnr - near.psnr - gain) / slope, limits)


def _clipped(budget: int, doublings: float, limits: tuple[int, int]) -> int:
    """`budget` doubled so many times, within the limits."""
    return round(float(np.clip(budget * 2.0 ** float(np.clip(doublings, -32, 32)), *limits)))


def _best(target: float, attempts: Sequence[Attempt]) -> Found:
    reaching = [a for a in attempts if a.psnr >= target]
    best = min(reaching, key=lambda a: a.trial.bytes) if reaching else max(attempts, key=lambda a: a.psnr)
    return Found(best, tuple(attempts), bool(reaching))
