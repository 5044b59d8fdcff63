"""FreSh: an embedding is chosen by what untrained networks with it look like, without training any of them.

After Kania et al., "FreSh: Frequency Shifting for Accelerated Neural Representation Learning" (arXiv 2410.05050): a
network learns a signal fastest when its outputs have the signal's spectrum already before training. So the spectrum of
the target is compared with those of a few untrained networks for each candidate, by the Wasserstein distance, and the
candidate with the smallest mean distance is trained. `choose` is the general form, for signals on a grid of one to
three dimensions; `choose_frequencies` is for Gaussians that a bank of networks decodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from fitting.torch_bank import initial_weights
from scenes.bank import BankShape, MlpBank
from scenes.gaussians import Floats

Samples = NDArray[np.floating]
T = TypeVar("T")

SEEDS = 10  # untrained networks for each candidate, as in the paper
BINS = 64  # of the spectrum; the paper has 32 to 128
SIDE = 16  # cells along the box of a cluster: 8 periods can be told, more than the Gaussians of a cluster sample
CLUSTERS = 8  # the largest of a scene; spectra of the others would change little
# Positional encodings of 0 to 4 octaves; pi is one period over the box
CANDIDATES = tuple(tuple(float(np.pi) * 2.0**k for k in range(levels)) for levels in range(5))


@dataclass(frozen=True)
class Choice(Generic[T]):
    """The candidate that suits a signal, and how far each of them is from it."""

    chosen: T
    distances: tuple[float, ...]  # mean Wasserstein distance of each candidate, in bins


def choose(
    target: Sequence[Samples],
    candidates: Sequence[T],
    untrained: Callable[[T, int], Samples],
    *,
    seeds: int = SEEDS,
    bins: int = BINS,
) -> Choice[T]:
    """The candidate whose untrained networks are nearest to the target in their spectra.

    `target` holds one or more signals (of which the mean spectrum counts), each [n, (n, (n,)) C] on a regular grid;
    `untrained` gives a new network's outputs [n, (n, (n,)) C'] on the same grid for a candidate and a seed.
    """
    wanted = np.mean([spectrum(signal, bins) for signal in target], axis=0)
    distances = tuple(
        float(np.mean([wasserstein(wanted, spectrum(untrained(c, seed), bins)) for seed in range(seeds)]))
        for c in candidates
    )
    return Choice(candidates[int(np.argmin(distances))], distances)


def spectrum(samples: Samples, bins: int = BINS) -> NDArray[np.float64]:
    """[B] how much of `samples` [n, ..., C] has 1, 2, ... periods over the grid; its sum is 1, B at most `bins`.

    |FFT| of the channels added up, and coefficients of equal |kx| + |ky| + |kz|; without the mean (section 3 of the
    paper). Of an even distribution if the signal is constant.
    """
    axes = tuple(range(samples.ndim - 1))
    amplitudes = np.abs(np.fft.fftn(samples, axes=axes)).sum(axis=-1)
    waves = [np.abs(np.rint(np.fft.fftfreq(n, 1 / n))).astype(np.int64) for n in amplitudes.shape]
    periods = sum(np.ix_(*waves))
    found = np.bincount(np.ravel(periods), weights=amplitudes.ravel())[1 : bins + 1]
    noise = np.finfo(np.float32).eps * amplitudes.sum()  # what rounding leaves of a constant
    return np.full(len(found), 1 / len(found)) if found.sum() <= noise else found / found.sum()


def wasserstein(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The Wasserstein-1 distance of two distributions [B] over the same bins, in bins."""
    return float(np.abs(np.cumsum(a - b)).sum())


def choose_frequencies(
    attributes: Floats,
    local: Floats,
    clusters: NDArray[np.integer],
    *,
    layers: int,
    width: int,
    activation: str = "tanh",
    candidates: Sequence[tuple[float, ...]] = CANDIDATES,
) -> Choice[tuple[float, ...]]:
    """The positional encoding (`BankShape.frequencies`) for Gaussians decoded by networks of `layers` of `width`.

    `attributes` [N, D] are in units of their perceptual steps, so that every channel counts as it shows; `local` [N, 3]
    are positions in the box of their cluster, in [-1, 1]; `clusters` [N]. The target is, for each of the largest
    clusters, a grid of binned averages: what Gaussians of one cell have in common is what a network of the position can
    give, and their scatter is left to the codes. Empty cells take the nearest cell's values. The networks are those of
    the bank without codes, since only position is in question.
    """
    counts = np.bincount(clusters)
    largest = [k for k in np.argsort(-counts, kind="stable")[:CLUSTERS] if counts[k]]
    target = [binned(attributes[clusters == k], local[clusters == k], SIDE) for k in largest]
    places = grid_points((SIDE,) * 3)

    def untrained(frequencies: tuple[float, ...], seed: int) -> Samples:
        shape = BankShape(frequencies, 0, width, layers, attributes.shape[1], linear=False, activation=activation)
        return untrained_outputs(shape, places, seed)

    return choose(target, candidates, untrained)


def untrained_outputs(shape: BankShape, places: Floats, seed: int) -> Samples:
    """[..., D] of a new network without codes at `places` [..., 3] in [-1, 1]."""
    weights = initial_weights(shape, 1, torch.Generator().manual_seed(seed)).numpy()
    flat = places.reshape(-1, 3)
    codes = np.zeros((len(flat), 0), np.float32)
    outputs = MlpBank(shape, weights).evaluate(np.zeros(len(flat), np.int64), flat, codes)
    return outputs.reshape(*places.shape[:-1], -1)


def grid_points(sides: Sequence[int]) -> Floats:
    """[X, Y, Z, 3] the centres of `sides` cells that fill the box from -1 to 1; a side of 1 lies at 0."""
    axes = [((np.arange(n) + 0.5) * 2 / n - 1).astype(np.float32) for n in sides]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def binned(values: Floats, local: Floats, side: int) -> NDArray[np.float64]:
    """[side, side, side, D] means of `values` [N, D] in the cells `local` [N, 3] lies in, N at least 1.

    Empty cells take the values of the nearest cell that is not.
    """
    cells = np.clip((local + 1) * (side / 2), 0, side - 1).astype(np.int64)
    flat = np.ravel_multi_index(tuple(cells.T), (side,) * 3)
    counts = np.bincount(flat, minlength=side**3)
    sums = np.stack([np.bincount(flat, weights=column, minlength=side**3) for column in values.T], axis=-1)
    means = (sums / np.maximum(counts, 1)[:, None]).reshape(side, side, side, -1)
    empty = counts.reshape((side,) * 3) == 0
    nearest = np.asarray(distance_transform_edt(empty, return_distances=False, return_indices=True))
    return means[tuple(nearest)]
