"""The face loss: places on both sides of faces, a sum that falls, and smaller jumps where nothing is blended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from kiloneus_samples import Ball

from benchmarks.surface_quality import Seams, seams
from fitting.checkpoint import Checkpoint
from fitting.kiloneus import options as options_module
from fitting.kiloneus.cells import draw_places, grid_around, occupied_cells, world_points
from fitting.kiloneus.distil import GeometryProblem
from fitting.kiloneus.faces import FacedGeometry, face_places
from fitting.kiloneus.fit import Say, SurfaceFit
from fitting.kiloneus.levenberg import LEAST, State, iterate
from fitting.kiloneus.options import Choices, Effort, SurfaceOptions
from scenes.bank import BankShape
from scenes.errors import KilofieldError

BALL = Ball()
CELLS = 5
TINY = Effort(CELLS, 8, 8, 3, 2, 3, 128, 96, 2e-3)


def faced(overlap: float, weight: float) -> FacedGeometry:
    grid = grid_around(BALL.bounds, CELLS)
    cells = occupied_cells(BALL, grid, overlap)
    places = draw_places(BALL, grid, cells, overlap, 128, 0)
    within = GeometryProblem.of(BankShape((), 0, 8, 1, 1, linear=False, activation="sine"), places, overlap, 96)
    return FacedGeometry.of_places(within, BALL, grid, cells, weight, 0)


def test_both_sides_have_the_same_places() -> None:
    grid = grid_around(BALL.bounds, CELLS)
    cells = occupied_cells(BALL, grid, 0.2)
    local, partner = face_places(grid, cells, 3)
    points = world_points(grid, cells[:, None] + 0.5 + 0.5 * local).reshape(-1, 3)
    other = partner.ravel()
    np.testing.assert_allclose(points[other], points, atol=1e-6)
    np.testing.assert_array_equal(other[other], np.arange(len(other)))
    own = np.repeat(np.arange(len(cells)), local.shape[1])
    met = other != np.arange(len(other))
    apart = np.abs(cells[own] - cells[own[other]]).sum(axis=1)
    np.testing.assert_array_equal(apart, met)
    among = {tuple(cell) for cell in cells}
    pairs = sum(tuple(cell + step) in among for cell in cells for step in np.eye(3, dtype=int))
    assert met.sum() == 2 * pairs * local.shape[1] / 6
    assert (np.abs(local).max(axis=2) == 1).all()


def _loss(problem: FacedGeometry, weights: torch.Tensor) -> float:
    """What is minimised, straight from its definition, over the places drawn."""
    own = GeometryProblem.residuals(problem, weights, slice(None))
    across, partner = problem.across, problem.partner
    assert across is not None
    assert partner is not None
    said = across.found(weights, slice(None))
    jump = across.importance[..., None] * (said - said.flatten(0, 1)[partner])
    return float(own.square().sum() + 0.25 * jump.square().sum())  # importance has root 2; each face counts twice


@pytest.mark.parametrize("overlap", [0.0, 0.2])
def test_the_loss_falls_with_every_iteration(overlap: float) -> None:
    problem = faced(overlap, 10.0)
    start = 0.3 * torch.randn(1, problem.shape.parameters, generator=torch.Generator().manual_seed(1))
    state = State.start(start.repeat(len(problem.local), 1), LEAST)
    iterate(problem, state, 0)
    losses = []
    for _ in range(5):
        problem.met = None
        losses.append(_loss(problem, state.weights))
        problem.meet(state.weights)
        state.iteration = 0  # the same places again
        iterate(problem, state, 0)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]


def _seams(monkeypatch: pytest.MonkeyPatch, **choices: Any) -> Seams:
    monkeypatch.setitem(options_module.EFFORTS, "draft", TINY)
    options = SurfaceOptions("draft", choices=Choices(**choices))
    fit = SurfaceFit(BALL, BALL.bounds, options, Checkpoint(Path(), "", kept=False), {}, Say(None), None, (0.0, 1.0))
    return seams(fit.fit().surface, 500, 0)


def test_without_blending_cells_meet_better(monkeypatch: pytest.MonkeyPatch) -> None:
    without, asked = _seams(monkeypatch, overlap=0.0), _seams(monkeypatch, overlap=0.0, face_loss=10.0)
    assert asked.normal < 0.7 * without.normal
    assert asked.normal_999 < without.normal_999
    assert asked.distance < 0.7 * without.distance


def test_a_wrong_weight_is_refused() -> None:
    for wrong in (-1.0, 1001.0, float("nan")):
        with pytest.raises(KilofieldError, match=r"--face-loss: expected 0 to 1,000, found"):
            SurfaceOptions(choices=Choices(face_loss=wrong))
