"""The contact sheet puts each picture where it says."""

from __future__ import annotations

import numpy as np

from renderer.contact_sheet import CAPTION, GAP, SheetRow, contact_sheet


def test_every_picture_and_its_difference_is_in_its_place() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(2):
        original = rng.integers(0, 200, (20, 30, 3)) / 255
        rows.append(SheetRow(original, original + rng.integers(0, 12, (20, 30, 3)) / 255, ("a", "b", "c")))
    sheet = contact_sheet(rows, gain=4.0)
    assert sheet.shape == (2 * (20 + CAPTION + GAP) + GAP, 3 * 30 + 4 * GAP, 3)
    for i, row in enumerate(rows):
        difference = 4 * np.abs(row.original - row.compressed)
        for j, expected in enumerate((row.original, row.compressed, difference)):
            top, left = GAP + CAPTION + i * (20 + CAPTION + GAP), GAP + j * (30 + GAP)
            np.testing.assert_allclose(sheet[top : top + 20, left : left + 30] / 255, expected, atol=0.5 / 255 + 1e-9)


def test_captions_are_written() -> None:
    picture = np.zeros((40, 120, 3))
    blank, written = (contact_sheet([SheetRow(picture, picture, (text, "", ""))]) for text in ("", "original: 31.2 dB"))
    assert (blank != written).any(axis=2)[GAP : GAP + CAPTION, GAP : GAP + 120].sum() > 50
    np.testing.assert_array_equal(blank[GAP + CAPTION :], written[GAP + CAPTION :])
