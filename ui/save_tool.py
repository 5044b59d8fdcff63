"""The Gaussians that are open into a file of any format there is a writer for, on a thread."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from glfw import post_empty_event

from scenes.errors import KilofieldError
from scenes.gaussians import Gaussians
from scenes.naming import named_path, scene_stem
from scenes.save import WRITERS, save_scene, suffix_of
from scenes.sizes import readable_bytes
from ui.tool import Tool

if TYPE_CHECKING:
    from renderer.settings import CropBox
    from ui.app import App

PATTERNS = tuple(f"*{suffix}" for suffix in WRITERS if not suffix.endswith(".compressed.ply"))  # which *.ply has too
FIRST = ".ply"  # proposed, and what a name without a suffix gets


@dataclass(frozen=True)
class Saved:
    """What came of it."""

    path: Path
    gaussians: int
    lost: list[str]  # what the format has no room for

    @property
    def words(self) -> str:
        """For the user."""
        size = readable_bytes(self.path.stat().st_size)
        return "; ".join([f"Saved {self.path}: {self.gaussians:,} Gaussians, {size}", *self.lost])


class SaveTool(Tool):
    """One file at a time; `saving` is under way."""

    def __init__(self) -> None:
        self.saving: Path | None = None
        self._done: Future[Saved] = Future()

    def ask(self, app: App) -> None:
        """Asks for a place and a format, by the name's suffix, and saves there."""
        if app.loaded is None or app.loaded.gaussians is None:
            app.note("Nothing to save: no Gaussians are open")
            return
        app.dialogs.folder = named_path(app.loaded.file.path.absolute()).parent
        name = scene_stem(app.loaded.file.path) + FIRST
        app.dialogs.save_file("Save the Gaussians", name, PATTERNS, lambda path: self.save(app, path))

    def save(self, app: App, path: Path) -> None:
        """Begins to write what is shown: only what is in the crop box, if there is one."""
        if app.loaded is None or app.loaded.gaussians is None:
            return
        if self.saving is not None:
            app.note(f"{self.saving.name} is not finished: one file at a time")
            return
        path = path if path.suffix else path.with_name(path.name + FIRST)
        try:
            suffix_of(path)
            if path.exists() and path.samefile(app.loaded.file.path):
                raise KilofieldError(f"{path}: expected a file other than the scene that is open")
        except (KilofieldError, OSError) as error:
            app.messages.error(str(error))
            return
        self.saving, self._done = path, Future()
        arguments = app.loaded.gaussians, app.look.crop, path, self._done
        Thread(target=_work, args=arguments, name=f"save {path.name}", daemon=True).start()
        app.note(f"Saving {path.name}")

    def step(self, app: App, seconds: float) -> bool:
        """Says what came of it."""
        if self.saving is None or not self._done.done():
            return False
        self.saving = None
        try:
            app.note(self._done.result().words)
        except (KilofieldError, OSError) as error:
            app.messages.error(str(error))
        return True

    def close(self) -> None:
        """Waits for what is being written: a file that was asked for is there after the window."""
        if self.saving is not None:
            self._done.exception()


def _work(gaussians: Gaussians, crop: CropBox | None, path: Path, done: Future[Saved]) -> None:
    from scenes.edits import Edits, edited  # numpy alone, but nothing needs it before

    try:
        kept = edited(gaussians, Edits(box=(crop.lowest, crop.highest) if crop else None))
        done.set_result(Saved(path, len(kept), save_scene(path, kept)))
    except BaseException as error:  # handed on: `step` raises it in the frame loop
        done.set_exception(error)
    post_empty_event()
