"""What is told of an error that nobody expected: one line, and a report where the user has asked for one.

A report has no environment variables and no values of variables, and `~` for the home folder and the user's name.
"""

from __future__ import annotations

import getpass
import os
import platform
import re
import shlex
import sys
import threading
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from commands.logs import LOG
from scenes.atomic import replacing
from scenes.errors import KilofieldError

TITLE = "kilofield crash report"
SUFFIX = ".txt"
PACKAGES = ("kilofield", "numpy", "torch", "numba", "taichi", "scipy", "trimesh", "libigl", "moderngl", "glfw")
PACKAGES += ("imgui-bundle", "Pillow", "av", "OpenEXR", "plyfile", "zstandard", "typer", "rich")


class CrashReport:
    """Where the report of a crash goes, if anywhere."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self._arguments: Sequence[str] = ()

    def begin(self, arguments: Sequence[str]) -> None:
        """A new command; errors of its threads are told like its own."""
        self.path, self._arguments = None, arguments
        threading.excepthook = lambda crash: print(self.tell(crash.exc_value or crash.exc_type()), file=sys.stderr)

    def ask_for(self, path: Path) -> None:
        """The user agrees to a report at `path`, and to nothing else. Raises `KilofieldError` where it cannot be."""
        if path.suffix.lower() != SUFFIX:
            raise KilofieldError(f"--crash-report: expected a name that ends in {SUFFIX}, found {path}")
        if path.is_dir() or not path.parent.is_dir():
            raise KilofieldError(f"--crash-report: expected a file in a folder that exists, found {path}")
        if path.exists() and not path.read_bytes().startswith(TITLE.encode()):
            raise KilofieldError(f"{path}: exists already, and is no crash report")
        self.path = path

    def tell(self, error: BaseException) -> str:
        """The line for `error`; the report is written if it was asked for."""
        what = " ".join(f"{type(error).__name__}: {error}".split())
        if self.path is None:
            return f"a bug in kilofield: {what}; run again with --crash-report FILE{SUFFIX} to write the details"
        try:
            with replacing(self.path) as temporary:
                temporary.write_text(report(error, self._arguments, LOG.last), encoding="utf-8")
        except KilofieldError as trouble:
            return f"a bug in kilofield: {what}; {trouble}"
        return f"a bug in kilofield: {what}; the details are in {self.path}, please send them"


def report(error: BaseException, arguments: Sequence[str], messages: Sequence[str]) -> str:
    """The text of a report."""
    lines = [TITLE, "", f"command: kilofield {shlex.join(arguments)}"]
    lines += [f"Python: {platform.python_version()}", f"system: {platform.platform()}, {os.cpu_count()} cores"]
    lines += ["packages: " + ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name)))]
    lines += ["", *traceback.format_exception(error), "last messages:", *messages]
    return without_names("\n".join(line.rstrip("\n") for line in lines) + "\n")


def without_names(text: str) -> str:
    """`text` with `~` for the home folder, however it is written, and for the name of the user and of the machine."""
    homes = {str(Path.home()), os.path.realpath(Path.home()), Path.home().as_posix()}
    for home in sorted(homes - {"/", ""}, key=len, reverse=True):
        text = re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)
    for name in {_user(), Path.home().name, platform.node()} - {""}:
        text = re.sub(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", "~", text, flags=re.IGNORECASE)
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a process of a user without an entry
        return ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


CRASH = CrashReport()
