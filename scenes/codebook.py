"""Vector quantisation: 256 levels for a set of numbers, and a palette for a set of rows. Seeded, numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenes.content import blocks
from scenes.gaussians import Floats

LEVELS = 256
BINS = 4096  # of as many numbers each, in which their density is measured
LEVEL_ROUNDS = 40
CELL_ROUNDS, PALETTE_ROUNDS = 8, 8
CELL_SAMPLE = 100  # rows a cell that the cells are learnt from
ROWS_AT_ONCE = 1 << 13  # whose distances to all centres are in memory at once
SEED = 0


def levels_of(values: Floats) -> Floats:
    """[256] rising levels that lie close to the `values` [N]: all of them where there are no more than 256.

    They start where their density is the square root of that of the values, and move to the means of what is nearest to
    them (Lloyd 1957). The cube root would be best for the mean square (Panter and Dite 1951), which a few values far
    outside, as scenes have them, pull to themselves at the cost of all others.
    """
    ordered = np.sort(values.ravel())
    new = ordered[1:] != ordered[:-1]
    if np.count_nonzero(new) < LEVELS:
        different = ordered[np.concatenate([[True], new])]
        return np.concatenate([different, np.full(LEVELS - len(different), ordered[-1], np.float32)])
    levels = _spread_levels(ordered)
    sums = np.zeros(len(ordered) + 1)
    np.cumsum(ordered, dtype=np.float64, out=sums[1:])
    for _ in range(LEVEL_ROUNDS):
        ends = np.searchsorted(ordered, (levels[1:] + levels[:-1]) / 2)
        ends = np.concatenate([[0], ends, [len(ordered)]])
        counts = np.diff(ends)
        means = np.diff(sums[ends]) / np.maximum(counts, 1)
        levels = np.sort(np.where(counts, means, levels))
    return levels.astype(np.float32)


def _spread_levels(ordered: Floats) -> NDArray[np.float64]:
    """[256] with the square root of the density of the `ordered` values."""
    edges = ordered[np.linspace(0, len(ordered) - 1, min(BINS, len(ordered))).astype(np.int64)].astype(np.float64)
    share = np.concatenate([[0.0], np.cumsum(np.sqrt(np.diff(edges)))])  # (count / width)^(1/2) times width
    return np.interp((np.arange(LEVELS) + 0.5) / LEVELS * share[-1], share, edges)


def nearest_level(levels: Floats, values: Floats) -> NDArray[np.uint8]:
    """The index of the level of `levels` [256], which rise, that is nearest to each of the `values`."""
    ends, found = (levels[1:] + levels[:-1]) / 2, np.empty(values.shape, np.uint8)
    for block in blocks(len(values)):
        found[block] = np.searchsorted(ends, values[block])
    return found


def palette_of(rows: Floats, size: int) -> tuple[Floats, NDArray[np.int32]]:
    """A palette [P, D] of at most `size` rows for the `rows` [N, D], and the index [N] of each of them in it.

    Where there are no more than `size` different rows it is those. Else the rows are divided into about sqrt(size)
    cells by k-means, and every cell by k-means of its own into a share of the palette that goes with how much its rows
    differ: a thousandth of the work of k-means over all, for errors a few per cent larger.
    """
    exact = _different(rows, size)
    if exact is not None:
        return exact
    rng = np.random.default_rng(SEED)
    cells = max(int(size**0.5), 1)
    sample = rows[np.sort(rng.choice(len(rows), min(len(rows), CELL_SAMPLE * cells), replace=False))]
    cell_of = _nearest(_k_means(sample, cells, CELL_ROUNDS, rng), rows)
    order = np.argsort(cell_of, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(cell_of, minlength=cells))[:-1])
    palette, labels = [], np.empty(len(rows), np.int32)
    for index, share in zip(members, _shares(rows, members, size), strict=True):
        if len(index):
            centres = _k_means(rows[index], share, PALETTE_ROUNDS, rng)
            labels[index] = _nearest(centres, rows[index]) + sum(map(len, palette))
            palette.append(centres)
    return np.concatenate(palette), labels


def _different(rows: Floats, size: int) -> tuple[Floats, NDArray[np.int32]] | None:
    """The different rows and the index of each, if there are at most `size`; found by a hash, and then checked."""
    factors = np.random.default_rng(SEED).integers(1, 1 << 63, rows.shape[1], dtype=np.uint64) | np.uint64(1)
    hashes = np.zeros(len(rows), np.uint64)
    for column, factor in enumerate(factors):
        hashes += np.ascontiguousarray(rows[:, column]).view(np.uint32) * factor
        hashes ^= hashes >> np.uint64(29)
    _, firsts, labels = np.unique(hashes, return_index=True, return_inverse=True)
    if len(firsts) > size:
        return None
    palette = rows[firsts]
    if not all(np.array_equal(palette[labels[block]], rows[block]) for block in blocks(len(rows))):
        return None
    return palette, labels.astype(np.int32)


def _shares(rows: Floats, members: list[NDArray[np.intp]], size: int) -> NDArray[np.int64]:
    """[cells] how many of `size` palette rows each cell gets: by its rows times their spread, at most one a row."""
    counts = np.array([len(index) for index in members])
    spreads = np.array([float(rows[index].var(axis=0).sum()) if len(index) else 0.0 for index in members])
    weights = counts * np.sqrt(spreads) + 1e-9 * counts
    shares = 1 + np.floor((size - len(members)) * weights / weights.sum()).astype(np.int64)
    return np.minimum(shares, counts)


def _k_means(rows: Floats, count: int, rounds: int, rng: np.random.Generator) -> Floats:
    """[count, D] centres, from rows drawn at random; one that nothing is nearest to stays where it is."""
    if len(rows) <= count:
        return rows.copy()
    centres = rows[rng.choice(len(rows), count, replace=False)]
    for _ in range(rounds):
        nearest = _nearest(centres, rows)
        counts = np.bincount(nearest, minlength=count)
        order = np.argsort(nearest, kind="stable")
        used = counts > 0
        sums = np.add.reduceat(rows[order], (np.cumsum(counts) - counts)[used], axis=0)
        centres[used] = sums / counts[used, None]
    return centres


def _nearest(centres: Floats, rows: Floats) -> NDArray[np.int64]:
    """[N] the index of the one of `centres` [M, D] that is nearest to each of `rows` [N, D]."""
    found = np.empty(len(rows), np.int64)
    half = (centres * centres).sum(axis=1) / 2
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        found[part] = (half - rows[part] @ centres.T).argmin(axis=1)
    return found
