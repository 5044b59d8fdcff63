"""Files somebody named, of which nothing is trusted: the errors every format shares."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path, PurePosixPath

from scenes.errors import SceneFileError, printable

OTHER_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFSOCK: "a socket"}
MAX_NAME = 400  # characters of a name in a file


def read_start(path: str | os.PathLike[str], size: int) -> bytes:
    """Up to `size` bytes from the start of a file; a `SceneFileError` if there is no such file, or nothing in it."""
    start = _read(path, size)
    if not start:
        raise SceneFileError(path, "file", "some bytes", "an empty file")
    return start


def _read(path: str | os.PathLike[str], size: int) -> bytes:
    if os.path.isdir(path):  # Path.is_dir raises for names that are too long
        raise SceneFileError(path, "file", "a file", "a folder")
    try:
        check_kind(path)
        with Path(path).open("rb") as file:
            return file.read(size)
    except FileNotFoundError as error:
        raise SceneFileError(path, "file", "a file", "nothing at this path") from error
    except OSError as error:
        raise SceneFileError(path, "file", "a file that can be read", str(error.strerror).lower()) from error
    except ValueError as error:  # a zero byte, or half of a pair of surrogates
        raise SceneFileError(path, "file", "a name that a file can have", "another") from error


def check_kind(path: str | os.PathLike[str]) -> None:
    """A `SceneFileError` for a pipe, whose reader waits for a writer, and for devices; `OSError` for no file at all."""
    kind = stat.S_IFMT(os.stat(path).st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        found = OTHER_KINDS.get(kind, "something else")
        raise SceneFileError(path, "file", "a file on a disk, whose size is known", found)


def is_below(name: str) -> bool:
    """Whether a name in a file leads to a file beside it or in a folder below, and on no system elsewhere."""
    parts = PurePosixPath(name).parts
    away = (
        len(name) > MAX_NAME or name.startswith("/") or ".." in parts or any(character in name for character in "\\\0:")
    )
    return bool(parts) and not away


def brief(text: str, length: int = 60) -> str:
    """`text` from a file, fit for a message: printable and at most `length` characters."""
    shown = printable(text[: length + 1])
    return shown if len(text) <= length else f"{shown[: length - 3]}..."


class BoundedFile(io.BufferedReader):
    """A file that reads no more than it has.

    Python takes the memory for all that is asked for before it knows how much there is, and libraries ask for what a
    length in the file says: of a damaged one gigabytes.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(io.FileIO(path))
        self._end = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes, as `io.BufferedReader.read`."""
        left = max(self._end - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))
