"""Canonical attributes describe the same Gaussian, and equal Gaussians alike."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from fitting.neuralgs.canonical import attribute_steps, canonical_attributes
from scenes.gaussians import Gaussians, rotation_matrices
from scenes.neural_gaussians import AttributeLayout, rotations_from_vectors


def random_gaussians(count: int = 500, degree: int = 1) -> Gaussians:
    rng = np.random.default_rng(0)
    return Gaussians(
        rng.normal(size=(count, 3)).astype(np.float32),
        rng.normal(-3, 1, (count, 3)).astype(np.float32),
        rng.normal(size=(count, 4)).astype(np.float32),
        rng.normal(0, 2, count).astype(np.float32),
        rng.normal(0, 0.3, (count, (degree + 1) ** 2, 3)).astype(np.float32),
    )


def covariances(log_scales: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    axes = rotation_matrices(rotations) * np.exp(log_scales)[:, None, :]
    return axes @ axes.transpose(0, 2, 1)


def test_covariance_stays_and_scales_descend() -> None:
    gaussians = random_gaussians()
    layout = AttributeLayout(1)
    attributes = canonical_attributes(gaussians)
    scales = attributes[:, layout.log_scale]
    before = covariances(gaussians.log_scales, gaussians.rotations)
    after = covariances(scales, rotations_from_vectors(attributes[:, layout.rotation]))
    assert np.abs(after - before).max() < 1e-5 * np.abs(before).max()
    assert (np.diff(scales, axis=1) <= 0).all()
    assert np.array_equal(attributes[:, layout.sh].reshape(gaussians.sh.shape), gaussians.sh)


def test_rotation_vectors_are_the_shortest() -> None:
    attributes = canonical_attributes(random_gaussians())
    assert np.abs(attributes[:, AttributeLayout(1).rotation]).max() <= 1 + 1e-5  # |w| is the largest component


def test_equivalent_rotations_give_one_answer() -> None:
    gaussians = random_gaussians(200)
    turn = Rotation.from_quat([1, 0, 0, 0])  # half a turn about the Gaussian's first axis
    turned = Rotation.from_quat(gaussians.rotations[:, [1, 2, 3, 0]]) * turn
    quaternions = -turned.as_quat()[:, [3, 0, 1, 2]].astype(np.float32)
    same = Gaussians(gaussians.positions, gaussians.log_scales, quaternions, gaussians.opacity_logits, gaussians.sh)
    assert np.abs(canonical_attributes(same) - canonical_attributes(gaussians)).max() < 1e-3


def test_every_channel_has_a_step() -> None:
    for degree in range(4):
        steps = attribute_steps(degree)
        assert steps.shape == (AttributeLayout(degree).outputs,)
        assert (steps > 0).all()
