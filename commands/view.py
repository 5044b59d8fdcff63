"""`kilofield view`: scenes in a window."""

from __future__ import annotations

from pathlib import Path

from commands.logs import not_both
from commands.options import Reading
from scenes.detect import file_of
from scenes.files import read_start


def run(files: list[Path], together: bool, reading: Reading, quiet: bool) -> None:
    """Open the window; it loads the files itself, so that it is there at once."""
    not_both(quiet)
    options = reading.options
    for file in files:
        read_start(file_of(file), 1)  # a wrong name is told here, not in a window
    if together:
        from commands.opened import check_together

        check_together(files)
    import viewer

    viewer.view(files, together, options)
