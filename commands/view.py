"""`kilofield view`: scenes in a window."""

from __future__ import annotations

from pathlib import Path

from scenes.detect import file_of
from scenes.errors import KilofieldError
from scenes.files import read_start


def run(files: list[Path], together: bool = False) -> None:
    """Open the window; it loads the files itself, so that it is there at once."""
    for file in files:
        read_start(file_of(file), 1)  # a wrong name is told here, not in a window
    if together:
        _check_together(files)
    import viewer

    viewer.view(files, together)


def _check_together(files: list[Path]) -> None:
    from scenes.open_scene import kind_of

    scenes = [file for file in files if file.suffix.lower() == ".json"]
    if scenes:
        raise KilofieldError(
            f"--together: expected one file of Gaussians and one of a surface, found the scene file {scenes[0]}"
        )
    kinds = [kind_of(file) for file in files]
    if sorted(kinds) != ["gaussians", "surface"]:
        raise KilofieldError(
            f"--together: expected one file of Gaussians and one of a surface, found {kinds.count('gaussians')} of "
            f"Gaussians and {kinds.count('surface')} of surfaces"
        )
