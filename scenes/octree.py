"""Integer cells coded as an octree: one occupancy byte a node, level by level from the root.

Cells are in Morton order, x in the lowest bit of each triple. The occupancy bytes of a level are coded together; the
table of each follows from what is known of the level above: how many children the parent has and how many of the six
cells that share a face with the node are occupied. After D. Graziosi et al., "An overview of ongoing point cloud
compression standardization activities" (2020, G-PCC's octree), with static tables. Points that share a cell are
counted at the leaves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenes import rans
from scenes.rans_tables import CodecError

MAX_BITS = 20
NEIGHBOURS = 7  # 0 to 6 occupied face neighbours
CONTEXTS = 2 * NEIGHBOURS
LEAVES = CONTEXTS  # the table of the points a leaf has beyond its first
_CHILDREN = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(bool)
_POPULATION = _CHILDREN.sum(axis=1)


def morton_codes(cells: NDArray[np.integer]) -> NDArray[np.uint64]:
    """[N] Morton codes of `cells` [N, 3]: bit b of x, y, z becomes bit 3 b, 3 b + 1, 3 b + 2."""
    spread = _spread(np.asarray(cells).astype(np.uint64))
    return spread[:, 0] | spread[:, 1] << np.uint64(1) | spread[:, 2] << np.uint64(2)


def cells_of_morton(codes: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """[N, 3] the inverse of `morton_codes`."""
    shifted = np.asarray(codes, np.uint64)[:, None] >> np.arange(3, dtype=np.uint64)
    return _gather(shifted).astype(np.uint32)


# The classic masks that spread 21 bits to every third place, and the shifts between them.
_MASKS = tuple(
    np.uint64(m)
    for m in (0x1F00000000FFFF, 0x1F0000FF0000FF, 0x100F00F00F00F00F, 0x10C30C30C30C30C3, 0x1249249249249249)
)
_SHIFTS = tuple(np.uint64(s) for s in (32, 16, 8, 4, 2))


def _spread(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for shift, mask in zip(_SHIFTS, _MASKS, strict=True):
        x = (x | x << shift) & mask
    return x


def _gather(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = x & _MASKS[-1]
    for shift, mask in zip(_SHIFTS[::-1], (*_MASKS[-2::-1], np.uint64(0x1FFFFF)), strict=True):
        x = (x | x >> shift) & mask
    return x


def encode_cells(cells: NDArray[np.integer], bits: int) -> tuple[bytes, NDArray[np.int64]]:
    """`cells` [N, 3] below 2^bits as bytes, and the order [N] in which they will be decoded: Morton, stable.

    Raises `CodecError` when over 65536 points share a cell.
    """
    codes = morton_codes(cells)
    order = np.argsort(codes, kind="stable")
    leaves, counts = np.unique(codes[order], return_counts=True)
    symbols, contexts = [], []
    parent_children = np.zeros(1, np.int64)
    for level in range(bits if len(leaves) else 0):
        nodes, occupancy = _occupancies(leaves, 3 * (bits - level))
        symbols.append(occupancy)
        contexts.append(_contexts(nodes, level, parent_children))
        parent_children = np.repeat(_POPULATION[occupancy], _POPULATION[occupancy])
    symbols.append(counts - 1)
    contexts.append(np.full(len(counts), LEAVES))
    return rans.encode(np.concatenate(symbols), np.concatenate(contexts), CONTEXTS + 1), order


def decode_cells(data: bytes, bits: int, count: int) -> NDArray[np.uint32]:
    """The `count` cells [N, 3] in Morton order. Raises `CodecError` on bytes `encode_cells` cannot have made."""
    decoder = rans.Decoder(data)
    nodes = np.zeros(min(count, 1), np.uint64)
    parent_children = np.zeros(1, np.int64)
    for level in range(bits if count else 0):
        occupancy = decoder.take(_contexts(nodes, level, parent_children))
        if occupancy.min() < 1 or occupancy.max() > 255:
            raise CodecError("occupancies from 1 to 255", f"{occupancy.min()} to {occupancy.max()}")
        parent_children = np.repeat(_POPULATION[occupancy], _POPULATION[occupancy])
        if len(parent_children) > count:
            raise CodecError(f"at most {count} nodes a level", f"{len(parent_children)}")
        owner, child = np.nonzero(_CHILDREN[occupancy])
        nodes = nodes[owner] << np.uint64(3) | child.astype(np.uint64)
    counts = decoder.take(np.full(len(nodes), LEAVES)) + 1
    decoder.finish()
    if counts.min(initial=1) < 1 or counts.sum() != count:
        raise CodecError(f"{count} points", f"{counts.sum()}")
    return cells_of_morton(np.repeat(nodes, counts))


def _occupancies(leaves: NDArray[np.uint64], shift: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The nodes of a level, `shift` bits above the leaves, and the occupancy byte of each."""
    children = np.unique(leaves >> np.uint64(shift - 3))
    parents = children >> np.uint64(3)
    first = np.flatnonzero(np.concatenate([[True], parents[1:] != parents[:-1]]))
    occupancy = np.add.reduceat(1 << (children & np.uint64(7)).astype(np.int64), first)
    return parents[first], occupancy


def _contexts(nodes: NDArray[np.uint64], level: int, parent_children: NDArray[np.int64]) -> NDArray[np.int64]:
    """The table of each node of a level."""
    return (parent_children == 1) * NEIGHBOURS + _face_neighbours(nodes, level)


def _face_neighbours(nodes: NDArray[np.uint64], level: int) -> NDArray[np.int64]:
    """[n] how many of the six cells that share a face with each node are nodes of the level too."""
    cells = cells_of_morton(nodes).astype(np.int64)
    found = np.zeros(len(nodes), np.int64)
    for axis in range(3):
        for side in (-1, 1):
            other = cells.copy()
            other[:, axis] += side
            inside = (other[:, axis] >= 0) & (other[:, axis] < 1 << level)
            wanted = morton_codes(np.where(inside[:, None], other, 0))
            at = np.minimum(np.searchsorted(nodes, wanted), len(nodes) - 1)
            found += inside & (nodes[at] == wanted)
    return found
