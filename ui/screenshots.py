"""Pictures the user takes: PNG files in the working folder, numbered, never over another file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from renderer.images import write_png
from scenes.errors import KilofieldError
from scenes.naming import SUFFIXES, scene_stem


def save_screenshot(picture: NDArray[np.uint8], scene: Path, folder: Path) -> Path:
    """Writes `picture` [H, W, 3] as `STEM-001.png`, the first number that is free; returns where.

    Raises `KilofieldError` for a folder that cannot be written to.
    """
    path = _claim(folder, picture_stem(scene))
    try:
        write_png(path, picture)
    except KilofieldError:
        path.unlink(missing_ok=True)  # ours, and empty
        raise
    return path


def free_name(folder: Path, stem: str, suffix: str = "") -> Path:
    """`STEM-001SUFFIX` in `folder`, or the first number after it that nothing has."""
    return next(path for path in _numbered(folder, stem, suffix) if not path.exists())


def picture_stem(scene: Path) -> str:
    """The name of a scene, or a scene file, without what says its format."""
    return scene_stem(scene, (*SUFFIXES, ".json"))


def _numbered(folder: Path, stem: str, suffix: str) -> Iterator[Path]:
    return (folder / f"{stem}-{number:03d}{suffix}" for number in count(1))


def _claim(folder: Path, stem: str) -> Path:
    """An empty file with the first free number: made, not only found free, so that nobody else can take it."""
    for path in _numbered(folder, stem, ".png"):
        try:
            path.open("xb").close()
        except FileExistsError:
            continue
        except OSError as error:
            raise KilofieldError(f"{path}: cannot write: {error.strerror}") from error
        return path
    raise AssertionError("there is always one more number")
