"""Neural scenes that a .kilo, and so a resident scene, can hold exactly; seeded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from gaussian_samples import random_neural

from scenes.bank import BankShape, MlpBank
from scenes.kilo_pack import columns_of_weights
from scenes.neural_gaussians import NeuralGaussians, PositionGrid
from scenes.octree import morton_codes


def storable(scene: NeuralGaussians, on_grid: bool, stepped: bool, bits: int = 20) -> NeuralGaussians:
    """`scene` with the nearest positions and weights a .kilo can hold."""
    if on_grid:
        low, high = scene.positions.min(axis=0).astype(float), scene.positions.max(axis=0).astype(float)
        x, y, z = (low - 1e-3).tolist()
        grid = PositionGrid((x, y, z), float((high - low).max()) * 1.01 / (2**bits - 1), bits)
        scene = replace(scene, grid=grid, positions=grid.positions(grid.cells(scene.positions)))
    else:
        scene = replace(scene, positions=scene.positions.astype(np.float16).astype(np.float32))
    weights, shape = scene.bank.weights, scene.bank.shape
    if not stepped:
        return replace(scene, bank=MlpBank(shape, weights.astype(np.float16).astype(np.float32)))
    columns = columns_of_weights(shape)
    largest = [np.abs(weights[:, columns == block]).max(axis=1) for block in range(columns[-1] + 1)]
    steps = (np.stack(largest, axis=1) / 127).astype(np.float32)
    weights = np.rint(weights / steps[:, columns]) * steps[:, columns]
    return replace(scene, bank=MlpBank(shape, weights.astype(np.float32)), weight_steps=steps)


def shell(count: int, networks: int = 2, code: int = 18, degree: int = 1, seed: int = 0) -> NeuralGaussians:
    """What a compressed scene looks like: small Gaussians on a surface, clusters along the Morton order, codes mostly
    near zero and the later dimensions less."""
    rng = np.random.default_rng(seed)
    shape = BankShape((np.pi, 2 * np.pi), code, 16, 1, 7 + 3 * (degree + 1) ** 2)
    scene = random_neural(shape, networks, count, degree, seed)
    directions = rng.normal(size=(count, 3))
    positions = directions / np.linalg.norm(directions, axis=1, keepdims=True) * [0.8, 0.6, 0.4]
    spread = np.geomspace(12, 0.4, code)
    offset, scale = scene.output_offset.copy(), scene.output_scale.copy()
    offset[:4] = 2.0, -4.2, -4.2, -4.2
    scale /= np.sqrt(code * np.square(spread).mean())
    scene = replace(
        scene,
        positions=positions.astype(np.float32),
        codes=np.rint(rng.laplace(0, spread, (count, code))).astype(np.int16),
        output_offset=offset,
        output_scale=scale.astype(np.float32),
    )
    scene = storable(scene, True, True, bits=11)
    assert scene.grid is not None
    order = np.argsort(morton_codes(scene.grid.cells(scene.positions)), kind="stable")
    counts = np.bincount(np.arange(count) * networks // count, minlength=networks).astype(np.int64)
    return replace(scene, positions=scene.positions[order], codes=scene.codes[order], counts=counts)
