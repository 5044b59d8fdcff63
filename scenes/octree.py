"""Integer cells coded as an octree, level by level from the root; x is the lowest bit of each Morton triple.

Each node says whether it holds a single occupied cell. If so, the rest of that cell's Morton code follows as plain
bits: nothing known predicts them (contexts from neighbours saved under 0.1 %), and most of a sparse scene's bits are
here. If not, an occupancy byte says which of its eight children exist. Flags and occupancies are rANS-coded; the table
follows from how many nodes the level has a point, which is the density at its scale, and for flags from how many
children the parent has. Points that share a cell are counted at the leaves.

After G-PCC's octree and direct coding mode (D. Graziosi et al., "An overview of ongoing point cloud compression
standardization activities", 2020), with static tables.

    u32 bytes of the rANS stream
    ..  rANS stream: for each level its flags, then its occupancies; last, the points of each cell beyond its first
    ..  plain bits, most significant first, padded to a byte
"""

from __future__ import annotations

import struct
from functools import cache

import numpy as np
from numpy.typing import NDArray

from scenes import rans
from scenes.rans_tables import CodecError

MAX_BITS = 20
FLAG_DENSITIES = 16  # classes of nodes a point, for flags
BYTE_DENSITIES = 4  # and for occupancies, whose tables are long
PARENTS = 5  # children of the parent: none (the root), 1, 2, 3, more
OCCUPANCIES = FLAG_DENSITIES * PARENTS  # the first table of occupancies, behind those of flags
LEAVES = OCCUPANCIES + BYTE_DENSITIES  # the table of the points a cell has beyond its first
_CHILDREN = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(bool)
_POPULATION = _CHILDREN.sum(axis=1)
_CHILD = np.uint64(7)  # the last bits of a Morton code


def morton_codes(cells: NDArray[np.integer]) -> NDArray[np.uint64]:
    """[N] Morton codes of `cells` [N, 3]: bit b of x, y, z becomes bit 3 b, 3 b + 1, 3 b + 2."""
    spread = _spread(np.asarray(cells).astype(np.uint64))
    return spread[:, 0] | spread[:, 1] << np.uint64(1) | spread[:, 2] << np.uint64(2)


