"""Small random scenes for the tests of .kilo files."""

from __future__ import annotations

import numpy as np

from scenes.bank import BankShape, MlpBank
from scenes.kilo_pack import columns_of_weights
from scenes.neural_gaussians import AttributeLayout, NeuralGaussians, PositionGrid
from scenes.octree import morton_codes


def random_scene(
    count: int = 400,
    networks: int = 3,
    code: int = 4,
    layers: int = 1,
    degree: int = 1,
    on_grid: bool = True,
    stepped: bool = True,
    activation: str = "tanh",
    modulation: tuple[int, ...] = (),
    seed: int = 0,
) -> NeuralGaussians:
    """Clusters are ranges of the Morton order; every number is one a file can hold."""
    rng = np.random.default_rng(seed)
    outputs = AttributeLayout(degree).outputs
    shape = BankShape(
        (1.0, 2.5), code, 8, layers, outputs, linear=code > 0, activation=activation, modulation=modulation
    )
    grid = PositionGrid((-1.0, -2.0, -3.0), 0.0041, 9)
    cells = np.clip(rng.normal(256, 40, (count, 3)), 0, 511).astype(np.uint32)
    cells = cells[np.argsort(morton_codes(cells), kind="stable")]
    steps = rng.uniform(0.005, 0.02, (networks, len(shape.blocks()))).astype(np.float32)
    integers = np.clip(np.rint(rng.laplace(0, 12, (networks, shape.parameters))), -127, 127).astype(np.float32)
    weights = integers * steps[:, columns_of_weights(shape)]
    cuts = np.sort(rng.integers(0, count + 1, networks - 1))
    return NeuralGaussians(
        positions=grid.positions(cells)
        if on_grid
        else rng.normal(size=(count, 3)).astype(np.float16).astype(np.float32),
        codes=np.rint(rng.laplace(0, 3, (count, code))).astype(np.int16),
        counts=np.diff(np.concatenate([[0], cuts, [count]])).astype(np.int64),
        boxes=np.stack([rng.normal(size=(networks, 3)), rng.uniform(1, 2, (networks, 3))], axis=1).astype(np.float32),
        bank=MlpBank(shape, weights if stepped else weights.astype(np.float16).astype(np.float32)),
        output_offset=rng.normal(size=outputs).astype(np.float16).astype(np.float32),
        output_scale=rng.uniform(0.5, 1, outputs).astype(np.float32),
        sh_degree=degree,
        grid=grid if on_grid else None,
        weight_steps=steps if stepped else None,
    )


def assert_same(found: NeuralGaussians, expected: NeuralGaussians) -> None:
    """Equal bit for bit."""
    for name in ("positions", "codes", "counts", "boxes", "output_offset", "output_scale", "weight_steps"):
        a, b = getattr(found, name), getattr(expected, name)
        assert (a is None) == (b is None), name
        assert a is None or (a.dtype == b.dtype and np.array_equal(a, b)), name
    assert np.array_equal(found.bank.weights, expected.bank.weights)
    assert found.bank.shape == expected.bank.shape
    for name in ("grid", "sh_degree", "antialiased"):
        assert getattr(found, name) == getattr(expected, name), name
