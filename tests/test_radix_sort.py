"""The GPU's sort and prefix sums against numpy's stable argsort and cumsum."""

from __future__ import annotations

from typing import NoReturn

import moderngl
import numpy as np
import pytest
from numpy.typing import NDArray

from renderer import prefix_sum
from renderer.context import create_context
from renderer.layouts import NOT_DRAWN
from renderer.prefix_sum import LEAST_ROUNDS, MAX_SPANS, PER_THREAD, THREADS, PrefixSum, Spans
from renderer.radix_sort import RadixSort, digit_widths
from scenes.errors import KilofieldError

Uints = NDArray[np.uint32]

CAPACITY = 20_000
SPAN = THREADS * LEAST_ROUNDS  # keys of one span when there are few
SIZES = (0, 1, 2, 31, 32, 33, 255, 256, 257, SPAN - 1, SPAN, SPAN + 1, 5 * SPAN, 5 * SPAN + 77)


@pytest.fixture(scope="module")
def context() -> moderngl.Context:
    return create_context()


@pytest.fixture(scope="module")
def sorter(context: moderngl.Context) -> RadixSort:
    sorter = RadixSort(context)
    sorter.reserve(CAPACITY)
    return sorter


@pytest.fixture(scope="module")
def summer(context: moderngl.Context) -> PrefixSum:
    summer = PrefixSum(context)
    summer.reserve(CAPACITY)
    return summer


def upload(context: moderngl.Context, values: NDArray[np.uint32]) -> moderngl.Buffer:
    return context.buffer(np.append(values, np.uint32(0xDEAD)).astype(np.uint32))  # OpenGL has no empty buffers


def download(buffer: moderngl.Buffer, count: int) -> Uints:
    return np.frombuffer(buffer.read(), np.uint32, count)


def pairs(sorter: RadixSort) -> tuple[Uints, Uints]:
    count = int(download(sorter.count, 1)[0])
    return download(sorter.keys, count), download(sorter.values, count)


def check_drawn(sorter: RadixSort, keys: Uints) -> None:
    source = upload(sorter.context, keys)
    sorter.sort_drawn(source, len(keys))
    order = np.argsort(keys, kind="stable")
    order = order[keys[order] != NOT_DRAWN]
    found_keys, found_order = pairs(sorter)
    np.testing.assert_array_equal(found_order, order)
    np.testing.assert_array_equal(found_keys, keys[order])
    np.testing.assert_array_equal(download(source, len(keys)), keys)


def check_pairs(sorter: RadixSort, keys: Uints, values: Uints, bits: int) -> None:
    inputs = upload(sorter.context, keys), upload(sorter.context, values)
    count = upload(sorter.context, np.array([len(keys)], np.uint32))
    sorter.sort_pairs(*inputs, count, bits)
    order = np.argsort(keys & np.uint32(2**bits - 1), kind="stable")
    found_keys, found_values = pairs(sorter)
    np.testing.assert_array_equal(found_values, values[order])
    np.testing.assert_array_equal(found_keys, keys[order])
    for buffer, data in zip(inputs, (keys, values), strict=True):
        np.testing.assert_array_equal(download(buffer, len(data)), data)


@pytest.mark.parametrize("size", SIZES)
def test_random_keys_some_dropped(size: int, sorter: RadixSort) -> None:
    rng = np.random.default_rng(size)
    keys = rng.integers(0, 2**32, size, dtype=np.uint32)
    keys[rng.random(size) < 0.3] = NOT_DRAWN
    check_drawn(sorter, keys)


@pytest.mark.parametrize("distinct", [1, 2, 300])
def test_equal_keys_keep_their_order(distinct: int, sorter: RadixSort) -> None:
    rng = np.random.default_rng(distinct)
    choices = rng.integers(0, 2**32 - 1, distinct, dtype=np.uint32)
    check_drawn(sorter, rng.choice(choices, 3 * SPAN + 5))


def test_dropped_in_runs(sorter: RadixSort) -> None:
    keys = np.random.default_rng(0).integers(0, 2**32 - 1, 6 * SPAN, dtype=np.uint32)
    for start, stop in ((0, 40), (200, 300), (SPAN - 10, 3 * SPAN + 10), (5 * SPAN, 6 * SPAN)):
        keys[start:stop] = NOT_DRAWN
    check_drawn(sorter, keys)


def test_all_dropped_and_none_dropped(sorter: RadixSort) -> None:
    check_drawn(sorter, np.full(2 * SPAN + 3, NOT_DRAWN, np.uint32))
    check_drawn(sorter, np.arange(2 * SPAN + 3, dtype=np.uint32)[::-1].copy())


def test_depths_sort_as_their_bits(sorter: RadixSort) -> None:
    depths = np.random.default_rng(0).lognormal(1.0, 3.0, 9 * SPAN).astype(np.float32)
    check_drawn(sorter, depths.view(np.uint32))
    np.testing.assert_array_equal(pairs(sorter)[0].view(np.float32), np.sort(depths))


