"""Any scene file this program reads, recognised by what is in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scenes.compressed_ply import is_compressed, read_compressed
from scenes.errors import SceneFileError
from scenes.files import brief, read_start
from scenes.gaussians import Gaussians
from scenes.neural_gaussians import NeuralGaussians
from scenes.ply import read_gaussians
from scenes.ply_elements import read_header
from scenes.progress import Progress, silent

READABLE = "a scene in .ply, .compressed.ply or .kilo"
KILO_MAGIC = b"KILO"
PLY_MAGIC = b"ply"


@dataclass(frozen=True)
class SceneFile:
    """A scene, and the file it came from."""

    path: Path
    format: str  # "ply", "compressed.ply" or "kilo"
    scene: Gaussians | NeuralGaussians
    dropped: int  # rows left out because they cannot be drawn
    bytes: int  # size of the file

    @cached_property
    def gaussians(self) -> Gaussians:
        """Plain Gaussians, decoded on first use if the scene is a neural one."""
        return self.scene.decode() if isinstance(self.scene, NeuralGaussians) else self.scene


def load_scene(path: str | os.PathLike[str], progress: Progress = silent) -> SceneFile:
    """The scene in a file of any readable format; `SceneFileError` if it is none of them or damaged.

    `progress` is told the share that has been read; of a .compressed.ply, which is quick, nothing.
    """
    path = Path(path)
    start = read_start(path, 16)
    if start.startswith(KILO_MAGIC):
        return _load_kilo(path, progress)
    if start.startswith(PLY_MAGIC):
        return _load_ply(path, progress)
    raise SceneFileError(path, "file", READABLE, f"a file that begins with {brief(start.decode('latin-1'))}")


def _load_ply(path: Path, progress: Progress) -> SceneFile:
    header = read_header(path)
    compressed = is_compressed(header)
    content = read_compressed(header) if compressed else read_gaussians(header, progress)
    name = "compressed.ply" if compressed else "ply"
    return SceneFile(path, name, content.gaussians, content.dropped, path.stat().st_size)


def _load_kilo(path: Path, progress: Progress) -> SceneFile:
    from scenes.kilo import read_kilo  # its codecs take a while to import, and a .ply needs none

    return SceneFile(path, "kilo", read_kilo(path, progress=progress), 0, path.stat().st_size)
