"""Keeps the notes of the scene that is open (`ui.scene_notes`), and goes by them when it is opened."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scenes.errors import KilofieldError
from ui.heading import Vector
from ui.scene_notes import SceneNotes, read_notes, write_notes
from ui.tool import Tool

if TYPE_CHECKING:
    from ui.app import App
    from ui.loading import LoadedScene


class SceneMemory(Tool):
    """`notes` are those of the scene that is open."""

    def __init__(self) -> None:
        self.notes = SceneNotes()
        self._loaded: LoadedScene | None = None

    def step(self, app: App, seconds: float) -> bool:
        """Reads the notes of a scene that has just been opened."""
        if app.loaded is None or app.loaded is self._loaded:
            return False
        self._loaded = app.loaded
        try:
            self.notes = read_notes(app.loaded.file.path)
        except KilofieldError as error:
            self.notes = SceneNotes()
            app.messages.error(str(error))
        self._apply(app)
        return True

    def change(self, app: App, **fields: Any) -> None:
        """Changes fields of the notes and writes them: `up`, `metres_per_unit`, `camera`; None forgets.

        Where they cannot be written the user is told, and they hold until the scene is closed.
        """
        if app.loaded is None:
            app.note("Nothing to remember: no scene is open")
            return
        self.notes = replace(self.notes, **fields)
        try:
            path = write_notes(app.loaded.file.path, self.notes)
        except KilofieldError as error:
            app.messages.error(str(error))
        else:
            app.note(f"Remembered in {path}")

    def set_up(self, app: App, up: Vector | None) -> None:
        """Another up axis [3] for the camera and in the notes; None for the one guessed from the scene."""
        if app.loaded is None:
            return
        self.change(app, up=up)
        up = app.loaded.extent.up if up is None else up
        app.navigator.set_extent(replace(app.loaded.extent, up=up))
        app.navigator.set_up(up)

    def keep_first_view(self, app: App) -> None:
        """The view there is now is the first view from now on."""
        camera = replace(app.camera(), name="")
        self.change(app, camera=camera)
        app.navigator.first = camera

    def forget_first_view(self, app: App) -> None:
        """The first view is again the file's own, or the one all of the scene is in."""
        self.change(app, camera=None)
        app.navigator.first = app.loaded.first if app.loaded else None

    def _apply(self, app: App) -> None:
        assert app.loaded is not None
        extent = app.loaded.extent
        if self.notes.up is not None:
            extent = replace(extent, up=self.notes.up)
        first = self.notes.camera or app.loaded.first
        if app.navigator.at_home:
            app.navigator.go_home(extent, first)
        else:  # another version of the scene that was open: the camera stays where it is
            app.navigator.set_extent(extent)
            app.navigator.first = first
