"""Gaussians moved as a whole: turned, mirrored, scaled and shifted, with their view dependence turned along."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scenes.content import blocks
from scenes.gaussians import Floats, Gaussians
from scenes.harmonics import sh_basis

Doubles = NDArray[np.float64]

_DIRECTIONS = 64  # more than the 16 functions of degree 3, spread evenly, so that the fit below is well conditioned


def placed(gaussians: Gaussians, matrix: Doubles, scale: float = 1.0, shift: Doubles | None = None) -> Gaussians:
    """Each point p at scale * matrix @ p + shift; `matrix` [3, 3] is orthogonal: a rotation, or one with a mirror.

    A mirrored Gaussian has the covariance M R S S R^T M^T, and M R is no rotation; but -M R is one, of the same
    covariance.
    """
    proper = matrix * np.sign(np.linalg.det(matrix))
    positions = gaussians.positions @ (scale * matrix.T).astype(np.float32)
    if shift is not None:
        positions += shift.astype(np.float32)
    return replace(
        gaussians,
        positions=positions,
        log_scales=gaussians.log_scales + np.float32(np.log(scale)),
        rotations=_turned(gaussians.rotations, proper),
        sh=turned_sh(gaussians.sh, matrix),
    )


def place(gaussians: Gaussians, matrix: Doubles, scale: float = 1.0, shift: Doubles | None = None) -> None:
    """As `placed`, but the arrays of `gaussians` themselves change, so that no second scene is held."""
    for block in blocks(len(gaussians)):
        part = gaussians.select(block)
        moved = placed(part, matrix, scale, shift)
        for name in ("positions", "log_scales", "rotations", "sh"):
            getattr(part, name)[:] = getattr(moved, name)


def _turned(rotations: Floats, matrix: Doubles) -> Floats:
    """[N, 4] the quaternion of `matrix` times each of `rotations` (Hamilton's product, w first)."""
    w, x, y, z = quaternion_of(matrix)
    left = np.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])
    return rotations @ left.T.astype(np.float32)


def quaternion_of(matrix: Doubles) -> Doubles:
    """[4] the unit quaternion w, x, y, z of a rotation matrix [3, 3].

    It is the eigenvector of the largest eigenvalue of Bar-Itzhack's matrix (2000), which has no special cases.
    """
    m = matrix
    k = np.array(
        [
            [m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
            [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1]],
            [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1]],
        ]
    )
    quaternion = np.linalg.eigh(k)[1][:, -1]
    return quaternion * np.sign(quaternion[np.abs(quaternion).argmax()])


def turned_sh(sh: Floats, matrix: Doubles) -> Floats:
    """SH [N, K, 3] that give in direction matrix @ d what `sh` gave in d; `matrix` [3, 3] orthogonal."""
    turned = sh.copy()
    for band, turn in enumerate(sh_matrices(matrix, round(sh.shape[1] ** 0.5) - 1)):
        rows, turn32 = slice(band**2, (band + 1) ** 2), turn.astype(np.float32)
        if np.array_equal(turn, np.eye(len(turn))):
            continue
        for block in blocks(len(sh)):
            turned[block, rows] = np.einsum("ij,njc->nic", turn32, sh[block, rows], optimize=True)
    return turned


def sh_matrices(matrix: Doubles, degree: int) -> list[Doubles]:
    """For each band l up to `degree` the [2 l + 1, 2 l + 1] by which its coefficients turn with `matrix` [3, 3].

    Rotations and mirrors mix the functions of a band only with one another (Wigner's D-matrices, real and with the
    signs of 3DGS). So the turned functions are combinations of the band's own, exactly, and the weights follow from
    their values in more directions than there are functions. Weights that are 0 or +-1 but for rounding become so.
    """
    directions = _even_directions(_DIRECTIONS)
    values, turned = sh_basis(directions, degree), sh_basis(directions @ matrix.T, degree)
    matrices = []
    for band in range(degree + 1):
        columns = slice(band**2, (band + 1) ** 2)
        # sum_k sh'_k basis_k(M d) = sum_k sh_k basis_k(d) in every d
        found = np.linalg.lstsq(turned[:, columns], values[:, columns], rcond=None)[0]
        whole = np.rint(found)
        matrices.append(np.where(np.abs(found - whole) < 1e-12, whole, found))
    return matrices


def _even_directions(count: int) -> Doubles:
    """[count, 3] unit vectors on a Fibonacci spiral."""
    height = 1 - (2 * np.arange(count) + 1) / count
    around = np.pi * (1 + 5**0.5) * np.arange(count)
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(around), radius * np.sin(around), height], axis=1)
