"""A dialog in the window that asks for a file or a folder, where the system has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from imgui_bundle import ImVec2, imgui

SIZE = (520.0, 400.0)  # at 96 dots an inch
BORDERED = imgui.ChildFlags_(1)  # called border or borders
WORDS = {"open": "Open", "save": "Save", "folder": "Take this folder"}


@dataclass(frozen=True)
class Asked:
    """What somebody wants to know."""

    kind: str  # of WORDS
    title: str
    patterns: tuple[str, ...]  # such as *.ply; () shows every file
    name: str  # proposed
    chosen: Callable[[Path], None]

    @property
    def patterns_text(self) -> str:
        """For people."""
        return ", ".join(pattern.lstrip("*") for pattern in self.patterns) or "all files"


def listing(folder: Path, patterns: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Names of the folders and of the files that fit, in order, without hidden ones. Raises `OSError`."""
    entries = sorted((entry for entry in folder.iterdir() if not entry.name.startswith(".")), key=_order)
    folders = [entry.name for entry in entries if entry.is_dir()]
    files = [entry.name for entry in entries if not entry.is_dir() and _fits(entry.name, patterns)]
    return folders, files


def _order(entry: Path) -> str:
    return entry.name.casefold()


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatch(name.casefold(), pattern) for pattern in patterns)


class FileBrowser:
    """One question, until it is answered."""

    def __init__(self, asked: Asked, folder: Path) -> None:
        self._asked = asked
        self._name = asked.name
        self._error = ""
        self._replaced: Path | None = None  # what is there already, and is replaced when the button is pressed again
        self._opened = self._accepted = False
        self._go(folder.absolute())

    def _go(self, folder: Path) -> None:
        try:
            self._folders, self._files = listing(folder, self._asked.patterns)
        except OSError as error:
            self._error = f"{folder}: {error.strerror}"
            if not hasattr(self, "_folder"):  # nowhere to stay: the folder is shown empty
                self._folder, self._folders, self._files = folder, [], []
            return
        self._folder, self._error = folder, ""

    def accept(self) -> None:
        """As if the button was pressed."""
        self._accepted = True

    def draw(self, scale: float) -> tuple[bool, Path | None]:
        """One frame; whether it is answered, and with what: None if the user wants nothing after all."""
        if not self._opened:
            imgui.open_popup(self._asked.title)
            self._opened = True
        viewport = imgui.get_main_viewport()
        size = ImVec2(min(SIZE[0] * scale, 0.95 * viewport.size.x), min(SIZE[1] * scale, 0.95 * viewport.size.y))
        imgui.set_next_window_pos(viewport.get_center(), imgui.Cond_.always, ImVec2(0.5, 0.5))
        imgui.set_next_window_size(size, imgui.Cond_.always)
        flags = imgui.WindowFlags_.no_resize | imgui.WindowFlags_.no_move | imgui.WindowFlags_.no_saved_settings
        shown, stays = imgui.begin_popup_modal(self._asked.title, True, flags)
        if not shown:
            return not stays, None
        answer = self._content()
        if answer[0]:
            imgui.close_current_popup()
        imgui.end_popup()
        return answer if stays else (True, None)

    def _content(self) -> tuple[bool, Path | None]:
        if imgui.button("Up"):
            self._go(self._folder.parent)
        imgui.same_line()
        imgui.align_text_to_frame_padding()
        imgui.text(_end_of(str(self._folder)))
        rows = 2 if self._error else 1
        room = ImVec2(0, -rows * imgui.get_frame_height_with_spacing())
        imgui.begin_child("files", room, BORDERED)
        picked = self._list()
        imgui.end_child()
        if self._error:
            imgui.text_disabled(self._error)
        return self._buttons(picked)

    def _list(self) -> bool:
        """Whether a file was double-clicked."""
        double = imgui.SelectableFlags_.allow_double_click
        for name in self._folders:
            if imgui.selectable(f"{name}/", False, double)[0] and imgui.is_mouse_double_clicked(0):
                self._go(self._folder / name)
                return False
        for name in self._files if self._asked.kind != "folder" else ():
            if imgui.selectable(name, name == self._name, double)[0]:
                self._name = name
                if imgui.is_mouse_double_clicked(0):
                    return True
        if not self._folders and not self._files:
            imgui.text_disabled(f"Nothing here to choose from ({self._asked.patterns_text})")
        return False

    def _buttons(self, picked: bool) -> tuple[bool, Path | None]:
        word = WORDS[self._asked.kind]
        spacing, padding = imgui.get_style().item_spacing.x, imgui.get_style().frame_padding.x
        widths = [imgui.calc_text_size(text).x + 2 * padding for text in (word, "Cancel")]
        imgui.set_next_item_width(imgui.get_content_region_avail().x - sum(widths) - 2 * spacing)
        if self._asked.kind == "folder":
            imgui.dummy(ImVec2(imgui.calc_item_width(), 0))
        else:
            enter = imgui.InputTextFlags_.enter_returns_true
            entered, self._name = imgui.input_text_with_hint("##name", "name of the file", self._name, enter)
            picked = picked or entered
        picked, self._accepted = picked or (self._accepted and bool(self._name)), False
        imgui.same_line()
        imgui.begin_disabled(self._asked.kind != "folder" and not self._name)
        picked = imgui.button(word) or picked
        imgui.end_disabled()
        imgui.same_line()
        if imgui.button("Cancel"):
            return True, None
        return self._answer() if picked else (False, None)

    def _answer(self) -> tuple[bool, Path | None]:
        """What was typed may also be a folder to go to, or a path from anywhere."""
        path = self._folder / Path(self._name).expanduser()
        if self._asked.kind == "folder":
            return True, self._folder
        if path.is_dir():
            self._go(path)
            self._name = ""
            return False, None
        if self._asked.kind == "save" and path.exists() and path != self._replaced:
            self._replaced = path
            self._error = f"{path.name} is there already. {WORDS['save']} again replaces it."
            return False, None
        return True, path


def _end_of(text: str, longest: int = 60) -> str:
    return text if len(text) <= longest else f"...{text[-longest + 3 :]}"
