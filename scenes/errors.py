"""The errors a user can cause. Each says the file, the place in it, what was expected and what was found."""

from __future__ import annotations

import os


class KilofieldError(Exception):
    """A mistake the user can mend; the command line prints it on one line and exits with 1."""


class CannotWriteError(KilofieldError):
    """The system refuses to write an output, as where a disk is full."""

    def __init__(self, path: str | os.PathLike[str], reason: object) -> None:
        super().__init__(f"{os.fspath(path)}: cannot write: {reason}")


class SceneFileError(KilofieldError):
    """A file that cannot be read as what it claims to be.

    The message is always ``FILE: PLACE: expected EXPECTED, found FOUND``.
    """

    def __init__(self, path: str | os.PathLike[str], place: str, expected: str, found: str) -> None:
        self.path = os.fspath(path)
        self.place = place
        self.expected = expected
        self.found = found
        super().__init__(printable(f"{self.path}: {place}: expected {expected}, found {found}"))


def printable(text: str) -> str:
    """`text` on one line, with ? for what would break it or cannot be written: names of files may hold anything."""
    return "".join(c if c.isprintable() else "?" for c in text)
