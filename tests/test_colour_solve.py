"""Colours solved from photographs: the sparse map against a dense one, conjugate gradients, rays against the tracer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fitting.kiloneus.cast import Caster
from fitting.kiloneus.cell_field import CellField, Shared
from fitting.kiloneus.colour_solve import conjugate_gradients
from fitting.kiloneus.neus_photographs import SceneFrame
from fitting.kiloneus.sightings import Sightings
from fitting.kiloneus.volume import Rays
from tests.surface_samples import fitted_surface, sphere

CELLS, PIXELS, FEATURES = 5, 12, 4


@pytest.fixture
def sight() -> Sightings:
    rng = np.random.default_rng(0)
    network = torch.from_numpy(rng.integers(0, CELLS - 1, 60))  # the last cell is seen by nobody
    features = torch.from_numpy(rng.normal(size=(60, FEATURES - 1)).astype(np.float32))
    share = torch.from_numpy(rng.uniform(0.1, 1, 60).astype(np.float32))
    return Sightings.of(features, share, torch.from_numpy(rng.integers(0, PIXELS, 60)), network, CELLS, PIXELS)


def _dense(sight: Sightings) -> np.ndarray:
    """[n, K * F] an entry's features in the columns of its cell."""
    cells = np.repeat(np.arange(CELLS), np.diff(sight.starts))
    found = np.zeros((len(cells), CELLS, FEATURES))
    found[np.arange(len(cells)), cells] = sight.features
    return found.reshape(len(cells), -1)


def test_the_map_and_its_transpose(sight: Sightings) -> None:
    rng, dense = np.random.default_rng(1), _dense(sight)
    weights = rng.normal(size=(CELLS, FEATURES, 3)).astype(np.float32)
    values = rng.normal(size=(60, 3)).astype(np.float32)
    assert np.allclose(sight.outputs(weights), dense @ weights.reshape(-1, 3), atol=1e-5)
    assert np.allclose(sight.transposed(values).reshape(-1, 3), dense.T @ values, atol=1e-4)
    pixels = np.zeros((PIXELS, 60))
    pixels[sight.pixels, np.arange(60)] = 1
    assert np.allclose(sight.summed(values), pixels @ values, atol=1e-5)
    squares = np.square(values)
    blocks = sight.blocks(squares)
    for channel in range(3):
        whole = (dense.T * squares[:, channel]) @ dense
        for cell in range(CELLS):
            mine = slice(cell * FEATURES, (cell + 1) * FEATURES)
            assert np.allclose(blocks[cell, channel], whole[mine, mine], atol=1e-4)


def test_conjugate_gradients_solve() -> None:
    rng = np.random.default_rng(2)
    root = rng.normal(size=(8, 8))
    matrix = (root @ root.T + 0.5 * np.eye(8)).astype(np.float32)
    right = rng.normal(size=(8, 1)).astype(np.float32)
    diagonal = np.diag(matrix)[:, None]
    found = conjugate_gradients(lambda x: matrix @ x, lambda x: (x / diagonal).astype(np.float32), right, 30)
    assert np.allclose(found, np.linalg.solve(matrix, right), rtol=1e-2, atol=1e-3)


def test_rays_meet_a_sphere() -> None:
    surface = fitted_surface(sphere, cells=8, layers=1, width=24, colour=lambda p: 0.5 + 0.4 * np.sin(3 * p))
    assert surface.appearance is not None
    banks = [Shared.of(b.shape, torch.from_numpy(b.weights)) for b in (surface.geometry, surface.appearance)]
    frame = SceneFrame(np.zeros(3), 1.1)
    places = np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    middles = surface.grid.edge * (places + 0.5) - 1
    beyond = sphere(middles).reshape(8, 8, 8)
    field = CellField(surface, banks[0], banks[1], frame, beyond)
    caster = Caster.of(field, np.ones((48, 48, 48), bool), 0.01)
    rng = np.random.default_rng(3)
    origins = rng.normal(size=(400, 3))
    origins *= 1.4 / np.linalg.norm(origins, axis=1, keepdims=True)
    directions = rng.uniform(-0.9, 0.9, (400, 3)) - origins
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    rays = Rays(*(torch.from_numpy(a.astype(np.float32)) for a in (origins / 1.1, directions)))
    hits = caster.cast(rays)
    along = -(origins * directions).sum(axis=1)
    nearest = np.linalg.norm(origins + along[:, None] * directions, axis=1)
    found = np.zeros(400, bool)
    found[hits.rays.numpy()] = True
    clear = np.abs(nearest - 0.7) > 0.01  # not grazing
    assert (found == (nearest < 0.7))[clear].all()
    points = hits.points.numpy() * 1.1
    assert np.abs(np.linalg.norm(points, axis=1) - 0.7).max() < 3e-3
    normals = points / np.linalg.norm(points, axis=1, keepdims=True)
    assert np.degrees(np.arccos(np.clip((normals * hits.normals.numpy()).sum(axis=1), -1, 1))).mean() < 1
    colours = field.colour(hits.points, hits.normals, hits.directions, hits.points[:, :0]).numpy()
    assert np.abs(colours - (0.5 + 0.4 * np.sin(3 * points))).max() < 0.05
