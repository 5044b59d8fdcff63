"""The CPU backend of the rasteriser: numba kernels over tiles of 16 x 16 pixels.

    project (per Gaussian) -> sort by depth -> bin into tiles -> blend (per tile) -> image
    image gradient -> blend backward (per tile, into slots) -> project backward (per Gaussian, gathers its slots)

The loops are laid out for the compiler's vectoriser: a tile goes through its Gaussians one by one, and each touches the
16 pixels of a row at once. All state of a tile lies in one array at constant distances, so that no aliasing check is
needed. Threads share nothing they write, so the result does not depend on their number. The projection's kernels are
in `raster_numba_project.py`, sorting and binning in `raster_numba_bin.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from fitting import raster_rules
from fitting.raster_numba_bin import TILE, Bins, bin_records
from fitting.raster_numba_project import (
    BLUE,
    CONIC_A,
    CONIC_B,
    CONIC_C,
    GREEN,
    HALF_HEIGHT,
    MEAN_X,
    MEAN_Y,
    OPACITY,
    RECORD,
    RED,
    kernel,
    project,
    project_backward,
)
from fitting.raster_rules import CHECK_EVERY, SLOT, view_array
from fitting.raster_view import RasterView

PIXELS = TILE * TILE
Array = NDArray[np.float32]

f32 = np.float32
ALPHA_MIN, ALPHA_MAX = f32(raster_rules.ALPHA_MIN), f32(raster_rules.ALPHA_MAX)
T_MIN, POWER_MIN = f32(raster_rules.T_MIN), f32(raster_rules.POWER_MIN)
E0, E1, E2, E3, E4, E5 = (f32(c) for c in raster_rules.EXP)
# Unsigned offsets of a tile's state: numba would test signed ones for "counts from the end", which stops the vectoriser
U16, U32, U48, U64, U80 = (np.uint64(16 * i) for i in range(1, 6))
P1, P2, P3, P4, P5, P6 = (np.uint64(PIXELS * i) for i in range(1, 7))


@njit(inline="always")
def _exp(x):
    y = x * f32(1 / 32)
    e = E0 + y * (E1 + y * (E2 + y * (E3 + y * (E4 + y * E5))))
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    return e * e


@njit(inline="always")
def _alpha(dx, half_a, bdy, cyy, opacity):
    power = (half_a * dx + bdy) * dx + cyy
    return opacity * _exp(max(power, POWER_MIN))


@kernel
def _rows(record, tile_y):
    """The rows of the tile that the Gaussian's ellipse touches, first and one past the last."""
    centre = record[MEAN_Y] - f32(tile_y * TILE) - f32(0.5)
    first = max(0, int(np.ceil(centre - record[HALF_HEIGHT])))
    return first, min(TILE, int(np.floor(centre + record[HALF_HEIGHT])) + 1)


@kernel
def _start_tile(state, tile_x, tile_y, width, height):
    """T = 1 and colour = 0 everywhere; alive = 1 inside the picture."""
    for i in range(PIXELS):
        x, y = tile_x * TILE + i % TILE, tile_y * TILE + i // TILE
        state[i] = 1
        state[PIXELS + i] = 1 if x < width and y < height else 0
        for channel in range(2, 5):
            state[channel * PIXELS + i] = 0


@kernel
def _anyone_alive(state):
    alive = f32(0)
    for i in range(PIXELS):
        alive += state[PIXELS + i]
    return alive > 0


