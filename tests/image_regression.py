"""A small picture as a function of its coordinates, which banks of one network are fitted to; seeded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from fitting.fresh import grid_points
from fitting.torch_bank import ClusterBatch, evaluate_bank, initial_weights, quantise_weights
from scenes.bank import BankShape
from scenes.gaussians import Floats
from scenes.images import read_rgba

SIDE = 48  # pixels


def chair(data: Path) -> Floats:
    """[48, 48, 3] the back and the seat of the chair on white, every pixel a mean of 4 x 4 of the photograph."""
    rgba = read_rgba(data / "captures" / "chair" / "train" / "r_67.png")[60:252, 90:282]
    rgb = rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]
    return rgb.reshape(SIDE, 4, SIDE, 4, 3).mean(axis=(1, 3))


def network(frequencies: tuple[float, ...], width: int, activation: str, modulation: tuple[int, ...] = ()) -> BankShape:
    """Position to colour: two hidden layers, no code."""
    return BankShape(frequencies, 0, width, 2, 3, linear=False, activation=activation, modulation=modulation)


def fit(shape: BankShape, picture: Floats, seed: int, steps: int = 250, rate: float = 4e-3) -> tuple[float, float]:
    """PSNR (dB) of the fitted network, and of the same with 8-bit weights and grids."""
    torch.set_num_threads(1)
    local = torch.from_numpy(grid_points((*picture.shape[:2], 1)).reshape(-1, 3))
    target = torch.from_numpy(picture.reshape(-1, 3)) - 0.5
    weights = initial_weights(shape, 1, torch.Generator().manual_seed(seed)).requires_grad_()
    batch = ClusterBatch(np.zeros(len(local), np.int64), 1, torch.device("cpu"))

    def error(values: torch.Tensor) -> torch.Tensor:
        return (evaluate_bank(shape, values, local, local[:, :0], batch) - target).square().mean()

    optimiser = torch.optim.Adam([weights], rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, 0.02 * rate)
    for _ in range(steps):
        optimiser.zero_grad()
        error(weights).backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        exact, rounded = error(weights), error(quantise_weights(shape, weights)[0])
    return -10 * float(torch.log10(exact)), -10 * float(torch.log10(rounded))
