"""`kilofield view`: scenes in a window."""

from __future__ import annotations

from pathlib import Path

from scenes.files import read_start


def run(files: list[Path]) -> None:
    """Open the window; it loads the files itself, so that it is there at once."""
    for file in files:
        read_start(file, 1)  # a wrong name is told here, not in a window
    import viewer

    viewer.view(files)
