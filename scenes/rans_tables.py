"""The frequency tables of `rans`: fitted to symbols, written in a few bits an entry, read back with the same integers.

A table covers the integers minimum .. minimum + span - 1. Each has a weight in a small floating-point form with m
mantissa bits (the table's own choice), because a weight off by 5 % costs 0.001 bit a symbol while exact counts cost
hundreds of bytes. The integer frequencies, which add up to 2^p, follow from the weights by integer arithmetic alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_PRECISION, MAX_PRECISION = 8, 15
PRECISIONS = (12, 13, 14, 15)  # those an encoder tries
MANTISSAS = (0, 1, 2, 3, 4, 5)  # those an encoder tries; a table's head has room for 0 to 7
MAX_SPAN = 1 << 16
MAX_SLOTS = 1 << 22  # tables times 2^p
MAX_SPANS = 1 << 22  # of all tables together
MAX_WEIGHT = 1 << 18  # keeps every product under 2^53, exact in JavaScript's numbers
WEIGHT_SCALE = 4  # weights are in quarters of a slot, so that rare symbols are told apart
SPAN_ORDER, MINIMUM_ORDER = 1, 2  # Exp-Golomb orders in a table's head
MANTISSA_BITS, ORDER_BITS = 3, 2
FREQUENCY_BITS = 16  # frequencies are at most 2^15
MAX_FREQUENCY = (1 << FREQUENCY_BITS) - 1


class CodecError(ValueError):
    """Bytes that no encoder of ours can have made, or symbols that cannot be encoded."""

    def __init__(self, expected: str, found: str) -> None:
        self.expected = expected
        self.found = found
        super().__init__(f"expected {expected}, found {found}")


@dataclass(frozen=True)
class Tables:
    """T tables one after another; arrays [S] are flat over the spans of all tables."""

    precision: int
    minima: NDArray[np.int64]  # [T] lowest symbol
    mantissas: NDArray[np.int64]  # [T] mantissa bits of the weights
    offsets: NDArray[np.int64]  # [T + 1] first flat entry of each table; a table's entries are its whole span
    codes: NDArray[np.int64]  # [S] weight codes, 0 where the symbol is absent
    values: NDArray[np.int64]  # [S] the symbol
    frequencies: NDArray[np.uint64]  # [S] of 2^p
    starts: NDArray[np.uint64]  # [S] cumulative frequencies

    @property
    def empty(self) -> NDArray[np.bool_]:
        """[T] True where a table has no symbols."""
        return np.diff(self.offsets) == 0

    def flat_index(self, symbols: NDArray[np.integer], table_index: NDArray[np.integer]) -> NDArray[np.int64]:
        """[M] the flat entry of each symbol."""
        return self.offsets[table_index] + symbols - self.minima[table_index]

    def slots(self) -> Slots:
        """What a decoder looks up; tables without symbols have no slots."""
        size, used = 1 << self.precision, ~self.empty
        first = np.where(used, np.cumsum(used) - 1, -1) << self.precision
        frequencies, starts = self.frequencies.astype(np.int64), self.starts.astype(np.int64)
        starts += np.repeat(first, np.diff(self.offsets))
        entries = np.repeat(frequencies - (starts << FREQUENCY_BITS), frequencies)
        entries += np.arange(int(used.sum()) * size) << FREQUENCY_BITS
        low, high = (int(extreme(self.values, initial=0)) for extreme in (np.min, np.max))
        narrowest = np.promote_types(np.min_scalar_type(min(low, -1)), np.min_scalar_type(min(-1 - high, -1)))
        return Slots(first, entries, np.repeat(self.values.astype(narrowest), frequencies))


@dataclass(frozen=True)
class Slots:
    """One row a slot, 2^p for each of the tables that have symbols, one table after another.

    A state x of slot s = x mod 2^p becomes frequency * (x >> p) + bias; the bias is s - start.
    """

    first: NDArray[np.int64]  # [T] the row of each table's slot 0, negative without symbols
    entries: NDArray[np.int64]  # bias << FREQUENCY_BITS | frequency
    values: NDArray[np.signedinteger]  # the symbol, in the narrowest integers that hold all


def fit_tables(
    symbols: NDArray[np.integer], table_index: NDArray[np.integer], table_count: int
) -> tuple[Tables, float]:
    """Tables for `symbols` [M], and the bits the symbols will take.

    Tries all precisions, and for each table all mantissas, and keeps what makes tables and symbols together shortest.
    """
    minima, offsets, counts = _histograms(symbols.astype(np.int64), np.asarray(table_index), table_count)
    most = _per_table((counts > 0).astype(np.int64), offsets).max(initial=0)
    best: tuple[float, Tables, float] | None = None
    for precision in PRECISIONS:
        if most <= 1 << (precision - 1) and table_count << precision <= MAX_SLOTS:
            total, tables, bits = _fit(counts, minima, offsets, precision)
            if best is None or total < best[0]:
                best = (total, tables, bits)
    if best is None:
        raise CodecError(f"at most {1 << (MAX_PRECISION - 1)} different symbols a table", f"{most}")
    return best[1:]


def _fit(
    counts: NDArray[np.int64], minima: NDArray[np.int64], offsets: NDArray[np.int64], precision: int
) -> tuple[float, Tables, float]:
    """The best tables of one precision: all bits, tables, bits of the symbols."""
    weights = _weights(counts, offsets, precision)
    tried = []
    for mantissa in MANTISSAS:
        mantissas = np.full(len(minima), mantissa)
        tables = _tables(precision, minima, mantissas, offsets, _codes(weights, mantissa))
        data = _per_table_float(counts * (precision - np.log2(np.maximum(tables.frequencies, 1))), offsets)
        tried.append((data, data + _body_sizes(tables.codes, offsets).min(axis=0), tables.codes))
    choice = np.argmin([total for _, total, _ in tried], axis=0)  # [T]
    codes = np.choose(np.repeat(choice, np.diff(offsets)), [codes for _, _, codes in tried])
    tables = _tables(precision, minima, np.array(MANTISSAS)[choice], offsets, codes)
    total, bits = (float(np.choose(choice, [t[k] for t in tried]).sum()) for k in (1, 0))
    return total, tables, bits


def _body_sizes(codes: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """[orders, T] the bits of each table's codes for each Exp-Golomb order."""
    table = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    present = np.flatnonzero(codes)
    after_gap = np.diff(present, prepend=-1) - 1  # zeros before each present code; tables start and end present
    previous = np.concatenate([[0], codes[present[:-1]]])
    fresh = np.diff(table[present], prepend=-1) != 0  # the first of a table
    previous[fresh] = 0
    gaps = np.where(fresh, 0, after_gap)
    run = np.where(gaps > 0, _golomb_size(np.maximum(gaps - 1, 0), 0), 0)
    sizes = []
    for order in range(1 << ORDER_BITS):
        bits = _golomb_size(_zigzags(codes[present] - previous), order) + run
        bits += np.where(gaps > 0, _golomb_size(_zigzags(-previous), order), 0)
        sizes.append(np.bincount(table[present], bits, len(offsets) - 1).astype(np.int64))
    return np.array(sizes)


