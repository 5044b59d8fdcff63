"""Any scene file this program reads, of whichever kind: Gaussians or a neural surface.

`scenes.load.load_scene` is for those who can only do with Gaussians.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from scenes.content import ReadOptions
from scenes.detect import KILO_MAGIC, file_of
from scenes.errors import SceneFileError
from scenes.files import read_start
from scenes.load import SceneFile, load_scene
from scenes.progress import Progress, silent
from scenes.surface import NeuralSurface

Kind: TypeAlias = Literal["gaussians", "surface"]
KINDS: tuple[Kind, ...] = ("gaussians", "surface")


@dataclass(frozen=True)
class SurfaceFile:
    """A neural surface, and the .kilo it came from."""

    path: Path
    surface: NeuralSurface
    bytes: int  # size of the file
    notes: tuple[str, ...] = ()  # what was left out, one sentence each


def kind_of(path: str | os.PathLike[str]) -> Kind:
    """What a file holds, from its first bytes and, of a .kilo, its manifest.

    A file that is no .kilo is taken for Gaussians; whether it is any is for its reader to say. Raises `SceneFileError`.
    """
    path = file_of(path)
    if not read_start(path, len(KILO_MAGIC)).startswith(KILO_MAGIC):
        return "gaussians"
    from scenes.kilo_container import open_source, opened, read_json_manifest  # as in scenes.load: slow to import
    from scenes.kilo_node import Node

    with opened(path) as file:
        source = open_source(file, os.fspath(path))
        kind = Node(source, "", read_json_manifest(source)[0])["kind"].choice(KINDS)
    return "surface" if kind == "surface" else "gaussians"


def open_scene(
    path: str | os.PathLike[str], progress: Progress = silent, options: ReadOptions | None = None
) -> SceneFile | SurfaceFile:
    """The scene in a file of any readable format and kind; `SceneFileError` if it is none of them or damaged.

    `progress` is told the share that has been read; of formats that are quick, only that all has.
    """
    options = options or ReadOptions()
    if _kind_told(path, options) == "gaussians":
        return load_scene(path, progress, options)
    from scenes.kilo_surface import open_surface

    path = Path(path)
    surface, notes = open_surface(path, options, progress)
    return SurfaceFile(path, surface, path.stat().st_size, notes)


def _kind_told(path: str | os.PathLike[str], options: ReadOptions) -> Kind:
    """`kind_of`; who salvages is told that nothing can be without a manifest."""
    try:
        return kind_of(path)
    except SceneFileError as error:
        if not options.salvage or error.place not in ("header", "manifest"):
            raise
        from scenes.kilo_salvage import fatal

        raise fatal(error) from error
