"""Hidden layers that all cells share: learnt on some of the cells, with the best output layers always in place.

A cell then owns no more than its output layer, a third of the weights for the same error (measured on cells of a mesh),
and the shared layers are written once. Learnt by variable projection: every cell's output layer is eliminated from the
normal equations, and what remains is one small system for the shared weights (Golub and Pereyra 1973, "The
differentiation of pseudo-inverses and nonlinear least squares problems whose variables separate").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from fitting.kiloneus.distil import AppearanceProblem, GeometryProblem
from fitting.kiloneus.levenberg import LARGER, SMALLER, blocks, normal_equations
from fitting.kiloneus.output_layer import shared_size
from scenes.bank import BankShape

PROBED = 160  # cells, drawn from all
DAMPING = 1e-2
TRIES = 4
SPREAD = 0.5  # standard deviation of the first layer's weights at the start; sine(3 z) of them: some periods a cell
Shared = GeometryProblem | AppearanceProblem


def start(shape: BankShape, seed: int, scale: float = 1.0) -> Tensor:
    """[P] random hidden layers and an output layer of zeros, in double precision.

    `scale` is a factor of the first layer's weights: how fast its sines wave.
    """
    generator = torch.Generator().manual_seed(seed)
    weights = torch.zeros(shape.parameters, dtype=torch.float64)
    for block in shape.blocks():
        part = slice(block.offset, block.stop)
        if block.name.startswith("hidden"):
            spread = 1.0 if block.name.endswith("bias") else SPREAD * (3 / block.rows) ** 0.5
            spread *= scale if block.name == "hidden0" else 1.0
            weights[part] = spread * torch.randn(block.stop - block.offset, generator=generator, dtype=torch.float64)
    return weights


def learn(
    problem: Shared, iterations: int, seed: int, after: Callable[[int, float], None], scale: float = 1.0
) -> Tensor:
    """[shared] weights of the hidden layers, rounded to half floats; `after` each step is told the mean cost.

    They start as `start` gives them.
    """
    first = shared_size(problem.shape)
    generator = torch.Generator().manual_seed(seed)
    count = len(problem.importance)
    chosen = torch.randperm(count, generator=generator)[:PROBED].sort().values
    few = replace(problem.of_cells(chosen).double(), moving=0)
    few.draw(generator)
    weights = start(problem.shape, seed, scale).repeat(len(chosen), 1)
    weights, cost = _best_outputs(few, weights, first)
    damping = DAMPING
    for iteration in range(iterations):
        normal, pull = _projected(few, weights, first)
        for _ in range(TRIES):
            extra = damping * normal.diagonal() + 1e-12 * normal.diagonal().mean()
            trial = weights.clone()
            trial[:, :first] -= torch.linalg.solve(normal + torch.diag(extra), pull)
            trial, found = _best_outputs(few, trial, first)
            if found < cost:
                weights, cost, damping = trial, found, damping * SMALLER
                break
            damping *= LARGER
        after(iteration + 1, cost / few.drawn)
    return weights[0, :first].half().float()


def _best_outputs(problem: Shared, weights: Tensor, first: int) -> tuple[Tensor, float]:
    """`weights` [k, P] with output layers a Gauss-Newton step better (the best, where outputs are linear), and cost."""
    outputs = replace(problem, moving=first)
    result, cost = weights.clone(), 0.0
    for cells in blocks(len(weights), 2 * outputs.residual_count * (weights.shape[1] - first)):
        mine = weights[cells]
        normal, pull = normal_equations(outputs.jacobian(mine, cells), outputs.residuals(mine, cells))
        result[cells, first:] -= torch.linalg.solve(normal, pull)
        cost += float(outputs.residuals(result[cells], cells).square().sum())
    return result, cost / len(weights)


def _projected(problem: Shared, weights: Tensor, first: int) -> tuple[Tensor, Tensor]:
    """Normal equations of the shared weights, [first, first] and [first], outputs eliminated."""
    normal = torch.zeros(first, first, dtype=torch.float64)
    pull = torch.zeros(first, dtype=torch.float64)
    for cells in blocks(len(weights), 2 * problem.residual_count * weights.shape[1]):
        mine = weights[cells]
        whole, slope = normal_equations(problem.jacobian(mine, cells), problem.residuals(mine, cells))
        mixed = whole[:, first:, :first]
        solved = torch.linalg.solve(whole[:, first:, first:], mixed)
        normal += (whole[:, :first, :first] - mixed.transpose(1, 2) @ solved).sum(dim=0)
        pull += (slope[:, :first] - (solved.transpose(1, 2) @ slope[:, first:, None])[..., 0]).sum(dim=0)
    return normal, pull
