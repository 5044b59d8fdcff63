"""Quaternions kept as their three smallest numbers: the largest, made positive by the choice of sign, follows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenes.gaussians import Floats

LARGEST_REST = 0.5**0.5  # no number but the largest of a unit quaternion is beyond this


def from_smallest_three(largest: NDArray[np.integer], rest: Floats) -> Floats:
    """Unit quaternions [N, 4] of the index of the largest number [N], 0 to 3, and the `rest` [N, 3] in order.

    Where the rest is too long for a unit quaternion the largest is 0.
    """
    rotations = np.empty((len(rest), 4), np.float32)
    completing = np.sqrt(np.maximum(0, 1 - (rest * rest).sum(axis=1)))
    for index in range(4):
        chosen = largest == index
        rotations[chosen, index] = completing[chosen]
        for column, to in enumerate(i for i in range(4) if i != index):
            rotations[chosen, to] = rest[chosen, column]
    return rotations


def to_smallest_three(rotations: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """The inverse, of quaternions [N, 4] of any length but 0."""
    unit = unit_quaternions(rotations)
    largest = np.abs(unit).argmax(axis=1)
    row = np.arange(len(unit))
    unit *= np.where(unit[row, largest] < 0, np.float32(-1), np.float32(1))[:, None]
    columns = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])[largest]
    return largest.astype(np.uint8), unit[row[:, None], columns]


def unit_quaternions(rotations: Floats) -> Floats:
    """`rotations` [N, 4], any length but 0, as new unit quaternions."""
    widest = np.abs(rotations).max(axis=1, keepdims=True)  # their squares could overflow, or vanish
    scaled = rotations / widest
    return scaled / np.sqrt((scaled * scaled).sum(axis=1, keepdims=True))
