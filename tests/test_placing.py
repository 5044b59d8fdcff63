"""Scenes moved as a whole: SH by their values in every direction, covariances, and the laws of a group."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from scenes.gaussians import Gaussians, rotation_matrices
from scenes.harmonics import sh_basis
from scenes.merging import merged, sh_of_degree
from scenes.placing import placed, quaternion_of, sh_matrices
from tests.format_samples import assert_close, sample


def some_turns(count: int = 8) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    turns = list(rotation_matrices(rng.normal(size=(count, 4))))
    mirrors = [turn @ np.diag([1.0, 1, -1]) for turn in turns[:3]]
    axes = [np.eye(3), np.diag([1.0, -1, -1]), np.diag([-1.0, 1, 1]), np.eye(3)[[1, 2, 0]], np.eye(3)[[0, 2, 1]]]
    return [*turns, *mirrors, *axes]


def covariances(scene: Gaussians) -> np.ndarray:
    axes = rotation_matrices(scene.rotations.astype(np.float64)) * np.exp(scene.log_scales.astype(np.float64))[:, None]
    return axes @ axes.transpose(0, 2, 1)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_a_turned_scene_looks_the_same_from_a_turned_place(degree: int) -> None:
    scene = sample(30, degree)
    directions = np.random.default_rng(1).normal(size=(30, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for turn in some_turns():
        moved = placed(scene, turn, 2.5, np.array([1.0, 2, 3]))
        np.testing.assert_allclose(moved.positions, 2.5 * scene.positions @ turn.T + [1, 2, 3], atol=1e-5)
        np.testing.assert_allclose(covariances(moved), 2.5**2 * turn @ covariances(scene) @ turn.T, atol=1e-5)
        before = np.einsum("nk,nkc->nc", sh_basis(directions, degree), scene.sh)
        after = np.einsum("nk,nkc->nc", sh_basis(directions @ turn.T, degree), moved.sh)
        np.testing.assert_allclose(after, before, atol=2e-6)


def test_the_matrices_of_sh_are_a_representation() -> None:
    turns = some_turns()
    for a, b in pairwise(turns):
        for of_a, of_b, of_both in zip(sh_matrices(a, 3), sh_matrices(b, 3), sh_matrices(a @ b, 3), strict=True):
            np.testing.assert_allclose(of_a @ of_b, of_both, atol=1e-12)
            np.testing.assert_allclose(of_a @ of_a.T, np.eye(len(of_a)), atol=1e-12)


def test_signs_of_axes_are_signs_of_coefficients() -> None:
    found = [np.diag(matrix).tolist() for matrix in sh_matrices(np.diag([1.0, -1, -1]), 3)]
    assert found == [[1], [-1, -1, 1], [-1, 1, 1, -1, 1], [-1, 1, -1, -1, 1, -1, 1]]


def test_a_turn_and_back_is_nothing() -> None:
    scene = sample(50)
    for turn in some_turns():
        there = placed(scene, turn, 3.0, np.array([1.0, -2, 0.5]))
        back = placed(there, turn.T, 1 / 3, turn.T @ np.array([-1.0, 2, -0.5]) / 3)
        assert_close(back, scene, **dict.fromkeys(("positions", "log_scales", "rotations", "sh"), 2e-5))


def test_quaternions_of_matrices() -> None:
    for turn in some_turns():
        proper = turn * np.sign(np.linalg.det(turn))
        np.testing.assert_allclose(rotation_matrices(quaternion_of(proper)[None])[0], proper, atol=1e-12)


def test_merging_keeps_all_and_the_highest_degree() -> None:
    parts = [sample(10, 1, 1), sample(20, 3, 2, antialiased=True), sample(5, 0, 3)]
    whole = merged(parts)
    assert (len(whole), whole.sh_degree, whole.antialiased) == (35, 3, True)
    np.testing.assert_array_equal(whole.positions[10:30], parts[1].positions)
    np.testing.assert_array_equal(whole.sh[:10, :4], parts[0].sh)
    assert not whole.sh[:10, 4:].any()
    assert merged(parts[:1]) is parts[0]
    np.testing.assert_array_equal(sh_of_degree(parts[1].sh, 1), parts[1].sh[:, :4])
