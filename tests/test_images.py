"""Pictures as 8-bit arrays, PNG files, differences and sheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from renderer.images import difference_image, frame_sheet, straight_alpha, to_8_bit, write_png
from scenes.errors import KilofieldError


def test_8_bit_rounds_and_clips() -> None:
    picture = np.array([[[-1.0, 0.0, 0.49 / 255], [0.51 / 255, 1.0, 7.0], [np.nan, np.inf, 0.5]]])
    np.testing.assert_array_equal(to_8_bit(picture), [[[0, 0, 0], [1, 255, 255], [0, 255, 128]]])


def test_png_keeps_every_value(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
    write_png(tmp_path / "a.png", picture / 255)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), picture)
    with pytest.raises(KilofieldError, match=r"cannot write: No such file or directory$"):
        write_png(tmp_path / "none" / "a.png", picture)


def test_straight_alpha_is_the_inverse_of_premultiplying() -> None:
    rng = np.random.default_rng(1)
    colour, alpha = rng.random((4, 5, 3)), rng.random((4, 5, 1))
    alpha[0, 0] = 0
    straight = straight_alpha(np.concatenate([colour * alpha, alpha], axis=2))
    np.testing.assert_allclose(straight[..., :3] * alpha, colour * alpha, atol=1e-12)
    np.testing.assert_array_equal(straight[0, 0], 0)


def test_difference_is_the_gain_times_the_distance() -> None:
    a, b = np.full((2, 2, 3), 0.5), np.full((2, 2, 3), 0.6)
    np.testing.assert_allclose(difference_image(a, b, 4), 0.4)
    np.testing.assert_allclose(difference_image(b, a, 40), 1.0)


def test_a_sheet_holds_every_picture(tmp_path: Path) -> None:
    pictures = [np.full((10, 20, 3), i / 10) for i in range(5)]
    sheet = frame_sheet(pictures, [str(i) for i in range(5)], columns=3)
    for i in range(5):
        assert (sheet == round(i / 10 * 255)).all(axis=2).sum() >= 200
