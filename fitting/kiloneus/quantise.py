"""Weights as small integers, each rounding error taken up by the weights still to be rounded.

    weight = mean of the bank + integer * step of its block

Rounded one after another; what the cell loses by each is given to the rest of its weights as the second-order expansion
of its cost tells (Hassibi and Stork 1993, "Optimal brain surgeon", as used for rounding by Frantar et al., "OPTQ",
arXiv 2210.17323). The steps follow from how much each block matters, and one factor for all from the noise that is
allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fitting.kiloneus.levenberg import blocks
from scenes.bank import BankShape
from scenes.kilo_pack import columns_of_weights

STIFFNESS = 1e-4  # of the diagonal, added to it: the expansion holds only nearby
MOST = 32767  # integers fit 16 bits; nearly all are far smaller, and the entropy coder is paid by what they are
DOUBLINGS = 16  # of the scale, up or down, in search of the coarsest
BISECTIONS = 5


@dataclass(frozen=True)
class Quantised:
    """A bank as integers."""

    integers: Tensor  # [K, P] int16
    mean: Tensor  # [P] half floats' values
    steps: Tensor  # [B] likewise

    def weights(self, shape: BankShape) -> Tensor:
        """[K, P] what a reader of the file decodes, in float32."""
        return self.mean + self.integers.float() * self.steps[columns(shape)]


def columns(shape: BankShape) -> Tensor:
    """[P] the block of each weight."""
    return torch.from_numpy(columns_of_weights(shape))


def round_bank(shape: BankShape, weights: Tensor, curvature: Tensor, scale: float, moving: int = 0) -> Quantised:
    """`weights` [K, P] at steps `scale` times the balanced ones; curvatures [K, p, p] are J'J of each cell.

    Balanced: an error of one step costs about the same in every block. Weights before the one numbered `moving` are
    the same in all cells and half floats: they are the mean.
    """
    block, count = columns(shape), len(shape.blocks())
    mean = weights.median(dim=0).values.half().float()
    mean[:moving] = weights[0, :moving]
    importance = torch.zeros(weights.shape[1], dtype=torch.float64)
    importance[moving:] = curvature.diagonal(dim1=1, dim2=2).mean(dim=0)
    per_block = torch.zeros(count, dtype=torch.float64).index_add_(0, block, importance) / torch.bincount(block)
    far = (weights - mean).abs().amax(dim=0)
    widest = torch.stack([far[block == b].max() for b in range(count)])
    wanted = scale / per_block.clamp_min(1e-30).sqrt()
    steps = torch.maximum(wanted, 1.01 * widest.double() / MOST).clamp(1e-7, 6e4).half().float()
    integers = torch.zeros_like(weights)
    parts = weights[:, moving:].double(), mean[moving:].double(), steps[block][moving:].double()
    for cells in blocks(len(weights), 4 * curvature.shape[1] ** 2):
        integers[cells, moving:] = _round(parts[0][cells], curvature[cells], *parts[1:]).float()
    return Quantised(integers.to(torch.int16), mean, steps)


def _round(weights: Tensor, curvature: Tensor, mean: Tensor, steps: Tensor) -> Tensor:
    """[k, P] integers of `weights` [k, P]; see the head of this file."""
    inverse = torch.linalg.inv(_stiffened(curvature))
    spread = torch.linalg.cholesky(inverse, upper=True)  # row i: how weight i's error moves those behind it
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
