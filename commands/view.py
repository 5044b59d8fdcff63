"""`kilofield view`: scenes in a window."""

from __future__ import annotations

from pathlib import Path


def run(files: list[Path]) -> None:
    """Open the window; it loads the files itself, so that it is there at once."""
    import viewer

    viewer.run(files)
