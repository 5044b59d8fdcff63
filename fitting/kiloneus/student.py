"""The cells' networks: started alike, fitted all at once, rounded to integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fitting.kiloneus.distil import AppearanceProblem, GeometryProblem
from fitting.kiloneus.levenberg import State, blocks, iterate, normal_equations
from fitting.kiloneus.quantise import coarsest, round_bank
from fitting.torch_bank import initial_weights
from scenes.bank import BankShape, MlpBank
from scenes.surface import WeightCoding

ProblemOf = GeometryProblem | AppearanceProblem
PROBED = 128  # cells on which the steps of the integers are chosen
ROUND = 3  # iterations with other places make one look at the state


@dataclass(frozen=True)
class CodedBank:
    """A bank as it is written, and what the rounding cost."""

    bank: MlpBank
    coding: WeightCoding
    noise: float  # root mean square change of the residuals by rounding


def shared_start(shape: BankShape, cells: int, seed: int) -> State:
    """All cells begin as the same random network, so that neighbours stay alike where they can."""
    weights = initial_weights(shape, 1, torch.Generator().manual_seed(seed))
    return State.start(weights.repeat(cells, 1))


def fit(problem: ProblemOf, state: State, iterations: int, seed: int, after: Callable[[State, float], None]) -> None:
    """Takes `state` to `iterations`; `after` each is told the mean cost a place."""
    while state.iteration < iterations:
        cost = iterate(problem, state, seed)
        after(state, cost / problem.drawn)


def curvature(problem: ProblemOf, weights: Tensor) -> Tensor:
    """[K, P, P] J'J of every cell at the places drawn, in double precision."""
    parts = []
    for cells in blocks(len(weights), problem.residual_count * weights.shape[1]):
        jacobian = problem.jacobian(weights[cells], cells)
        parts.append(normal_equations(jacobian, torch.zeros(jacobian.shape[:2]))[0])
    return torch.cat(parts)


def coded(problem: ProblemOf, weights: Tensor, allowed: float, seed: int) -> CodedBank:
    """`weights` [K, P] as integers as coarse as keeps the residuals' change within `allowed`, root mean square."""
    shape = problem.shape
    generator = torch.Generator().manual_seed(seed)
    problem.draw(generator)
    curvatures = curvature(problem, weights)
    probe = torch.randperm(len(weights), generator=generator)[:PROBED].sort().values
    few = _only(problem, probe)

    def noise(scale: float) -> float:
        rounded = round_bank(shape, weights[probe], curvatures[probe], scale).weights(shape)
        return change(few, weights[probe], rounded)

    quantised = round_bank(shape, weights, curvatures, coarsest(noise, allowed))
    rounded = quantised.weights(shape)
    return CodedBank(
        MlpBank(shape, rounded.numpy()),
        WeightCoding(quantised.mean.numpy(), quantised.steps.numpy()),
        change(problem, weights, rounded),
    )


def change(problem: ProblemOf, before: Tensor, after: Tensor) -> float:
    """Root mean square difference of the residuals at the places drawn."""
    total = count = 0.0
    for cells in blocks(len(before), 8 * problem.residual_count):
        difference = problem.residuals(after[cells], cells) - problem.residuals(before[cells], cells)
        total, count = total + float(difference.square().sum()), count + difference.numel()
    return (total / count) ** 0.5


def _only(problem: ProblemOf, cells: Tensor) -> ProblemOf:
    """The problem of some cells."""
    if isinstance(problem, GeometryProblem):
        parts = (problem.local[cells], problem.target[cells], problem.importance[cells])
        return GeometryProblem(problem.shape, *parts, problem.overlap, problem.drawn, problem.places)
    parts = (problem.inputs[cells], problem.target[cells], problem.importance[cells])
    return AppearanceProblem(problem.shape, *parts, problem.drawn, problem.places)
