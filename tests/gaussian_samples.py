"""Random Gaussians, cameras and neural scenes for the tests of the OpenGL renderer; seeded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scenes.bank import BankShape, MlpBank
from scenes.cameras import Camera, look_at
from scenes.gaussians import Gaussians
from scenes.neural_gaussians import NeuralGaussians


def random_gaussians(count: int, seed: int, sh_degree: int = 3, antialiased: bool = False) -> Gaussians:
    """A cloud in the unit ball: thin and fat, faint and opaque, with strong view dependence."""
    rng = np.random.default_rng(seed)
    sh = rng.normal(0, 0.3, (count, (sh_degree + 1) ** 2, 3))
    sh[:, 0] *= 4
    return Gaussians(
        positions=rng.normal(0, 0.4, (count, 3)).astype(np.float32),
        log_scales=rng.uniform(-5, -1.5, (count, 3)).astype(np.float32),
        rotations=rng.normal(0, 2, (count, 4)).astype(np.float32),
        opacity_logits=rng.uniform(-5, 4, count).astype(np.float32),
        sh=sh.astype(np.float32),
        antialiased=antialiased,
    )


def one_gaussian(position: tuple[float, float, float], sigma: float, opacity: float, grey: float) -> Gaussians:
    """A round Gaussian of one grey from every side."""
    return Gaussians(
        positions=np.array([position], np.float32),
        log_scales=np.full((1, 3), np.log(sigma), np.float32),
        rotations=np.array([[1, 0, 0, 0]], np.float32),
        opacity_logits=np.array([np.log(opacity / (1 - opacity))], np.float32),
        sh=np.full((1, 1, 3), (grey - 0.5) / 0.28209479177387814, np.float32),
    )


def cameras() -> list[Camera]:
    """One from outside, tilted; one inside the cloud with an off-centre principal point and oblong pixels."""
    outside = look_at(np.array([1.5, -1.0, -2.0]), np.zeros(3), np.array([0.1, -1.0, 0.2]), 0.8)
    inside = look_at(np.array([0.0, 0.1, -0.4]), np.array([0.1, 0.0, 1.0]), np.array([0.0, -1.0, 0.0]), 1.2)
    return [outside, Camera(inside.camera_from_world, inside.fov_y, 1.1, (0.35, 0.6))]


def camera_of_kind(projection: str) -> Camera:
    """One of the above: the orthographic camera stands outside, the others in the cloud."""
    outside, inside = cameras()
    if projection == "orthographic":
        return replace(outside, projection=projection, view_height=2.5)
    return replace(inside, projection=projection)


def random_neural(shape: BankShape, networks: int, count: int, sh_degree: int, seed: int) -> NeuralGaussians:
    """A neural scene whose networks have outputs of order one; one cluster is empty when there are several."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 1, (networks, shape.parameters))
    for block in shape.blocks():
        weights[:, block.offset : block.stop] *= 0.3 if block.rows == 1 else block.rows**-0.5
    shares = rng.dirichlet(np.ones(networks)) * (np.arange(networks) != 1)
    outputs = shape.outputs
    return NeuralGaussians(
        positions=rng.uniform(-1, 1, (count, 3)).astype(np.float32),
        codes=rng.integers(-4, 5, (count, shape.code)).astype(np.int16),
        counts=rng.multinomial(count, shares / shares.sum()).astype(np.int64),
        boxes=np.stack([rng.uniform(-0.1, 0.1, (networks, 3)), rng.uniform(1, 1.2, (networks, 3))], 1).astype("f4"),
        bank=MlpBank(shape, weights.astype(np.float32)),
        output_offset=np.concatenate([[0.0, -3, -3, -3], rng.normal(0, 0.3, outputs - 4)]).astype(np.float32),
        output_scale=rng.uniform(0.2, 0.6, outputs).astype(np.float32),
        sh_degree=sh_degree,
    )
