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

from scenes.rans_tables import CodecError, Tables, fit_tables, read_tables, write_tables

HEADER_BYTES = 3
MAX_LOG_LANES = 12
LOWEST_STATE = 1 << 16
# A lane costs about 3 bytes beyond the entropy of its symbols; this keeps all of them under 0.15 percent.
LANE_BYTES = 3
LANE_SHARE = 0.0015
MIN_LOG_LANES = 2


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
        self._states = np.frombuffer(body, "<u4", self._lanes).astype(np.uint64)
        self._words = np.frombuffer(body, "<u2", offset=4 * self._lanes).astype(np.uint64)
        self._next_word = 0
        self._slots = self._tables.slots()

    def take(self, table_index: NDArray[np.integer]) -> NDArray[np.int64]:
        """The next symbols [m], given the table of each [m]."""
        tables = self._tables
        table_index = np.asarray(table_index).ravel()
        if len(table_index) and (table_index.max() >= len(tables.minima) or tables.empty[table_index].any()):
            raise CodecError("a table with symbols", "an empty or missing one")
        base = table_index.astype(np.int64) << tables.precision
        flat = np.empty(len(base), np.int64)
        first = 0
        while first < len(base):
            stop = min(first + self._lanes - self._lane, len(base))
            flat[first:stop] = self._step(base[first:stop])
            first = stop
        return tables.values[flat]

    def _step(self, base: NDArray[np.int64]) -> NDArray[np.int64]:
        """The flat symbols of up to L - lane consecutive lanes."""
        tables, precision = self._tables, np.uint64(self._tables.precision)
        state = self._states[self._lane : self._lane + len(base)]
        slot = state & np.uint64((1 << tables.precision) - 1)
        symbol = self._slots[base + slot.view(np.int64)]
        state[:] = tables.frequencies[symbol] * (state >> precision) + slot - tables.starts[symbol]
        hungry = np.flatnonzero(state < LOWEST_STATE)
        if len(hungry):
            words = self._words[self._next_word : self._next_word + len(hungry)]
            if len(words) < len(hungry):
                raise CodecError("another word", "the end of the stream")
            state[hungry] = (state[hungry] << np.uint64(16)) | words
            self._next_word += len(hungry)
        self._lane = (self._lane + len(base)) % self._lanes
        return symbol.astype(np.int64, copy=False)

    def finish(self) -> None:
        """Every word is used and every lane is back where the encoder started, or the stream is not one of ours."""
        if self._next_word != len(self._words):
            raise CodecError(f"{self._next_word} words", f"{len(self._words)}")
        if (self._states != LOWEST_STATE).any():
            raise CodecError("lanes that end in their first state", "others")
