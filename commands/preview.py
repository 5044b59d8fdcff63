"""`--preview`: a picture file that shows how a fit is getting on, replaced at every look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from commands.arguments import output_file
from commands.console import note
from renderer.contact_sheet import GAIN, GAP, INK, PAPER, SheetRow, contact_sheet
from renderer.images import write_png
from renderer.metrics import decibels, psnr
from scenes.errors import KilofieldError
from scenes.sizes import readable_bytes

if TYPE_CHECKING:
    from fitting.neuralgs.options import Look, Picture

HEADLINE = 18  # px, its letters
LEAST_WIDTH = 480  # px: any headline fits, and the sheet keeps its size


class Preview:
    """Writes the sheet. A write that fails later does not end the fit; it is told once."""

    def __init__(self, path: Path, replace: bool, sources: Iterable[Path]) -> None:
        self.path = output_file(path, replace, ".png", sources)
        self._told = False

    def __call__(self, look: Look, pairs: Sequence[tuple[Picture, Picture]]) -> None:
        """Put the pictures of `look` in the place of the last."""
        try:
            write_png(self.path, sheet(look, pairs))
        except KilofieldError as error:
            if not self._told:
                note(f"--preview: {error}")
            self._told = True


def sheet(look: Look, pairs: Sequence[tuple[Picture, Picture]]) -> NDArray[np.uint8]:
    """[H, W, 3] a line about `look`; under it, for each view, original, now and their difference."""
    rows = [_row(i + 1, *pair) for i, pair in enumerate(pairs)]
    pictures = Image.fromarray(contact_sheet(rows))
    width = max(pictures.width, LEAST_WIDTH)
    page = Image.new("RGB", (width, pictures.height + HEADLINE + 2 * GAP), PAPER)
    ImageDraw.Draw(page).text((GAP + 2, GAP), headline(look), INK, ImageFont.load_default(HEADLINE))
    page.paste(pictures, (0, HEADLINE + 2 * GAP))
    return np.array(page)


def headline(look: Look) -> str:
    """Such as `step 350 of 700 · 44.3 KB · 33.10 dB`."""
    step = "written" if look.step is None else f"step {look.step:,} of {look.steps:,}"
    parts = (look.fit, step, readable_bytes(look.bytes), f"{look.psnr:.2f} dB")
    return " · ".join(part for part in parts if part)


def _row(number: int, *pair: Picture) -> SheetRow:
    original, now = (_unit(picture) for picture in pair)
    captions = (f"original {number}", f"now, {decibels(psnr(original, now))} dB", f"difference x{GAIN:g}")
    return SheetRow(original, now, captions)


def _unit(picture: Picture) -> NDArray[Any]:
    return picture.astype(np.float32) / 255
