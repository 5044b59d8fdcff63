"""Small surfaces of random networks, for tests of the field and of everything that reads it."""

from __future__ import annotations

from itertools import product

import numpy as np

from scenes.bank import BankShape, MlpBank
from scenes.octree import morton_codes
from scenes.surface import APPEARANCE_CODE, CellGrid, NeuralSurface


def geometry_shape(modulation: tuple[int, ...] = (), activation: str = "sine") -> BankShape:
    return BankShape((1.5,), 0, 8, 2, 1, linear=False, activation=activation, modulation=modulation)


def appearance_shape(code: int = APPEARANCE_CODE) -> BankShape:
    return BankShape((2.0,), code, 8, 1, 3, linear=False, activation="sine", output_activation="tanh")


def random_bank(shape: BankShape, networks: int, seed: int, spread: float = 0.4) -> MlpBank:
    rng = np.random.default_rng(seed)
    return MlpBank(shape, (spread * rng.normal(size=(networks, shape.parameters))).astype(np.float32))


def random_surface(
    size: tuple[int, int, int] = (3, 3, 3),
    overlap: float = 0.2,
    missing: int = 3,
    seed: int = 0,
    appearance: int | None = APPEARANCE_CODE,
    modulation: tuple[int, ...] = (),
) -> NeuralSurface:
    """Networks that agree on nothing, in all cells but `missing` ones: the hardest case for blending."""
    cells = np.array(list(product(*map(range, size))))
    kept = np.random.default_rng(seed).permutation(len(cells))[missing:]
    cells = cells[kept][np.argsort(morton_codes(cells[kept]))]
    return NeuralSurface(
        grid=CellGrid((-0.4, 0.1, 0.3), 0.5, size),
        cells=cells,
        overlap=overlap,
        geometry=random_bank(geometry_shape(modulation), len(cells), seed + 1),
        appearance=None if appearance is None else random_bank(appearance_shape(appearance), len(cells), seed + 2),
    )


def plane_surface(
    normal: tuple[float, float, float] = (0.36, 0.48, 0.8), offset: float = 0.1, edge: float = 0.25, cells: int = 8
) -> NeuralSurface:
    """The half space normal . x < offset of the cube from -1 to 1, exactly: networks of no layer but a linear one.

    A relu layer of x, y, z and their negatives passes the position on, so that the output is affine.
    """
    shape = BankShape((), 0, 8, 1, 1, linear=False, activation="relu")
    every = np.array(list(product(range(cells), repeat=3)))
    centres = -1 + (every + 0.5) * edge
    distance = centres @ normal - offset
    near = np.abs(distance) < edge * np.sqrt(3)
    every, distance = every[near], distance[near]
    order = np.argsort(morton_codes(every))
    overlap = 0.2
    weights = np.zeros((len(every), shape.parameters), np.float32)
    blocks = {block.name: block for block in shape.blocks()}
    hidden = np.zeros((3, 8), np.float32)
    hidden[:, :3], hidden[:, 3:6] = np.eye(3), -np.eye(3)
    slope = np.asarray(normal) * (1 + overlap) / 2  # local units to cell edges
    output = np.concatenate([slope, -slope, [0, 0]])
    for name, values in (("hidden0", hidden.ravel()), ("output", output)):
        weights[:, blocks[name].offset : blocks[name].stop] = values
    weights[:, blocks["output_bias"].offset] = distance[order] / edge
    return NeuralSurface(
        CellGrid((-1.0, -1.0, -1.0), edge, (cells, cells, cells)), every[order], overlap, MlpBank(shape, weights)
    )
