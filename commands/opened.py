"""What a command draws, of any kind: Gaussians, a surface, both in one picture, or a scene file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from commands.reading import open_told, stage_told
from scenes.detect import is_scene_name
from scenes.errors import KilofieldError
from scenes.extent import Extent, scene_extent
from scenes.load import SceneFile
from scenes.naming import scene_name
from scenes.open_scene import SurfaceFile, kind_of
from scenes.stage import StageFile, stage_file
from scenes.stage_extent import around, stage_extent
from scenes.surface_extent import surface_extent

if TYPE_CHECKING:
    from renderer.fly_scenes import AnyScene
    from scenes.content import ReadOptions


@dataclass(frozen=True)
class PairFile:
    """A file of Gaussians and one of a surface, for one picture."""

    files: tuple[SceneFile | SurfaceFile, ...]  # the two in the order they were named

    @property
    def gaussians(self) -> SceneFile:
        """The one."""
        return next(file for file in self.files if isinstance(file, SceneFile))

    @property
    def surface(self) -> SurfaceFile:
        """The other."""
        return next(file for file in self.files if isinstance(file, SurfaceFile))


Opened: TypeAlias = SceneFile | SurfaceFile | PairFile | StageFile


def open_for_pictures(sources: Sequence[Path], options: ReadOptions) -> Opened:
    """One file of any kind, or two for one picture; what they left out is told. Raises `SceneFileError`."""
    if len(sources) == 1 and is_scene_name(sources[0]):
        return stage_file(sources[0], stage_told(sources[0], options))
    files = tuple(open_told(source, options) for source in sources)
    return files[0] if len(files) == 1 else PairFile(files)


def check_together(sources: Sequence[Path]) -> None:
    """Raises `KilofieldError` unless these are a file of Gaussians and one of a surface."""
    expected = "--together: expected one file of Gaussians and one of a surface"
    scenes = [source for source in sources if is_scene_name(source)]
    if scenes:
        raise KilofieldError(f"{expected}, found the scene file {scenes[0]}")
    kinds = [kind_of(source) for source in sources]
    if sorted(kinds) != ["gaussians", "surface"]:
        raise KilofieldError(
            f"{expected}, found {kinds.count('gaussians')} of Gaussians and {kinds.count('surface')} of surfaces"
        )


def name_of(file: Opened) -> str:
    """For tables."""
    return " + ".join(map(name_of, file.files)) if isinstance(file, PairFile) else scene_name(file.path)


def extent_of(file: Opened) -> Extent:
    """Where it is; of two, around both, up as in the first."""
    if isinstance(file, StageFile):
        return stage_extent(file.stage)
    if isinstance(file, SurfaceFile):
        return surface_extent(file.surface)
    if isinstance(file, SceneFile):
        return scene_extent(file.gaussians)
    first, second = (extent_of(one) for one in file.files)
    return replace(around(first, second), up=first.up)


def scene_of(file: Opened) -> AnyScene:
    """What a renderer takes."""
    if isinstance(file, StageFile):
        return file.stage
    if isinstance(file, SurfaceFile):
        return file.surface
    if isinstance(file, SceneFile):
        return file.scene
    from renderer.fly_scenes import Pair

    return Pair(file.gaussians.scene, file.surface.surface)


def facts_of(file: Opened) -> dict[str, Any]:
    """What was drawn, for --json, so that two runs can be told to be of the same scene."""
    if isinstance(file, PairFile):
        facts = [facts_of(one) for one in file.files]
        return {"kind": "together", "bytes": sum(one["bytes"] for one in facts), "files": facts}
    facts = {"source": str(file.path), "sha256": _digest(file.path), "bytes": file.bytes}
    if isinstance(file, StageFile):
        return facts | {"format": "json", "kind": "stage"}
    if isinstance(file, SurfaceFile):
        return facts | {"format": "kilo", "kind": "surface"}
    of_gaussians = {"format": file.format, "dropped": file.dropped, "sh_degree": file.scene.sh_degree}
    return facts | {"kind": "gaussians"} | of_gaussians


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        digest = hashlib.sha256()
        while block := content.read(2**20):
            digest.update(block)
    return digest.hexdigest()
