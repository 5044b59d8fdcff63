"""What people call a scene: the name of its file, or of the folder where the file describes what is in that."""

from __future__ import annotations

import os
from pathlib import Path

SUFFIXES = (".ply", ".compressed.ply", ".splat", ".spz", ".ksplat", ".sog", ".glb", ".gltf", ".kilo")  # of scenes
IN_FOLDERS = ("lod-meta.json", "meta.json")  # descriptions of a folder, the first there is


def named_path(path: Path) -> Path:
    """The path whose name is that of the scene in `path`."""
    folder = Path(os.path.abspath(path)).parent
    return folder if path.name in IN_FOLDERS and folder.name else path


def scene_name(path: Path) -> str:
    """Such as `garden.spz`, or `garden/` of a folder."""
    named = named_path(path)
    return named.name if named == path else f"{named.name}/"


def scene_stem(path: Path, suffixes: tuple[str, ...] = SUFFIXES) -> str:
    """The name without what says the format, which the versions of one scene share."""
    name = named_path(path).name
    longest = max((s for s in suffixes if name.lower().endswith(s)), key=len, default="")
    return name[: len(name) - len(longest)] or "scene"
