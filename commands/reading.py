"""Scenes as commands read them: what a file left out is told."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from commands.console import note, note_dropped
from scenes.progress import Progress, silent

if TYPE_CHECKING:
    from scenes.content import ReadOptions
    from scenes.load import SceneFile
    from scenes.open_scene import SurfaceFile
    from scenes.stage import Stage


def open_told(path: Path, options: ReadOptions) -> SceneFile | SurfaceFile:
    """The scene of a file of any kind; what it left out is told. Raises `SceneFileError`."""
    from scenes.open_scene import open_scene

    return _told(open_scene(path, options=options))


def load_told(path: Path, options: ReadOptions, progress: Progress = silent) -> SceneFile:
    """The Gaussians of a file; what it left out is told. Raises `SceneFileError`."""
    from scenes.load import load_scene

    file = load_scene(path, progress, options)
    _told(file)
    return file


def stage_told(path: Path, options: ReadOptions) -> Stage:
    """A scene file with all that it names; what its files left out is told. Raises `SceneFileError`."""
    from scenes.stage import read_stage

    stage = read_stage(path, options=options)
    for name, file in stage.gaussians.items():
        note_dropped(name, file.dropped, len(file.scene))
    for name, notes in stage.notes.items():
        tell(name, notes)
    return stage


def tell(path: Path, notes: Iterable[str]) -> None:
    """A line on stderr for each sentence about what a file left out."""
    for text in notes:
        note(f"{path}: {text}")


def _told(file: SceneFile | SurfaceFile) -> SceneFile | SurfaceFile:
    from scenes.open_scene import SurfaceFile

    if not isinstance(file, SurfaceFile):
        note_dropped(file.path, file.dropped, len(file.scene))
    tell(file.path, file.notes)
    return file
