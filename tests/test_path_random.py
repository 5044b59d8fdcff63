"""The path tracer's random numbers: laws of nets, and independence."""

from __future__ import annotations

import numpy as np
import pytest

from renderer.path_random import Sampler, combined, hashed, pixel_seeds, reversed_bits, sobol_1


def pairs(pixels: int, samples: int, dimension: int, independent: bool = False) -> np.ndarray:
    """[samples, pixels, 2]"""
    seeds = pixel_seeds(np.arange(pixels), 7)
    drawn = [Sampler(seeds, i, independent).pair(dimension) for i in range(samples)]
    return np.stack([np.stack(pair, axis=-1) for pair in drawn])


def test_known_values() -> None:
    np.testing.assert_array_equal(reversed_bits(np.array([1, 0xF0, 6], np.uint32)), [1 << 31, 0x0F << 24, 6 << 28])
    # Sobol' 1967, second dimension: 0, 1/2, 1/4 and 3/4 in Gray's order ...
    quarters = sobol_1(np.arange(8, dtype=np.uint32)) / 2.0**32
    np.testing.assert_array_equal(quarters, [0, 0.5, 0.75, 0.25, 0.625, 0.125, 0.375, 0.875])
    assert len(np.unique(hashed(np.arange(100_000, dtype=np.uint32)))) == 100_000


@pytest.mark.parametrize("log2", [2, 3, 4, 5])
def test_every_elementary_rectangle_has_one_sample(log2: int) -> None:
    """A (0, m, 2)-net in base 2 stays one under Owen's scrambling and any shuffle of blocks."""
    count = 1 << log2
    drawn = pairs(20, count, 3)
    for a in range(log2 + 1):
        cells = (drawn * [1 << a, 1 << (log2 - a)]).astype(int)
        index = cells[..., 0] * (1 << (log2 - a)) + cells[..., 1]
        assert (np.sort(index, axis=0) == np.arange(count)[:, None]).all()


@pytest.mark.parametrize("independent", [False, True])
def test_pixels_dimensions_and_seeds_know_nothing_of_each_other(independent: bool) -> None:
    drawn = np.concatenate([pairs(4000, 1, d, independent)[0] for d in (0, 1, 5)], axis=1)
    assert ((drawn >= 0) & (drawn < 1)).all()
    correlation = np.corrcoef(drawn.T) - np.eye(6)
    assert np.abs(correlation).max() < 4 / np.sqrt(4000)
    assert np.abs(drawn.mean(axis=0) - 0.5).max() < 4 / np.sqrt(12 * 4000)
    other = pixel_seeds(np.arange(4000), 8)
    assert (other != pixel_seeds(np.arange(4000), 7)).all()
    assert (combined(other, 0) != combined(other, 1)).all()
