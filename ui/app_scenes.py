"""What is open in the window, and how it gets there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from scenes.detect import file_of
from scenes.errors import KilofieldError
from scenes.extent import Extent
from scenes.naming import named_path, scene_name
from ui.app_state import TITLE, AppState
from ui.facts import left_out_words
from ui.loading import LoadedScene, SceneLoader
from ui.scene_slot import SceneSlot
from ui.settings import SCENE_PATTERNS

SAME_PLACE = 0.25  # of the radius: a scene this near to the last, and as large, is the same place


class AppScenes(AppState):
    """The first scene, the list of files to step through, and scenes beside the first."""

    def add_scene(self) -> SceneSlot:
        """One more scene beside the first, empty; `SceneSlot.open` fills it."""
        self.scenes.append(SceneSlot(self.context, SceneLoader(self.loader.options)))
        return self.scenes[-1]

    def remove_scene(self, slot: SceneSlot) -> None:
        """Closes a scene that was added."""
        self.scenes.remove(slot)
        slot.release()
        self.picture.invalidate()

    def open(self, path: Path) -> None:
        """Begins to load a file, or the scene in a folder, as one more of the list unless it is in it."""
        found = self.listed([path])
        if found:
            self.loader.start(found[0])

    def listed(self, paths: list[Path]) -> list[Path]:
        """The files of `paths`, with those of folders, which are in the list now; says which folders have none."""
        found = []
        for path in paths:
            try:
                found.append(file_of(path))
            except KilofieldError as error:
                self.messages.error(str(error), f"{path.name} cannot be opened")
        self.files += [file for file in dict.fromkeys(found) if file not in self.files]
        return found

    def open_index(self, index: int) -> None:
        """Begins to load file number `index` of the list."""
        self.loader.start(self.files[index])

    def ask_for_file(self) -> None:
        """A dialog for a scene to open."""
        if self.loaded is not None:
            self.dialogs.folder = named_path(self.loaded.file.path.absolute()).parent
        self.dialogs.open_file("Open a scene", SCENE_PATTERNS, self.open)

    def cancel_loading(self) -> bool:
        """Keeps what is open; False if nothing was being loaded."""
        path = self.loader.path
        if not self.loader.cancel():
            return False
        self._forget_failed(path)
        return True

    def open_next(self, step: int) -> None:
        """The next file of the list, or the one before, round and round."""
        if len(self.files) > 1:
            self.open_index((self.file_index + step) % len(self.files))

    def take_loaded(self) -> None:
        """What the loaders have finished, or their errors; an old scene stays until the new one is in video memory."""
        for slot in list(self.scenes):
            path, before = slot.loader.path, slot.loaded
            try:
                if not slot.take():
                    continue
            except KilofieldError as error:
                self._forget_missing(path)
                self.messages.error(str(error), f"{scene_name(path) if path else 'This file'} cannot be opened")
                if slot is self.scenes[0]:
                    self._forget_failed(path)
                continue
            self.picture.forget()
            if slot is self.scenes[0]:
                self._show(before)
            if slot.loaded and (left_out := left_out_words(slot.loaded.file)):
                self.note("; ".join(left_out))

    def _forget_missing(self, path: Path | None) -> None:
        """Files that are gone are no longer among the recent ones."""
        if path is not None and not path.exists():
            self.stored.recent = [other for other in self.stored.recent if other != path.absolute()]

    def _forget_failed(self, path: Path | None) -> None:
        shown = self.loaded.file.path if self.loaded else None
        self.files = [file for file in self.files if file != path or file == shown]
        self.file_index = self.files.index(shown) if shown in self.files else 0
        if shown is None and self.files:
            self.loader.start(self.files[0])  # of several files given, the first that can be read

    def _show(self, before: LoadedScene | None) -> None:
        """The first scene has changed."""
        loaded = self.loaded
        assert loaded is not None
        self.file_index = self.files.index(loaded.file.path)
        self.stored.opened(loaded.file.path)
        self.window.set_title(f"{scene_name(loaded.file.path)} - {TITLE}")
        self.navigator.aspect = self.aspect
        if before is not None and _same_place(before.extent, loaded.extent):
            self.navigator.set_extent(loaded.extent)
        else:
            self.navigator.go_home(loaded.extent)
            middle = replace(self.surface_look.slice, offset=None)
            self.surface_look = replace(self.surface_look, slice=middle)


def _same_place(a: Extent, b: Extent) -> bool:
    """Two versions of one scene, such as a .ply and its .kilo: the camera then stays where it is."""
    near = float(np.linalg.norm(a.centre - b.centre)) <= SAME_PLACE * a.radius
    return near and abs(b.radius / a.radius - 1) <= SAME_PLACE