@kernel
def _blend(first_tile, last_tile, tiles_x, starts, records, width, height, background, image, stops):
    state = np.empty(5 * PIXELS, np.float32)  # T, alive, red, green, blue
    for tile in range(first_tile, last_tile):
        tile_x, tile_y = tile % tiles_x, tile // tiles_x
        _start_tile(state, tile_x, tile_y, width, height)
        stop = starts[tile + 1]
        for slot in range(starts[tile], starts[tile + 1]):
            if (slot - starts[tile]) % CHECK_EVERY == 0 and not _anyone_alive(state):
                stop = slot
                break
            record = records[slot]
            mean_x = record[MEAN_X] - f32(tile_x * TILE) - f32(0.5)
            mean_y = record[MEAN_Y] - f32(tile_y * TILE) - f32(0.5)
            half_a, opacity = f32(-0.5) * record[CONIC_A], record[OPACITY]
            red, green, blue = record[RED], record[GREEN], record[BLUE]
            first, last = _rows(record, tile_y)
            for y in range(first, last):
                dy = f32(y) - mean_y
                bdy, cyy = -record[CONIC_B] * dy, f32(-0.5) * record[CONIC_C] * dy * dy
                row = np.uint64(y * TILE)
                for x in range(TILE):
                    i = row + np.uint64(x)
                    alpha = min(_alpha(f32(x) - mean_x, half_a, bdy, cyy, opacity), ALPHA_MAX)
                    alpha = alpha * state[P1 + i] if alpha >= ALPHA_MIN else f32(0)
                    transmittance = state[i]
                    after = transmittance - transmittance * alpha
                    going_on = after >= T_MIN
                    weight = transmittance * alpha if going_on else f32(0)
                    state[i] = after if going_on else transmittance
                    state[P1 + i] = state[P1 + i] if going_on else f32(0)
                    state[P2 + i] += weight * red
                    state[P3 + i] += weight * green
                    state[P4 + i] += weight * blue
        stops[tile] = stop
        for i in range(PIXELS):
            x, y = tile_x * TILE + i % TILE, tile_y * TILE + i // TILE
            if x < width and y < height:
                for channel in range(3):
                    image[y, x, channel] = state[(2 + channel) * PIXELS + i] + state[i] * background[channel]


@kernel
def _start_tile_backward(state, tile_x, tile_y, image, grad):
    """T, alive, S = 0, then G = image . gradient and the gradient itself."""
    height, width = image.shape[:2]
    _start_tile(state, tile_x, tile_y, width, height)
    for i in range(PIXELS):
        x, y = tile_x * TILE + i % TILE, tile_y * TILE + i // TILE
        inside = x < width and y < height
        total = f32(0)
        for channel in range(3):
            g = grad[y, x, channel] if inside else f32(0)
            total += g * image[y, x, channel] if inside else f32(0)
            state[(4 + channel) * PIXELS + i] = g
        state[P3 + i] = total


@kernel
def _reduce_lanes(lanes, mean_x, slots, slot):
    """Sums the six per-column sums of a pair into its nine gradients; dx is constant down a column."""
    for quantity in range(3):
        total = f32(0)
        for x in range(TILE):
            total += lanes[quantity * TILE + x]
        slots[slot, quantity] = total
    dp, dp_dx, dp_dy, dp_dx2, dp_dxdy, dp_dy2 = f32(0), f32(0), f32(0), f32(0), f32(0), f32(0)
    for x in range(TILE):
        dx = f32(x) - mean_x
        sum_dp = lanes[3 * TILE + x]
        sum_dy = lanes[4 * TILE + x]
        dp += sum_dp
        dp_dx += sum_dp * dx
        dp_dx2 += sum_dp * dx * dx
        dp_dy += sum_dy
        dp_dxdy += sum_dy * dx
        dp_dy2 += lanes[5 * TILE + x]
    slots[slot, 3] = dp
    slots[slot, 4] = dp_dx
    slots[slot, 5] = dp_dy
    slots[slot, 6] = dp_dx2
    slots[slot, 7] = dp_dxdy
    slots[slot, 8] = dp_dy2


