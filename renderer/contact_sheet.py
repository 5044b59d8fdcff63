"""Pictures side by side on one sheet: original, compressed, and what is between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

GAP = 8  # px between pictures and around them
CAPTION = 22  # px of text above each picture
GAIN = 4.0  # differences are shown this much stronger
PAPER, INK = (24, 24, 26), (225, 225, 228)


@dataclass(frozen=True)
class SheetRow:
    """Two pictures [H, W, 3] of one view, in [0, 1], and what is written above them."""

    original: NDArray[np.floating]
    compressed: NDArray[np.floating]
    captions: tuple[str, str, str]  # above the original, the compressed and their difference


def contact_sheet(rows: Sequence[SheetRow], gain: float = GAIN) -> NDArray[np.uint8]:
    """One picture [H, W, 3]: for each row the original, the compressed, and `gain` times their absolute difference."""
    pictures = [(row.original, row.compressed, gain * np.abs(row.original - row.compressed)) for row in rows]
    height, width = rows[0].original.shape[:2]
    sheet = Image.new("RGB", (3 * width + 4 * GAP, len(rows) * (height + CAPTION + GAP) + GAP), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for i, (row, three) in enumerate(zip(rows, pictures, strict=True)):
        for j, picture in enumerate(three):
            left, top = GAP + j * (width + GAP), GAP + i * (height + CAPTION + GAP)
            pen.text((left + 2, top), row.captions[j], INK, font)
            sheet.paste(_to_image(picture), (left, top + CAPTION))
    return np.array(sheet)


def _to_image(picture: NDArray[Any]) -> Image.Image:
    return Image.fromarray(np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8))
