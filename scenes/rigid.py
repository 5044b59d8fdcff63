"""Rigid transforms in files: checked on the way in, inverted without rounding the rotation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenes.json_entry import JsonEntry

TOLERANCE = 1e-3  # of R R^T against the identity: files with four decimals pass


def check_rigid(entry: JsonEntry, key: str, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """`matrix` [4, 4] itself if it is a rotation and a translation, else an error that names `key`."""
    expected = "a rotation and a translation"
    if not np.allclose(matrix[3], (0, 0, 0, 1), rtol=0, atol=TOLERANCE):
        raise entry.error(key, expected, f"a last row of {', '.join(f'{x:g}' for x in matrix[3])}")
    rotation = matrix[:3, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        determinant = np.linalg.det(rotation)
        off = np.abs(rotation @ rotation.T - np.eye(3)).max()
    if not off <= TOLERANCE or determinant < 0:
        raise entry.error(key, expected, f"a determinant of {determinant:.4g} and axes {off:.2g} off orthonormal")
    return matrix


def inverse_rigid(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse [4, 4] of a rotation and a translation."""
    inverse = np.eye(4)
    inverse[:3, :3] = matrix[:3, :3].T
    inverse[:3, 3] = -matrix[:3, :3].T @ matrix[:3, 3]
    return inverse
