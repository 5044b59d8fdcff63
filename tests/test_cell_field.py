"""The cells as a field in torch against their numpy twin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fitting.kiloneus.cell_field import CellField, Shared
from fitting.kiloneus.features import shared_size
from fitting.kiloneus.neus_photographs import SceneFrame
from scenes.bank import MlpBank
from scenes.surface import NeuralSurface
from tests.surface_samples import random_surface

FRAME = SceneFrame(np.array([0.3, 0.8, 1.0]), 1.7)


def _sharing(surface: NeuralSurface) -> NeuralSurface:
    """`surface` with the hidden layers of its first network in all of them."""

    def shared(bank: MlpBank) -> MlpBank:
        weights = bank.weights.copy()
        weights[:, : shared_size(bank.shape)] = weights[0, : shared_size(bank.shape)].astype(np.float16)
        return replace(bank, weights=weights)

    assert surface.appearance is not None
    return replace(surface, geometry=shared(surface.geometry), appearance=shared(surface.appearance))


def _field(surface: NeuralSurface, beyond: float = 9.0) -> CellField:
    assert surface.appearance is not None
    banks = [Shared.of(b.shape, torch.from_numpy(b.weights)) for b in (surface.geometry, surface.appearance)]
    return CellField(surface, banks[0], banks[1], FRAME, np.full(surface.grid.size, beyond))


@pytest.mark.parametrize("overlap", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("modulation", [(), (2, 3, 2)])
@pytest.mark.parametrize("appearance", [0, 6])
def test_as_in_numpy(overlap: float, modulation: tuple[int, ...], appearance: int) -> None:
    surface = _sharing(random_surface(overlap=overlap, modulation=modulation, appearance=appearance))
    rng = np.random.default_rng(1)
    low, high = np.asarray(surface.grid.origin) - 0.2, surface.grid.corner + 0.2
    points = rng.uniform(low, high, (500, 3)).astype(np.float32)
    places = surface.grid.places(points)
    points = points[(np.abs(places - np.rint(places)) > 1e-4).all(axis=1)]  # on a face rounding chooses the cell
    inside = surface.sample(points)
    found = _field(surface).geometry(torch.from_numpy(FRAME.box_from_world(points)))
    distance = _field(surface).distance(torch.from_numpy(FRAME.box_from_world(points)))
    assert np.allclose(found.sdf, distance, atol=2e-5)
    there, within = inside.inside, torch.from_numpy(inside.inside)
    assert 0.2 < there.mean() < 0.9
    assert np.allclose(found.sdf[within] * FRAME.half, inside.distance[there], atol=3e-4)
    assert np.allclose(found.sdf[~within] * FRAME.half, 9.0)
    largest = np.abs(inside.gradient[there]).max()
    assert np.allclose(found.gradient[within], inside.gradient[there], atol=2e-4 * largest)
    normals, directions = (rng.normal(size=points.shape).astype(np.float32) for _ in range(2))
    normals, directions = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (normals, directions))
    at = [torch.from_numpy(a) for a in (FRAME.box_from_world(points), normals, directions)]
    colour = _field(surface).colour(*at, torch.zeros(len(points), 0))
    assert np.allclose(colour, surface.colour(points, normals, directions), atol=2e-4)


def test_weights_come_back() -> None:
    surface = _sharing(random_surface())
    bank = surface.geometry
    assert torch.equal(Shared.of(bank.shape, torch.from_numpy(bank.weights)).weights(), torch.from_numpy(bank.weights))


def test_gradient_by_weights() -> None:
    field = _field(_sharing(random_surface()))
    own = field.geometry_bank.own.requires_grad_()
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(2)) * 0.6 - 0.5
    found = field.geometry(points)
    (slope,) = torch.autograd.grad(found.sdf.sum() + found.gradient.square().sum(), own)
    cell = int(slope.abs().sum(dim=1).argmax())
    with torch.no_grad():
        step = torch.zeros_like(own)
        step[cell, 3] = 1e-2

        def value(sign: int) -> float:
            moved = CellField.__new__(CellField)
            moved.__dict__ = dict(field.__dict__)
            moved.geometry_bank = replace(field.geometry_bank, own=own + sign * step)
            there = moved.geometry(points)
            return float(there.sdf.double().sum() + there.gradient.double().square().sum())

        assert (value(1) - value(-1)) / 2e-2 == pytest.approx(float(slope[cell, 3]), rel=2e-2, abs=1e-3)
