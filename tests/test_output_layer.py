"""Derivatives by output layers alone, against differentiation."""

from __future__ import annotations

import pytest
import torch

from fitting.kiloneus.distil import AppearanceProblem, GeometryProblem
from fitting.kiloneus.output_layer import shared_size
from scenes.bank import BankShape

GEOMETRY = [
    BankShape((), 0, 8, 1, 1, False, "sine"),
    BankShape((1.5,), 0, 12, 2, 1, False, "softplus"),
    BankShape((), 0, 8, 2, 1, False, "sine", modulation=(3, 2, 3)),
]
APPEARANCE = [
    BankShape((2.0,), 0, 8, 1, 3, False, "sine", "tanh"),
    BankShape((2.0,), 6, 12, 1, 3, False, "sine", "tanh"),
    BankShape((), 6, 8, 2, 3, False, "tanh", "none", (2, 2, 2)),
]
CELLS, PLACES = 3, 20


def _weights(shape: BankShape) -> torch.Tensor:
    return 0.4 * torch.randn(CELLS, shape.parameters, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def _numbers(*size: int) -> torch.Tensor:
    return 2 * torch.rand(*size, generator=torch.Generator().manual_seed(len(size)), dtype=torch.float64) - 1


def _check(problem: GeometryProblem | AppearanceProblem) -> None:
    """All derivatives, of which those by the output layer are the last columns; residuals without the pull's."""
    weights, first = _weights(problem.shape), shared_size(problem.shape)
    pull = problem.shape.parameters
    every = problem.jacobian(weights, slice(0, 3))
    problem.moving = first
    found = problem.jacobian(weights, slice(0, 3))
    own = pull - first
    torch.testing.assert_close(found[:, :-own], every[:, :-pull, first:])
    torch.testing.assert_close(found[:, -own:], every[:, -own:, first:])


@pytest.mark.parametrize("shape", GEOMETRY, ids=str)
def test_of_distances_and_gradients(shape: BankShape) -> None:
    local, importance = _numbers(CELLS, PLACES, 3), _numbers(CELLS, PLACES).abs()
    target = _numbers(CELLS, PLACES, 4)
    _check(GeometryProblem(shape, local, target, importance, 0.2, 15, 0, torch.arange(15)))


@pytest.mark.parametrize("shape", APPEARANCE, ids=str)
def test_of_colours(shape: BankShape) -> None:
    inputs, importance = _numbers(CELLS, PLACES, 3 + shape.code), _numbers(CELLS, PLACES).abs()
    target = _numbers(CELLS, PLACES, 3)
    _check(AppearanceProblem(shape, inputs, target, importance, 15, 0, torch.arange(15)))