def test_the_device_has_no_signed_or_denormal_ideas(sorter: RadixSort) -> None:
    """Bits that are denormal, infinite, negative or no number as floats, and the ends of the integers."""
    keys = np.array(
        [0x7F800000, 1, 0x80000000, 0xFFFFFFFE, 0, 0x7FC00001, 0x7FFFFFFF, 0x80000001, NOT_DRAWN], np.uint32
    )
    check_drawn(sorter, keys)


@pytest.mark.parametrize("bits", [1, 8, 9, 13, 16, 24, 32])
def test_pairs_sort_by_their_low_bits(bits: int, sorter: RadixSort) -> None:
    rng = np.random.default_rng(bits)
    keys = rng.integers(0, 2**32, 3 * SPAN + 100, dtype=np.uint32)
    keys[::7] = NOT_DRAWN  # no special key here
    check_pairs(sorter, keys, rng.integers(0, 2**32, len(keys), dtype=np.uint32), bits)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bits", [13, 16])
def test_pairs_of_tiles(size: int, bits: int, sorter: RadixSort) -> None:
    rng = np.random.default_rng(size)
    check_pairs(sorter, rng.integers(0, 2**bits, size, dtype=np.uint32), np.arange(size, dtype=np.uint32), bits)


def test_digits_are_even_and_complete() -> None:
    assert digit_widths(13) == [7, 6]
    assert digit_widths(32) == [8, 8, 8, 8]
    for bits in range(1, 33):
        widths = digit_widths(bits)
        assert sum(widths) == bits
        assert max(widths) <= min(8, min(widths) + 1)
    for wrong in (0, 33):
        with pytest.raises(ValueError, match=f"expected 1 to 32 bits, found {wrong}"):
            digit_widths(wrong)


