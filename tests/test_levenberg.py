"""Levenberg-Marquardt on many small problems, and rounding with the error taken up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from fitting.kiloneus.distil import GeometryProblem
from fitting.kiloneus.features import _best_outputs, _projected
from fitting.kiloneus.levenberg import LEAST, State, blocks, iterate, normal_equations, solve
from fitting.kiloneus.output_layer import shared_size
from fitting.kiloneus.quantise import coarsest, round_bank
from scenes.bank import BankShape

SHAPE = BankShape((), 0, 8, 1, 1, linear=False, activation="sine")


@dataclass
class Lines:
    """Residuals A w - b of each cell."""

    matrices: Tensor  # [K, R, P]
    wanted: Tensor  # [K, R]
    moving: int = 0

    @property
    def residual_count(self) -> int:
        return self.wanted.shape[1]

    def draw(self, generator: torch.Generator) -> None:
        pass

    def residuals(self, weights: Tensor, cells: slice) -> Tensor:
        return torch.einsum("krp,kp->kr", self.matrices[cells], weights) - self.wanted[cells]

    def jacobian(self, weights: Tensor, cells: slice) -> Tensor:
        return self.matrices[cells][:, :, self.moving :]


def _lines(cells: int = 5, moving: int = 0) -> Lines:
    generator = torch.Generator().manual_seed(1)
    return Lines(torch.randn(cells, 12, 4, generator=generator), torch.randn(cells, 12, generator=generator), moving)


def test_linear_problems_are_solved_at_once() -> None:
    problem = _lines()
    state = State.start(torch.ones(5, 4), LEAST)
    cost = iterate(problem, state, seed=0)
    best = torch.linalg.lstsq(problem.matrices, problem.wanted[..., None]).solution[..., 0]
    assert torch.allclose(state.weights, best, atol=1e-4)
    left = torch.einsum("krp,kp->kr", problem.matrices, best) - problem.wanted
    assert cost == pytest.approx(float(left.square().sum()) / 5, rel=1e-4)


def test_weights_before_the_moving_ones_stay() -> None:
    problem = _lines(moving=2)
    state = State.start(torch.ones(5, 4), LEAST)
    iterate(problem, state, seed=0)
    assert (state.weights[:, :2] == 1).all()
    wanted = problem.wanted - problem.matrices[:, :, :2].sum(dim=2)
    best = torch.linalg.lstsq(problem.matrices[:, :, 2:], wanted[..., None]).solution[..., 0]
    assert torch.allclose(state.weights[:, 2:], best, atol=1e-4)


def _problem(seed: int = 0, cells: int = 3, places: int = 60) -> tuple[GeometryProblem, Tensor]:
    """Networks to be found again, and their weights."""
    generator = torch.Generator().manual_seed(seed)
    weights = 0.5 * torch.randn(cells, SHAPE.parameters, generator=generator)
    local = 2 * torch.rand(cells, places, 3, generator=generator) - 1
    problem = GeometryProblem(
        SHAPE, local, torch.zeros(cells, places, 4), torch.ones(cells, places), 0.2, places, 0, torch.arange(places)
    )
    target = problem.residuals(weights, slice(None))[:, : 4 * places].reshape(cells, places, 4)
    return replace(problem, target=target), weights


def test_jacobian_is_the_derivative() -> None:
    problem, weights = _problem()
    problem, weights = problem.double(), weights.double()
    found = problem.jacobian(weights, slice(None))
    for p in (0, 7, 30, SHAPE.parameters - 1):
        step = torch.zeros_like(weights)
        step[:, p] = 1e-6
        difference = problem.residuals(weights + step, slice(None)) - problem.residuals(weights - step, slice(None))
        assert torch.allclose(found[:, :, p], difference / 2e-6, atol=1e-6)


def test_networks_are_found_again() -> None:
    problem, weights = _problem()
    generator = torch.Generator().manual_seed(5)
    state = State.start(weights + 0.1 * torch.randn(weights.shape, generator=generator))
    first = float(problem.residuals(state.weights, slice(None)).square().sum()) / len(weights)
    last = [iterate(problem, state, seed=0) for _ in range(25)][-1]
    assert last < 1e-3 * first


def test_a_cell_does_not_depend_on_its_neighbours() -> None:
    problem, weights = _problem(cells=4)
    start = weights + 0.1
    together, alone = State.start(start), State.start(start[2:3])
    for _ in range(3):
        iterate(problem, together, seed=0)
        iterate(problem.of_cells(torch.tensor([2])), alone, seed=0)
    assert torch.allclose(together.weights[2], alone.weights[0], atol=1e-4)


def test_shared_weights_move_as_in_the_whole_system() -> None:
    """The Schur complement against the dense system of shared and own weights together."""
    problem, weights = _problem(cells=3)
    problem, weights = problem.double(), weights.double()
    first = shared_size(SHAPE)
    weights[:, :first] = weights[0, :first]
    own = SHAPE.parameters - first
    jacobian, residuals = problem.jacobian(weights, slice(None)), problem.residuals(weights, slice(None))
    whole = torch.zeros(3, jacobian.shape[1], first + 3 * own, dtype=torch.float64)
    for k in range(3):
        whole[k, :, :first] = jacobian[k, :, :first]
        whole[k, :, first + k * own : first + (k + 1) * own] = jacobian[k, :, first:]
    step = torch.linalg.lstsq(whole.flatten(0, 1), residuals.flatten()[:, None], driver="gelsd").solution[:first, 0]
    normal, pull = _projected(problem, weights, first)
    assert torch.allclose(torch.linalg.solve(normal, pull), step, atol=1e-6 * step.abs().max().item())


def test_output_layers_are_the_best_ones() -> None:
    problem, weights = _problem()
    first = shared_size(SHAPE)
    start = weights.double().clone()
    start[:, first:] = 0
    found, cost = _best_outputs(problem.double(), start, first)
    worse = found.clone()
    worse[:, first:] += 0.01 * torch.randn(worse[:, first:].shape, generator=torch.Generator().manual_seed(2))
    assert float(problem.double().residuals(worse, slice(None)).square().sum()) / 3 > cost


def test_steps_solve_the_damped_equations() -> None:
    jacobian = torch.randn(2, 30, 5, generator=torch.Generator().manual_seed(3))
    normal, pull = normal_equations(jacobian, torch.ones(2, 30))
    step = solve(normal, pull, torch.full((2,), 0.5, dtype=torch.float64))
    damped = normal + 0.5 * torch.diag_embed(normal.diagonal(dim1=1, dim2=2))
    assert torch.allclose((damped @ step[..., None])[..., 0], pull, rtol=1e-5)
    assert (solve(torch.zeros(1, 3, 3).double(), torch.ones(1, 3).double(), torch.zeros(1).double())).isfinite().all()


def test_blocks_cover_all_cells() -> None:
    assert [c.start for c in blocks(10, 1 << 22)] == [0, 2, 4, 6, 8]
    assert blocks(3, 1 << 40) == [slice(0, 1), slice(1, 2), slice(2, 3)]


def _curvature(cells: int, seed: int, mixed: float) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = SHAPE.parameters
    turned = torch.eye(size) + mixed * torch.randn(cells, size, size, generator=generator) / size**0.5
    return (turned.transpose(1, 2) @ turned).double()


def test_rounding_alone_is_to_the_nearest() -> None:
    weights = torch.randn(6, SHAPE.parameters, generator=torch.Generator().manual_seed(4))
    found = round_bank(weights, torch.eye(SHAPE.parameters).double().expand(6, -1, -1), 0.05)
    assert (found.weights() - weights).abs().max() <= 0.5001 * found.steps.max()
    assert found.integers.abs().max() > 10


@pytest.mark.parametrize("mixed", [0.5, 2.0])
def test_errors_are_taken_up_by_weights_that_come_later(mixed: float) -> None:
    weights = torch.randn(20, SHAPE.parameters, generator=torch.Generator().manual_seed(6))
    curvature = _curvature(20, 7, mixed)
    found = round_bank(weights, curvature, 0.3)
    nearest = found.mean + ((weights - found.mean) / found.steps).round() * found.steps

    def loss(rounded: Tensor) -> float:
        error = (rounded - weights).double()
        return float(torch.einsum("kp,kpq,kq->", error, curvature, error))

    assert loss(found.weights()) < 0.9 * loss(nearest)


def _bits(integers: Tensor) -> float:
    """The entropy of each column, added up."""
    total = 0.0
    for column in integers.T:
        counts = column.unique(return_counts=True)[1].double()
        total -= float((counts / counts.sum() * torch.log2(counts / counts.sum())).sum())
    return total


def test_weights_that_matter_less_have_larger_steps() -> None:
    """By the textbook: independent weights, so each has a step of one over the root of its curvature."""
    generator = torch.Generator().manual_seed(9)
    curvature = torch.logspace(-2, 2, SHAPE.parameters, dtype=torch.float64)
    weights = torch.randn(4000, SHAPE.parameters, generator=generator)
    found = round_bank(weights, torch.diag(curvature).expand(4000, -1, -1), 0.05)
    torch.testing.assert_close(found.steps.double(), 0.05 / curvature.sqrt(), rtol=1e-3, atol=0)
    alike = torch.full_like(found.steps, 0.05)  # the geometric mean of theirs: as many bits
    rounded = alike * ((weights - found.mean) / alike).round()

    def cost(weights_found: Tensor) -> float:
        return float((curvature * (weights_found - weights).double().square()).sum(dim=1).mean())

    assert cost(found.weights()) == pytest.approx(len(curvature) * 0.05**2 / 12, rel=0.1)
    assert _bits(found.integers) == pytest.approx(_bits((rounded / alike).round()), rel=0.05)
    assert cost(rounded + found.mean) > 5 * cost(found.weights())


def test_shared_weights_cost_nothing() -> None:
    weights = torch.randn(5, SHAPE.parameters, generator=torch.Generator().manual_seed(8))
    first = shared_size(SHAPE)
    weights[:, :first] = weights[0, :first].half().float()
    own = SHAPE.parameters - first
    found = round_bank(weights, torch.eye(own).double().expand(5, -1, -1), 0.1, first)
    assert (found.integers[:, :first] == 0).all()
    assert torch.equal(found.weights()[:, :first], weights[:, :first])


@pytest.mark.parametrize("limit", [0.003, 0.7, 1.0, 40.0])
def test_coarsest_scale(limit: float) -> None:
    found = coarsest(lambda scale: 2 * scale, 2 * limit)
    assert 0.95 * limit < found <= limit