def _golomb_size(values: NDArray[np.int64], order: int) -> NDArray[np.int64]:
    return 2 * np.frexp((values >> order) + 1)[1].astype(np.int64) - 1 + order


def _zigzags(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(values >= 0, 2 * values, -2 * values - 1)


def _histograms(
    symbols: NDArray[np.int64], index: NDArray[np.integer], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Lowest symbol [T], offsets [T + 1] and flat counts [S] of each table's span."""
    low = np.full(count, np.iinfo(np.int64).max)
    high = np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(low, index, symbols)
    np.maximum.at(high, index, symbols)
    used = low <= high
    minima = np.where(used, low, 0)
    spans = np.where(used, np.where(used, high, 0) - minima + 1, 0)
    if spans.max(initial=0) > MAX_SPAN or spans.sum() > MAX_SPANS:
        raise CodecError(f"a span of at most {MAX_SPAN} a table", f"{spans.max()}")
    offsets = np.concatenate([[0], np.cumsum(spans)])
    counts = np.bincount(offsets[index] + symbols - minima[index], minlength=offsets[-1])
    return minima, offsets, counts


def _per_table(values: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """[T] sums of the flat `values` over each table."""
    sums = np.concatenate([[0], np.cumsum(values)])
    return sums[offsets[1:]] - sums[offsets[:-1]]


def _per_table_float(values: NDArray[Any], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    table = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    return np.bincount(table, values, len(offsets) - 1).astype(np.float64)


def _weights(counts: NDArray[np.int64], offsets: NDArray[np.int64], precision: int) -> NDArray[np.int64]:
    """Weights [S] whose frequencies will be proportional to `counts`: each symbol gets one slot beside its weight."""
    totals = np.repeat(_per_table(counts, offsets), np.diff(offsets))
    ideal = counts / np.maximum(totals, 1) * (1 << precision) - 1
    weights = np.rint(WEIGHT_SCALE * np.maximum(ideal, 0)).astype(np.int64)
    return np.where(counts > 0, np.clip(weights, 1, MAX_WEIGHT // 2), 0)


def _codes(weights: NDArray[np.int64], mantissa: int) -> NDArray[np.int64]:
    """The nearest weight code: the weight itself under 2^m, else exponent and m mantissa bits."""
    exponent = np.maximum(np.frexp(weights)[1] - 1 - mantissa, 0).astype(np.int64)
    rounded = (weights + ((1 << exponent) >> 1)) >> exponent
    return np.where(rounded < 1 << mantissa, rounded, (exponent << mantissa) + rounded)


def _decoded_weights(codes: NDArray[np.int64], mantissa: NDArray[np.int64] | int) -> NDArray[np.int64]:
    exponent = np.maximum((codes >> mantissa) - 1, 0)
    return (codes - (exponent << mantissa)) << exponent


def _tables(
    precision: int,
    minima: NDArray[np.int64],
    mantissas: NDArray[np.int64],
    offsets: NDArray[np.int64],
    codes: NDArray[np.int64],
) -> Tables:
    """Frequencies from weights: start = floor(weight before * (2^p - n) / weight of all) + symbols before."""
    weights = _decoded_weights(codes, np.repeat(mantissas, np.diff(offsets)))
    spans = np.diff(offsets)
    present = (codes > 0).astype(np.int64)
    number, total = _per_table(present, offsets), _per_table(weights, offsets)
    before_weight, before_symbols = _before(weights, offsets), _before(present, offsets)
    free, total = np.repeat((1 << precision) - number, spans), np.repeat(np.maximum(total, 1), spans)
    starts = before_weight * free // total + before_symbols
    ends = (before_weight + weights) * free // total + before_symbols + present
    return Tables(
        precision,
        minima,
        mantissas,
        offsets,
        codes,
        np.repeat(minima - offsets[:-1], spans) + np.arange(offsets[-1]),
        (ends - starts).astype(np.uint64),
        starts.astype(np.uint64),
    )


def _before(values: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """[S] the sum of the entries before each, within its table."""
    sums = np.concatenate([[0], np.cumsum(values)])
    return sums[:-1] - np.repeat(sums[offsets[:-1]], np.diff(offsets))


def write_tables(tables: Tables) -> bytes:
    """All tables as Exp-Golomb codes, most significant bit first, padded with zeros to a byte."""
    orders = _body_sizes(tables.codes, tables.offsets).argmin(axis=0).tolist()
    bounds = tables.offsets.tolist()
    bits = "".join(
        _table_bits(tables.codes[bounds[t] : bounds[t + 1]].tolist(), minimum, mantissa, orders[t])
        for t, (minimum, mantissa) in enumerate(zip(tables.minima.tolist(), tables.mantissas.tolist(), strict=True))
    )
    return int(bits + "0" * (-len(bits) % 8) or "0", 2).to_bytes((len(bits) + 7) // 8, "big")


def _table_bits(codes: list[int], minimum: int, mantissa: int, order: int) -> str:
    """Span, minimum, mantissa bits, Exp-Golomb order, then the codes."""
    head = _golomb(len(codes), SPAN_ORDER)
    if not codes:
        return head
    head += _golomb(_zigzag(minimum), MINIMUM_ORDER) + format(mantissa, f"0{MANTISSA_BITS}b")
    return head + format(order, f"0{ORDER_BITS}b") + _body_bits(codes, order)


def _body_bits(codes: list[int], order: int) -> str:
    """Each code as its zigzag difference to the last that was not 0; a 0 is followed by the number of further zeros."""
    bits, last, i = [], 0, 0
    while i < len(codes):
        bits.append(_golomb(_zigzag(codes[i] - last), order))
        i += 1
        if codes[i - 1]:
            last = codes[i - 1]
            continue
        zeros = i
        while codes[i] == 0:  # the last code of a table is never 0
            i += 1
        bits.append(_golomb(i - zeros, 0))
    return "".join(bits)


def _zigzag(value: int) -> int:
    return 2 * value if value >= 0 else -2 * value - 1


def _golomb(value: int, order: int) -> str:
    """Exp-Golomb of order k: value + 2^k in binary after as many zeros as it has digits beyond k + 1."""
    digits = format(value + (1 << order), "b")
    return "0" * (len(digits) - order - 1) + digits


class _BitReader:
    """Bits of `data`, most significant first, from byte `offset` on."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self.position = 8 * offset

    def bit(self) -> int:
        byte = self.position >> 3
        if byte >= len(self._data):
            raise CodecError("another table entry", "the end of the stream")
        bit = self._data[byte] >> (7 - (self.position & 7)) & 1
        self.position += 1
        return bit

    def bits(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self.bit()
        return value

    def golomb(self, order: int) -> int:
        zeros = 0
        while not self.bit():
            zeros += 1
            if zeros > 32:
                raise CodecError("an Exp-Golomb code of at most 32 leading zeros", "more")
        return ((1 << (zeros + order)) | self.bits(zeros + order)) - (1 << order)

    def signed(self, order: int) -> int:
        value = self.golomb(order)
        return -(value + 1 >> 1) if value & 1 else value >> 1


def read_tables(data: bytes, offset: int, precision: int, count: int) -> tuple[Tables, int]:
    """The tables at `offset` of `data`, and the offset of the first byte behind them. Raises `CodecError`."""
    if not MIN_PRECISION <= precision <= MAX_PRECISION or count << precision > MAX_SLOTS:
        raise CodecError(f"a precision of {MIN_PRECISION} to {MAX_PRECISION} for {count} tables", f"{precision}")
    reader, codes, offsets = _BitReader(data, offset), [], [0]
    minima, mantissas = [], []
    for _ in range(count):
        table, minimum, mantissa = _read_table(reader, precision)
        codes += table
        minima.append(minimum)
        mantissas.append(mantissa)
        offsets.append(len(codes))
        if len(codes) > MAX_SPANS:
            raise CodecError(f"at most {MAX_SPANS} table entries", "more")
    arrays = (np.array(values, np.int64) for values in (minima, mantissas, offsets, codes))
    return _tables(precision, *arrays), (reader.position + 7) // 8


def _read_table(reader: _BitReader, precision: int) -> tuple[list[int], int, int]:
    """The codes, the minimum and the mantissa bits of the next table."""
    span = reader.golomb(SPAN_ORDER)
    if span == 0:
        return [], 0, 0
    if span > MAX_SPAN:
        raise CodecError(f"a span of at most {MAX_SPAN}", f"{span}")
    minimum, mantissa = reader.signed(MINIMUM_ORDER), reader.bits(MANTISSA_BITS)
    codes = _read_codes(reader, span, reader.bits(ORDER_BITS))
    if len(codes) - codes.count(0) > 1 << precision or min(codes) < 0:
        raise CodecError("weights that fit the precision", "others")
    if max(codes) >> mantissa > 18 or int(_decoded_weights(np.array(max(codes)), mantissa)) >= MAX_WEIGHT:
        raise CodecError(f"weights under {MAX_WEIGHT}", "more")
    return codes, minimum, mantissa


def _read_codes(reader: _BitReader, span: int, order: int) -> list[int]:
    codes, last = [], 0
    while len(codes) < span:
        code = last + reader.signed(order)
        codes.append(code)
        if code:
            last = code
            continue
        zeros = reader.golomb(0)
        if len(codes) + zeros >= span:
            raise CodecError("a table that ends in a symbol", "zeros")
        codes += [0] * zeros
    return codes
