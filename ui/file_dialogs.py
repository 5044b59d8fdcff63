"""Dialogs that ask for a file or a folder: the system's own where there is one, else one in the window.

The system's dialog is a process of its own, which the frame loop asks now and then whether it is done.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imgui_bundle import portable_file_dialogs as native

from ui.file_browser import Asked, FileBrowser

HELPERS = ("zenity", "kdialog", "matedialog", "qarma")  # that draw dialogs on Linux

Chosen = Callable[[Path], None]


def has_native() -> bool:
    """Whether the system can show a dialog."""
    return sys.platform != "linux" or any(shutil.which(helper) for helper in HELPERS)


class FileDialogs:
    """At most one dialog at a time; asking for another while one is open does nothing."""

    def __init__(self) -> None:
        self.folder = Path.cwd()  # where the next one begins
        self._native: Any = None
        self._asked: Asked | None = None
        self._browser: FileBrowser | None = None

    @property
    def asking(self) -> bool:
        """A dialog is open."""
        return self._asked is not None

    @property
    def in_window(self) -> bool:
        """It is one of ours, over everything else in the window."""
        return self._browser is not None

    def open_file(self, title: str, patterns: tuple[str, ...], chosen: Chosen) -> None:
        """Asks for a file there is; `patterns` are like `*.ply`."""
        self._ask(Asked("open", title, patterns, "", chosen))

    def save_file(self, title: str, name: str, patterns: tuple[str, ...], chosen: Chosen) -> None:
        """Asks for a place for a file, which may be there already."""
        self._ask(Asked("save", title, patterns, name, chosen))

    def choose_folder(self, title: str, chosen: Chosen) -> None:
        """Asks for a folder."""
        self._ask(Asked("folder", title, (), "", chosen))

    def cancel(self) -> bool:
        """Closes what is open; False if nothing was."""
        was, self._asked, self._browser = self._asked is not None, None, None
        if self._native is not None:
            self._native.kill()
            self._native = None
        return was

    def accept(self) -> None:
        """Takes what is chosen in the dialog in the window."""
        if self._browser is not None:
            self._browser.accept()

    def step(self) -> bool:
        """Hands on what was chosen in the system's dialog; True while one is open."""
        if self._native is None:
            return self._browser is not None
        if self._native.ready(0):
            result = self._native.result()
            self._native = None
            self._finish(next(iter(result), None) if isinstance(result, list) else result)
        return self._native is not None

    def draw(self, scale: float) -> None:
        """One frame of the dialog in the window."""
        if self._browser is None:
            return
        done, path = self._browser.draw(scale)
        if done:
            self._browser = None
            self._finish(path)

    def _ask(self, asked: Asked) -> None:
        if self._asked is not None:
            return
        self._asked = asked
        if has_native():
            self._native = _native(asked, self.folder)
        else:
            self._browser = FileBrowser(asked, self.folder)

    def _finish(self, path: str | Path | None) -> None:
        asked, self._asked = self._asked, None
        if asked is None or not path:
            return
        path = Path(path)
        self.folder = path if asked.kind == "folder" else path.parent
        asked.chosen(path)


def _native(asked: Asked, folder: Path) -> Any:
    fitting = [asked.patterns_text, " ".join(asked.patterns)] if asked.patterns else []
    filters = [*fitting, "All files", "*"]
    if asked.kind == "open":
        return native.open_file(asked.title, str(folder / "*"), filters)
    if asked.kind == "save":
        return native.save_file(asked.title, str(folder / asked.name), filters)
    return native.select_folder(asked.title, str(folder))
