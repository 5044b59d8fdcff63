"""Merging keeps mass, mean and covariance, and beats leaving Gaussians out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fitting.neuralgs.merge import merge_to
from fitting.neuralgs.targets import rendered_target
from fitting.neuralgs.tune import judge
from fitting.tensors import GaussianTensors
from scenes.camera_files import read_cameras
from scenes.gaussians import Gaussians
from scenes.load import load_scene
from tests.test_canonical import covariances, random_gaussians


def moments(gaussians: Gaussians, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    share = weight / weight.sum()
    mean = share @ gaussians.positions
    offset = gaussians.positions - mean
    spread = covariances(gaussians.log_scales, gaussians.rotations) + offset[:, :, None] * offset[:, None, :]
    return mean, np.einsum("n,nij->ij", share, spread)


def test_moments_stay() -> None:
    gaussians = random_gaussians(300)
    weight = np.random.default_rng(1).uniform(0.1, 2, 300)
    merged, merged_weight = merge_to(gaussians, weight, 40, 1e-3)
    assert len(merged) == 40
    assert merged_weight.sum() == pytest.approx(weight.sum())
    for before, after in zip(moments(gaussians, weight), moments(merged, merged_weight), strict=True):
        assert np.abs(after - before).max() < 1e-4
    assert merged.sh.reshape(40, -1).T @ merged_weight == pytest.approx(
        gaussians.sh.reshape(300, -1).T @ weight, abs=1e-3
    )


def test_two_equal_gaussians_become_the_same_one() -> None:
    one = random_gaussians(1)
    two = one.select(np.array([0, 0]))
    merged, _ = merge_to(two, np.ones(2), 1, 1e-3)
    assert merged.positions == pytest.approx(one.positions, abs=1e-6)
    before, after = (covariances(g.log_scales, g.rotations) for g in (one, merged))
    assert np.abs(after - before).max() < 1e-5 * np.abs(before).max()


def test_nothing_to_merge() -> None:
    gaussians = random_gaussians(5)
    merged, weight = merge_to(gaussians, np.ones(5), 5, 1e-3)
    assert len(merged) == 5
    assert weight == pytest.approx(np.ones(5))


def test_merging_beats_pruning_on_a_real_scene(data: Path) -> None:
    scene = load_scene(data / "gaussians" / "hamburger.ply").gaussians
    tensors = GaussianTensors.of(scene)
    cameras = read_cameras(data / "cameras" / "hamburger.json")[:3]
    targets = [rendered_target(tensors, camera, 240, 160, False) for camera in cameras]
    opacity = 1 / (1 + np.exp(-scene.opacity_logits))
    size = np.sort(scene.log_scales, axis=1)[:, 1:].sum(axis=1)
    weight = (opacity * np.exp(size)).astype(np.float64)
    merged, _ = merge_to(scene, weight, 15_000, 0.003)
    pruned = scene.select(np.argsort(-weight)[:15_000])
    merged_psnr, pruned_psnr = (judge(GaussianTensors.of(g), targets, False)[0] for g in (merged, pruned))
    assert merged_psnr > pruned_psnr + 1
    assert merged_psnr > 28
