"""Smooth rotations through keys: squad (Shoemake 1987, "Quaternion calculus and fast animation")."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def interpolate_rotations(times: Doubles, rotations: Doubles, wanted: Doubles, closed: bool = False) -> Doubles:
    """[m, 3, 3] at the times `wanted` [m], through `rotations` [n, 3, 3] at `times` [n], n >= 2.

    The last key of a `closed` path is the first again. Turning at a constant rate between evenly spaced keys stays
    constant; with uneven times the rate may jump at a key.
    """
    keys = _same_side(np.stack([quaternion(r) for r in rotations]))
    controls = _controls(keys, closed)
    k = np.clip(np.searchsorted(times, wanted, side="right") - 1, 0, len(times) - 2)
    t = (wanted - times[k]) / (times[k + 1] - times[k])
    outer = slerp(keys[k], keys[k + 1], t)
    inner = slerp(controls[k], controls[k + 1], t)
    return np.stack([matrix(q) for q in slerp(outer, inner, 2 * t * (1 - t))])


def quaternion(rotation: Doubles) -> Doubles:
    """[4] w, x, y, z of a rotation matrix, from the eigenvector of Bar-Itzhack (2000), stable for every angle."""
    r = rotation
    symmetric = np.array(
        [
            [r[0, 0] + r[1, 1] + r[2, 2], 0, 0, 0],
            [r[2, 1] - r[1, 2], r[0, 0] - r[1, 1] - r[2, 2], 0, 0],
            [r[0, 2] - r[2, 0], r[1, 0] + r[0, 1], r[1, 1] - r[0, 0] - r[2, 2], 0],
            [r[1, 0] - r[0, 1], r[2, 0] + r[0, 2], r[2, 1] + r[1, 2], r[2, 2] - r[0, 0] - r[1, 1]],
        ]
    )
    return np.linalg.eigh(symmetric)[1][:, -1]  # eigh reads the lower triangle


def matrix(q: Doubles) -> Doubles:
    """[3, 3] the rotation of a unit quaternion w, x, y, z."""
    w, x, y, z = q
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + 2 * (w * cross + cross @ cross)


def slerp(a: Doubles, b: Doubles, t: Doubles) -> Doubles:
    """[m, 4] the point at `t` [m] of the great arc from `a` to `b` [m, 4], not the shorter way round."""
    angle = np.arctan2(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1)) * 2
    near = np.sin(angle) < 1e-9
    sine = np.where(near, 1.0, np.sin(angle))
    first = np.where(near, 1 - t, np.sin((1 - t) * angle) / sine)
    second = np.where(near, t, np.sin(t * angle) / sine)
    q = first[:, None] * a + second[:, None] * b
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def _same_side(keys: Doubles) -> Doubles:
    """Signs chosen so that neighbours are less than half a turn apart: q and -q are one rotation."""
    keys = keys.copy()
    for i in range(1, len(keys)):
        if keys[i] @ keys[i - 1] < 0:
            keys[i] *= -1
    return keys


def _controls(keys: Doubles, closed: bool) -> Doubles:
    """[n, 4] Shoemake's inner quaternions; at open ends the keys themselves."""
    controls = keys.copy()
    for i in range(1, len(keys) - 1):
        controls[i] = _control(keys[i - 1], keys[i], keys[i + 1])
    if closed:
        controls[0] = _control(keys[-2], keys[0], keys[1])
        controls[-1] = _control(keys[-2], keys[-1], keys[1])
    return controls


def _control(before: Doubles, key: Doubles, after: Doubles) -> Doubles:
    steps = [_product(_conjugate(key), other if other @ key >= 0 else -other) for other in (before, after)]
    return _product(key, _exponential(-(_logarithm(steps[0]) + _logarithm(steps[1])) / 4))


def _conjugate(q: Doubles) -> Doubles:
    return q * [1, -1, -1, -1]


def _product(a: Doubles, b: Doubles) -> Doubles:
    scalar = a[0] * b[0] - a[1:] @ b[1:]
    return np.array([scalar, *(a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:]))])


def _logarithm(q: Doubles) -> Doubles:
    length = np.linalg.norm(q[1:])
    return q[1:] * (np.arctan2(length, q[0]) / length if length > 0 else 0.0)


def _exponential(v: Doubles) -> Doubles:
    angle = np.linalg.norm(v)
    return np.array([np.cos(angle), *(v * np.sinc(angle / np.pi))])
