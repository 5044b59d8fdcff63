"""The glTF container: JSON that says where arrays of numbers are, and the bytes they are in.

A .glb: u32 magic glTF, version 2, length of the file; then chunks {u32 length, u32 kind, bytes}, the first JSON, the
second BIN, which is buffer 0. A .gltf is the JSON alone; its buffers are files beside it or base64 in it.

An accessor is an array of `count` elements of a `type` (SCALAR 1, VEC3 3, VEC4 4 numbers) in a bufferView, which is a
part of a buffer; elements follow each other directly, or every `byteStride`. `normalized` integers are fractions.
"""

from __future__ import annotations

import base64
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from scenes.errors import SceneFileError
from scenes.files import brief, is_below, read_start
from scenes.gaussians import Floats
from scenes.json_entry import JsonEntry, parsed_json, read_json, shown

MAGIC = b"glTF"
GLB_HEADER, CHUNK = struct.Struct("<4sII"), struct.Struct("<II")
JSON_CHUNK, BIN_CHUNK = 0x4E4F534A, 0x004E4942
MAX_JSON = 1 << 26  # bytes
COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
NUMBERS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
DATA_URI = "data:"

Bytes = NDArray[np.uint8]


class Gltf:
    """The JSON of a file, and its arrays on demand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read_files = [path]  # and those beside it that were read
        self._chunk: Bytes | None = None
        self._buffers: dict[int, Bytes] = {}
        document = self._read_glb() if read_start(path, 4) == MAGIC else read_json(path)
        self.root = JsonEntry.of(path, "glTF", document)

    def _read_glb(self) -> Any:
        content = np.memmap(self.path, np.uint8, "r")
        if len(content) < GLB_HEADER.size + CHUNK.size:
            raise SceneFileError(self.path, "header", f"{GLB_HEADER.size + CHUNK.size} bytes", str(len(content)))
        _, version, length = GLB_HEADER.unpack_from(content.data)
        if version != 2:
            raise SceneFileError(self.path, "header, version", "2", str(version))
        if length > len(content):
            raise SceneFileError(self.path, "file", f"{length} bytes", str(len(content)))
        kind, text, at = self._next_chunk(content, GLB_HEADER.size)
        if kind != JSON_CHUNK or len(text) > MAX_JSON:
            raise SceneFileError(self.path, "first chunk", f"JSON of at most {MAX_JSON} bytes", f"{len(text)} bytes")
        if at + CHUNK.size <= len(content):
            kind, self._chunk, at = self._next_chunk(content, at)
            self._chunk = self._chunk if kind == BIN_CHUNK else None
        try:
            return parsed_json(text.tobytes())
        except ValueError as error:
            raise SceneFileError(self.path, "first chunk", "JSON", brief(str(error), 120)) from error

    def _next_chunk(self, content: Bytes, at: int) -> tuple[int, Bytes, int]:
        """Kind and bytes of the chunk at a byte, and where the one after it begins."""
        size, kind = CHUNK.unpack_from(content.data, at)
        at += CHUNK.size
        if size > len(content) - at:
            raise SceneFileError(self.path, f"chunk at byte {at}", f"{size} bytes", str(len(content) - at))
        return kind, content[at : at + size], at + size

    def length(self, key: str) -> int:
        """How many objects one of the lists of the file has, such as `meshes`; 0 where there is no such list."""
        found = self.root.values.get(key, [])
        if not isinstance(found, list):
            raise self.root.error(key, "a list", shown(found))
        return len(found)

    def item(self, key: str, index: Any) -> JsonEntry:
        """The object at `index` of one of the lists of the file."""
        found = self.root.values.get(key, [])
        if not isinstance(found, list) or not _is_whole(index) or index >= len(found):
            held = len(found) if isinstance(found, list) else 0
            raise SceneFileError(self.path, key, f"an index below {held}", shown(index))
        return JsonEntry.of(self.path, f"{key} {index}", found[index])

    def array(self, index: Any, numbers: int) -> Floats:
        """[count, numbers] of an accessor, as float32; integers that are not normalized as they are."""
        entry = self.item("accessors", index)
        kind, count = entry.value("componentType"), whole(entry, "count")
        if not _is_whole(kind) or kind not in COMPONENTS:
            raise entry.error("componentType", f"one of {', '.join(map(str, COMPONENTS))}", shown(kind))
        if NUMBERS.get(entry.text("type")) != numbers:
            raise entry.error("type", f"{numbers} numbers an element", shown(entry.values["type"]))
        if "sparse" in entry.values:
            raise entry.error("sparse", "no sparse accessor", "one")
        stored = self._elements(entry, np.dtype(COMPONENTS[kind]), count, numbers)
        values = stored.astype(np.float32)
        if entry.values.get("normalized") is True and stored.dtype.kind in "iu":
            values /= np.float32(np.iinfo(stored.dtype).max)
            np.maximum(values, -1, out=values)
        return values

    def count(self, index: Any) -> int:
        """The elements of an accessor."""
        return whole(self.item("accessors", index), "count")

    def _elements(self, entry: JsonEntry, dtype: np.dtype[Any], count: int, numbers: int) -> NDArray[Any]:
        view = self.item("bufferViews", entry.value("bufferView"))
        buffer = self._buffer(view.value("buffer"))
        size = dtype.itemsize * numbers
        stride = whole(view, "byteStride", size)
        start, end = whole(view, "byteOffset", 0), whole(view, "byteOffset", 0) + whole(view, "byteLength")
        first = start + whole(entry, "byteOffset", 0)
        last = first + stride * (count - 1) + size
        if stride < size or (count and last > min(end, len(buffer))):
            expected = f"{count} elements of {size} bytes within {max(min(end, len(buffer)) - first, 0)}"
            raise SceneFileError(self.path, entry.place, expected, f"{last - first} bytes")
        if not count:
            return np.empty((0, numbers), dtype)
        return np.ndarray((count, numbers), dtype, buffer, first, (stride, dtype.itemsize))

    def _buffer(self, index: Any) -> Bytes:
        entry = self.item("buffers", index)
        if index not in self._buffers:
            self._buffers[index] = self._read_buffer(entry, index)
        return self._buffers[index]

    def _read_buffer(self, entry: JsonEntry, index: int) -> Bytes:
        if entry.values.get("uri") is None:
            if self._chunk is None or index:
                raise entry.error("uri", "a value, or the bytes in the file", "none")
            return self._chunk
        uri = entry.text("uri")
        if not uri.startswith(DATA_URI):
            return self._beside(entry, unquote(uri))
        try:
            return np.frombuffer(base64.b64decode(uri.partition(",")[2], validate=True), np.uint8)
        except ValueError as error:  # also of what is not ASCII
            raise entry.error("uri", "base64", "something else") from error

    def _beside(self, entry: JsonEntry, name: str) -> Bytes:
        if not is_below(name):
            raise entry.error("uri", "the name of a file beside it", brief(name) or "an empty one")
        file = self.path.parent / name
        read_start(file, 1)
        self.read_files.append(file)
        return np.memmap(file, np.uint8, "r")


def whole(entry: JsonEntry, key: str, default: int | None = None) -> int:
    """The number under `key`, 0 or more; `default` where there is none."""
    if key not in entry.values and default is not None:
        return default
    value = entry.value(key)
    if not _is_whole(value):
        raise entry.error(key, "a whole number", shown(value))
    return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53
