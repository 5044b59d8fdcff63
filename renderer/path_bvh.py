"""A tree of boxes over triangles (BVH), and rays through it, in numpy: the twin of `shaders/path_shapes.glsl`'s walk.

Built level by level, all nodes of a level at once. A node is split where the surface area heuristic is least, of
BINS - 1 planes along each axis between the bins of its triangles' middles (Wald, "On fast Construction of SAH-based
Bounding Volume Hierarchies", 2007). From level HALVING on, and where all middles are in one place, it is split into
halves, so that no tree is deeper than STACK for MOST_TRIANGLES. Both children of a node lie side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.errors import KilofieldError

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

BINS = 16
LEAF = 4  # triangles, at most
HALVING = 16
MOST_TRIANGLES = 1 << 22
STACK = 40  # nodes that wait; HALVING + log2(MOST_TRIANGLES / LEAF) and a few more


@dataclass(frozen=True)
class Tree:
    """M nodes, the root first, over T triangles in the order of the leaves."""

    lowest: Doubles  # [M, 3] corners of the boxes
    highest: Doubles  # [M, 3]
    first: Ints  # [M] of a leaf its first triangle, else the first of its two children
    count: Ints  # [M] triangles of a leaf, else 0
    triangles: Doubles  # [T, 3, 3] corners
    faces: Ints  # [T] which of the given triangles each is


def build_tree(triangles: Doubles) -> Tree:
    """The tree over triangles [T, 3, 3], T at least 1."""
    if not 1 <= len(triangles) <= MOST_TRIANGLES:
        raise KilofieldError(f"mesh: expected 1 to {MOST_TRIANGLES:,} triangles, found {len(triangles):,}")
    return _Build(np.asarray(triangles, np.float64)).run()


class _Build:
    def __init__(self, triangles: Doubles) -> None:
        self._low, self._high = triangles.min(axis=1), triangles.max(axis=1)
        self._middle = 0.5 * (self._low + self._high)
        self._triangles = triangles
        self._order = np.arange(len(triangles))

    def run(self) -> Tree:
        starts, counts = np.array([0]), np.array([len(self._order)])
        levels: list[tuple[Ints, Ints]] = []
        boxes: list[tuple[Doubles, Doubles]] = []
        made = 1
        for level in range(STACK + 1):
            boxes.append(self._boxes(starts, counts))
            split = counts > LEAF
            children = made + 2 * (np.cumsum(split) - split)
            levels.append((np.where(split, children, starts), np.where(split, 0, counts)))
            made += 2 * int(split.sum())
            if not split.any():
                break
            starts, counts = self._divide(starts, counts, split, level >= HALVING)
        first, count = (np.concatenate(part) for part in zip(*levels, strict=True))
        lowest, highest = (np.concatenate(part) for part in zip(*boxes, strict=True))
        return Tree(lowest, highest, first, count, self._triangles[self._order], self._order)

    def _boxes(self, starts: Ints, counts: Ints) -> tuple[Doubles, Doubles]:
        """Of the level's nodes."""
        triangles, firsts = self._order[_ranges(starts, counts)], np.cumsum(counts) - counts
        lowest = np.minimum.reduceat(self._low[triangles], firsts)
        return lowest, np.maximum.reduceat(self._high[triangles], firsts)

    def _divide(self, starts: Ints, counts: Ints, split: NDArray[np.bool_], halve: bool) -> tuple[Ints, Ints]:
        """The next level's nodes, with the triangles in their order."""
        starts, counts = starts[split], counts[split]
        rows = _ranges(starts, counts)
        node = np.repeat(np.arange(len(starts)), counts)
        triangles = self._order[rows]
        left = _halves(counts) if halve else self._left(triangles, node, counts)
        self._order[rows] = triangles[np.lexsort((~left, node))]
        lefts = np.bincount(node, left, len(starts)).astype(np.int64)
        pairs = np.stack([starts, starts + lefts], axis=1), np.stack([lefts, counts - lefts], axis=1)
        return pairs[0].ravel(), pairs[1].ravel()

    def _left(self, triangles: Ints, node: Ints, counts: Ints) -> NDArray[np.bool_]:
        """Which triangles go to the first child, by the best of all planes."""
        nodes = len(counts)
        middle, firsts = self._middle[triangles], np.cumsum(counts) - counts
        low, high = np.minimum.reduceat(middle, firsts), np.maximum.reduceat(middle, firsts)
        width = np.where(high > low, high - low, 1)
        place = np.minimum((BINS * (middle - low[node]) / width[node]).astype(np.int64), BINS - 1)
        best, axis, plane = np.full(nodes, np.inf), np.zeros(nodes, np.int64), np.zeros(nodes, np.int64)
        for a in range(3):
            cost = self._costs(triangles, node * BINS + place[:, a], nodes)
            least = cost.argmin(axis=1)
            better = cost[np.arange(nodes), least] < best
            best = np.where(better, cost.min(axis=1), best)
            axis, plane = np.where(better, a, axis), np.where(better, least, plane)
        left = place[np.arange(len(node)), axis[node]] <= plane[node]
        return np.where(np.isfinite(best)[node], left, _halves(counts))

    def _costs(self, triangles: Ints, cell: Ints, nodes: int) -> Doubles:
        """[nodes, BINS - 1] area times count on both sides of each plane; inf where a side is empty."""
        order = np.argsort(cell, kind="stable")
        used, first = np.unique(cell[order], return_index=True)
        low, high = np.full((nodes * BINS, 3), np.inf), np.full((nodes * BINS, 3), -np.inf)
        low[used] = np.minimum.reduceat(self._low[triangles[order]], first)
        high[used] = np.maximum.reduceat(self._high[triangles[order]], first)
        count = np.bincount(cell, minlength=nodes * BINS).reshape(nodes, BINS)
        low, high = low.reshape(nodes, BINS, 3), high.reshape(nodes, BINS, 3)
        before = _swept(low, high, count)[:, :-1]
        after = _swept(low[:, ::-1], high[:, ::-1], count[:, ::-1])[:, ::-1][:, 1:]
        return before + after


