"""A large scene in parts that can be fitted one by one: boxes with about the same number of Gaussians in each.

Boxes that halve space again and again can be put in order from any eye, so that no part of one lies behind another
which it also hides (Fuchs, Kedem and Naylor 1980, on such trees). The picture of the whole is then the pictures of the
parts, one over the other: each part may be fitted without the others, if its opacity is right before any background.
Only Gaussians that reach across a face do not keep to this.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIDDLE = (0.05, 0.95)  # quantiles: floaters must not say which way a box is long
RICHER = (0.5, 2.0)  # at most: what is little seen from afar is looked at from nearby one day

Indices = NDArray[np.int64]


def split(positions: NDArray[np.float32], most: int) -> list[Indices]:
    """Indices into `positions` [N, 3] of as few parts as hold `most` each, in the order of the file's Gaussians.

    Each box is cut across its longest side, where as many Gaussians lie on either side as there are parts on it.
    """
    return _halved(positions, np.arange(len(positions)), max(-(-len(positions) // most), 1))


def _halved(positions: NDArray[np.float32], mine: Indices, parts: int) -> list[Indices]:
    if parts == 1:
        return [mine]
    low, high = np.quantile(positions[mine], MIDDLE, axis=0)
    along = positions[mine, int((high - low).argmax())]
    first = parts // 2
    ranks = np.argsort(along, kind="stable")
    cut = len(mine) * first // parts
    sides = (np.sort(mine[ranks[:cut]]), np.sort(mine[ranks[cut:]]))
    return [*_halved(positions, sides[0], first), *_halved(positions, sides[1], parts - first)]


def shares(weight: NDArray[np.float64], parts: list[Indices]) -> NDArray[np.float64]:
    """[parts] how much richer than by its number of Gaussians each part should be, 1 on average over Gaussians.

    `weight` [N] is how much of the pictures of the whole each Gaussian is. A part of n Gaussians in b bytes leaves an
    error of about (n / b) per picture that it fills: PSNR grows by some 2.5 dB for twice the bytes. The sum of
    w (n / b) over parts that fill the share w of all pictures is least, at a given sum of b, with b ~ sqrt(w n).
    """
    counts = np.array([len(part) for part in parts], np.float64)
    seen = np.array([weight[part].sum() for part in parts])
    richer = np.sqrt(seen / max(seen.sum(), 1e-300) * counts.sum() / counts).clip(*RICHER)
    return richer * counts.sum() / (richer * counts).sum()
