"""Integers coded in many short, independent streams, one for each thread of a shader; the decoder is
`shaders/resident_stream.glsl`.

The coder is rANS (J. Duda, "Asymmetric numeral systems", arXiv 1311.2540) with 32-bit states and 16-bit words, as in
`scenes/rans.py`, but every lane has words of its own, because a thread cannot know what the others consume. What a
short stream would lose at its ends is avoided: a lane's encoder starts from state 0 in place of 2^16, and the decoder
refills its state only while the lane has words left, so that the last symbols come out of the state itself.

    lane: u16 high half of the state, u16 low half, u16 words in the order they are needed
    step: slot = state mod 2^bits, symbol from slot; state = frequency * (state >> bits) + slot - start;
          when state < 2^16 and words are left: state = state << 16 | next word
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PRECISION = 15  # bits of a table's frequencies: an entry's start fits the low half of a word, with 2^15 for the end
RAW_BITS = 16  # the most that one step takes as they are
ENTRY_BITS = 32  # of a table's entry: symbol << 16 | start
MAX_ENTRIES = 1 << (PRECISION - 2)  # of one table; leaves frequencies that can tell common from rare
MAX_SHIFT = 12


@dataclass(frozen=True)
class Steps:
    """One step of the coder for each of N items: `bits` 0 with frequency 1 codes nothing."""

    frequencies: NDArray[np.uint32]  # [N]
    starts: NDArray[np.uint32]  # [N]
    bits: NDArray[np.uint8]  # [N] log2 of what the frequencies of all symbols add up to


@dataclass(frozen=True)
class Table:
    """Symbols of one kind: `value >> shift` is coded by its frequency, the `shift` low bits as they are."""

    symbols: NDArray[np.int64]  # [n] ascending, each in 16 bits
    starts: NDArray[np.int64]  # [n + 1] cumulative frequencies, up to 2^PRECISION
    shift: int

    def entries(self) -> NDArray[np.uint32]:
        """[n + 1] symbol << 16 | start, with an end mark."""
        symbols = np.append(self.symbols, 0) & 0xFFFF
        return (symbols << 16 | self.starts).astype(np.uint32)

    def steps(self, values: NDArray[np.integer]) -> list[Steps]:
        """The steps that code each of `values` [N], which were among those of `fit_table`."""
        k = np.searchsorted(self.symbols, values >> self.shift)
        frequencies = np.diff(self.starts)[k]
        coded = Steps(
            frequencies.astype(np.uint32), self.starts[k].astype(np.uint32), np.full(len(k), PRECISION, np.uint8)
        )
        if not self.shift:
            return [coded]
        low = values.astype(np.int64) & ((1 << self.shift) - 1)
        return [coded, raw_steps(low, np.full(len(k), self.shift))]


def raw_steps(values: NDArray[np.integer], bits: NDArray[np.integer]) -> Steps:
    """Steps that take `values` [N] as they are, in `bits` [N] each, at most RAW_BITS."""
    return Steps(np.ones(len(values), np.uint32), values.astype(np.uint32), bits.astype(np.uint8))


def fit_table(values: NDArray[np.integer], max_shift: int = MAX_SHIFT) -> Table:
    """The table that makes `values` and itself shortest: neighbouring symbols share an entry where that is cheaper."""
    symbols, counts = np.unique(values, return_counts=True)
    best: tuple[float, Table] | None = None
    for shift in range(max_shift + 1):
        merged, owner = np.unique(symbols >> shift, return_inverse=True)
        if len(merged) > MAX_ENTRIES:
            continue
        table, bits = _table(merged, np.bincount(owner, counts, len(merged)), shift)
        if best is None or bits < best[0]:
            best = (bits, table)
        if len(merged) <= 1:
            break
    assert best is not None  # 16-bit symbols shifted by 12 leave 16
    return best[1]


def _table(symbols: NDArray[np.integer], counts: NDArray[np.number], shift: int) -> tuple[Table, float]:
    """The table of these counts, and the bits of table and values together."""
    before = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    free = (1 << PRECISION) - len(symbols)  # every symbol gets one slot beside its share
    starts = before * free // max(int(before[-1]), 1) + np.arange(len(before))
    starts[-1] = 1 << PRECISION
    coded = counts @ (PRECISION + shift - np.log2(np.diff(starts)))
    return Table(symbols.astype(np.int64), starts, shift), float(coded) + ENTRY_BITS * len(symbols)


def encode_lanes(steps: list[Steps], items: NDArray[np.int64]) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """Codes `steps`, in the order they are decoded for each item, lane by lane.

    `items` [L, m] are the items of each lane in order, -1 for none. Returns the words of all lanes one after another,
    and how many each lane has [L].
    """
    padded = [_with_nothing(step) for step in steps]
    states = np.zeros(len(items), np.uint64)
    words, spilt = [], []
    for column in items.T[::-1]:
        for step in padded[::-1]:
            word, spills = _encode_step(states, step, column)
            words.append(word)
            spilt.append(spills)
    always = np.ones(len(items), bool)
    words += [(states & np.uint64(0xFFFF)).astype(np.uint16), (states >> np.uint64(16)).astype(np.uint16)]
    kept = np.array([*spilt, always, always])[::-1]  # [steps, L] in the order of the decoder
    return np.array(words)[::-1].T[kept.T], kept.sum(axis=0)


def _with_nothing(step: Steps) -> Steps:
    """`step` with one more item, at -1, that codes nothing."""
    return Steps(
        np.append(step.frequencies, np.uint32(1)),
        np.append(step.starts, np.uint32(0)),
        np.append(step.bits, np.uint8(0)),
    )


def _encode_step(
    states: NDArray[np.uint64], step: Steps, column: NDArray[np.int64]
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Advances `states` [L] in place; the word each lane gives off, and whether it does."""
    frequency = step.frequencies[column].astype(np.uint64)
    bits = step.bits[column].astype(np.uint64)
    spills = states >= frequency << (np.uint64(32) - bits)
    words = states.astype(np.uint16)
    states[spills] >>= np.uint64(16)
    quotients = states // frequency
    states[:] = (quotients << bits) + (states - quotients * frequency) + step.starts[column]
    return words, spills
