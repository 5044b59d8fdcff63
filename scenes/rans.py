"""Interleaved static rANS: integers coded with integer tables, so that numpy, JavaScript and shaders decode the same.

The coder is J. Duda, "Asymmetric numeral systems" (arXiv 1311.2540) in the streaming, interleaved form of F. Giesen,
"Interleaved entropy coders" (arXiv 1402.3392): symbol i belongs to lane i mod L; each lane is a 32-bit state that is
refilled by at most one 16-bit word after each symbol; the words of all lanes share one sequence. Any run of up to L
symbols is therefore one vector operation. How the tables are written is in `rans_tables`; `docs/kilo-format.md` has
both byte by byte.

    u8  precision p (low 4 bits), log2 of the lanes L (high 4 bits)
    u16 tables T
    ..  tables, bits padded to a byte
    u32 state of each lane
    u16 words
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from scenes.rans_tables import (
    FREQUENCY_BITS,
    MAX_FREQUENCY,
    CodecError,
    Tables,
    fit_tables,
    read_tables,
    write_tables,
)

HEADER_BYTES = 3
MAX_LOG_LANES = 12
LOWEST_STATE = 1 << 16
# A lane costs about 3 bytes beyond the entropy of its symbols; this keeps all of them under 0.15 percent.
LANE_BYTES = 3
LANE_SHARE = 0.0015
MIN_LOG_LANES = 2
# A row of so few lanes is decoded faster by Python than by a dozen calls of numpy.
SCALAR_LANES = 8
BLOCK_SYMBOLS = 1 << 15  # decoded at a time: their arrays stay in the cache
# As arrays, because numpy takes longer to read a Python number than to add a row of lanes.
_LOWEST_STATE, _WORD_BITS = np.array(LOWEST_STATE), np.array(16)
_FREQUENCY, _FREQUENCY_BITS = np.array(MAX_FREQUENCY), np.array(FREQUENCY_BITS)


def encode(symbols: NDArray[np.integer], table_index: NDArray[np.integer], table_count: int) -> bytes:
    """`symbols` [M], each coded with the table `table_index` [M] names, tables made to fit and written in front.

    Raises `CodecError` when a table would need more symbols than a table can have.
    """
    symbols = np.ascontiguousarray(symbols).ravel()
    tables, bits = fit_tables(symbols, table_index, table_count)
    log_lanes = _log_lanes(bits / 8)
    states, words = _encode(tables.flat_index(symbols, table_index), tables, 1 << log_lanes)
    head = struct.pack("<BH", tables.precision | log_lanes << 4, table_count) + write_tables(tables)
    return head + states.astype("<u4").tobytes() + words.astype("<u2").tobytes()


def decode(data: bytes, table_index: NDArray[np.integer]) -> NDArray[np.int64]:
    """The symbols [M] of `data`, given the table of each [M]. Raises `CodecError` on bytes not of `encode`."""
    decoder = Decoder(data)
    symbols = decoder.take(table_index)
    decoder.finish()
    return symbols


def tables_size(data: bytes) -> int:
    """The bytes that header and tables take at the start of an encoded `data`."""
    _, end = _read_head(data)
    return end


def _log_lanes(payload_bytes: float) -> int:
    lanes = payload_bytes * LANE_SHARE / LANE_BYTES
    return int(np.clip(np.floor(np.log2(max(lanes, 1))), MIN_LOG_LANES, MAX_LOG_LANES))


def _encode(flat: NDArray[np.int64], tables: Tables, lanes: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The final states [L] and the words, in the order the decoder meets them; symbols are coded last to first."""
    precision = np.uint64(tables.precision)
    frequency = tables.frequencies[flat]
    start = tables.starts[flat]
    full = frequency << (np.uint64(32) - precision)
    states = np.full(lanes, LOWEST_STATE, np.uint64)
    words: list[NDArray[np.uint64]] = []
    for first in range((len(flat) - 1) // lanes * lanes, -1, -lanes) if len(flat) else ():
        step = slice(first, min(first + lanes, len(flat)))
        state, f = states[: step.stop - first], frequency[step]
        spills = np.flatnonzero(state >= full[step])
        if len(spills):
            spilled = state[spills]
            words.append(spilled & np.uint64(0xFFFF))
            state[spills] = spilled >> np.uint64(16)
        quotient = state // f
        state[:] = (quotient << precision) + (state - quotient * f) + start[step]
    return states, np.concatenate(words[::-1]) if words else np.empty(0, np.uint64)


def _read_head(data: bytes) -> tuple[Tables, int]:
    if len(data) < HEADER_BYTES:
        raise CodecError(f"a header of {HEADER_BYTES} bytes", f"{len(data)} bytes")
    count = int.from_bytes(data[1:3], "little")
    return read_tables(data, HEADER_BYTES, precision=data[0] & 15, count=count)


class Decoder:
    """Decodes a stream a run at a time, for when the tables of later symbols depend on earlier ones."""

    def __init__(self, data: bytes) -> None:
        self._tables, end = _read_head(data)
        log_lanes = data[0] >> 4
        if log_lanes > MAX_LOG_LANES:
            raise CodecError(f"at most {1 << MAX_LOG_LANES} lanes", f"2^{log_lanes}")
        self._lanes = 1 << log_lanes
        self._lane = 0
        body = data[end:]
        if len(body) < 4 * self._lanes or len(body) % 2:
            raise CodecError(f"{self._lanes} states and whole words", f"{len(body)} bytes")
        self._states = np.frombuffer(body, "<u4", self._lanes).astype(np.int64)
        self._words = np.frombuffer(body, "<u2", offset=4 * self._lanes).astype(np.int64)
        self._next_word = 0
        self._slots = self._tables.slots()

    def take(self, table_index: NDArray[np.integer]) -> NDArray[np.int64]:
        """The next symbols [m], given the table of each [m]."""
        return self.take_places(self.places(table_index)).astype(np.int64, copy=False)

    def places(self, table_index: NDArray[np.integer]) -> NDArray[np.int64]:
        """[m] what `take_places` wants for symbols whose tables are `table_index` [m]."""
        tables, index = self._tables, np.asarray(table_index).ravel()
        if len(index) and (index.max() >= len(tables.minima) or tables.empty[index].any()):
            raise CodecError("a table with symbols", "an empty or missing one")
        return self._slots.first[index]

    def rows(self, columns: int) -> int:
        """How many rows of `columns` symbols are best taken at a time: whole turns of the lanes that fit the cache."""
        turns = BLOCK_SYMBOLS // (self._lanes * columns)
        return max(turns, 1) * self._lanes

    def take_places(self, places: NDArray[np.int64]) -> NDArray[np.signedinteger]:
        """The next symbols [m], given the `places` [m] of their tables; the narrowest integers that hold them."""
        values = np.empty(len(places), self._slots.values.dtype)
        run = self._run_scalar if self._lanes <= SCALAR_LANES else self._run
        first = 0
        while first < len(places):
            count = len(places) - first
            if self._lane or count < self._lanes:  # up to the last lane
                count = min(count, self._lanes - self._lane)
            else:  # whole rows of lanes, as many as stay in the cache
                count = min(count, max(BLOCK_SYMBOLS, self._lanes)) // self._lanes * self._lanes
            # "clip" skips a copy; every slot is in its table.
            slots = run(places[first : first + count])
            self._slots.values.take(slots, out=values[first : first + count], mode="clip")
            self._lane = (self._lane + count) % self._lanes
            first += count
        return values

    def _run(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The slots [m] of the next symbols: up to L - lane of them, or whole rows of L.

        Every call of numpy costs as much as hundreds of symbols here, so this loop has as few as it can.
        """
        width = min(len(places), self._lanes)
        slots = np.empty(len(places), np.int64)
        state = self._states[self._lane : self._lane + width]
        entry, factor, hungry = np.empty(width, np.int64), np.empty(width, np.int64), np.empty(width, np.bool_)
        precision = np.array(self._tables.precision)
        last = np.array((1 << self._tables.precision) - 1)
        look_up, words, next_word = self._slots.entries.take, self._words, self._next_word
        for place, slot in zip(places.reshape(-1, width), slots.reshape(-1, width), strict=True):
            np.bitwise_and(state, last, slot)
            np.add(slot, place, slot)
            look_up(slot, out=entry, mode="clip")
            np.right_shift(state, precision, state)
            np.bitwise_and(entry, _FREQUENCY, factor)
            np.multiply(state, factor, state)
            np.right_shift(entry, _FREQUENCY_BITS, entry)
            np.add(state, entry, state)
            lanes = np.less(state, _LOWEST_STATE, hungry).nonzero()[0]
            if len(lanes):
                following = words[next_word : next_word + len(lanes)]
                next_word += len(lanes)
                if next_word > len(words):
                    raise CodecError("another word", "the end of the stream")
                refilled = state.take(lanes)
                np.left_shift(refilled, _WORD_BITS, refilled)
                np.bitwise_or(refilled, following, refilled)
                state[lanes] = refilled
        self._next_word = next_word
        return slots

    def _run_scalar(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """`_run` without vectors."""
        precision, last = self._tables.precision, (1 << self._tables.precision) - 1
        states, lane = self._states.tolist(), self._lane
        entries, words, next_word = self._slots.entries.data, self._words.data, self._next_word
        slots = []
        for place in places.tolist():
            state = states[lane]
            slot = place + (state & last)
            entry = entries[slot]
            state = (entry & MAX_FREQUENCY) * (state >> precision) + (entry >> FREQUENCY_BITS)
            if state < LOWEST_STATE:
                if next_word == len(words):
                    raise CodecError("another word", "the end of the stream")
                state = state << 16 | words[next_word]
                next_word += 1
            states[lane] = state
            lane = (lane + 1) % len(states)
            slots.append(slot)
        self._states[:] = states
        self._next_word = next_word
        return np.array(slots, np.int64)

    def finish(self) -> None:
        """Every word is used and every lane is back where the encoder started, or the stream is not one of ours."""
        if self._next_word != len(self._words):
            raise CodecError(f"{self._next_word} words", f"{len(self._words)}")
        if (self._states != LOWEST_STATE).any():
            raise CodecError("lanes that end in their first state", "others")
