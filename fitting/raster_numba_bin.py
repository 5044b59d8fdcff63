"""The middle of the CPU rasteriser: visible records sorted by depth, and listed in the tiles they touch.

records, depths -> pairs (Gaussian, tile) -> order by depth -> slots, tile after tile, with their records
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fitting.raster_numba_project import (
    CONIC_A,
    CONIC_B,
    CONIC_C,
    HALF_HEIGHT,
    HALF_WIDTH,
    MEAN_X,
    MEAN_Y,
    REACH,
    RECORD,
    kernel,
)

TILE = 16
DIGIT_BITS = 11  # of the radix sort: three digits hold the bits of a positive float
DIGITS, DIGIT_VALUES = 3, 1 << DIGIT_BITS
Array = NDArray[np.float32]

f32 = np.float32


@dataclass
class Bins:
    """Which Gaussians touch which tiles. A pair is a Gaussian in a tile: listed by Gaussian, and by tile as slots."""

    tiles_x: int
    tiles_y: int
    starts: NDArray[np.int64]  # [tiles + 1] first slot of each tile
    ids: NDArray[np.int32]  # [slots] the Gaussian of each slot, nearest first within a tile
    records: Array  # [slots, RECORD] its record: a tile reads what lies side by side
    firsts: NDArray[np.int64]  # [N + 1] bounds of each Gaussian's pairs
    pair_slots: NDArray[np.int32]  # [pairs] the slot of each pair


def bin_records(records: Array, depths: Array, width: int, height: int) -> Bins:
    """Bins of records [N, RECORD] whose depth [N] is above 0, in a picture of `width` x `height` pixels."""
    tiles_x, tiles_y = -(-width // TILE), -(-height // TILE)
    tiles = np.empty(_most_pairs(records, depths, tiles_x, tiles_y), np.int32)
    starts = np.zeros(tiles_x * tiles_y + 1, np.int64)
    firsts = np.zeros(len(depths) + 1, np.int64)
    _list_pairs(records, depths, tiles_x, tiles_y, tiles, starts, firsts)
    starts = np.cumsum(starts)
    ids, pair_slots = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.int32)
    by_slot = np.empty((starts[-1], RECORD), np.float32)
    _fill_slots(depth_order(depths), records, firsts, tiles, starts[:-1].copy(), ids, by_slot, pair_slots)
    return Bins(tiles_x, tiles_y, starts, ids, by_slot, firsts, pair_slots)


def depth_order(depths: Array) -> NDArray[np.int32]:
    """[V] the visible (depth > 0) Gaussians, nearest first; equal depths keep their order."""
    order, spare = np.empty(len(depths), np.int32), np.empty(len(depths), np.int32)
    keys = depths.view(np.uint32)  # positive floats sort like their bits
    return _radix_sort(depths, keys, order, spare, np.zeros((DIGITS, DIGIT_VALUES), np.int64))


@kernel
def _radix_sort(depths, keys, order, spare, counts):
    """Least significant digit first, one stable pass a digit."""
    visible = 0
    for i in range(len(depths)):
        if depths[i] > 0:
            order[visible] = i
            visible += 1
            for digit in range(DIGITS):
                counts[digit, (keys[i] >> np.uint32(DIGIT_BITS * digit)) & np.uint32(DIGIT_VALUES - 1)] += 1
    for digit in range(DIGITS):
        place = 0
        for value in range(DIGIT_VALUES):
            here = counts[digit, value]
            counts[digit, value] = place
            place += here
        shift = np.uint32(DIGIT_BITS * digit)
        for i in range(visible):
            value = (keys[order[i]] >> shift) & np.uint32(DIGIT_VALUES - 1)
            spare[counts[digit, value]] = order[i]
            counts[digit, value] += 1
        order, spare = spare, order
    return order[:visible]


@kernel
def _most_pairs(records, depths, tiles_x, tiles_y):
    """How many tiles the Gaussians' rectangles touch."""
    bound = 0
    for g in range(len(depths)):
        if depths[g] > 0:
            row, last_row = _tile_rows(records[g], tiles_y)
            first, last = _rectangle_columns(records[g], tiles_x)
            bound += max(last_row - row, 0) * max(last - first, 0)
    return bound


@kernel
def _tile_rows(record, tiles_y):
    first = max(0, int(np.floor((record[MEAN_Y] - record[HALF_HEIGHT]) / f32(TILE))))
    return first, min(tiles_y, int(np.floor((record[MEAN_Y] + record[HALF_HEIGHT]) / f32(TILE))) + 1)


@kernel
def _rectangle_columns(record, tiles_x):
    first = max(0, int(np.floor((record[MEAN_X] - record[HALF_WIDTH]) / f32(TILE))))
    return first, min(tiles_x, int(np.floor((record[MEAN_X] + record[HALF_WIDTH]) / f32(TILE))) + 1)


@kernel
def _tile_columns(record, tile_y, tiles_x):
    """The tile columns the ellipse touches within one row of tiles, first and one past the last.

    Within a band of rows an ellipse is widest at its rightmost (leftmost) point when that lies in the band, else at the
    band's nearer edge.
    """
    a, b, c = record[CONIC_A], record[CONIC_B], record[CONIC_C]  # a dx^2 + 2 b dx dy + c dy^2 <= reach
    reach = record[REACH]
    top = f32(tile_y * TILE) + f32(0.5) - record[MEAN_Y]
    bottom = top + f32(TILE - 1)
    top, bottom = max(top, -record[HALF_HEIGHT]), min(bottom, record[HALF_HEIGHT])
    if top > bottom:
        return 0, 0
    right_at = -b * record[HALF_WIDTH] / c
    low, high = f32(0), f32(0)
    for side in range(2):
        sign = f32(1) if side else f32(-1)
        dy = min(max(sign * right_at, top), bottom)
        root = np.sqrt(max(b * b * dy * dy - a * (c * dy * dy - reach), f32(0)))
        dx = (-b * dy + sign * root) / a
        if side:
            high = dx
        else:
            low = dx
    first = max(0, int(np.floor((record[MEAN_X] + low) / f32(TILE))))
    return first, min(tiles_x, int(np.floor((record[MEAN_X] + high) / f32(TILE))) + 1)


@kernel
def _list_pairs(records, depths, tiles_x, tiles_y, tiles, starts, firsts):
    """The tiles of each Gaussian, one Gaussian after the other; starts[tile + 1] = how often a tile occurs."""
    pair = 0
    for g in range(len(depths)):
        firsts[g] = pair
        if not depths[g] > 0:
            continue
        record = records[g]
        row, last_row = _tile_rows(record, tiles_y)
        widest_first, widest_last = _rectangle_columns(record, tiles_x)
        for tile_y in range(row, last_row):
            first, last = widest_first, widest_last
            if last - first > 1:  # of one column nothing can be left out
                first, last = _tile_columns(record, tile_y, tiles_x)
            for tile in range(tile_y * tiles_x + first, tile_y * tiles_x + last):
                starts[tile + 1] += 1
                tiles[pair] = tile
                pair += 1
    firsts[len(depths)] = pair


@kernel
def _fill_slots(order, records, firsts, tiles, cursors, ids, by_slot, pair_slots):
    """Puts every pair into its tile's next slot, nearest Gaussians first."""
    for i in range(len(order)):
        g = order[i]
        for pair in range(firsts[g], firsts[g + 1]):
            slot = cursors[tiles[pair]]
            cursors[tiles[pair]] = slot + 1
            ids[slot] = g
            pair_slots[pair] = slot
            for k in range(RECORD):
                by_slot[slot, k] = records[g, k]
