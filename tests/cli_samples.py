"""Small scenes on disk, and the command line as a function, for the tests of the commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from typer.testing import CliRunner, Result

from cli import app
from scenes.bank import BankShape, MlpBank
from scenes.cameras import Camera, look_at
from scenes.gaussians import Gaussians
from scenes.neural_gaussians import AttributeLayout, NeuralGaussians, PositionGrid


def kilofield(*arguments: str | Path) -> Result:
    """The command line run in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments])


def sample_gaussians(count: int = 60, sh_degree: int = 1, seed: int = 0) -> Gaussians:
    """A ball of soft coloured blobs of radius 1 around the origin."""
    random = np.random.default_rng(seed)
    positions = random.normal(size=(count, 3))
    positions *= random.random((count, 1)) ** (1 / 3) / np.linalg.norm(positions, axis=1, keepdims=True)
    arrays = (
        positions,
        random.uniform(-2.5, -1.5, (count, 3)),
        random.normal(size=(count, 4)),
        random.uniform(-1, 3, count),
        random.uniform(-1, 1, (count, (sh_degree + 1) ** 2, 3)) * 0.5,
    )
    positions, log_scales, rotations, opacity_logits, sh = (a.astype(np.float32) for a in arrays)
    return Gaussians(positions, log_scales, rotations, opacity_logits, sh)


def sample_neural(count: int = 48, clusters: int = 2, seed: int = 0) -> NeuralGaussians:
    """Gaussians with codes of 4 and no hidden layers, on a grid."""
    random = np.random.default_rng(seed)
    outputs = AttributeLayout(0).outputs
    shape = BankShape(frequencies=(), code=4, width=0, layers=0, outputs=outputs)
    steps = np.full((clusters, len(shape.blocks())), 0.01, np.float32)
    weights = (random.integers(-60, 60, (clusters, shape.parameters)) * np.float32(0.01)).astype(np.float32)
    grid = PositionGrid((-1.0, -1.0, -1.0), 2 / 255, 8)
    return NeuralGaussians(
        positions=grid.positions(random.integers(0, 256, (count, 3))),
        codes=random.integers(-5, 6, (count, 4)).astype(np.int16),
        counts=np.full(clusters, count // clusters, np.int64),
        boxes=np.tile(np.array([[0, 0, 0], [1, 1, 1]], np.float32), (clusters, 1, 1)),
        bank=MlpBank(shape, weights),
        output_offset=np.array([1, -2, -2, -2] + [0] * (outputs - 4), np.float32),
        output_scale=np.full(outputs, 0.1, np.float32),
        sh_degree=0,
        grid=grid,
        weight_steps=steps,
    )


def sample_cameras(names: Sequence[str] = ("", "")) -> list[Camera]:
    """Cameras on a circle around the origin."""
    angles = 2 * np.pi * np.arange(len(names)) / len(names)
    eyes = [np.array([3 * np.cos(a), -0.5, 3 * np.sin(a)]) for a in angles]
    up = np.array([0.0, -1.0, 0.0])
    return [look_at(eye, np.zeros(3), up, 0.8, name) for eye, name in zip(eyes, names, strict=True)]
