"""Things from files for the scene file that is open: what a file is as an object, and reading it on a thread."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np

from scenes.detect import PLY_MAGIC, file_of
from scenes.files import read_start
from scenes.gltf import is_of_gaussians
from scenes.open_scene import kind_of
from scenes.ply_elements import read_header
from scenes.scene_file import GaussianScene, MeshObject, SceneDescription, Surface, placed
from scenes.stage import Stage, open_stage
from scenes.stage_extent import own_ball

MESHES = (".obj", ".stl")  # that are nothing else
GLTF = (".glb", ".gltf")
PATTERNS = ("*.kilo", "*.ply", "*.splat", "*.spz", "*.ksplat", "*.sog", "*.glb", "*.gltf", "*.obj", "*.stl")

FileObject = Surface | GaussianScene | MeshObject


def object_of(path: Path) -> FileObject:
    """What the file `path` is in a scene: a surface, a mesh in white, or else Gaussians. Raises `SceneFileError`."""
    path = file_of(path).absolute()
    if _is_mesh(path):
        return MeshObject(path)
    return Surface(path) if kind_of(path) == "surface" else GaussianScene(path)


def _is_mesh(path: Path) -> bool:
    if path.suffix.lower() in MESHES:
        return True
    if path.suffix.lower() in GLTF:
        return not is_of_gaussians(path)
    return read_start(path, len(PLY_MAGIC)).startswith(PLY_MAGIC) and read_header(path).element("face") is not None


class Additions:
    """Reads one file after the other, so that the window never waits."""

    def __init__(self) -> None:
        self._wanted: list[Path] = []
        self._done: Future[tuple[FileObject, Stage]] | None = None
        self.path: Path | None = None  # that is being read

    def ask(self, path: Path) -> None:
        """One file more."""
        self._wanted.append(path)

    @property
    def busy(self) -> bool:
        """Something is to come."""
        return self._done is not None or bool(self._wanted)

    def cancel(self) -> None:
        """What is to come is for nobody."""
        self._wanted, self._done, self.path = [], None, None

    def poll(self) -> tuple[FileObject, Stage] | None:
        """The object of a file and a stage that has what is in it, once, in the order asked for. Raises what reading it
        raised: `KilofieldError` for a bad file.
        """
        if self._done is None and self._wanted:
            self.path = self._wanted.pop(0)
            self._done = Future()
            Thread(target=_read, args=(self.path, self._done), name=f"add {self.path.name}", daemon=True).start()
        if self._done is None or not self._done.done():
            return None
        done, self._done = self._done, None
        return done.result()


def _read(path: Path, done: Future[tuple[FileObject, Stage]]) -> None:
    try:
        thing = object_of(path)
        done.set_result((thing, open_stage(SceneDescription((thing,)))))
    except BaseException as error:  # handed on: `poll` raises it in the frame loop
        done.set_exception(error)


def placed_at(stage: Stage, thing: FileObject, place: np.ndarray) -> FileObject:
    """The thing with its middle at `place` [3]."""
    x, y, z = (place - own_ball(stage, thing)[0]).tolist()
    return replace(thing, transform=placed((x, y, z)))
