"""The field of a neural surface: blending without seams, gradients, colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scenes.bank_gradient import evaluate_with_gradient
from scenes.surface import EMPTY, NeuralSurface, blend_share
from tests.surface_samples import geometry_shape, plane_surface, random_bank, random_surface

STEP = 1e-3


def _points(surface: NeuralSurface, count: int, seed: int = 0) -> np.ndarray:
    low, high = np.asarray(surface.grid.origin), surface.grid.corner
    return np.random.default_rng(seed).uniform(low, high, (count, 3)).astype(np.float32)


def _numeric(function, points: np.ndarray, step: float = STEP) -> np.ndarray:
    """[N, 3, ...] central differences."""
    sides = [(function(points + step * axis) - function(points - step * axis)) for axis in np.eye(3, dtype=np.float32)]
    return np.stack(sides, axis=1) / (2 * step)


@pytest.mark.parametrize("activation", ["sine", "tanh", "softplus"])
@pytest.mark.parametrize("modulation", [(), (3, 2, 4)])
def test_derivatives_of_networks(activation: str, modulation: tuple[int, ...]) -> None:
    bank = random_bank(geometry_shape(modulation, activation), 3, seed=1, spread=0.3)
    local = np.random.default_rng(2).uniform(-0.95, 0.95, (60, 3)).astype(np.float32)
    network = np.arange(60) % 3
    codes = np.zeros((60, 0), np.float32)
    values, slopes = evaluate_with_gradient(bank, network, local)
    assert np.allclose(values, bank.evaluate(network, local, codes), atol=1e-4)
    exact = bank_in_double(bank)
    numeric = _numeric(lambda at: exact(network, at), local.astype(np.float64), 1e-5)
    assert np.abs(slopes - numeric).max() < 2e-3 * np.abs(numeric).max()


def bank_in_double(bank):
    """The bank evaluated in double precision, so that differences have digits left."""
    double = replace(bank, weights=bank.weights.astype(np.float64))

    def evaluate(network, local):
        parts = [double._evaluate_one(int(k), local[i : i + 1], np.zeros((1, 0))) for i, k in enumerate(network)]
        return np.concatenate(parts)

    return evaluate


@pytest.mark.parametrize("overlap", [0.0, 0.1, 0.3, 0.5])
def test_gradient_is_that_of_the_blend(overlap: float) -> None:
    surface = random_surface(overlap=overlap)
    points = _points(surface, 400)
    places = surface.grid.places(points)
    # differences must not straddle a face without overlap, nor the edge of what exists
    points = points[(np.abs(places - np.rint(places)) > 0.01).all(axis=1)]
    sample = surface.sample(points)
    numeric = _numeric(lambda at: surface.sample(at.astype(np.float32)).distance, points)
    wrong = np.abs(sample.gradient - numeric).max(axis=1)[sample.inside]
    assert sample.inside.sum() > 200
    assert wrong.max() < 0.02 * np.abs(numeric[sample.inside]).max()


def test_nothing_jumps_at_a_face() -> None:
    surface = random_surface(missing=0, overlap=0.2)
    points = _points(surface, 500, seed=3)
    axis = np.random.default_rng(4).integers(0, 3, len(points))
    edge, origin = surface.grid.edge, np.asarray(surface.grid.origin)
    for i, a in enumerate(axis):  # onto the face between two cells
        points[i, a] = origin[a] + edge * (1 + i % 2)
    step = np.zeros_like(points)
    step[np.arange(len(points)), axis] = 1e-4 * edge
    codes = np.tile(np.array([0, 0, 1], np.float32), (len(points), 1))
    before, after = surface.sample(points - step), surface.sample(points + step)
    assert before.inside.all()
    assert after.inside.all()
    slope = (before.gradient * 2 * step).sum(axis=1)
    assert np.abs(after.distance - before.distance - slope).max() < 1e-4 * edge
    assert np.abs(before.gradient - after.gradient).max() < 0.01 * np.abs(before.gradient).max()
    colours = [surface.colour(at, codes, codes) for at in (points - step, points + step)]
    assert np.abs(colours[0] - colours[1]).max() < 5e-3
    seams = replace(surface, overlap=0.0)
    jump = np.abs(seams.sample(points - step).distance - seams.sample(points + step).distance)
    assert np.median(jump) > 0.05 * edge  # these networks agree on nothing


def test_a_plane_is_a_plane() -> None:
    surface = plane_surface()
    points = _points(surface, 2000, seed=5)
    sample = surface.sample(points)
    expected = points @ np.array([0.36, 0.48, 0.8], np.float32) - 0.1
    assert 0.1 < sample.inside.mean() < 0.9
    assert np.abs(sample.distance - expected)[sample.inside].max() < 1e-5
    assert np.abs(sample.gradient - [0.36, 0.48, 0.8])[sample.inside].max() < 1e-4
    assert sample.evaluations[sample.inside].min() == 1
    assert (sample.evaluations[~sample.inside] == 0).all()


def test_shares_meet_on_the_face() -> None:
    share, slope = blend_share(np.linspace(0, 1, 1001, dtype=np.float32), 0.2)
    assert share[0] == 0
    assert share[-1] == pytest.approx(0.5, abs=1e-6)
    assert slope[0] == 0
    assert slope[-1] == pytest.approx(np.gradient(share, 0.001)[-1], rel=0.01)


def test_places_without_a_cell() -> None:
    surface = random_surface()
    far = np.array([[9.0, 0, 0], [-9, -9, -9], [0, 0, 1e9]], np.float32)
    assert not surface.sample(far).inside.any()
    assert np.array_equal(surface.colour(far, far, far), np.full((3, 3), 0.5, np.float32))
    assert (surface.networks == EMPTY).sum() == 3


def test_wrong_parts_are_refused() -> None:
    surface = random_surface()
    with pytest.raises(ValueError, match="as many networks as cells"):
        replace(surface, cells=surface.cells[:-1])
    with pytest.raises(ValueError, match="overlap"):
        replace(surface, overlap=0.6)
    with pytest.raises(ValueError, match="cells within"):
        replace(surface, cells=surface.cells + 1)
