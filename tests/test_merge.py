"""Merging keeps mass, mean and covariance, and beats leaving Gaussians out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fitting.neuralgs.merge import _cheapest, merge_to
from fitting.neuralgs.merge_pairs import areas, disjoint, neighbour_pairs, pair_costs
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


def needles(count: int) -> np.ndarray:
    """[count, 6] covariances of needles, discs and balls in any direction, down to a thousandth in thickness."""
    scales = np.exp(np.random.default_rng(4).uniform(np.log(1e-3), 0, (count, 3)))
    scene = random_gaussians(count)
    full = covariances(np.log(scales), scene.rotations)
    rows, columns = np.triu_indices(3)
    return np.ascontiguousarray(full[:, rows, columns], np.float64)


def test_areas_are_those_of_the_eigenvalues() -> None:
    packed = np.concatenate([needles(500), [[2.0, 0, 0, 2, 0, 2], [0, 0, 0, 0, 0, 0], [3, 0, 0, 3, 0, 0]]])
    eigenvalues = np.linalg.eigvalsh(packed[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3))
    expected = np.sqrt(np.maximum(eigenvalues[:, 1] * eigenvalues[:, 2], 0))
    assert areas(packed) == pytest.approx(expected, rel=1e-6, abs=1e-100)


def test_every_pair_of_neighbours_once() -> None:
    rng = np.random.default_rng(2)  # with itself now and then, with and without going back
    near = np.stack([rng.choice(40, 6, replace=False) for _ in range(40)])
    first, second = neighbour_pairs(near)
    expected = {(min(i, j), max(i, j)) for i, row in enumerate(near.tolist()) for j in row if i != j}
    assert sorted(zip(first.tolist(), second.tolist(), strict=True)) == sorted(expected)


def test_costs_are_the_bound_written_out() -> None:
    rng, blur, tone = np.random.default_rng(8), 1e-4, 3.0
    packed, mass, mean = needles(60), rng.uniform(0.1, 2, 60), rng.normal(size=(60, 3))
    sh = rng.normal(size=(60, 12)).astype(np.float32)
    first, second = rng.permutation(60)[:20], rng.permutation(60)[:20]
    found = pair_costs(first, second, mass, mean, packed, sh, blur, tone)
    full = packed[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3) + blur * np.eye(3)
    for i, j, cost in zip(first, second, found, strict=True):
        a, b = mass[i], mass[j]
        offset = mean[i] - mean[j]
        joint = (a * full[i] + b * full[j]) / (a + b) + a * b / (a + b) ** 2 * np.outer(offset, offset)
        bound = 0.5 * sum(
            w * s * np.linalg.slogdet(c)[1] for s, w, c in ((1, a + b, joint), (-1, a, full[i]), (-1, b, full[j]))
        )
        colour = 0.5 * a * b / (a + b) * tone**2 * ((sh[i, :3].astype(float) - sh[j, :3]) ** 2).sum()
        assert cost == pytest.approx(bound + colour, rel=1e-9, abs=1e-9)


def test_the_cheapest_pairs_are_found_among_few_as_among_all() -> None:
    """Around one Gaussian all pairs are cheap and only one of them can be had: more have to be looked at."""
    rng = np.random.default_rng(6)
    first = np.concatenate([np.zeros(300, int), rng.integers(0, 500, 3000)])
    second = np.concatenate([np.arange(1, 301), rng.integers(500, 1000, 3000)])
    cost = np.concatenate(
        [rng.random(300), 1.0 + rng.integers(0, 50, 3000).astype(np.float64)]
    )  # and many cost the same
    order = np.argsort(cost, kind="stable")
    expected = order[disjoint(first[order], second[order], 1000, 30)]
    assert np.array_equal(_cheapest(first, second, cost, 1000, 30), expected)
    assert len(_cheapest(first, second, cost, 1000, 900)) == len(
        order[disjoint(first[order], second[order], 1000, 900)]
    )
