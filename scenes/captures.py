"""Captures: photographs, each with the camera that took it.

A capture is a folder with NeRF's transforms files, or one such file (see `scenes/transforms_json.py`):

    transforms_train.json, transforms_test.json     frames to fit, and frames to judge by
    transforms.json                                 frames to fit, when there is no transforms_train.json

transforms_val.json is left alone: it belongs to neither.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from scenes.errors import SceneFileError
from scenes.files import brief
from scenes.images import image_size
from scenes.json_entry import read_json, shown
from scenes.photographs import Photograph as Frame
from scenes.transforms_json import transforms_frames

TRAIN, ALL, TEST = "transforms_train.json", "transforms.json", "transforms_test.json"


@dataclass(frozen=True)
class Capture:
    """The photographs of one scene."""

    path: Path
    train: list[Frame]
    test: list[Frame]
    missing: list[Path]  # images the files name that are not there; their frames are left out


def read_capture(path: str | os.PathLike[str]) -> Capture:
    """The capture in a folder or transforms file; `SceneFileError` if it is not one, or none of its images is there."""
    path = Path(path)
    train_file, test_file = _transforms_files(path)
    train, train_missing = _frames(train_file)
    test, test_missing = _frames(test_file)
    missing = train_missing + test_missing
    if not train and not test:
        raise SceneFileError(path, "frames", f"at least one of {len(missing)} images", "none of them")
    return Capture(path, train, test, missing)


def _transforms_files(path: Path) -> tuple[Path | None, Path | None]:
    """The file with the frames to fit and the one with the frames to judge by."""
    if not path.is_dir():
        return (None, path) if path.name == TEST else (path, None)
    train = next((path / name for name in (TRAIN, ALL) if (path / name).is_file()), None)
    test = path / TEST if (path / TEST).is_file() else None
    if train is None and test is None:
        raise SceneFileError(path, "folder", f"{TRAIN}, {TEST} or {ALL}", _contents(path))
    return train, test


def _contents(folder: Path) -> str:
    """The names in a folder that cannot be read, so that the message says what it was taken for."""
    if (folder / "sparse").is_dir():
        return "a COLMAP reconstruction in sparse/"
    names = sorted(entry.name for entry in folder.iterdir())
    return brief(", ".join(names)) or "an empty folder"


def _frames(file: Path | None) -> tuple[list[Frame], list[Path]]:
    """The frames of a transforms file, and the images that are missing."""
    if file is None:
        return [], []
    content = read_json(file)
    if not isinstance(content, dict) or "frames" not in content:
        raise SceneFileError(file, "file", "an object with frames", shown(content))
    frames, missing = [], []
    for frame in transforms_frames(file, content):
        if not frame.has_image():
            missing.append(frame.image)
            continue
        width, height = image_size(frame.image)
        frames.append(Frame(frame.camera(frame.size()), frame.image, width, height))
    return frames, missing
