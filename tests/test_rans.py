"""The rANS coder: round trips, the size against the entropy, and what damage is noticed."""

from __future__ import annotations

import time

import numpy as np
import pytest

from scenes import rans, rans_tables
from scenes.rans_tables import CodecError
from tests import kilo_slow


def _laplace(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.rint(rng.laplace(0, rng.uniform(0.7, 8, columns), (rows, columns))).astype(np.int16)


def _entropy_bytes(codes: np.ndarray) -> float:
    bits = 0.0
    for column in codes.T:
        counts = np.unique(column, return_counts=True)[1]
        bits -= (counts * np.log2(counts / len(column))).sum()
    return bits / 8


def _round_trip(symbols: np.ndarray, index: np.ndarray, tables: int) -> bytes:
    data = rans.encode(symbols, index, tables)
    assert np.array_equal(rans.decode(data, index), symbols)
    return data


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 63, 64, 65, 1000])
def test_any_length_round_trips(count: int) -> None:
    rng = np.random.default_rng(count)
    _round_trip(rng.integers(-5, 6, count), rng.integers(0, 3, count), 3)


@pytest.mark.parametrize(
    "symbols",
    [
        np.zeros(500, int),
        np.full(10, -32768),
        np.array([-32768, 32767] * 20),
        np.arange(-2000, 2000),
        np.repeat([0, 30000], [9999, 1]),
        np.array([7]),
    ],
    ids=["constant", "lowest", "extremes", "all different", "one outlier", "one symbol"],
)
def test_awkward_symbols_round_trip(symbols: np.ndarray) -> None:
    data = _round_trip(symbols, np.zeros(len(symbols), int), 1)
    assert len(data) <= 40 + 2 * len(symbols)


def test_tables_between_empty_ones_round_trip() -> None:
    index = np.array([5, 5, 9, 5, 9])
    _round_trip(np.array([1, 2, -70, 1, 3]), index, 12)


def test_too_many_different_symbols_is_an_error() -> None:
    with pytest.raises(CodecError, match="at most 16384 different symbols a table"):
        rans.encode(np.arange(40000), np.zeros(40000, int), 1)


def test_payload_is_close_to_the_entropy_and_tables_are_small() -> None:
    codes = _laplace(10_000, 12)
    index = np.tile(np.arange(12), len(codes))
    data, entropy = _round_trip(codes.ravel(), index, 12), _entropy_bytes(codes)
    assert len(data) - rans.tables_size(data) < 1.003 * entropy
    assert len(data) < 1.012 * entropy


def test_half_a_million_symbols_take_under_a_second() -> None:
    codes = _laplace(42_000, 12)
    index = np.tile(np.arange(12), len(codes))
    start = time.process_time()
    _round_trip(codes.ravel(), index, 12)
    assert time.process_time() - start < 1


def test_decoding_in_runs_equals_decoding_at_once() -> None:
    rng = np.random.default_rng(1)
    symbols, index = rng.integers(0, 50, 3000), rng.integers(0, 2, 3000)
    decoder = rans.Decoder(rans.encode(symbols, index, 2))
    cuts = np.sort(rng.integers(0, 3000, 40))
    runs = [decoder.take(part) for part in np.split(index, cuts)]
    decoder.finish()
    assert np.array_equal(np.concatenate(runs), symbols)


def test_the_slow_twin_decodes_the_same() -> None:
    codes = _laplace(300, 4, seed=2)
    twin = kilo_slow.Rans(rans.encode(codes, np.tile(np.arange(4), 300), 4))
    assert [[twin.next(t) for t in range(4)] for _ in range(300)] == codes.tolist()
    twin.done()


@pytest.mark.parametrize("precision", rans_tables.PRECISIONS)
@pytest.mark.parametrize("mantissa", rans_tables.MANTISSAS)
def test_frequencies_fill_the_precision(precision: int, mantissa: int) -> None:
    rng = np.random.default_rng(mantissa)
    offsets = np.array([0, 1, 300, 1500])
    codes = rng.integers(0, 12 << mantissa, 1500) % (8 << mantissa)
    codes[[0, 1, 299, 300, 1499]] = 1
    tables = rans_tables._tables(precision, np.zeros(3, np.int64), np.full(3, mantissa), offsets, codes)
    assert np.array_equal(np.add.reduceat(tables.frequencies, offsets[:-1]), [1 << precision] * 3)
    assert np.array_equal(tables.frequencies > 0, codes > 0)


@pytest.mark.parametrize("mantissa", rans_tables.MANTISSAS)
def test_weight_codes_are_within_half_a_step(mantissa: int) -> None:
    weights = np.arange(1 << 16)
    decoded = rans_tables._decoded_weights(rans_tables._codes(weights, mantissa), mantissa)
    assert np.all(np.abs(decoded - weights) <= weights / 2 ** (mantissa + 1))
    assert np.array_equal(decoded[: 2 << mantissa], weights[: 2 << mantissa])


def test_predicted_table_sizes_are_those_written() -> None:
    rng = np.random.default_rng(3)
    codes = np.maximum(rng.integers(-6, 9, 400), 0)
    codes[[0, -1]] = 3
    sizes = rans_tables._body_sizes(codes, np.array([0, 400]))[:, 0]
    assert sizes.tolist() == [len(rans_tables._body_bits(codes.tolist(), order)) for order in range(4)]


def test_damage_is_noticed_or_decodes_without_any_other_error() -> None:
    """The coder has no checksum of its own: it must never do worse than give other symbols."""
    codes = _laplace(200, 3, seed=4)
    index = np.tile(np.arange(3), 200)
    data = rans.encode(codes, index, 3)
    rng = np.random.default_rng(5)
    noticed = 0
    for _ in range(500):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
        try:
            rans.decode(bytes(damaged[: rng.integers(1, len(data)) if rng.random() < 0.2 else None]), index)
        except CodecError:
            noticed += 1
    assert noticed > 450