@kernel
def _blend_backward(first_tile, last_tile, tiles_x, starts, stops, records, image, grad, slots):
    """Front to back again: dL/dalpha_i = T_i c_i.g - (G - S_i) / (1 - alpha_i), S_i the sum of w c.g up to i."""
    state = np.empty(7 * PIXELS, np.float32)  # T, alive, S, G, gradient r g b
    lanes = np.empty(6 * TILE, np.float32)  # sums per column: w g_r, w g_g, w g_b, dp, dp dy, dp dy^2
    for tile in range(first_tile, last_tile):
        tile_x, tile_y = tile % tiles_x, tile // tiles_x
        _start_tile_backward(state, tile_x, tile_y, image, grad)
        for slot in range(stops[tile], starts[tile + 1]):
            slots[slot] = 0
        for slot in range(starts[tile], stops[tile]):
            record = records[slot]
            mean_x = record[MEAN_X] - f32(tile_x * TILE) - f32(0.5)
            mean_y = record[MEAN_Y] - f32(tile_y * TILE) - f32(0.5)
            half_a, opacity = f32(-0.5) * record[CONIC_A], record[OPACITY]
            red, green, blue = record[RED], record[GREEN], record[BLUE]
            lanes[:] = 0
            first, last = _rows(record, tile_y)
            for y in range(first, last):
                dy = f32(y) - mean_y
                bdy, cyy = -record[CONIC_B] * dy, f32(-0.5) * record[CONIC_C] * dy * dy
                row = np.uint64(y * TILE)
                for x in range(TILE):
                    i = row + np.uint64(x)
                    full = _alpha(f32(x) - mean_x, half_a, bdy, cyy, opacity)
                    alpha = min(full, ALPHA_MAX)
                    alpha = alpha * state[P1 + i] if alpha >= ALPHA_MIN else f32(0)
                    transmittance = state[i]
                    after = transmittance - transmittance * alpha
                    going_on = after >= T_MIN
                    alpha = alpha if going_on else f32(0)
                    weight = transmittance * alpha
                    state[i] = after if going_on else transmittance
                    state[P1 + i] = state[P1 + i] if going_on else f32(0)
                    g_r, g_g, g_b = state[P4 + i], state[P5 + i], state[P6 + i]
                    cg = red * g_r + green * g_g + blue * g_b
                    done = state[P2 + i] + weight * cg
                    state[P2 + i] = done
                    dalpha = transmittance * cg - (state[P3 + i] - done) / (f32(1) - alpha)
                    dp = dalpha * alpha if full <= ALPHA_MAX else f32(0)
                    lanes[x] += weight * g_r
                    lanes[U16 + np.uint64(x)] += weight * g_g
                    lanes[U32 + np.uint64(x)] += weight * g_b
                    lanes[U48 + np.uint64(x)] += dp
                    lanes[U64 + np.uint64(x)] += dp * dy
                    lanes[U80 + np.uint64(x)] += dp * dy * dy
            _reduce_lanes(lanes, mean_x, slots, slot)


@kernel
def _draw(first_tile, last_tile, tiles_x, starts, records, image, weights):
    """Colour times alpha, and alpha, in image [H, W, 4]; per slot the sum of alpha T over the tile's pixels."""
    height, width = image.shape[:2]
    state = np.empty(5 * PIXELS, np.float32)  # T, alive, red, green, blue
    for tile in range(first_tile, last_tile):
        tile_x, tile_y = tile % tiles_x, tile // tiles_x
        _start_tile(state, tile_x, tile_y, width, height)
        stop = starts[tile + 1]
        for slot in range(starts[tile], starts[tile + 1]):
            if (slot - starts[tile]) % CHECK_EVERY == 0 and not _anyone_alive(state):
                stop = slot
                break
            record = records[slot]
            mean_x = record[MEAN_X] - f32(tile_x * TILE) - f32(0.5)
            mean_y = record[MEAN_Y] - f32(tile_y * TILE) - f32(0.5)
            half_a, opacity = f32(-0.5) * record[CONIC_A], record[OPACITY]
            red, green, blue = record[RED], record[GREEN], record[BLUE]
            total = f32(0)
            first, last = _rows(record, tile_y)
            for y in range(first, last):
                dy = f32(y) - mean_y
                bdy, cyy = -record[CONIC_B] * dy, f32(-0.5) * record[CONIC_C] * dy * dy
                row = np.uint64(y * TILE)
                for x in range(TILE):
                    i = row + np.uint64(x)
                    alpha = min(_alpha(f32(x) - mean_x, half_a, bdy, cyy, opacity), ALPHA_MAX)
                    alpha = alpha * state[P1 + i] if alpha >= ALPHA_MIN else f32(0)
                    transmittance = state[i]
                    after = transmittance - transmittance * alpha
                    going_on = after >= T_MIN
                    weight = transmittance * alpha if going_on else f32(0)
                    state[i] = after if going_on else transmittance
                    state[P1 + i] = state[P1 + i] if going_on else f32(0)
                    state[P2 + i] += weight * red
                    state[P3 + i] += weight * green
                    state[P4 + i] += weight * blue
                    total += weight
            weights[slot] = total
        weights[stop : starts[tile + 1]] = 0
        for i in range(PIXELS):
            x, y = tile_x * TILE + i % TILE, tile_y * TILE + i // TILE
            if x < width and y < height:
                for channel in range(3):
                    image[y, x, channel] = state[(2 + channel) * PIXELS + i]
                image[y, x, 3] = f32(1) - state[i]


