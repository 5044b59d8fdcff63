"""The cells' networks: started alike, fitted all at once, rounded to integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fitting.kiloneus.distil import AppearanceProblem, GeometryProblem
from fitting.kiloneus.faces import FacedGeometry
from fitting.kiloneus.levenberg import LEAST, State, blocks, iterate, normal_equations
from fitting.kiloneus.quantise import coarsest, round_bank
from fitting.torch_bank import initial_weights
from scenes.bank import BankShape, MlpBank
from scenes.kilo_surface import coded_weights
from scenes.surface import WeightCoding

ProblemOf = GeometryProblem | AppearanceProblem
GAIN = 0.01  # of the cost: an iteration that wins less is the last
PROBED = 128  # cells on which the steps of the integers are chosen


@dataclass(frozen=True)
class CodedBank:
    """A bank as it is written."""

    bank: MlpBank
    coding: WeightCoding


def shared_start(shape: BankShape, cells: int, seed: int, shared: Tensor | None = None, scale: float = 1.0) -> State:
    """All cells begin as the same random network, so that neighbours stay alike where they can.

    With the weights `shared` of hidden layers the output layers begin as zeros; without, `scale` is a factor of the
    first layer's weights.
    """
    if shared is None:
        weights = initial_weights(shape, 1, torch.Generator().manual_seed(seed))
        weights[:, : shape.inputs * shape.width] *= scale
        return State.start(weights.repeat(cells, 1))
    weights = torch.zeros(1, shape.parameters)
    weights[0, : len(shared)] = shared
    return State.start(weights.repeat(cells, 1), LEAST)  # (nearly) linear: whole steps are right at once


def fit(problem: ProblemOf, state: State, iterations: int, seed: int, after: Callable[[State, float], None]) -> None:
    """Takes `state` to `iterations`, or until it is settled; `after` each is told the mean cost a place.

    Output layers alone are nearly a linear problem: soon nothing is left to gain.
    """
    while state.iteration < iterations and not state.settled:
        if isinstance(problem, FacedGeometry) and state.iteration:
            problem.meet(state.weights)
        cost = iterate(problem, state, seed)
        meets = isinstance(problem, FacedGeometry) and state.iteration == 2  # the first with faces: they cost more
        state.settled = problem.moving > 0 and cost > (1 - GAIN) * state.cost and not meets
        state.cost = cost
        after(state, cost / problem.drawn)
    if isinstance(problem, FacedGeometry):
        problem.meet(state.weights)  # for the rounding


def curvature(problem: ProblemOf, weights: Tensor) -> Tensor:
    """[K, p, p] J'J of every cell at the places drawn, in double precision; p weights that may change."""
    parts = []
    for cells in blocks(len(weights), problem.residual_count * (weights.shape[1] - problem.moving)):
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
    few = problem.of_cells(probe)

    def noise(scale: float) -> float:
        rounded = round_bank(weights[probe], curvatures[probe], scale, problem.moving).weights()
        return change(few, weights[probe], rounded)

    quantised = round_bank(weights, curvatures, coarsest(noise, allowed), problem.moving)
    coding = WeightCoding(quantised.mean.numpy(), quantised.steps.numpy())
    bank = MlpBank(shape, coded_weights(quantised.integers.numpy(), coding, shape))
    return CodedBank(bank, coding)


def change(problem: ProblemOf, before: Tensor, after: Tensor) -> float:
    """Root mean square difference of the residuals at the places drawn."""
    total = count = 0.0
    for cells in blocks(len(before), 8 * problem.residual_count):
        difference = problem.residuals(after[cells], cells) - problem.residuals(before[cells], cells)
        total, count = total + float(difference.square().sum()), count + difference.numel()
    return (total / count) ** 0.5