def cells_of_morton(codes: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """[N, 3] the inverse of `morton_codes`."""
    codes, table = np.asarray(codes, np.uint64), _pieces()
    cells = np.empty((len(codes), 3), np.uint32)
    for first in range(0, len(codes), _BLOCK):
        left = codes[first : first + _BLOCK].astype(np.int64)
        packed = np.zeros(len(left), np.int64)
        for shift in range(0, int(left.max()).bit_length() // 3 + 1, _PIECE):
            packed |= table.take(left & ((1 << 3 * _PIECE) - 1), mode="clip") << shift
            left >>= 3 * _PIECE
        for axis in range(3):
            cells[first : first + _BLOCK, axis] = packed >> 21 * axis & 0x1FFFFF
    return cells


_PIECE = 5  # bits of each coordinate that one look-up takes from a Morton code
_BLOCK = 1 << 14  # codes at a time, so that their arrays stay in the cache


@cache
def _pieces() -> NDArray[np.int64]:
    """x | y << 21 | z << 42 of each Morton code of `_PIECE` bits a coordinate."""
    x, y, z = _gather(np.arange(1 << 3 * _PIECE, dtype=np.uint64)[:, None] >> np.arange(3, dtype=np.uint64)).T
    return (x | y << np.uint64(21) | z << np.uint64(42)).astype(np.int64)


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
    symbols, tables, plain = [], [], []
    active, parents = leaves, np.zeros(min(len(leaves), 1), np.int64)
    for level in range(bits):
        active, single = _split(active, 3 * (bits - level), plain)
        flags, occupied = _tables(len(cells), parents)
        occupancy = _occupancies(active, 3 * (bits - level) - 3)
        parents = np.repeat(_POPULATION[occupancy], _POPULATION[occupancy])
        symbols += [single, occupancy]
        tables += [flags, np.full(len(occupancy), occupied)]
    symbols.append(counts - 1)
    tables.append(np.full(len(counts), LEAVES))
    coded = rans.encode(np.concatenate(symbols), np.concatenate(tables), LEAVES + 1)
    bits_after = np.packbits(np.concatenate([np.empty(0, np.uint8), *plain])).tobytes()
    return struct.pack("<I", len(coded)) + coded + bits_after, order


def _split(
    active: NDArray[np.uint64], shift: int, plain: list[NDArray[np.uint8]]
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Takes the cells that are alone in their node, `shift` bits above the leaves, out of `active`.

    Returns the rest, and for each node whether it is single; the bits of the single ones go to `plain`.
    """
    _, first, counts = np.unique(active >> np.uint64(shift), return_index=True, return_counts=True)
    single = counts == 1
    plain.append(_bits(active[first[single]], shift))
    return active[np.repeat(~single, counts)], single


def _bits(values: NDArray[np.uint64], width: int) -> NDArray[np.uint8]:
    """The lowest `width` bits of each value, most significant first, in one row."""
    places = np.arange(width - 1, -1, -1, dtype=np.uint64)
    return (values[:, None] >> places & np.uint64(1)).astype(np.uint8).ravel()


def _occupancies(active: NDArray[np.uint64], shift: int) -> NDArray[np.int64]:
    """The occupancy byte of each node that holds `active` cells; its children are `shift` bits above the leaves."""
    children = np.unique(active >> np.uint64(shift))
    parents = children >> np.uint64(3)
    first = np.flatnonzero(np.diff(parents.view(np.int64), prepend=-1))
    bits = 1 << (children & np.uint64(7)).astype(np.int64)
    return np.add.reduceat(bits, first) if len(first) else np.empty(0, np.int64)


def _tables(count: int, parents: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """The table of each node's flag and the table of the level's occupancies.

    `parents` [n] are the children of each node's parent, 0 at the root; `count` are the points of all.
    """
    nodes = max(len(parents) - 1, 0)  # so that a node for each point is still the last class
    flags = FLAG_DENSITIES * nodes // max(count, 1) * PARENTS + np.minimum(parents, PARENTS - 1)
    return flags, OCCUPANCIES + BYTE_DENSITIES * nodes // max(count, 1)


def decode_cells(data: bytes, bits: int, count: int) -> NDArray[np.uint32]:
    """The `count` cells [N, 3] in Morton order. Raises `CodecError` on bytes `encode_cells` cannot have made."""
    if len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "little"):
        raise CodecError("a rANS stream as long as it says", f"{len(data)} bytes")
    stop = 4 + int.from_bytes(data[:4], "little")
    decoder, plain = rans.Decoder(data[4:stop]), _PlainBits(data[stop:])
    leaves = _decode_leaves(decoder, plain, bits, count)
    counts = decoder.take(np.full(len(leaves), LEAVES)) + 1
    decoder.finish()
    plain.finish()
    if counts.min(initial=1) < 1 or counts.sum() != count:
        raise CodecError(f"{count} points", f"{counts.sum()}")
    return cells_of_morton(np.repeat(leaves, counts))


def _decode_leaves(decoder: rans.Decoder, plain: _PlainBits, bits: int, count: int) -> NDArray[np.uint64]:
    """The Morton codes of all occupied cells, in order."""
    nodes, parents = np.zeros(min(count, 1), np.uint64), np.zeros(min(count, 1), np.int64)
    found: list[NDArray[np.uint64]] = []
    left = count  # points not yet found
    for level in range(bits):
        flags, occupied = _tables(count, parents)
        single = decoder.take(flags) == 1
        width = 3 * (bits - level)
        found.append(np.bitwise_or(nodes[single] << np.uint64(width), plain.take(int(single.sum()), width)))
        nodes = nodes[~single]
        occupancy = decoder.take(np.full(len(nodes), occupied))
        if occupancy.min(initial=1) < 1 or occupancy.max(initial=1) > 255:
            raise CodecError("occupancies from 1 to 255", f"{occupancy.min()} to {occupancy.max()}")
        children = _POPULATION[occupancy]
        parents = np.repeat(children, children)
        child = np.unpackbits(occupancy.astype(np.uint8), bitorder="little").nonzero()[0].astype(np.uint64) & _CHILD
        nodes = np.bitwise_or(np.repeat(nodes, children) << np.uint64(3), child)
        left -= len(found[-1])
        if len(nodes) > left:
            raise CodecError(f"at most {count} cells", "more")
    return np.sort(np.concatenate([*found, nodes]))


class _PlainBits:
    """Reads fields of plain bits, most significant first."""

    def __init__(self, data: bytes) -> None:
        self._data = np.frombuffer(data, np.uint8)
        self._position = 0
        self._padded = np.concatenate([self._data, np.zeros(9, np.uint8)])
        # The 8 bytes from each byte on, as one number.
        self._eights = np.ndarray(len(data) + 2, ">u8", self._padded, strides=(1,))

    def take(self, count: int, width: int) -> NDArray[np.uint64]:
        """The next `count` fields of `width` bits, 64 at most."""
        places = self._position + width * np.arange(count)  # of the first bits
        self._position += count * width
        if self._position > 8 * len(self._data):
            raise CodecError("more plain bits", "the end of the stream")
        byte, skip = places >> 3, (places & 7).astype(np.uint64)
        fields = self._eights[byte].astype(np.uint64) << skip
        fields |= self._padded[byte + 8].astype(np.uint64) >> (np.uint64(8) - skip)
        return (fields >> np.uint64(64 - width)).astype(np.uint64, copy=False)

    def finish(self) -> None:
        """Nothing is left but the padding of the last byte."""
        if len(self._data) != -(-self._position // 8) or (
            self._position % 8 and self._data[-1] << self._position % 8 & 255
        ):
            raise CodecError("plain bits that end with the stream", "others")