@dataclass
class Saved:
    """What the backward pass needs of the forward pass."""

    tensors: tuple[Array, ...]
    view: RasterView
    records: Array
    bins: Bins
    stops: NDArray[np.int64]  # [tiles] one past the last slot a tile looked at
    image: Array


@cache
def _threads() -> tuple[ThreadPoolExecutor, int]:
    count = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 32)
    return ThreadPoolExecutor(count), count


def parallel(kernel: Callable[..., None], count: int, *arguments: object) -> None:
    """Runs kernel(first, last, ...) over [0, count) in a few pieces a thread; the kernels release the lock."""
    pool, threads = _threads()
    pieces = min(count, 4 * threads)
    bounds = [count * i // pieces for i in range(pieces + 1)] if pieces else []
    jobs = [pool.submit(kernel, first, last, *arguments) for first, last in pairwise(bounds)]
    for job in jobs:
        job.result()


def _arrays(*tensors: Tensor) -> tuple[Array, ...]:
    return tuple(np.ascontiguousarray(t.numpy()) for t in tensors)


def _project(tensors: tuple[Array, ...], view: RasterView) -> tuple[Array, Bins]:
    count = len(tensors[0])
    records, depths = np.empty((count, RECORD), np.float32), np.empty(count, np.float32)
    parallel(project, count, *tensors, view_array(view), view.antialiased, records, depths)
    return records, bin_records(records, depths, view.width, view.height)


def forward(
    positions: Tensor, log_scales: Tensor, rotations: Tensor, opacity_logits: Tensor, sh: Tensor, view: RasterView
) -> tuple[Tensor, Saved]:
    """The picture [H, W, 3] and what `backward` needs."""
    tensors = _arrays(positions, log_scales, rotations, opacity_logits, sh)
    records, bins = _project(tensors, view)
    image = np.empty((view.height, view.width, 3), np.float32)
    stops = np.empty(bins.tiles_x * bins.tiles_y, np.int64)
    background = np.asarray(view.background, np.float32)
    size = (view.width, view.height)
    parallel(_blend, len(stops), bins.tiles_x, bins.starts, bins.records, *size, background, image, stops)
    return torch.from_numpy(image), Saved(tensors, view, records, bins, stops, image)


def backward(saved: Saved, grad_image: Tensor) -> tuple[Tensor, ...]:
    """Gradients of the five tensors for a gradient of the picture [H, W, 3]."""
    bins, (grad,) = saved.bins, _arrays(grad_image)
    slots = np.empty((len(bins.ids), SLOT), np.float32)
    tiles = (bins.tiles_x, bins.starts, saved.stops, bins.records)
    parallel(_blend_backward, len(saved.stops), *tiles, saved.image, grad, slots)
    grads = tuple(np.zeros_like(t) for t in saved.tensors)
    gather = (bins.firsts, bins.pair_slots, slots, saved.records)
    view = (view_array(saved.view), saved.view.antialiased)
    parallel(project_backward, len(grads[0]), *gather, *saved.tensors, *view, *grads)
    return tuple(torch.from_numpy(g) for g in grads)


def draw(
    positions: Tensor, log_scales: Tensor, rotations: Tensor, opacity_logits: Tensor, sh: Tensor, view: RasterView
) -> tuple[Tensor, NDArray[np.float32]]:
    """The picture [H, W, 4] without its background, colour times alpha, and what `importance` tells."""
    tensors = _arrays(positions, log_scales, rotations, opacity_logits, sh)
    _, bins = _project(tensors, view)
    image = np.empty((view.height, view.width, 4), np.float32)
    weights = np.empty(len(bins.ids), np.float32)
    parallel(_draw, bins.tiles_x * bins.tiles_y, bins.tiles_x, bins.starts, bins.records, image, weights)
    total = np.bincount(bins.ids, weights, minlength=len(positions)).astype(np.float32)
    return torch.from_numpy(image), total


def importance(
    positions: Tensor, log_scales: Tensor, rotations: Tensor, opacity_logits: Tensor, sh: Tensor, view: RasterView
) -> NDArray[np.float32]:
    """[N] the sum over pixels of alpha times transmittance, in one view."""
    return draw(positions, log_scales, rotations, opacity_logits, sh, view)[1]
