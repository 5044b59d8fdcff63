"""Where the parts of a .sog are: in a zip, or beside its meta.json in a folder. Read within limits, never outside."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scenes.errors import SceneFileError
from scenes.files import brief, is_below, read_start
from scenes.json_entry import JsonEntry, parsed_json, read_json, shown

META = "meta.json"
MAX_META = 1 << 24  # bytes
MAX_TEXTURE = 1 << 30  # bytes as stored

Texels = NDArray[np.uint8]  # [H * W, 4]


class SogFiles(Protocol):
    """The named parts of one scene."""

    path: Path

    def read(self, name: str) -> bytes:
        """The bytes of the part called `name`; `SceneFileError` if there is none."""
        ...


class FolderFiles:
    """Parts in files beside a meta.json."""

    def __init__(self, meta: Path) -> None:
        self.path = meta
        self.bytes = meta.stat().st_size

    def read(self, name: str) -> bytes:
        """See `SogFiles`; `name` may lead to folders below, and nowhere else."""
        if not is_below(name):
            raise SceneFileError(self.path, "files", "names of files beside it", brief(name) or "an empty one")
        file = self.path.parent / name
        read_start(file, 1)
        size = file.stat().st_size
        if size > MAX_TEXTURE:
            raise SceneFileError(file, "file", f"at most {MAX_TEXTURE} bytes", str(size))
        self.bytes += size
        return file.read_bytes()


class ZipFiles:
    """Parts in a zip; nothing is ever unpacked to the disk, so that no name can lead out of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = path.stat().st_size
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise SceneFileError(path, "file", "a whole zip", brief(str(error).lower())) from error
        self._folder = self._folder_of_meta()

    def _folder_of_meta(self) -> str:
        """What comes before meta.json in the names: some tools put all parts into one folder."""
        names = [name for name in self._zip.namelist() if PurePosixPath(name).name == META]
        if not names:
            raise SceneFileError(self.path, "zip", META, brief(", ".join(self._zip.namelist())) or "nothing")
        return min(names, key=len)[: -len(META)]

    def read(self, name: str) -> bytes:
        """See `SogFiles`."""
        try:
            entry = self._zip.getinfo(self._folder + name)
        except KeyError:
            raise SceneFileError(self.path, "zip", f"an entry {brief(name)}", "none") from None
        limit = MAX_META if name == META else MAX_TEXTURE
        if entry.file_size > limit:
            raise SceneFileError(self.path, f"entry {brief(name)}", f"at most {limit} bytes", str(entry.file_size))
        try:
            return self._zip.read(entry)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, zlib.error) as error:
            raise SceneFileError(self.path, f"entry {brief(name)}", "a whole one", brief(str(error).lower())) from error


def read_meta(files: SogFiles) -> JsonEntry:
    """The meta.json of a scene."""
    if isinstance(files, FolderFiles):
        return JsonEntry.of(files.path, META, read_json(files.path))
    try:
        return JsonEntry.of(files.path, META, parsed_json(files.read(META)))
    except ValueError as error:
        raise SceneFileError(files.path, META, "JSON", brief(str(error), 120)) from error


def read_texels(files: SogFiles, name: str, least: int, most: int) -> tuple[Texels, int]:
    """The pixels [H * W, 4] of a texture and its width; it must have from `least` to `most` of them."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(files.read(name)), formats=("WEBP", "PNG")) as image:
            width, height = image.size
            if not least <= width * height <= most:
                expected = f"from {least} to {most} pixels"
                raise SceneFileError(files.path, f"texture {brief(name)}", expected, f"{width} x {height}")
            return np.asarray(image.convert("RGBA")).reshape(-1, 4), width
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise SceneFileError(files.path, f"texture {brief(name)}", "a WebP image", "a damaged one") from error
    except Image.DecompressionBombError as error:
        raise SceneFileError(files.path, f"texture {brief(name)}", "fewer pixels", "too many to decode") from error


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