def _swept(low: Doubles, high: Doubles, count: Ints) -> Doubles:
    """[nodes, BINS] area times count of all bins up to each; inf while there is nothing."""
    size = np.maximum.accumulate(high, axis=1) - np.minimum.accumulate(low, axis=1)
    number = np.cumsum(count, axis=1)
    size = np.where(number[..., None] > 0, size, 0)
    area = size[..., 0] * size[..., 1] + size[..., 1] * size[..., 2] + size[..., 2] * size[..., 0]
    return np.where(number > 0, area * number, np.inf)


def _ranges(starts: Ints, counts: Ints) -> Ints:
    """All places of ranges, one range after the other."""
    return np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())


def _halves(counts: Ints) -> NDArray[np.bool_]:
    """The first half of each range."""
    return _ranges(np.zeros_like(counts), counts) < np.repeat(counts // 2, counts)


@dataclass(frozen=True)
class TreeHits:
    """What N rays met; `face` -1 and `distance` as given where nothing."""

    distance: Doubles  # [N] in units of the directions
    triangle: Ints  # [N] in the order of the tree, or -1


def trace_tree(tree: Tree, origins: Doubles, directions: Doubles, most: Doubles) -> TreeHits:
    """The nearest triangle of each ray [N, 3] nearer than `most` [N], seen from both sides."""
    nearest, found = most.astype(np.float64).copy(), np.full(len(origins), -1)
    slope = np.where(np.abs(directions) < 1e-12, np.where(directions < 0, -1e-12, 1e-12), directions)
    stack, height = np.zeros((len(origins), STACK), np.int64), np.ones(len(origins), np.int64)
    while (rows := np.flatnonzero(height)).size:
        height[rows] -= 1
        node = stack[rows, height[rows]]
        met = _in_box(tree, node, origins[rows], slope[rows], nearest[rows])
        rows, node = rows[met], node[met]
        leaf = tree.count[node] > 0
        _meet_leaves(tree, node[leaf], rows[leaf], origins, directions, nearest, found)
        rows, child = rows[~leaf], tree.first[node[~leaf]]
        for side in (1, 0):
            stack[rows, height[rows]] = child + side
            height[rows] += 1
    return TreeHits(nearest, found)


def _in_box(tree: Tree, node: Ints, origins: Doubles, slope: Doubles, most: Doubles) -> NDArray[np.bool_]:
    ends = (np.stack([tree.lowest[node], tree.highest[node]]) - origins) / slope
    near, far = ends.min(axis=0).max(axis=1), ends.max(axis=0).min(axis=1)
    return (near <= far * (1 + 1e-6)) & (far >= 0) & (near < most)


def _meet_leaves(
    tree: Tree, node: Ints, rows: Ints, origins: Doubles, directions: Doubles, nearest: Doubles, found: Ints
) -> None:
    for k in range(LEAF):
        some = tree.count[node] > k
        index, row = tree.first[node[some]] + k, rows[some]
        distance = meet_triangles(tree.triangles[index], origins[row], directions[row])
        closer = distance < nearest[row]
        nearest[row[closer]], found[row[closer]] = distance[closer], index[closer]


def meet_triangles(triangles: Doubles, origins: Doubles, directions: Doubles) -> Doubles:
    """[N] distance of triangle [N, 3, 3] along each ray; inf where it is missed (Moeller and Trumbore 1997)."""
    corner = triangles[:, 0]
    first, second = triangles[:, 1] - corner, triangles[:, 2] - corner
    across = np.cross(directions, second)
    size = (first * across).sum(axis=1)
    scale = 1 / np.where(size != 0, size, 1)
    offset = origins - corner
    u = scale * (offset * across).sum(axis=1)
    around = np.cross(offset, first)
    v = scale * (directions * around).sum(axis=1)
    distance = scale * (second * around).sum(axis=1)
    inside = (size != 0) & (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0)
    return np.where(inside, distance, np.inf)
