"""Chunks that were fitted one by one, as one scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scenes.bank import MlpBank
from scenes.neural_gaussians import NeuralGaussians


def joined(parts: Sequence[NeuralGaussians]) -> NeuralGaussians:
    """The clusters of all `parts`, one part behind another; they share a grid, outputs and the shape of networks."""
    first = parts[0]
    for part in parts:
        same = np.array_equal(part.output_offset, first.output_offset) and part.bank.shape == first.bank.shape
        if not same or part.grid != first.grid or not np.array_equal(part.output_scale, first.output_scale):
            raise ValueError("chunks: expected one grid, one outputs and one shape of networks in all")
    steps = [part.weight_steps for part in parts if part.weight_steps is not None]
    return replace(
        first,
        positions=np.concatenate([part.positions for part in parts]),
        codes=np.concatenate([part.codes for part in parts]),
        counts=np.concatenate([part.counts for part in parts]),
        boxes=np.concatenate([part.boxes for part in parts]),
        bank=MlpBank(first.bank.shape, np.concatenate([part.bank.weights for part in parts])),
        weight_steps=np.concatenate(steps) if steps else None,
    )
