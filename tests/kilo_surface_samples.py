"""Small surfaces a .kilo can hold, with and without integer weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from scenes.bank import BankShape, MlpBank
from scenes.kilo_surface import coded_weights
from scenes.surface import NeuralSurface, WeightCoding
from tests.surface_samples import random_bank, random_surface

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no overlap": {"overlap": 0.0},
    "no appearance": {"appearance": None},
    "colour for every direction": {"appearance": 0},
    "modulated": {"modulation": (3, 1, 2)},
    "one cell": {"size": (1, 1, 1), "missing": 0},
    "four cells": {"size": (2, 2, 1), "missing": 0},
    "a long grid": {"size": (2, 9, 1), "missing": 4, "overlap": 0.5},
}


def sample(
    variant: str = "plain", stepped: bool = True, centred: bool = True, spread: float = 10, uneven: bool = False
) -> NeuralSurface:
    """A random surface that comes back as it is; with `stepped`, weights are integers of about `spread`.

    `uneven` ones are large and small within each block, and each has a step of its own.
    """
    surface = random_surface(**VARIANTS[variant])
    parts: dict[str, Any] = {}
    for seed, name in enumerate(("geometry", "appearance")):
        bank = getattr(surface, name)
        if bank is not None and stepped:
            parts[name], parts[f"{name}_coding"] = coded(bank, centred, spread, seed, uneven)
        elif bank is not None:
            parts[name] = replace(bank, weights=bank.weights.astype(np.float16).astype(np.float32))
    return replace(surface, **parts)


def tiny() -> NeuralSurface:
    """Everything a file can have, in few bytes."""
    surface, parts = random_surface(**VARIANTS["four cells"]), {}
    for seed, (name, shape) in enumerate(
        {
            "geometry": BankShape((), 0, 4, 1, 1, linear=False, activation="sine"),
            "appearance": BankShape((), 0, 4, 1, 3, linear=False, output_activation="tanh"),
        }.items()
    ):
        parts[name], parts[f"{name}_coding"] = coded(random_bank(shape, 4, seed), True, 10, seed)
    return replace(surface, **parts)


def coded(bank: MlpBank, centred: bool, spread: float, seed: int, uneven: bool = False) -> tuple[MlpBank, WeightCoding]:
    """`bank` with random weights that are integers of a random coding."""
    rng, shape = np.random.default_rng(seed), bank.shape
    mean = rng.normal(0, 0.3, shape.parameters).astype(np.float32) * centred
    count = shape.parameters if uneven else len(shape.blocks())
    coding = WeightCoding(mean, rng.uniform(0.002, 0.01, count).astype(np.float32))
    sizes = np.where(np.arange(shape.parameters) % 2, 0.1, 1.5) if uneven else 1
    integers = np.rint(rng.laplace(0, spread, bank.weights.shape) * sizes).astype(np.int64)
    return MlpBank(shape, coded_weights(integers, coding, shape)), coding


def part_of(surface: NeuralSurface, rows: np.ndarray) -> NeuralSurface:
    """The surface of some of the cells."""
    assert surface.appearance is not None
    geometry = replace(surface.geometry, weights=surface.geometry.weights[rows])
    appearance = replace(surface.appearance, weights=surface.appearance.weights[rows])
    return replace(surface, cells=surface.cells[rows], geometry=geometry, appearance=appearance)


def assert_same(found: NeuralSurface, expected: NeuralSurface) -> None:
    """Equal bit for bit."""
    assert (found.grid, found.overlap) == (expected.grid, expected.overlap)
    assert np.array_equal(found.cells, expected.cells)
    for name in ("geometry", "appearance"):
        a, b = getattr(found, name), getattr(expected, name)
        assert (a is None) == (b is None), name
        if a is not None:
            assert a.shape == b.shape
            assert a.weights.dtype == b.weights.dtype == np.float32
            assert np.array_equal(a.weights, b.weights), name
        a, b = getattr(found, f"{name}_coding"), getattr(expected, f"{name}_coding")
        assert (a is None) == (b is None), name
        if a is not None:
            assert np.array_equal(a.mean, b.mean)
            assert np.array_equal(a.steps, b.steps)
