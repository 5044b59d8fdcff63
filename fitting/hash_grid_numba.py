"""The hash grid on the CPU: features and their derivatives by position in one pass, and one scatter for both gradients.

Both are linear in the table, so an eikonal loss needs no second derivative: the table's gradient is the sum over points
and corners of (weight dL/dfeatures + slopes . dL/dderivatives). Each level is one thread's work in both directions, so
that its part of the table stays in the cache and no two threads write to one place: the result does not depend on their
number. Called from a thread of a pool (`in_pieces`), it uses that thread alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import numpy as np
import torch
from numba import njit
from torch import Tensor

from fitting.hash_grid import LARGEST_DENSE, PRIMES, WORD, HashGridShape
from scenes.cores import available_cores

kernel = njit(nogil=True, fastmath=True, cache=True, error_model="numpy")
P_Y, P_Z = np.uint64(PRIMES[1]), np.uint64(PRIMES[2])
MASK = np.uint64(WORD)
f32 = np.float32

Piece = TypeVar("Piece")
Result = TypeVar("Result")
_inside = threading.local()


def in_pieces(work: Callable[[Piece], Result], pieces: Sequence[Piece]) -> list[Result]:
    """`work` of each of `pieces`, in their order, by one thread a core."""
    if len(pieces) == 1 or _busy():
        return [work(piece) for piece in pieces]
    return list(_pool().map(work, pieces))


@cache
def _pool() -> ThreadPoolExecutor:
    def start() -> None:
        _inside.pool = True
        torch.set_num_threads(1)  # of this thread, which else has as many as there were when it began

    return ThreadPoolExecutor(available_cores(), initializer=start)


def _busy() -> bool:
    """Whether this is one of the pool's threads, which must not wait for the others."""
    return getattr(_inside, "pool", False)


def features_and_jacobian(shape: HashGridShape, table: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """As `fitting.hash_grid.features_and_jacobian`, of CPU tensors in single precision."""
    features, jacobian = _Encode.apply(table, points, shape)  # type: ignore[misc]
    return features, jacobian


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, points: Tensor, shape: HashGridShape) -> tuple[Tensor, Tensor]:
        points = points.detach().contiguous()
        features = np.empty((len(points), shape.outputs), np.float32)
        jacobian = np.empty((len(points), 3, shape.outputs), np.float32)
        arrays = (points.numpy(), table.detach().contiguous().numpy())
        in_pieces(lambda level: _gather(*_level(shape, level), *arrays, features, jacobian), range(shape.n_levels))
        ctx.save_for_backward(points)
        ctx.shape, ctx.entries = shape, tuple(table.shape)
        return torch.from_numpy(features), torch.from_numpy(jacobian)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (points,) = ctx.saved_tensors
        by_features, by_jacobian = (g.contiguous().numpy() for g in gradients)
        table = np.zeros(ctx.entries, np.float32)
        arrays = (points.numpy(), by_features, by_jacobian, table)
        in_pieces(lambda level: _scatter(*_level(ctx.shape, level), *arrays), range(ctx.shape.n_levels))
        return torch.from_numpy(table), None, None


def _level(shape: HashGridShape, level: int) -> tuple[int, np.float32, np.uint64, np.uint64, np.uint64, bool]:
    """What the kernels need of a level."""
    resolution, size = np.uint64(min(shape.resolutions[level], LARGEST_DENSE)), np.uint64(shape.sizes[level])
    scale, offset = np.float32(shape.scales[level]), np.uint64(shape.offsets[level])
    return level, scale, resolution, offset, size, shape.hashed(level)


@njit(inline="always")
def _entry(x, y, z, resolution, size, hashed):
    """Where the vertex is in its level; the low 32 bits are what 32-bit arithmetic gives."""
    if hashed:
        return (x ^ (y * P_Y) ^ (z * P_Z)) & (size - np.uint64(1))
    index = (x + (y + z * resolution) * resolution) & MASK
    return index if index < size else index % size


@kernel
def _gather(level, scale, resolution, offset, size, hashed, points, table, features, jacobian):
    width = table.shape[1]
    values = np.empty((8, width), np.float32)
    first = level * width
    for i in range(len(points)):
        x, y, z = points[i, 0] * scale + f32(0.5), points[i, 1] * scale + f32(0.5), points[i, 2] * scale + f32(0.5)
        fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
        x, y, z = x - fx, y - fy, z - fz
        cx, cy, cz = np.uint64(np.int64(fx)), np.uint64(np.int64(fy)), np.uint64(np.int64(fz))
        for corner in range(8):
            entry = offset + _entry(
                cx + np.uint64(corner & 1),
                cy + np.uint64(corner >> 1 & 1),
                cz + np.uint64(corner >> 2),
                resolution,
                size,
                hashed,
            )
            for f in range(width):
                values[corner, f] = table[entry, f]
        for f in range(width):
            v0, v1, v2, v3 = values[0, f], values[1, f], values[2, f], values[3, f]
            v4, v5, v6, v7 = values[4, f], values[5, f], values[6, f], values[7, f]
            dx0, dx1, dx2, dx3 = v1 - v0, v3 - v2, v5 - v4, v7 - v6
            a0, a1, a2, a3 = v0 + x * dx0, v2 + x * dx1, v4 + x * dx2, v6 + x * dx3
            dy0, dy1 = a1 - a0, a3 - a2
            b0, b1 = a0 + y * dy0, a2 + y * dy1
            e0, e1 = dx0 + y * (dx1 - dx0), dx2 + y * (dx3 - dx2)
            features[i, first + f] = b0 + z * (b1 - b0)
            jacobian[i, 0, first + f] = scale * (e0 + z * (e1 - e0))
            jacobian[i, 1, first + f] = scale * (dy0 + z * (dy1 - dy0))
            jacobian[i, 2, first + f] = scale * (b1 - b0)


@kernel
def _scatter(level, scale, resolution, offset, size, hashed, points, by_features, by_jacobian, table):
    width = table.shape[1]
    first = level * width
    entries, weights = np.empty(8, np.uint64), np.empty((8, 4), np.float32)
    for i in range(len(points)):
        x, y, z = points[i, 0] * scale + f32(0.5), points[i, 1] * scale + f32(0.5), points[i, 2] * scale + f32(0.5)
        fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
        x, y, z = x - fx, y - fy, z - fz
        cx, cy, cz = np.uint64(np.int64(fx)), np.uint64(np.int64(fy)), np.uint64(np.int64(fz))
        for corner in range(8):
            right, down, deep = corner & 1, corner >> 1 & 1, corner >> 2
            entries[corner] = offset + _entry(
                cx + np.uint64(right), cy + np.uint64(down), cz + np.uint64(deep), resolution, size, hashed
            )
            wx, wy, wz = x if right else f32(1) - x, y if down else f32(1) - y, z if deep else f32(1) - z
            weights[corner, 0] = wx * wy * wz
            weights[corner, 1] = wy * wz if right else -wy * wz
            weights[corner, 2] = wx * wz if down else -wx * wz
            weights[corner, 3] = wx * wy if deep else -wx * wy
        for f in range(width):
            g, gx = by_features[i, first + f], scale * by_jacobian[i, 0, first + f]
            gy, gz = scale * by_jacobian[i, 1, first + f], scale * by_jacobian[i, 2, first + f]
            for corner in range(8):
                w = weights[corner]
                table[entries[corner], f] += w[0] * g + w[1] * gx + w[2] * gy + w[3] * gz
