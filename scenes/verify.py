"""Checks a scene file of any format from its first byte to its last, and says all that is wrong."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from scenes.content import ReadOptions
from scenes.detect import IN_FOLDERS, KILO_MAGIC, file_of, format_of, is_scene_name
from scenes.errors import KilofieldError, SceneFileError
from scenes.files import read_start
from scenes.gltf import EXTENSION
from scenes.gltf_container import Gltf
from scenes.json_entry import read_json
from scenes.kilo_salvage import Damage
from scenes.load import SceneFile, load_scene
from scenes.open_scene import kind_of
from scenes.ply_elements import read_header
from scenes.progress import Progress, silent
from scenes.sog_levels import MAX_LEVELS

# Looked for in folders.
SUFFIXES = (".kilo", ".ply", ".splat", ".spz", ".ksplat", ".sog", ".glb", ".gltf", ".obj", ".stl")


@dataclass(frozen=True)
class Verdict:
    """What is known about a file once all of it was read."""

    path: Path
    bytes: int = 0  # of a description with all that it names
    format: str = ""  # "" where none was recognised
    count: int = 0  # of what it holds; 0 where nothing could be read
    unit: str = ""  # what that is, such as `Gaussian`
    levels: int = 1  # of detail, which the count is of
    checksums: int = 0  # of a .kilo: its streams and its manifest
    notes: tuple[str, ...] = ()  # what is left out because it cannot be drawn, one sentence each
    problems: tuple[SceneFileError, ...] = ()
    salvage: Damage | None = None  # of a damaged .kilo of which --salvage reads a part

    @property
    def holds(self) -> str:
        """The count as it is printed."""
        of = f" in {self.levels} levels" if self.levels > 1 else ""
        return f"{self.count:,} {self.unit}{'s' * (self.count != 1)}{of}" if self.unit else ""


def verify(path: Path, options: ReadOptions | None = None, progress: Progress = silent) -> Verdict:
    """Reads the file at `path`, or the description in a folder, in full; nothing that is wrong with it is raised."""
    options, found = options or ReadOptions(), Verdict(path)
    try:
        path = file_of(path)
        found = Verdict(path, _size(path))
        if read_start(path, len(KILO_MAGIC)) == KILO_MAGIC:
            found = _of_kilo(found, options, progress)
        elif is_scene_name(path):
            found = _of_stage(found, options, progress)
        else:
            found = _of_other(found, options, progress)
    except SceneFileError as error:
        found = replace(found, problems=(error,))
    progress(1.0)
    return found


def _of_kilo(found: Verdict, options: ReadOptions, progress: Progress) -> Verdict:
    from scenes.kilo_verify import check_kilo  # as in scenes.load: slow to import

    found = replace(found, format="kilo")
    kind = kind_of(found.path)
    check = check_kilo(found.path, kind, options, progress)
    damage = check.damage
    return replace(
        found,
        count=damage.count,
        unit="cell" if kind == "surface" else "Gaussian",
        checksums=damage.streams + 1,
        problems=check.problems,
        salvage=damage if check.readable and damage.errors else None,
    )


def _of_stage(found: Verdict, options: ReadOptions, progress: Progress) -> Verdict:
    from scenes.stage import read_stage

    stage = read_stage(found.path, progress, options)
    notes = [f"{file.path}: {note}" for file in stage.gaussians.values() for note in _left_out(file)]
    notes += [f"{path}: {note}" for path, several in stage.notes.items() for note in several]
    return replace(found, format="scene file", count=len(stage.scene.objects), unit="thing", notes=tuple(notes))


def _of_other(found: Verdict, options: ReadOptions, progress: Progress) -> Verdict:
    path = found.path
    if path.suffix.lower() in (".obj", ".stl"):
        return _of_mesh(found, path.suffix.lower()[1:])
    found = replace(found, format=format_of(path))
    if found.format in ("ply", "glb", "gltf") and _is_mesh(path, found.format):
        return _of_mesh(found, found.format)
    if found.format == "streamed sog":
        return _of_levels(found, options, progress)
    file = load_scene(path, progress, options)
    found = replace(found, bytes=file.bytes, format=file.format, notes=_left_out(file))
    return replace(found, count=len(file.scene), unit="Gaussian")


def _of_levels(found: Verdict, options: ReadOptions, progress: Progress) -> Verdict:
    """A file in levels of detail: all of them, whichever are wrong."""
    claimed = read_json(found.path)["lodLevels"]
    levels = claimed if isinstance(claimed, int) and 1 <= claimed <= MAX_LEVELS else 1  # else its reader says so
    held, notes, problems = 0, list[str](), dict[str, SceneFileError]()
    for level in range(levels):
        try:
            file = load_scene(found.path, silent, replace(options, lod=level))
        except SceneFileError as error:
            problems[str(error)] = error  # levels share files
        else:
            held += len(file.scene)
            notes += [f"level {level}: {note}" for note in _left_out(file)]
            found = replace(found, bytes=file.bytes)
        progress((level + 1) / levels)
    found = replace(found, count=held, unit="Gaussian", levels=levels)
    return replace(found, notes=tuple(notes), problems=tuple(problems.values()))


def _is_mesh(path: Path, found: str) -> bool:
    """Whether a file of a format for both holds triangles and not Gaussians."""
    if found == "ply":
        faces = read_header(path).element("face")
        return faces is not None and faces.count > 0
    used = Gltf(path).root.values.get("extensionsUsed")
    return not isinstance(used, list) or EXTENSION not in used


def _of_mesh(found: Verdict, name: str) -> Verdict:
    from scenes.meshes import read_mesh  # trimesh is slow to import

    mesh = read_mesh(found.path)
    return replace(found, format=f"{name} mesh", count=len(mesh.faces), unit="triangle", notes=mesh.notes)


def _left_out(file: SceneFile) -> tuple[str, ...]:
    dropped = f"{file.dropped:,} more left out: NaN, infinite or without a rotation"
    return ((dropped,) if file.dropped else ()) + file.notes


def _size(path: Path) -> int:
    """0 where there is no file, which its reader says."""
    return os.stat(path).st_size if os.path.isfile(path) else 0


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """The files to be checked: `paths` themselves, and of folders all that are named like scenes, in order.

    A folder with a description of a scene in it (`scenes.detect.IN_FOLDERS`) is one. Raises `KilofieldError` for a
    folder without any.
    """
    for path in paths:
        if not os.path.isdir(path) or _is_scene(path):
            yield path
            continue
        found = list(_below(path, set()))
        if not found:
            raise KilofieldError(f"{path}: expected scene files in this folder or below it, found none")
        yield from found


def _is_scene(folder: Path) -> bool:
    return any((folder / name).is_file() for name in IN_FOLDERS)


def _below(folder: Path, seen: set[str]) -> Iterator[Path]:
    """Each folder once, however many links lead to it."""
    if os.path.realpath(folder) in seen:
        return
    seen.add(os.path.realpath(folder))
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            yield from [entry] if _is_scene(entry) else _below(entry, seen)
        elif entry.suffix.lower() in SUFFIXES:
            yield entry
