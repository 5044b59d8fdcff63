"""Which format a scene file has, by what is in it; its name says nothing.

kilo            begins with KILO
ply             begins with ply; compressed.ply if it has an element chunk
spz             begins with NGSP, or is gzip of something that does
glb             begins with glTF
sog             a zip, or a meta.json with `means`, or a folder that has one
streamed sog    a lod-meta.json with `lodLevels`, or a folder that has one
gltf            JSON with `asset`
ksplat, splat   have no word to say so: headers and records whose numbers are plausible
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from scenes.errors import SceneFileError
from scenes.files import brief, read_start
from scenes.gltf_container import MAGIC as GLB_MAGIC
from scenes.json_entry import read_json
from scenes.ksplat import is_ksplat
from scenes.naming import IN_FOLDERS, SUFFIXES
from scenes.splat import PROBED, RECORD, is_splat
from scenes.spz import GZIP, gzip_start
from scenes.spz import MAGIC as SPZ_MAGIC

KILO_MAGIC = b"KILO"
PLY_MAGIC = b"ply"
ZIP_MAGIC = b"PK\x03\x04"
READABLE = f"a scene in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"


def file_of(path: str | os.PathLike[str]) -> Path:
    """The file to read: `path` itself, or the description in it if it is a folder."""
    path = Path(path)
    if not os.path.isdir(path):
        return path
    found = next((path / name for name in IN_FOLDERS if (path / name).is_file()), None)
    if found is None:
        raise SceneFileError(path, "folder", f"a file {' or '.join(IN_FOLDERS)} in it", "none")
    return found


def is_scene_name(path: Path) -> bool:
    """Whether a file is named as those that describe several things: any .json but those of a .sog in parts."""
    return path.suffix.lower() == ".json" and path.name not in IN_FOLDERS


def format_of(path: Path) -> str:
    """The name of the format of a file: one of those above, ply for both of its kinds. Raises `SceneFileError`."""
    start, size = read_start(path, PROBED * RECORD.itemsize), path.stat().st_size
    magics = {KILO_MAGIC: "kilo", PLY_MAGIC: "ply", SPZ_MAGIC: "spz", GLB_MAGIC: "glb", ZIP_MAGIC: "sog"}
    known = next((name for magic, name in magics.items() if start.startswith(magic)), None)
    if known is not None:
        return known
    if start.startswith(GZIP) and gzip_start(start, len(SPZ_MAGIC)) == SPZ_MAGIC:
        return "spz"
    if is_ksplat(start, size):
        return "ksplat"
    if is_splat(start, size):
        return "splat"
    if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return _format_of_json(path, read_json(path))
    if path.suffix.lower() == ".splat" and size % RECORD.itemsize:  # has no first bytes of its own to be known by
        raise SceneFileError(path, "file", f"records of {RECORD.itemsize} bytes, as a .splat has", f"{size} bytes")
    raise SceneFileError(path, "file", READABLE, f"a file that begins with {brief(start[:16].decode('latin-1'))}")


def _format_of_json(path: Path, document: Any) -> str:
    kinds = {"lodLevels": "streamed sog", "means": "sog folder", "asset": "gltf"}
    keys = list(document) if isinstance(document, dict) else []
    known = next((name for key, name in kinds.items() if key in keys), None)
    if known is None:
        raise SceneFileError(path, "file", READABLE, f"JSON with {brief(', '.join(keys)) or 'nothing'}")
    return known
