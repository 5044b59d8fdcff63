"""Gaussians in a streamed .sog: a lod-meta.json, and scenes in folders or zips below it. Read only.

{
  "version": 1, "count": ..., "counts": [...],     Gaussians in all, and of each level
  "lodLevels": 5,                                  levels of detail; 0 is the finest
  "environment": "env/meta.json",                  optional: what surrounds the scene, at every level
  "filenames": ["0_0/meta.json", ...],             scenes as `scenes/sog.py` has them
  "tree": {                                        a box of space
    "bound": {"min": [...], "max": [...]},
    "children": [...]                              either smaller boxes
    "lods": {"0": {"file": 0, "offset": 0, "count": 1000}, ...}    or, by level, a run of a scene's Gaussians
  }
}
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from scenes.content import Content, ReadOptions, check_count
from scenes.errors import SceneFileError
from scenes.files import brief, is_below, read_start
from scenes.json_entry import JsonEntry, read_json, shown
from scenes.merging import merged
from scenes.sog import read_sog_files
from scenes.sog_files import FolderFiles, ZipFiles

MAX_LEVELS = 64
MAX_DEPTH = 64  # of the tree; each level halves a box
Run = tuple[int, int]  # offset and count


def read_sog_levels(path: Path, options: ReadOptions) -> Content:
    """The Gaussians of one level of a lod-meta.json, with its environment; `SceneFileError` if there is none."""
    meta = JsonEntry.of(path, "lod-meta.json", read_json(path))
    levels = _whole(meta, "lodLevels", 1, MAX_LEVELS)
    if not 0 <= options.lod < levels:
        raise SceneFileError(path, "lodLevels", f"more than --lod {options.lod}", str(levels))
    runs: dict[int, list[Run]] = {}
    for entry in _leaves(meta, meta.value("tree"), 0):
        if str(options.lod) in entry.values:
            _add_run(JsonEntry.of(path, "tree, lods", entry.values[str(options.lod)]), runs)
    check_count(path, f"level {options.lod}", sum(count for file in runs.values() for _, count in file), options)
    names = _names(meta)
    found: list[Content] = []
    left = options.max_gaussians
    for index in sorted(runs):
        if index >= len(names):
            raise SceneFileError(
                path, "tree, lods, file", f"less than {len(names)}, the number of filenames", str(index)
            )
        found.append(_scene(path, names[index], replace(options, max_gaussians=left)))
        _check_runs(path, names[index], found[-1], runs[index])
        left -= len(found[-1].gaussians)
    if meta.values.get("environment") is not None:
        found.append(_scene(path, meta.text("environment"), replace(options, max_gaussians=left)))
    files = tuple(file for content in found for file in content.files)
    dropped = sum(content.dropped for content in found)
    return Content(merged([content.gaussians for content in found]), dropped, files=(path, *files))


def _leaves(meta: JsonEntry, node: Any, depth: int) -> Iterator[JsonEntry]:
    """The `lods` of all boxes that have no smaller ones in them."""
    if depth > MAX_DEPTH:
        raise SceneFileError(meta.path, "tree", f"at most {MAX_DEPTH} boxes in one another", "more")
    entry = JsonEntry.of(meta.path, "tree", node)
    children = entry.values.get("children")
    if children is None:
        yield JsonEntry.of(meta.path, "tree, lods", entry.value("lods"))
        return
    if not isinstance(children, list):
        raise entry.error("children", "a list", shown(children))
    for child in children:
        yield from _leaves(meta, child, depth + 1)


def _add_run(entry: JsonEntry, runs: dict[int, list[Run]]) -> None:
    file, offset, count = (_whole(entry, key, 0, 1 << 32) for key in ("file", "offset", "count"))
    runs.setdefault(file, []).append((offset, count))


def _names(meta: JsonEntry) -> list[str]:
    names = meta.value("filenames")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise meta.error("filenames", "a list of names", shown(names))
    away = next((name for name in names if not is_below(name)), None)
    if away is not None:
        raise SceneFileError(meta.path, "filenames", "names of files below it", brief(away) or "an empty one")
    if len(set(map(Path, names))) < len(names):
        raise meta.error("filenames", "each scene once", shown(names))
    return names


def _scene(path: Path, name: str, options: ReadOptions) -> Content:
    """The scene called `name`, below the folder of `path`."""
    if not is_below(name):
        raise SceneFileError(path, "environment", "the name of a file below it", brief(name) or "an empty one")
    file = path.parent / name
    read_start(file, 1)
    return read_sog_files(ZipFiles(file) if file.suffix != ".json" else FolderFiles(file), options)


def _check_runs(path: Path, name: str, content: Content, runs: list[Run]) -> None:
    """The runs lie within the scene, of which they are all: every box of its level is taken."""
    end, held = max(offset + count for offset, count in runs), len(content.gaussians) + content.dropped
    if end > held:
        raise SceneFileError(path, f"tree, lods of {brief(name)}", f"at most {held} Gaussians", str(end))


def _whole(entry: JsonEntry, key: str, least: int, most: int) -> int:
    value = entry.value(key)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise entry.error(key, f"a whole number from {least} to {most}", shown(value))
    return value
