"""Make the README's picture, docs/demo.jpg, from the contact sheet that `make demo` left in demo-out/."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from renderer.contact_sheet import GAP
from scenes.atomic import replacing

ROOT = Path(__file__).resolve().parents[1]
ROWS, ROWS_ON_SHEET = 2, 4
WIDTH = 1200  # px


def main() -> None:
    """The first two views of the sheet, reduced."""
    with Image.open(ROOT / "demo-out" / "contact-sheet.png") as sheet:
        row = (sheet.height - GAP) // ROWS_ON_SHEET
        top = sheet.crop((0, 0, sheet.width, ROWS * row + GAP))
    reduced = top.resize((WIDTH, round(top.height * WIDTH / top.width)), Image.Resampling.LANCZOS)
    with replacing(ROOT / "docs" / "demo.jpg") as path:
        reduced.save(path, quality=85, optimize=True)


if __name__ == "__main__":
    main()
