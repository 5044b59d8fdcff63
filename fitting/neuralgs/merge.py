"""Fewer Gaussians for the same picture: neighbours merged pair by pair, so that mass, mean and covariance stay.

The cost of a merge is Runnalls' bound on the divergence it causes ("Kullback-Leibler approach to Gaussian
mixture reduction", 2007, eq. 16), weighted by how visible the two are, plus the colour they lose. Each round merges the
cheapest disjoint pairs among nearest neighbours, until the count is right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from scenes.gaussians import SH_C0, Gaussians, rotation_matrices

NEIGHBOURS = 10
ROUND_SHARE = 0.2  # of the Gaussians at most merge in one round: later pairs see what earlier ones became
APART = 1e-3  # of the resolution: how far Gaussians are taken apart to find neighbours where many share one place
COLOUR_TOLERANCE = 0.1  # a colour difference this large costs as much as a misplaced Gaussian
MAX_OPACITY = 0.996
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class _Mixture:
    """The Gaussians while they merge, in the form merging is linear in."""

    mass: Doubles  # [N] visible weight, pixels
    mean: Doubles  # [N, 3]
    covariance: Doubles  # [N, 3, 3]
    opacity: Doubles  # [N]
    sh: Doubles  # [N, K * 3]

    def area(self) -> Doubles:
        """[N] cross-section: the product of the two largest standard deviations."""
        eigenvalues = np.linalg.eigvalsh(self.covariance)
        return np.sqrt(np.maximum(eigenvalues[:, 1] * eigenvalues[:, 2], 1e-300))

    def select(self, index: NDArray[np.integer] | NDArray[np.bool_]) -> _Mixture:
        return _Mixture(*(getattr(self, f)[index] for f in ("mass", "mean", "covariance", "opacity", "sh")))


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
    mixture = _mixture(gaussians, weight)
    start = len(gaussians)
    while len(mixture.mass) > count:
        mixture = _round(
            mixture, min(len(mixture.mass) - count, max(int(ROUND_SHARE * len(mixture.mass)), 1)), resolution
        )
        progress((start - len(mixture.mass)) / max(start - count, 1))
    return _gaussians(mixture, gaussians), mixture.mass


def _mixture(gaussians: Gaussians, weight: Doubles) -> _Mixture:
    rotations = rotation_matrices(gaussians.rotations).astype(np.float64)
    axes = rotations * np.exp(gaussians.log_scales.astype(np.float64))[:, None, :]
    return _Mixture(
        np.maximum(weight, 1e-9 * weight.max()),
        gaussians.positions.astype(np.float64),
        axes @ axes.transpose(0, 2, 1),
        1 / (1 + np.exp(-gaussians.opacity_logits.astype(np.float64))),
        gaussians.sh.reshape(len(gaussians), -1).astype(np.float64),
    )


def _round(mixture: _Mixture, merges: int, resolution: float) -> _Mixture:
    first, second = _pairs(mixture.mean, resolution)
    order = np.argsort(_costs(mixture, first, second, resolution), kind="stable")
    chosen = _disjoint(first[order], second[order], len(mixture.mass), merges)
    a, b = first[order][chosen], second[order][chosen]
    alone = np.ones(len(mixture.mass), bool)
    alone[a] = alone[b] = False
    merged, rest = _merge(mixture.select(a), mixture.select(b)), mixture.select(alone)
    fields = ("mass", "mean", "covariance", "opacity", "sh")
    return _Mixture(*(np.concatenate([getattr(rest, f), getattr(merged, f)]) for f in fields))


def _pairs(mean: Doubles, resolution: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each Gaussian with its nearest neighbours, every pair once, the smaller index first.

    Of Gaussians at exactly one place a tree finds the same few as everyone's neighbours, and slowly: hence `APART`.
    """
    k = min(NEIGHBOURS, len(mean) - 1)
    mean = mean + APART * resolution * np.random.default_rng(len(mean)).uniform(-1, 1, mean.shape)
    neighbours = np.asarray(KDTree(mean).query(mean, k=k + 1)[1])[:, 1:].reshape(-1)
    owners = np.repeat(np.arange(len(mean)), k)
    pairs = np.unique(np.minimum(owners, neighbours) * len(mean) + np.maximum(owners, neighbours))
    pairs = pairs[pairs // len(mean) != pairs % len(mean)]
    return pairs // len(mean), pairs % len(mean)


def _costs(mixture: _Mixture, first: NDArray[np.int64], second: NDArray[np.int64], resolution: float) -> Doubles:
    a, b = mixture.mass[first], mixture.mass[second]
    share = (a / (a + b))[:, None]
    blurred = mixture.covariance + resolution**2 * np.eye(3)
    log_det = np.log(_det(blurred))
    offset = mixture.mean[first] - mixture.mean[second]
    joint = share[..., None] * blurred[first] + (1 - share)[..., None] * blurred[second]
    joint += (share * (1 - share))[..., None] * offset[:, :, None] * offset[:, None, :]
    shape = 0.5 * ((a + b) * np.log(_det(joint)) - a * log_det[first] - b * log_det[second])
    colour = SH_C0 * (mixture.sh[first, :3] - mixture.sh[second, :3])
    return shape + 0.5 * a * b / (a + b) * (colour**2).sum(axis=1) / COLOUR_TOLERANCE**2


def _det(m: Doubles) -> Doubles:
    """Determinants of symmetric [..., 3, 3]; written out, since numpy's goes through a factorisation each."""
    return (
        m[:, 0, 0] * (m[:, 1, 1] * m[:, 2, 2] - m[:, 1, 2] ** 2)
        - m[:, 0, 1] * (m[:, 0, 1] * m[:, 2, 2] - m[:, 1, 2] * m[:, 0, 2])
        + m[:, 0, 2] * (m[:, 0, 1] * m[:, 1, 2] - m[:, 1, 1] * m[:, 0, 2])
    )


@njit(cache=True)
def _disjoint(first, second, count, merges):
    """Greedily the first `merges` pairs that share no member."""
    used = np.zeros(count, np.bool_)
    chosen = np.zeros(len(first), np.bool_)
    for i in range(len(first)):
        if merges == 0:
            break
        if not used[first[i]] and not used[second[i]]:
            used[first[i]] = used[second[i]] = True
            chosen[i] = True
            merges -= 1
    return chosen


def _merge(a: _Mixture, b: _Mixture) -> _Mixture:
    """Moment matching. Opacity keeps what is seen: opacity times area, of the parts that show."""
    mass = a.mass + b.mass
    share = (a.mass / mass)[:, None]
    offset = a.mean - b.mean
    covariance = share[..., None] * a.covariance + (1 - share)[..., None] * b.covariance
    covariance += (share * (1 - share))[..., None] * offset[:, :, None] * offset[:, None, :]
    shown = [m.mass / np.maximum(m.opacity * m.area(), 1e-300) for m in (a, b)]  # pixels per unit of what could show
    exposure = share[:, 0] * shown[0] + (1 - share[:, 0]) * shown[1]
    merged = _Mixture(
        mass,
        share * a.mean + (1 - share) * b.mean,
        covariance,
        np.zeros_like(mass),
        share * a.sh + (1 - share) * b.sh,
    )
    return replace(merged, opacity=np.clip(mass / (exposure * merged.area()), 1e-4, MAX_OPACITY))


def _gaussians(mixture: _Mixture, original: Gaussians) -> Gaussians:
    eigenvalues, vectors = np.linalg.eigh(mixture.covariance)
    vectors[np.linalg.det(vectors) < 0, :, 0] *= -1
    quaternions = Rotation.from_matrix(vectors).as_quat()[:, [3, 0, 1, 2]]
    return Gaussians(
        mixture.mean.astype(np.float32),
        (0.5 * np.log(np.maximum(eigenvalues, 1e-18))).astype(np.float32),
        quaternions.astype(np.float32),
        np.log(mixture.opacity / (1 - np.minimum(mixture.opacity, 1 - 1e-6))).astype(np.float32),
        mixture.sh.reshape(len(mixture.mass), -1, 3).astype(np.float32),
        original.antialiased,
    )
