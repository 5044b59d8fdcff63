"""Whether what a glTF says of its arrays fits the bytes there are, asked before a library takes memory for them.

trimesh copies every bufferView and every accessor, and fills accessors without bytes with zeros.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from scenes.errors import SceneFileError
from scenes.files import is_below

COMPONENT_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
NUMBERS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
COPIES = 4  # times the bytes there are: some files name the same ones more than once
MAX_CORNERS = 60_000_000  # of all parts, each counted with all vertices its array has


def check_sizes(path: Path, content: Mapping[str, Any]) -> None:
    """An error if bufferViews, accessors or parts come to more than the file and those beside it can hold."""
    held = COPIES * _bytes_held(path, content)
    _check_total(
        path, "bufferViews", sum(_whole(view.get("byteLength")) for view in _objects(content, "bufferViews")), held
    )
    accessors = _objects(content, "accessors")
    _check_total(path, "accessors", sum(map(_size, accessors)), held)
    views = _objects(content, "bufferViews")
    for index, accessor in enumerate(accessors):
        _check_stride(path, index, accessor, views)
    corners = sum(
        _corners(part, accessors) for mesh in _objects(content, "meshes") for part in _objects(mesh, "primitives")
    )
    if corners > MAX_CORNERS:
        raise SceneFileError(path, "meshes", f"at most {MAX_CORNERS:,} vertices", f"{corners:,}")


def _check_total(path: Path, place: str, total: int, held: int) -> None:
    if total > held:
        raise SceneFileError(path, place, f"at most {held} bytes, {COPIES} times what there is", str(total))


def _check_stride(path: Path, index: int, accessor: Mapping[str, Any], views: list[Mapping[str, Any]]) -> None:
    """Elements do not overlap: else a few bytes would be many."""
    number = accessor.get("bufferView")
    if not isinstance(number, int) or not 0 <= number < len(views) or "byteStride" not in views[number]:
        return
    stride, element = _whole(views[number]["byteStride"]), _element(accessor)
    if stride < element:
        raise SceneFileError(path, f"accessors {index}", f"a byteStride of {element} or more", str(stride))


def _bytes_held(path: Path, content: Mapping[str, Any]) -> int:
    names = [buffer.get("uri") for buffer in _objects(content, "buffers")]
    beside = {unquote(name) for name in names if isinstance(name, str) and not name.startswith("data:")}
    files = [path.parent / name for name in beside if is_below(name)]
    return path.stat().st_size + sum(os.path.getsize(file) for file in files if os.path.isfile(file))


def _size(accessor: Mapping[str, Any]) -> int:
    return _whole(accessor.get("count")) * _element(accessor)


def _element(accessor: Mapping[str, Any]) -> int:
    """Bytes of an element; those of the largest where the kind is none."""
    component, numbers = accessor.get("componentType"), accessor.get("type")
    size = COMPONENT_BYTES.get(component, 4) if isinstance(component, int) else 4
    return size * (NUMBERS.get(numbers, 16) if isinstance(numbers, str) else 16)


def _corners(part: Mapping[str, Any], accessors: list[Mapping[str, Any]]) -> int:
    attributes = part.get("attributes")
    number = attributes.get("POSITION") if isinstance(attributes, dict) else None
    if not isinstance(number, int) or not 0 <= number < len(accessors):
        return 0
    return _whole(accessors[number].get("count"))


def _objects(content: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The list under `key`, with empty objects for what is none."""
    found = content.get(key)
    return [value if isinstance(value, dict) else {} for value in found] if isinstance(found, list) else []


def _whole(value: Any) -> int:
    """A whole number from 0 on; 0 for what is none, which the library refuses."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
