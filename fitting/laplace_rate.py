"""The rate of quantised codes under a Laplace prior, with its gradient: what a fit pays for its bits.

Uniform noise stands in for rounding (J. Balle et al., "End-to-end optimized image compression", ICLR 2017, section
3.1), so a code x costs -log2 of the prior's mass on [x - 1/2, x + 1/2]. With u = |x - mean| / b and h = 1 / 2b that
mass is exp(-u) sinh(h) for u >= h, and 1 - exp(-h) cosh(u) within.

On the CPU a kernel does in one pass what takes torch some forty; elsewhere it is plain torch.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from fitting.raster_numba import parallel

ROWS = 2048  # a piece of work: sums are formed piece by piece, so they do not depend on the number of threads
SMALLEST = 1e-30  # mass, where a float ends
Array = NDArray[np.float32]


def laplace_bits(codes: Tensor, noise: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Expected bits of `codes` [N, C], in units of their step, with `noise` [N, C]; `mean`, `log_scale` [C]."""
    if codes.device.type == "cpu":
        return _CpuBits.apply(codes, noise, mean, log_scale)  # type: ignore[no-any-return]
    return laplace_bits_torch(codes, noise, mean, log_scale)


def laplace_bits_torch(codes: Tensor, noise: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """The same in plain torch: the twin of the kernel, and what CUDA runs."""
    scale = log_scale.exp()
    u, h = (codes + noise - mean).abs() / scale, 0.5 / scale
    outside = u - h - torch.log1p(-torch.exp(-2 * h)) + math.log(2)  # -log(exp(-u) sinh(h)), for any h
    u = torch.minimum(u, h)  # beyond, cosh overflows where it is not used
    within = -torch.log((1 - torch.exp(-h) * torch.cosh(u)).clamp_min(SMALLEST))
    return torch.where(u < h, within, outside).sum() / math.log(2)


class _CpuBits(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        codes, noise, mean, log_scale = (np.ascontiguousarray(a.detach().numpy()) for a in arguments)
        pieces = -(-len(codes) // ROWS)
        by_code, totals = np.empty_like(codes), np.zeros(pieces)
        sums = np.zeros((pieces, 2, codes.shape[1]))
        parallel(_bits, pieces, codes, noise, mean, _constants(log_scale), by_code, sums, totals)
        by_mean, by_log_scale = sums.sum(axis=0).astype(np.float32)
        ctx.gradients = tuple(torch.from_numpy(g) for g in (by_code, by_mean, by_log_scale))
        return torch.tensor(totals.sum(), dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        by_code, by_mean, by_log_scale = (grads[0] * g for g in ctx.gradients)
        return by_code, None, by_mean, by_log_scale


def _constants(log_scale: Array) -> NDArray[np.float64]:
    """[5, C]: 1 / b, h, exp(-h), -log sinh(h), coth(h)."""
    inverse = np.exp(-log_scale.astype(np.float64))
    h = 0.5 * inverse
    below = -np.expm1(-2 * h)
    return np.stack([inverse, h, np.exp(-h), np.log(2.0) - h - np.log(below), (1 + np.exp(-2 * h)) / below])


@njit(nogil=True, fastmath=True, cache=True, error_model="numpy")
def _bits(first, last, codes, noise, mean, constants, by_code, sums, totals):
    """Pieces [first, last): gradients by each code, and summed ones by mean and log scale; the total in bits."""
    per_bit = 1 / np.log(2.0)
    count = codes.shape[1]
    inverse, halves, tail, flat, slope = constants[0], constants[1], constants[2], constants[3], constants[4]
    for piece in range(first, last):
        total = 0.0
        for n in range(piece * ROWS, min((piece + 1) * ROWS, len(codes))):
            for c in range(count):
                x = (codes[n, c] + noise[n, c] - mean[c]) * inverse[c]
                u, h = abs(x), halves[c]
                if u >= h:
                    total += u + flat[c]
                    by_u, by_h = 1.0, -slope[c]
                else:
                    grown = np.exp(u)
                    shrunk = 1 / grown
                    mass = max(1 - tail[c] * 0.5 * (grown + shrunk), SMALLEST)
                    total -= np.log(mass)
                    by_u = tail[c] * 0.5 * (grown - shrunk) / mass
                    by_h = -tail[c] * 0.5 * (grown + shrunk) / mass
                gradient = per_bit * inverse[c] * (by_u if x > 0 else -by_u)
                by_code[n, c] = gradient
                sums[piece, 0, c] -= gradient
                sums[piece, 1, c] -= per_bit * (by_u * u + by_h * h)
        totals[piece] = total * per_bit
