"""Reading arguments, and making sure of outputs before any long work starts."""

from __future__ import annotations

import math
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from scenes.errors import KilofieldError

LARGEST_SIDE = 16384  # pixels, of a picture; OpenGL's usual texture limit

COLOURS = {"black": (0.0, 0.0, 0.0), "white": (1.0, 1.0, 1.0), "grey": (0.5, 0.5, 0.5)}


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) in pixels of a text such as `640x360`."""
    match = re.fullmatch(r"([0-9]{1,9})x([0-9]{1,9})", text.strip().lower())
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (1 <= width <= LARGEST_SIDE and 1 <= height <= LARGEST_SIDE):
        raise KilofieldError(
            f"--size: expected WIDTHxHEIGHT of 1 to {LARGEST_SIDE} pixels each, such as 640x360, found {text!r}"
        )
    return width, height


def parse_background(text: str) -> tuple[float, float, float]:
    """RGB in [0, 1] of `black`, `white`, `grey`, `#rrggbb` or three numbers such as `0.2,0.4,1`."""
    if text.lower() in COLOURS:
        return COLOURS[text.lower()]
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        red, green, blue = (int(text[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return red, green, blue
    try:
        red, green, blue = (float(part) for part in text.split(","))
    except ValueError:
        red = green = blue = math.nan
    if all(0 <= c <= 1 for c in (red, green, blue)):
        return red, green, blue
    raise KilofieldError(
        f"--background: expected {', '.join(COLOURS)}, #rrggbb or three numbers from 0 to 1, found {text!r}"
    )


def at_least(option: str, value: int, smallest: int) -> int:
    """`value`, when it is no less than `smallest`."""
    if value < smallest:
        raise KilofieldError(f"{option}: expected {smallest} or more, found {value}")
    return value


def output_file(path: Path, force: bool, suffix: str, sources: Iterable[Path] = ()) -> Path:
    """`path`, once it is sure that a file may be written there.

    It must end in `suffix`, lie in a folder that exists and takes files, be none of `sources`, and not exist already
    unless `force`.
    """
    if path.suffix.lower() != suffix:
        raise KilofieldError(f"{path}: expected an output named *{suffix}")
    if path.is_dir():
        raise KilofieldError(f"{path}: expected a file to write, found a folder")
    for source in sources:
        if path.exists() and source.exists() and path.samefile(source):
            raise KilofieldError(f"{path}: expected an output other than the input")
    if path.exists() and not force:
        raise KilofieldError(f"{path}: exists already; --force replaces it")
    _try_writing(path, path.parent)
    return path


def output_folder(path: Path, force: bool, names: Iterable[str]) -> Path:
    """`path`, once it is a folder that takes files; those it holds under `names` already are kept unless `force`."""
    existing = [name for name in names if (path / name).exists()]
    if existing and not force:
        more = f" and {len(existing) - 1} more" if existing[1:] else ""
        raise KilofieldError(f"{path / existing[0]}: exists already{more}; --force replaces what is there")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise KilofieldError(f"{path}: expected a folder, found a file") from None
    except OSError as error:
        raise KilofieldError(f"{path}: cannot write: {error.strerror}") from error
    _try_writing(path, path)
    return path


def _try_writing(path: Path, folder: Path) -> None:
    try:
        handle, name = tempfile.mkstemp(dir=folder)
    except OSError as error:
        raise KilofieldError(f"{path}: cannot write: {error.strerror}") from error
    os.close(handle)
    os.unlink(name)
