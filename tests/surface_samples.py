"""Small surfaces of random networks, for tests of the field and of everything that reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
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


def fitted_surface(
    distance: Callable[[np.ndarray], np.ndarray],
    cells: int = 16,
    reach: float = 1.0,
    width: int = 16,
    layers: int = 2,
    overlap: float = 0.2,
    colour: Callable[[np.ndarray], np.ndarray] | None = None,
    activation: str = "sine",
    modulation: tuple[int, ...] = (),
    code: int = APPEARANCE_CODE,
    seed: int = 0,
) -> NeuralSurface:
    """The zero set of `distance` ([N, 3] world -> [N], a true distance) in the cube from -`reach` to `reach`.

    All cells share random hidden layers; only their output is solved, by least squares at the points of a grid over the
    enlarged cell. The same for `colour` ([N, 3] -> [N, 3] in (0, 1)), where there is one.
    """
    edge = 2 * reach / cells
    every = np.array(list(product(range(cells), repeat=3)))
    centres = -reach + (every + 0.5) * edge
    # the surface touches no cell whose centre is farther than half a diagonal, 0.87 edges
    near = every[np.abs(distance(centres)) < 0.9 * edge]
    near = near[np.argsort(morton_codes(near))]
    side = np.linspace(-1, 1, 7, dtype=np.float32)
    local = np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1).reshape(-1, 3)
    world = -reach + edge * (near[:, None] + 0.5 + 0.5 * (1 + overlap) * local)  # [K, 343, 3]
    geometry = BankShape((1.0,), 0, width, layers, 1, linear=False, activation=activation, modulation=modulation)
    values = distance(world.reshape(-1, 3)).reshape(len(near), -1, 1) / edge
    grid = CellGrid((-reach, -reach, -reach), edge, (cells, cells, cells))
    surface = NeuralSurface(grid, near, overlap, solved_bank(geometry, local, values, seed))
    if colour is None:
        return surface
    looks = BankShape((1.0,), code, width, 1, 3, linear=False, activation=activation, output_activation="tanh")
    wanted = np.arctanh(2 * np.clip(colour(world.reshape(-1, 3)), 0.01, 0.99) - 1).reshape(len(near), -1, 3)
    return replace(surface, appearance=solved_bank(looks, local, wanted, seed + 1))


def solved_bank(shape: BankShape, local: np.ndarray, values: np.ndarray, seed: int) -> MlpBank:
    """Networks [K] whose outputs at `local` [N, 3] are close to `values` [K, N, D], with one random hidden part.

    Its inputs but the position are left out: the code has weights of 0.
    """
    rng = np.random.default_rng(seed)
    first = np.zeros(shape.parameters, np.float32)
    for block in shape.blocks():
        if block.name.startswith("hidden"):
            # small weights span what is smooth: in the cell the features are close to low polynomials
            spread = 0.2 if block.name.endswith("bias") else 0.1 / np.sqrt(block.rows)
            matrix = spread * rng.normal(size=(block.rows, block.columns))
            if block.name == "hidden0" and shape.code:
                matrix[-shape.code :] = 0
            first[block.offset : block.stop] = matrix.ravel()
        elif block.name.startswith("modulation"):
            first[block.offset : block.stop] = 0.02 * rng.normal(size=block.rows * block.columns)
    features = hidden_features(MlpBank(shape, first[None]), local)
    solution = np.linalg.lstsq(features, values.transpose(1, 0, 2).reshape(len(local), -1), rcond=1e-7)[0]
    solution = solution.reshape(shape.width + 1, len(values), shape.outputs).transpose(1, 0, 2)  # [K, W + 1, D]
    weights = np.tile(first, (len(values), 1))
    blocks = {block.name: block for block in shape.blocks()}
    for name, part in (("output", solution[:, :-1]), ("output_bias", solution[:, -1:])):
        weights[:, blocks[name].offset : blocks[name].stop] = part.reshape(len(values), -1)
    return MlpBank(shape, weights)


def hidden_features(bank: MlpBank, local: np.ndarray) -> np.ndarray:
    """[N, W + 1] the last hidden layer of the first network at `local` [N, 3], and ones."""
    shape = replace(bank.shape, outputs=bank.shape.width, output_activation="none")
    last = {block.name: block for block in shape.blocks()}["output"]
    weights = np.zeros((1, shape.parameters), np.float32)
    weights[0, : last.offset] = bank.weights[0, : last.offset]
    weights[0, last.offset : last.stop] = np.eye(shape.width).ravel()
    codes = np.zeros((len(local), shape.code), np.float32)
    hidden = MlpBank(shape, weights).evaluate(np.zeros(len(local), np.int64), local, codes)
    return np.concatenate([hidden, np.ones((len(local), 1), np.float32)], axis=1).astype(np.float64)


def sphere(points: np.ndarray, radius: float = 0.7) -> np.ndarray:
    return np.linalg.norm(points, axis=1) - radius


def torus(points: np.ndarray, ring: float = 0.6, tube: float = 0.25) -> np.ndarray:
    return np.hypot(np.hypot(points[:, 0], points[:, 1]) - ring, points[:, 2]) - tube


def box_surface(half: tuple[float, float, float] = (0.66, 0.5, 0.41), cells: int = 16) -> NeuralSurface:
    """max(|x| - a, |y| - b, |z| - c) in the cube from -1 to 1, exactly, in the cells around the box.

    In a cell the signs s of x, y, z are known or do not matter: with A = s x - a and so on, two relu layers give
    m = A + relu(B - A) and m + relu(C - m). A, m and C pass with `lift` added, so that no relu bends where they are 0.
    """
    edge, overlap = 2 / cells, 0.2
    shape = BankShape((), 0, 8, 2, 1, linear=False, activation="relu")
    every = np.array(list(product(range(cells), repeat=3)))
    centres = -1 + (every + 0.5) * edge
    near = np.abs((np.abs(centres) - half).max(axis=1)) < 0.9 * edge
    cell, centre = every[near], centres[near]
    order = np.argsort(morton_codes(cell))
    cell, centre = cell[order], centre[order]
    signs = np.where(centre < 0, -1.0, 1.0)
    slope = signs * (1 + overlap) / 2  # [K, 3] of A, B, C in cell edges, by local units
    bias = (signs * centre - half) / edge
    weights = np.zeros((len(cell), shape.parameters), np.float32)
    blocks = {b.name: weights[:, b.offset : b.stop].reshape(-1, b.rows, b.columns) for b in shape.blocks()}
    lift = float(cells)  # cell edges: A, B and C are greater than minus that
    for column, axis in enumerate(range(3)):  # A, B - A, C
        blocks["hidden0"][:, axis, column] = slope[:, axis]
        blocks["hidden0_bias"][:, 0, column] = bias[:, axis] + (lift if axis != 1 else 0)
    blocks["hidden0"][:, 0, 1] = -slope[:, 0]
    blocks["hidden0_bias"][:, 0, 1] -= bias[:, 0]
    blocks["hidden1"][:, :3, :2] = np.array([[1, -1], [1, -1], [0, 1]])  # m, C - m
    blocks["output"][:, :2, 0] = 1
    blocks["output_bias"][:, 0, 0] = -lift
    return NeuralSurface(
        CellGrid((-1.0, -1.0, -1.0), edge, (cells, cells, cells)), cell, overlap, MlpBank(shape, weights)
    )


def box(points: np.ndarray, half: tuple[float, float, float] = (0.66, 0.5, 0.41)) -> np.ndarray:
    return (np.abs(points) - half).max(axis=1)
