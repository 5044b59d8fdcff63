"""Fewer Gaussians for the same picture: neighbours merged pair by pair, so that mass, mean and covariance stay.

The cost of a merge is Runnalls' bound on the divergence it causes ("Kullback-Leibler approach to Gaussian
mixture reduction", 2007, eq. 16), weighted by how visible the two are, plus the colour they lose. Each round merges the
cheapest disjoint pairs among nearest neighbours, until the count is right. What is done to every pair is in
`merge_pairs.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from fitting.neuralgs.merge_pairs import areas, disjoint, merge_into_first, neighbour_pairs, pair_costs
from scenes.cores import available_cores
from scenes.gaussians import SH_C0, Gaussians, rotation_matrices
from scenes.octree import morton_codes

NEIGHBOURS = 10
ROUND_SHARE = 0.2  # of the Gaussians at most merge in one round: later pairs see what earlier ones became
APART = 1e-3  # of the resolution: how far Gaussians are taken apart to find neighbours where many share one place
COLOUR_TOLERANCE = 0.07  # a colour difference this large costs as much as a misplaced Gaussian
CHEAPEST = 8  # pairs a merge that are sorted at first: enough disjoint ones are nearly always among them
GRID_BITS = 21  # an axis, of the order Gaussians are kept in, so that neighbours lie close in memory
Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class _Mixture:
    """The Gaussians while they merge, in the form merging is linear in. A merged one takes the place of its first."""

    mass: Doubles  # [N] visible weight, pixels
    mean: Doubles  # [N, 3]
    covariance: Doubles  # [N, 6] xx, xy, xz, yy, yz, zz
    opacity: Doubles  # [N]
    area: Doubles  # [N] cross-section: the product of the two largest standard deviations
    sh: NDArray[np.float32]  # [N, K * 3]


def merge_to(
    gaussians: Gaussians,
    weight: Doubles,
    count: int,
    resolution: float,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[Gaussians, Doubles]:
    """Merges down to `count` Gaussians; also returns their weights [count].

    `weight` [N] is each Gaussian's visible weight; `resolution`, in world units, is the size of detail nobody sees.
    """
    if len(gaussians) <= count:
        return gaussians, weight
    start = len(gaussians)
    order = _along_a_curve(gaussians.positions)
    mixture = _mixture(gaussians.select(order), weight[order])
    left = np.arange(start)
    while len(left) > count:
        left = _round(mixture, left, min(len(left) - count, max(int(ROUND_SHARE * len(left)), 1)), resolution)
        progress((start - len(left)) / (start - count))
    return _gaussians(mixture, left, gaussians.antialiased), mixture.mass[left]


def _along_a_curve(positions: NDArray[np.float32]) -> Indices:
    """[N] the Gaussians in Morton order of where they are."""
    low = positions.min(axis=0).astype(np.float64)
    cell = max(float((positions.max(axis=0) - low).max()), 1e-30) / (2**GRID_BITS - 1)
    codes = morton_codes(np.round((positions - low) / cell).astype(np.int64))
    return np.argsort(codes, kind="stable")


def _mixture(gaussians: Gaussians, weight: Doubles) -> _Mixture:
    axes = rotation_matrices(gaussians.rotations).astype(np.float64)
    axes *= np.exp(gaussians.log_scales.astype(np.float64))[:, None, :]
    rows, columns = np.triu_indices(3)
    covariance = np.einsum("nki,nki->nk", axes[:, rows], axes[:, columns])
    return _Mixture(
        np.maximum(weight, 1e-9 * weight.max()),
        gaussians.positions.astype(np.float64),
        covariance,
        1 / (1 + np.exp(-gaussians.opacity_logits.astype(np.float64))),
        areas(covariance),
        gaussians.sh.reshape(len(gaussians), -1).copy(),
    )


def _round(mixture: _Mixture, left: Indices, merges: int, resolution: float) -> Indices:
    """Merges `merges` pairs of those `left`; returns who is left then."""
    near = _neighbours(mixture.mean[left], resolution)
    first, second = neighbour_pairs(near)
    first, second = left[first], left[second]
    tone = SH_C0 / COLOUR_TOLERANCE
    cost = pair_costs(first, second, mixture.mass, mixture.mean, mixture.covariance, mixture.sh, resolution**2, tone)
    chosen = _cheapest(first, second, cost, len(mixture.mass), merges)
    first, second = first[chosen], second[chosen]
    merge_into_first(first, second, *vars(mixture).values())
    gone = np.zeros(len(mixture.mass), bool)
    gone[second] = True
    return left[~gone[left]]


def _neighbours(mean: Doubles, resolution: float) -> Indices:
    """[N, k] each one's nearest, or itself where the tree first found another at its place.

    Of Gaussians at exactly one place a tree finds the same few as everyone's neighbours, and slowly: hence `APART`.
    """
    k = min(NEIGHBOURS, len(mean) - 1)
    mean = mean + APART * resolution * np.random.default_rng(len(mean)).uniform(-1, 1, mean.shape)
    return np.asarray(KDTree(mean).query(mean, k=k + 1, workers=available_cores())[1])[:, 1:]


def _cheapest(first: Indices, second: Indices, cost: Doubles, count: int, merges: int) -> Indices:
    """Indices of the `merges` cheapest disjoint pairs, taken greedily; fewer where there are no more."""
    sorted_ones = CHEAPEST * merges
    while True:
        some = np.arange(len(cost))
        if sorted_ones < len(cost):
            some = np.flatnonzero(cost <= np.partition(cost, sorted_ones)[sorted_ones])
        some = some[np.argsort(cost[some], kind="stable")]
        chosen = some[disjoint(first[some], second[some], count, merges)]
        if len(chosen) == merges or len(some) == len(cost):
            return chosen
        sorted_ones *= 4


def _gaussians(mixture: _Mixture, left: Indices, antialiased: bool) -> Gaussians:
    matrices = mixture.covariance[left][:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3)
    eigenvalues, vectors = np.linalg.eigh(matrices)
    vectors[np.linalg.det(vectors) < 0, :, 0] *= -1
    quaternions = Rotation.from_matrix(vectors).as_quat()[:, [3, 0, 1, 2]]
    opacity = mixture.opacity[left]
    return Gaussians(
        mixture.mean[left].astype(np.float32),
        (0.5 * np.log(np.maximum(eigenvalues, 1e-18))).astype(np.float32),
        quaternions.astype(np.float32),
        np.log(opacity / (1 - np.minimum(opacity, 1 - 1e-6))).astype(np.float32),
        mixture.sh[left].reshape(len(left), -1, 3),
        antialiased,
    )
