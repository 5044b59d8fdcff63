"""Any scene file this program reads, recognised by what is in it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scenes.compressed_ply import is_compressed, read_compressed
from scenes.content import Content, ReadOptions, check_count
from scenes.detect import KILO_MAGIC, READABLE, file_of, format_of
from scenes.errors import SceneFileError
from scenes.gaussians import Gaussians
from scenes.gltf import read_gltf
from scenes.ksplat import read_ksplat
from scenes.neural_gaussians import NeuralGaussians
from scenes.ply import read_gaussians
from scenes.ply_elements import read_header
from scenes.progress import Progress, silent
from scenes.sog import read_sog, read_sog_folder
from scenes.sog_levels import read_sog_levels
from scenes.splat import read_splat
from scenes.spz import read_spz

LOGGER = logging.getLogger("kilofield.read")

__all__ = ["KILO_MAGIC", "READABLE", "SceneFile", "load_scene"]

READERS: Mapping[str, Callable[[Path, ReadOptions], Content]] = {
    "spz": read_spz,
    "glb": read_gltf,
    "gltf": read_gltf,
    "sog": read_sog,
    "sog folder": read_sog_folder,
    "streamed sog": read_sog_levels,
    "ksplat": read_ksplat,
    "splat": read_splat,
}


@dataclass(frozen=True)
class SceneFile:
    """A scene, and the file it came from."""

    path: Path  # of a folder the description in it
    format: str  # as `scenes.detect` has it, or "compressed.ply"
    scene: Gaussians | NeuralGaussians
    dropped: int  # rows left out because they cannot be drawn
    bytes: int  # size of the file; of a description with the files it names that were read
    notes: tuple[str, ...] = ()  # what else was left out, one sentence each
    others: tuple[Path, ...] = ()  # files that were read beside `path`

    @cached_property
    def gaussians(self) -> Gaussians:
        """Plain Gaussians, decoded on first use if the scene is a neural one."""
        return self.scene.decode() if isinstance(self.scene, NeuralGaussians) else self.scene


def load_scene(
    path: str | os.PathLike[str], progress: Progress = silent, options: ReadOptions | None = None
) -> SceneFile:
    """The scene in a file of any readable format; `SceneFileError` if it is none of them or damaged.

    `path` may be a folder that holds a .sog in parts. `progress` is told the share that has been read; of formats that
    are quick, only that all has.
    """
    start = time.perf_counter()
    file = _load(file_of(path), progress, options or ReadOptions())
    took = time.perf_counter() - start
    LOGGER.info(
        "read %s: %s, %d Gaussians, %d bytes, %.2f s", file.path, file.format, len(file.scene), file.bytes, took
    )
    return file


def _load(path: Path, progress: Progress, options: ReadOptions) -> SceneFile:
    found = format_of(path)
    if found == "kilo":
        return _load_kilo(path, progress, options)
    if found == "ply":
        return _load_ply(path, progress, options)
    content = READERS[found](path, options)
    progress(1.0)
    others = tuple(dict.fromkeys(file for file in content.files if file != path))
    size = sum(file.stat().st_size for file in (path, *others))
    return SceneFile(path, found, content.gaussians, content.dropped, size, content.notes, others)


def _load_ply(path: Path, progress: Progress, options: ReadOptions) -> SceneFile:
    header = read_header(path)
    vertex = header.element("vertex")
    if vertex is not None and vertex.count:  # of none its reader says more
        check_count(path, "element vertex", vertex.count, options)
    compressed = is_compressed(header)
    content = read_compressed(header) if compressed else read_gaussians(header, progress)
    name = "compressed.ply" if compressed else "ply"
    return SceneFile(path, name, content.gaussians, content.dropped, path.stat().st_size)


def _load_kilo(path: Path, progress: Progress, options: ReadOptions) -> SceneFile:
    from scenes.kilo import open_kilo  # its codecs take a while to import, and a .ply needs none
    from scenes.open_scene import kind_of  # which itself is about this module

    if kind_of(path) == "surface":
        raise SceneFileError(path, "file", "Gaussians", "a neural surface (kilofield mesh makes triangles of it)")
    scene, notes = open_kilo(path, options, progress)
    return SceneFile(path, "kilo", scene, 0, path.stat().st_size, notes)
