"""Levels and palettes: exact where they can be, close to the best where not, the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from scenes.codebook import levels_of, nearest_level, palette_of
from scenes.ordering import morton_order


def test_few_values_are_kept_exactly() -> None:
    values = np.random.default_rng(1).normal(size=256).astype(np.float32)
    many = values[np.random.default_rng(2).integers(0, 256, 5000)]
    levels = levels_of(many)
    np.testing.assert_array_equal(levels[nearest_level(levels, many)], many)
    assert levels_of(np.full(10, 3, np.float32)).tolist() == [3.0] * 256


@pytest.mark.parametrize("spread", ["even", "normal", "heavy"])
def test_many_values_are_close_to_the_best(spread: str) -> None:
    rng = np.random.default_rng(1)
    draw = {"even": rng.random(20_000), "normal": rng.normal(size=20_000), "heavy": rng.standard_cauchy(20_000)}
    values = draw[spread].astype(np.float32)
    levels = levels_of(values)
    assert (np.diff(levels) >= 0).all()
    index = nearest_level(levels, values)
    np.testing.assert_array_equal(index[:500], np.abs(values[:500, None] - levels).argmin(axis=1))
    error = float(((levels[index] - values) ** 2).mean())
    if spread == "even":
        assert error == pytest.approx(1 / 256**2 / 12, rel=0.05)  # equal steps
    if spread == "normal":
        assert error < 1.3 * np.pi * 3**0.5 / 2 / 256**2  # Panter and Dite's limit
    if spread == "heavy":  # the middle does not suffer from the ends
        middle = np.abs(values) < 3
        assert np.abs(levels[index] - values)[middle].max() < 0.2


def test_different_rows_are_kept_exactly() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(100, 9)).astype(np.float32)[rng.integers(0, 100, 3000)]
    palette, labels = palette_of(rows, 128)
    assert len(palette) == 100
    np.testing.assert_array_equal(palette[labels], rows)


def test_a_palette_finds_the_clusters_there_are() -> None:
    rng = np.random.default_rng(1)
    centres = rng.normal(0, 10, (64, 9))
    rows = (centres[rng.integers(0, 64, 6000)] + rng.normal(0, 0.1, (6000, 9))).astype(np.float32)
    palette, labels = palette_of(rows, 1024)
    assert len(palette) <= 1024
    error = np.sqrt(((palette[labels] - rows) ** 2).mean())
    assert error < 0.1


def test_a_palette_is_nearly_as_good_as_plain_k_means() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(2000, 4)).astype(np.float32)
    palette, labels = palette_of(rows, 64)
    centres = rows[:64].astype(np.float64)
    for _ in range(10):
        nearest = ((rows[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        centres = np.stack([rows[nearest == i].mean(axis=0) for i in range(64)])
    plain = ((rows[:, None] - centres) ** 2).sum(axis=2).min(axis=1).mean()
    assert ((palette[labels] - rows) ** 2).sum(axis=1).mean() < 1.25 * plain


def test_the_same_rows_give_the_same_palette() -> None:
    rows = np.random.default_rng(1).normal(size=(3000, 9)).astype(np.float32)
    first, second = palette_of(rows, 256), palette_of(rows, 256)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_morton_order_of_the_corners_of_a_cube() -> None:
    corners = np.array([[z, y, x] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
    shuffled = np.random.default_rng(1).permutation(8)
    np.testing.assert_array_equal(corners[shuffled][morton_order(corners[shuffled])], corners)
    assert morton_order(np.ones((3, 3), np.float32)).tolist() == [0, 1, 2]
