"""A scene to be lit with everything its files hold, in the order of its description."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from scenes.content import ReadOptions
from scenes.errors import SceneFileError
from scenes.gaussians import Floats
from scenes.light_images import read_light
from scenes.load import SceneFile, load_scene
from scenes.open_scene import kind_of
from scenes.progress import Progress, silent
from scenes.scene_file import Captured, Diffuse, EnvironmentImage, GaussianScene, MeshObject, SceneDescription, Surface
from scenes.scene_file_read import read_scene_file
from scenes.surface import NeuralSurface
from scenes.triangle_mesh import Mesh


@dataclass(frozen=True)
class Stage:
    """A description, and what is in its files: each path once, however often it is named."""

    scene: SceneDescription
    surfaces: Mapping[Path, NeuralSurface] = field(default_factory=dict)
    meshes: Mapping[Path, Mesh] = field(default_factory=dict)
    gaussians: Mapping[Path, SceneFile] = field(default_factory=dict)
    environment: Floats | None = None  # [H, W, 3] of an `EnvironmentImage`
    notes: Mapping[Path, tuple[str, ...]] = field(default_factory=dict)  # what files left out, one sentence each


@dataclass(frozen=True)
class StageFile:
    """A scene to be lit, and the file that describes it."""

    path: Path
    stage: Stage
    bytes: int  # of the file and of all that it names


def stage_file(path: Path, stage: Stage) -> StageFile:
    """The file at `path`, of which `stage` was read."""
    light = stage.scene.environment
    files = {path, *stage.surfaces, *stage.meshes, *stage.gaussians}
    files |= {light.file} if isinstance(light, EnvironmentImage) else set()
    return StageFile(path, stage, sum(file.stat().st_size for file in files))


def with_files(stage: Stage, more: Stage) -> Stage:
    """The same with what the files of another one hold, too; a file that both name stays what it was."""
    return replace(
        stage,
        surfaces={**more.surfaces, **stage.surfaces},
        meshes={**more.meshes, **stage.meshes},
        gaussians={**more.gaussians, **stage.gaussians},
    )


def read_stage(path: str | os.PathLike[str], progress: Progress = silent, options: ReadOptions | None = None) -> Stage:
    """The scene of a file and all that it names; `SceneFileError` for the first thing that is wrong.

    `options` are for each of its files of Gaussians and surfaces.
    """
    return open_stage(read_scene_file(path), progress, options)


def open_stage(scene: SceneDescription, progress: Progress = silent, options: ReadOptions | None = None) -> Stage:
    """What the files of `scene` hold. Raises `SceneFileError`."""
    from scenes.kilo_surface import open_surface  # zstandard is slow to import,
    from scenes.meshes import read_mesh  # and trimesh with its scipy

    named = (thing for thing in scene.objects if isinstance(thing, Surface | GaussianScene | MeshObject))
    paths = dict.fromkeys((type(thing), thing.file) for thing in named)
    options = options or ReadOptions()
    surfaces, meshes, gaussians, notes = {}, {}, {}, {}
    for done, (kind, file) in enumerate(paths):
        progress(done / len(paths))
        if kind is Surface:
            _expect(file, "surface")
            surfaces[file], notes[file] = open_surface(file, options)
        elif kind is GaussianScene:
            _expect(file, "gaussians")
            gaussians[file] = load_scene(file, options=options)
            notes[file] = gaussians[file].notes
        elif kind is MeshObject:
            meshes[file] = read_mesh(file)
            notes[file] = meshes[file].notes
    _check_colours(scene, surfaces)
    image = read_light(scene.environment.file) if isinstance(scene.environment, EnvironmentImage) else None
    progress(1.0)
    return Stage(scene, surfaces, meshes, gaussians, image, notes)


def _expect(file: Path, kind: str) -> None:
    found = kind_of(file)
    if found != kind:
        raise SceneFileError(file, "file", f"a .kilo of kind {kind}" if kind == "surface" else "Gaussians", found)


def _check_colours(scene: SceneDescription, surfaces: Mapping[Path, NeuralSurface]) -> None:
    for thing in scene.objects:
        if not isinstance(thing, Surface) or surfaces[thing.file].appearance is not None:
            continue
        own = isinstance(thing.material, Captured) or (
            isinstance(thing.material, Diffuse) and thing.material.albedo is None
        )
        if own:
            expected = "appearance networks, for a material of captured colours"
            raise SceneFileError(thing.file, "file", expected, "a surface without; give it a material")
