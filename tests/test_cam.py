"""Coordinate-aware modulation does what its paper says (arXiv 2311.14993), and its parts obey their laws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from image_regression import chair, fit, network
from kilo_scenes import random_scene

from fitting.torch_bank import initial_weights
from scenes.bank import MODULATION_GAIN, BankShape, interpolate, modulate
from scenes.kilo import pack_kilo, read_manifest, write_kilo

FREQUENCIES = tuple(float(np.pi) * 2.0**k for k in range(4))


def test_modulation_gains_at_equal_parameters(data: Path) -> None:
    """A picture, in three seeds each: the paper's table has 30.3 dB without and 32.2 dB with it."""
    picture = chair(data)
    plain, modulated = network(FREQUENCIES, 32, "tanh"), network(FREQUENCIES, 24, "tanh", (12, 12, 1))
    assert 0.9 * plain.parameters < modulated.parameters <= plain.parameters
    without = [fit(plain, picture, seed) for seed in range(3)]
    found = [fit(modulated, picture, seed) for seed in range(3)]
    assert np.mean(found, axis=0)[0] > np.mean(without, axis=0)[0] + 2
    assert min(found)[0] > max(without)[0] + 1
    assert max(exact - rounded for exact, rounded in found) < 0.1  # 8-bit weights and grids lose almost nothing


def test_a_fresh_modulation_only_normalises() -> None:
    shape = BankShape((), 0, 8, 2, 3, linear=False, modulation=(3, 4, 5))
    weights = initial_weights(shape, 1, torch.Generator().manual_seed(0)).numpy()[0]
    grids = [b for b in shape.blocks() if b.name.startswith("modulation")]
    assert [(b.rows, b.columns) for b in grids] == [(60, 2)] * 2
    grid = weights[grids[1].offset : grids[1].stop].reshape(60, 2)
    rng = np.random.default_rng(0)
    features = rng.normal(3, 2, (20, 8)).astype(np.float32)
    found = modulate(features, grid, rng.uniform(-1, 1, (20, 3)).astype(np.float32), shape.modulation)
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(axis=1), 1, atol=1e-5)


def test_gamma_and_beta_are_the_layers_deviation_and_mean() -> None:
    """A law: whatever the features, what comes out has standard deviation |gamma| and mean beta."""
    rng = np.random.default_rng(1)
    grid = rng.normal(0, 0.1, (1, 2)).astype(np.float32)
    features = rng.normal(0, 5, (50, 16)).astype(np.float32)
    found = modulate(features, grid, np.zeros((50, 3), np.float32), (1, 1, 1))
    np.testing.assert_allclose(found.std(axis=1), abs(1 + MODULATION_GAIN * grid[0, 0]), rtol=1e-4)
    np.testing.assert_allclose(found.mean(axis=1), MODULATION_GAIN * grid[0, 1], atol=1e-5)


@pytest.mark.parametrize("sides", [(2, 2, 2), (5, 3, 4), (7, 1, 2), (1, 1, 1)])
def test_interpolation_is_exact_for_what_is_linear_along_each_axis(sides: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(2)
    nodes = np.meshgrid(*(np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in sides), indexing="ij")
    a, b, c = (float(v) if n > 1 else 0.0 for v, n in zip(rng.normal(size=3), sides, strict=True))

    def trilinear(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return (1 + a * x) * (2 + b * y) * (3 + c * z)

    local = rng.uniform(-1, 1, (100, 3)).astype(np.float32)
    found = interpolate(trilinear(*nodes)[..., None].astype(np.float32), local)
    np.testing.assert_allclose(found[:, 0], trilinear(*local.T), rtol=1e-5, atol=1e-5)


def test_beyond_the_box_the_grid_goes_on_as_at_its_side() -> None:
    grid = np.random.default_rng(3).normal(size=(4, 4, 4, 2)).astype(np.float32)
    local = np.array([[1.5, 0.2, -7.0], [1.0, 0.2, -1.0], [-3.0, 9.0, 1.0], [-1.0, 1.0, 1.0]], np.float32)
    found = interpolate(grid, local)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[2:], np.stack([grid[0, 3, 3]] * 2))


@pytest.mark.parametrize("sides", [(0, 2, 2), (2, 33, 2), (2, 2)])
def test_sides_that_make_no_grid_are_refused(sides: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected modulation by 1 to 32 points on 3 axes"):
        BankShape((), 4, 8, 1, 3, modulation=sides)


def test_nothing_to_modulate_is_refused() -> None:
    with pytest.raises(ValueError, match="expected hidden layers to modulate"):
        BankShape((), 4, 8, 0, 3, modulation=(2, 2, 2))


def test_the_manifest_names_it_only_where_it_is_used(tmp_path: Path) -> None:
    write_kilo(tmp_path / "plain.kilo", random_scene())
    plain = read_manifest(tmp_path / "plain.kilo")
    assert "requires" not in plain
    assert "modulation" not in plain["bank"]
    (tmp_path / "modulated.kilo").write_bytes(pack_kilo(random_scene(modulation=(4, 4, 2))))
    modulated = read_manifest(tmp_path / "modulated.kilo")
    assert modulated["requires"] == ["modulation"]
    assert modulated["bank"]["modulation"] == [4, 4, 2]
