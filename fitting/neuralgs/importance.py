"""How much of the pictures each Gaussian is (LightGaussian, arXiv 2311.17245, eq. 4; NeuralGS section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from fitting.neuralgs.targets import Target
from fitting.rasterize import importance
from fitting.tensors import GaussianTensors
from scenes.gaussians import Gaussians

VOLUME_POWER = 0.1  # LightGaussian's beta
VOLUME_SHARE = 0.9  # volumes are relative to this quantile


def visible_weight(
    tensors: GaussianTensors, targets: Sequence[Target], antialiased: bool, progress: Callable[[float], None]
) -> NDArray[np.float64]:
    """[N] the sum over views and pixels of alpha times transmittance, summed exactly, in pixels."""
    total = np.zeros(len(tensors.positions))
    for i, target in enumerate(targets):
        total += importance(*tensors, target.view((0.0, 0.0, 0.0), antialiased))
        progress((i + 1) / len(targets))
    return total


def volume_term(gaussians: Gaussians) -> NDArray[np.float64]:
    """[N] clamp(V / V90, 0, 1) ^ beta with V the product of the scales."""
    volume = np.exp(gaussians.log_scales.astype(np.float64).sum(axis=1))
    reference = np.quantile(volume, VOLUME_SHARE)
    return np.clip(volume / max(reference, 1e-300), 0, 1) ** VOLUME_POWER
