"""Where the parts of a .sog are: in a zip, or beside its meta.json in a folder. Read within limits, never outside."""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scenes.errors import SceneFileError
from scenes.files import brief, is_below, read_start
from scenes.json_entry import JsonEntry, parsed_json, read_json, shown

META = "meta.json"
MAX_META = 1 << 20  # bytes; real ones have under 30 KB
MAX_TEXTURE = 1 << 30  # bytes as stored
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LARGEST_FRAME = 1 << 16  # bytes of a texture that are no pixels
# A claim to more Gaussians than the textures can hold is false, and no memory is taken for it: real ones hold a tenth
# of one in a byte.
FREE, DENSEST = 1 << 16, 8  # Gaussians, and Gaussians a byte
# What zipfile raises for damaged files
ZIP_DAMAGE = (
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)

Texels = NDArray[np.uint8]  # [H * W, 4]


class SogFiles(Protocol):
    """The named parts of one scene."""

    path: Path
    read_files: list[Path]  # the meta.json and what was read beside it, or the zip

    def size(self, name: str) -> int:
        """The stored bytes of the part called `name`; `SceneFileError` if there is none."""
        ...

    def read(self, name: str, most: int = MAX_TEXTURE) -> bytes:
        """The bytes of that part, of which there must not be more than `most`."""
        ...


class FolderFiles:
    """Parts in files beside a meta.json."""

    def __init__(self, meta: Path) -> None:
        self.path = meta
        self.read_files = [meta]

    def size(self, name: str) -> int:
        """See `SogFiles`; `name` may lead to folders below, and nowhere else."""
        if not is_below(name):
            raise SceneFileError(self.path, "files", "names of files beside it", brief(name) or "an empty one")
        read_start(self.path.parent / name, 1)
        return (self.path.parent / name).stat().st_size

    def read(self, name: str, most: int = MAX_TEXTURE) -> bytes:
        """See `SogFiles`."""
        size, file = self.size(name), self.path.parent / name
        if size > most:
            raise SceneFileError(file, "file", f"at most {most} bytes", str(size))
        self.read_files.append(file)
        return file.read_bytes()


class ZipFiles:
    """Parts in a zip; nothing is ever unpacked to the disk, so that no name can lead out of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read_files = [path]
        try:
            self._zip = zipfile.ZipFile(path)
        except ZIP_DAMAGE as error:
            raise SceneFileError(path, "file", "a whole zip", "one that is cut short or damaged") from error
        self._folder = self._folder_of_meta()

    def _folder_of_meta(self) -> str:
        """What comes before meta.json in the names: some tools put all parts into one folder."""
        names = [name for name in self._zip.namelist() if PurePosixPath(name).name == META]
        if not names:
            raise SceneFileError(self.path, "zip", META, brief(", ".join(self._zip.namelist())) or "nothing")
        return min(names, key=len)[: -len(META)]

    def size(self, name: str) -> int:
        """See `SogFiles`."""
        return self._entry(name).compress_size

    def read(self, name: str, most: int = MAX_TEXTURE) -> bytes:
        """See `SogFiles`; no more is unpacked than `most`."""
        entry, place = self._entry(name), f"entry {brief(name)}"
        if entry.file_size > most:
            raise SceneFileError(self.path, place, f"at most {most} bytes", str(entry.file_size))
        if entry.compress_type not in ZIP_METHODS:
            raise SceneFileError(self.path, place, "a stored or deflated one", f"method {entry.compress_type}")
        try:
            return self._zip.read(entry)
        except ZIP_DAMAGE as error:
            said = brief(str(error).lower()) or type(error).__name__
            found = "one that does not fit its checksum" if "crc-32" in said else said
            raise SceneFileError(self.path, place, "a whole one", found) from error

    def _entry(self, name: str) -> zipfile.ZipInfo:
        try:
            return self._zip.getinfo(self._folder + name)
        except KeyError:
            raise SceneFileError(self.path, "zip", f"an entry {brief(name) or 'with a name'}", "none") from None


def read_meta(files: SogFiles) -> JsonEntry:
    """The meta.json of a scene."""
    if isinstance(files, FolderFiles):
        return JsonEntry.of(files.path, META, read_json(files.path, MAX_META))
    try:
        return JsonEntry.of(files.path, META, parsed_json(files.read(META, MAX_META)))
    except ValueError as error:
        raise SceneFileError(files.path, META, "JSON", brief(str(error), 120)) from error


def read_texels(files: SogFiles, name: str, least: int, most: int) -> tuple[Texels, int]:
    """The pixels [H * W, 4] of a texture and its width; it must have from `least` to `most` of them."""
    from PIL import Image

    from scenes.images import DAMAGE as PICTURE_DAMAGE  # Pillow is slow to import, and no other format needs it

    content = files.read(name, 4 * most + LARGEST_FRAME)
    try:
        with Image.open(io.BytesIO(content), formats=("WEBP", "PNG")) as image:
            width, height = image.size
            if not least <= width * height <= most:
                expected = f"from {least} to {most} pixels"
                raise SceneFileError(files.path, f"texture {brief(name)}", expected, f"{width} x {height}")
            return np.asarray(image.convert("RGBA")).reshape(-1, 4), width
    except Image.DecompressionBombError as error:
        raise SceneFileError(files.path, f"texture {brief(name)}", "fewer pixels", "too many to decode") from error
    except PICTURE_DAMAGE as error:
        raise SceneFileError(files.path, f"texture {brief(name)}", "a WebP image", "a damaged one") from error


def check_held(files: SogFiles, parts: Sequence[str], count: int) -> None:
    """An error if the textures called `parts` are too small for so many Gaussians, before any is unpacked."""
    size = sum(map(files.size, parts))
    if count > FREE + DENSEST * size:
        expected = f"at most {FREE + DENSEST * size} Gaussians in {size} bytes of textures"
        raise SceneFileError(files.path, META, expected, str(count))


def texture_pixels(count: int) -> int:
    """The most pixels a texture of `count` texels may have: writers fill up rows and squares."""
    return 2 * count + 4 * math.isqrt(count) + 4096


def child(entry: JsonEntry, key: str) -> JsonEntry:
    """The object under `key`."""
    return JsonEntry.of(entry.path, f"{entry.place}, {key}", entry.value(key))


def names(entry: JsonEntry, count: int) -> list[str]:
    """The `count` names of files of an attribute."""
    value: Any = entry.value("files")
    if not isinstance(value, list) or len(value) < count or not all(isinstance(name, str) for name in value):
        raise entry.error("files", f"{count} names", shown(value))
    return value[:count]