@pytest.mark.parametrize("spans", [1, 3])
def test_spans_of_many_rounds(spans: int, context: moderngl.Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens to millions of keys, with few."""
    monkeypatch.setattr(prefix_sum, "MAX_SPANS", spans)
    sorter = RadixSort(context)
    sorter.reserve(CAPACITY)
    rng = np.random.default_rng(spans)
    keys = rng.integers(0, 5000, CAPACITY - 11, dtype=np.uint32)
    keys[keys > 4000] = NOT_DRAWN
    check_drawn(sorter, keys)
    check_pairs(sorter, keys, rng.permutation(keys), 13)
    sorter.release()
    summer = PrefixSum(context)
    summer.reserve(CAPACITY)
    check_sums(summer, keys & np.uint32(4095))
    summer.release()


@pytest.mark.parametrize("count", [0, 1, SPAN, SPAN + 1, 2**21, 2**21 + 1, 12_000_000, 2**31, 2**32 - 1])
def test_spans_hold_everything_and_fit_one_dispatch(count: int, context: moderngl.Context) -> None:
    spans = Spans(context, THREADS)
    spans.cut(upload(context, np.array([count], np.uint32)), 2**32 - 1)
    found, groups, one_y, one_z, rounds, round_size = download(spans.plan, 6).tolist()
    assert (found, one_y, one_z, round_size) == (count, 1, 1, THREADS)
    assert 1 <= groups <= MAX_SPANS <= 65535
    assert groups <= spans.most(count)
    span = rounds * round_size
    assert (groups - 1) * span < max(count, 1) <= groups * span
    spans.release()


def test_fewer_after_more_leaves_no_trace(sorter: RadixSort) -> None:
    rng = np.random.default_rng(0)
    check_drawn(sorter, rng.integers(0, 2**32, CAPACITY, dtype=np.uint32))
    keys, values = sorter.keys, sorter.values
    garbage = np.full(CAPACITY, 0xABCDEF01, np.uint32)
    keys.write(garbage)
    values.write(garbage)
    check_drawn(sorter, rng.integers(0, 2**31, 700, dtype=np.uint32))
    assert (sorter.keys, sorter.values) == (keys, values)
    np.testing.assert_array_equal(download(keys, CAPACITY)[700:], garbage[700:])
    np.testing.assert_array_equal(download(values, CAPACITY)[700:], garbage[700:])


def test_nothing_is_read_back(
    context: moderngl.Context, sorter: RadixSort, summer: PrefixSum, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Depths are sorted, and what is left of them again by tile, with the count on the device all the way."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("read back")

    rng = np.random.default_rng(0)
    keys = rng.integers(0, 2**32, 3000, dtype=np.uint32)
    keys[::3] = NOT_DRAWN
    tiles = rng.integers(0, 400, 3000, dtype=np.uint32)
    again = RadixSort(context)
    again.reserve(3000)
    sources = upload(context, keys), upload(context, tiles)
    with monkeypatch.context() as patch:
        patch.setattr(moderngl.Buffer, "read", refuse)
        patch.setattr(moderngl.Buffer, "read_into", refuse)
        patch.setattr(moderngl.Context, "finish", refuse)
        sorter.sort_drawn(sources[0], 3000)
        again.sort_pairs(sources[1], sorter.values, sorter.count, 9)
        summer.run(again.keys, again.count)
    order = np.argsort(keys, kind="stable")[:2000]
    by_tile = np.argsort(tiles[:2000], kind="stable")
    np.testing.assert_array_equal(pairs(again)[1], order[by_tile])
    assert download(summer.total, 1)[0] == tiles[:2000].sum()
    again.release()


def test_the_own_count_can_be_sorted_by(sorter: RadixSort) -> None:
    keys = np.random.default_rng(0).integers(0, 2**32, 900, dtype=np.uint32)
    keys[::2] = NOT_DRAWN
    check_drawn(sorter, keys)
    source = upload(sorter.context, keys)
    sorter.sort_pairs(source, source, sorter.count, 32)
    np.testing.assert_array_equal(pairs(sorter)[0], np.sort(keys[:450]))


def check_sums(summer: PrefixSum, values: Uints) -> None:
    source = upload(summer.context, values)
    summer.run(source, upload(summer.context, np.array([len(values)], np.uint32)))
    inclusive = np.cumsum(values, dtype=np.uint32)  # modulo 2^32
    np.testing.assert_array_equal(download(summer.sums, len(values)), inclusive - values)
    assert download(summer.total, 1)[0] == (inclusive[-1] if len(values) else 0)
    np.testing.assert_array_equal(download(source, len(values)), values)


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, *(k * SPAN * PER_THREAD + d for k in (1, 4) for d in (-1, 0, 1))])
def test_prefix_sums(size: int, summer: PrefixSum) -> None:
    check_sums(summer, np.random.default_rng(size).integers(0, 1000, size, dtype=np.uint32))


def test_prefix_sums_wrap(summer: PrefixSum) -> None:
    check_sums(summer, np.random.default_rng(0).integers(2**31, 2**32, 3000, dtype=np.uint32))


def test_counts_beyond_the_capacity_are_cut_to_it(context: moderngl.Context) -> None:
    values = np.arange(50, dtype=np.uint32)[::-1].copy()
    source, count = upload(context, values), upload(context, np.array([50], np.uint32))
    sorter = RadixSort(context)
    sorter.reserve(20)
    sorter.sort_pairs(source, source, count, 8)
    np.testing.assert_array_equal(pairs(sorter)[0], np.sort(values[:20]))
    with pytest.raises(ValueError, match="expected at most 20 keys, found 21"):
        sorter.sort_drawn(source, 21)
    summer = PrefixSum(context)
    summer.reserve(20)
    summer.run(source, count)
    assert download(summer.total, 1)[0] == values[:20].sum()
    for thing in (sorter, summer):
        thing.release()


def test_own_buffers_are_refused_as_input(context: moderngl.Context) -> None:
    sorter = RadixSort(context)
    with pytest.raises(ValueError, match="other than the sorter's own"):
        sorter.sort_drawn(sorter.keys, 0)
    with pytest.raises(ValueError, match="other than the sorter's own"):
        sorter.sort_pairs(upload(context, np.zeros(1, np.uint32)), sorter.values, sorter.count, 8)
    sorter.release()


def test_too_many_is_one_line(context: moderngl.Context) -> None:
    most = int(context.info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"]) // 4
    sorter, summer = RadixSort(context), PrefixSum(context)
    for thing, name in ((sorter, "sort"), (summer, "prefix sum")):
        with pytest.raises(KilofieldError) as caught:
            thing.reserve(most + 1)
        assert str(caught.value) == f"{name}: expected at most {most:,} entries on this device, found {most + 1:,}"
        thing.reserve(300)
    check_drawn(sorter, np.arange(300, dtype=np.uint32))
    check_sums(summer, np.arange(300, dtype=np.uint32))
    sorter.release()
    summer.release()


def test_release_and_reserve_free_the_buffers(context: moderngl.Context) -> None:
    sorter, summer = RadixSort(context), PrefixSum(context)
    before = sorter.keys, sorter.values, summer.sums
    for thing in (sorter, summer):
        thing.reserve(100)
    kept = sorter.keys, sorter.values, sorter.count, summer.sums, summer.total
    assert all(released(buffer) for buffer in before)
    assert not any(released(buffer) for buffer in kept)
    for thing in (sorter, summer):
        thing.reserve(100)
    assert not any(released(buffer) for buffer in kept)
    for thing in (sorter, summer):
        thing.release()
    assert all(released(buffer) for buffer in kept)


def released(buffer: moderngl.Buffer) -> bool:
    return isinstance(buffer.mglo, moderngl.InvalidObject)
