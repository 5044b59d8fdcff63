"""Weights as small integers, each rounding error taken up by the weights still to be rounded.

    weight = mean of the bank + integer * its step, the same in all cells

Rounded one after another; what the cell loses by each is given to the rest of its weights as the second-order expansion
of its cost tells (Hassibi and Stork 1993, "Optimal brain surgeon", as used for rounding by Frantar et al., "OPTQ",
arXiv 2210.17323). A weight's step follows from what its error costs once the weights behind it have taken up what they
can: all errors then cost the same, which is what noise of one size needs fewest bits for. One factor for all follows
from the noise that is allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fitting.kiloneus.levenberg import blocks

STIFFNESS = 1e-4  # of the diagonal, added to it: the expansion holds only nearby
MOST = 32767  # integers fit 16 bits; nearly all are far smaller, and the entropy coder is paid by what they are
DOUBLINGS = 16  # of the scale, up or down, in search of the coarsest
BISECTIONS = 5


@dataclass(frozen=True)
class Quantised:
    """A bank as integers."""

    integers: Tensor  # [K, P] int16
    mean: Tensor  # [P] half floats' values
    steps: Tensor  # [P] likewise

    def weights(self) -> Tensor:
        """[K, P] what a reader of the file decodes, in float32."""
        return self.mean + self.integers.float() * self.steps


def round_bank(weights: Tensor, curvature: Tensor, scale: float, moving: int = 0) -> Quantised:
    """`weights` [K, P] at steps `scale` times the balanced ones; curvatures [K, p, p] are J'J of each cell.

    Balanced: an error of one step costs 1 on average, whatever the weight. Weights before the one numbered `moving` are
    the same in all cells and half floats: they are the mean.
    """
    mean = weights.median(dim=0).values.half().float()
    mean[:moving] = weights[0, :moving]
    parts = blocks(len(weights), 4 * curvature.shape[1] ** 2)
    cost = torch.cat([_spread(curvature[cells]).diagonal(dim1=1, dim2=2) ** -2 for cells in parts]).mean(dim=0)
    steps = torch.ones_like(mean)
    widest = (weights - mean).abs().amax(dim=0).double()[moving:]
    wanted = scale / cost.clamp_min(1e-30).sqrt()
    steps[moving:] = torch.maximum(wanted, 1.01 * widest / MOST).clamp(1e-7, 6e4).half().float()
    integers = torch.zeros_like(weights)
    own, middle, step = weights[:, moving:].double(), mean[moving:].double(), steps[moving:].double()
    for cells in parts:
        integers[cells, moving:] = _round(own[cells], curvature[cells], middle, step).float()
    return Quantised(integers.to(torch.int16), mean, steps)


def _spread(curvature: Tensor) -> Tensor:
    """[k, p, p] upper triangles: row i, over its diagonal, is how weight i's error moves those behind it.

    The diagonal to the power -2 is what a unit error of a weight costs when those behind it take up what they can.
    """
    return torch.linalg.cholesky(torch.linalg.inv(_stiffened(curvature)), upper=True)


def _round(weights: Tensor, curvature: Tensor, mean: Tensor, steps: Tensor) -> Tensor:
    """[k, P] integers of `weights` [k, P]; see the head of this file."""
    spread = _spread(curvature)
    left, integers = weights.clone(), torch.empty_like(weights)
    for i in range(weights.shape[1]):
        integers[:, i] = ((left[:, i] - mean[i]) / steps[i]).round().clamp(-MOST, MOST)
        error = (left[:, i] - mean[i] - integers[:, i] * steps[i]) / spread[:, i, i]
        left[:, i + 1 :] -= error[:, None] * spread[:, i, i + 1 :]
    return integers


def _stiffened(curvature: Tensor) -> Tensor:
    diagonal = curvature.diagonal(dim1=1, dim2=2)
    extra = STIFFNESS * diagonal + 1e-8 * diagonal.mean(dim=1, keepdim=True) + 1e-30
    return curvature + torch.diag_embed(extra)


def coarsest(noise: Callable[[float], float], allowed: float) -> float:
    """The largest scale for `round_bank` at which `noise` of the scale stays within `allowed`, to about 2 %.

    `noise` grows with the scale, if not strictly.
    """
    low = high = 1.0
    if noise(1.0) <= allowed:
        for _ in range(DOUBLINGS):
            low, high = high, 2 * high
            if noise(high) > allowed:
                break
    else:
        for _ in range(DOUBLINGS):
            low, high = 0.5 * low, low
            if noise(low) <= allowed:
                break
    for _ in range(BISECTIONS):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if noise(middle) <= allowed else (low, middle)
    return low
