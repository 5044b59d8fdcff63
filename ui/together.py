"""Two scenes in one picture: Gaussians and a surface, each hiding what is behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scenes.naming import scene_name
from scenes.stage_extent import around
from ui.loading import LoadedScene
from ui.scene_slot import SceneSlot
from ui.settings import SCENE_PATTERNS
from ui.stage_tool import StageTool
from ui.tool import Tool

if TYPE_CHECKING:
    from ui.app import App

KIND_NAMES = {"gaussians": "Gaussians", "surface": "surfaces", "stage": "scene files"}


class TogetherTool(Tool):
    """`slot` has what was added to the first scene; None while that is alone."""

    def __init__(self) -> None:
        self.slot: SceneSlot | None = None
        self._joined: tuple[LoadedScene, LoadedScene] | None = None

    def ask(self, app: App) -> None:
        """A dialog for what to add."""
        if app.loaded is None:
            app.note("Nothing to add to: no scene is open")
        elif app.scenes[0].stage is not None:
            app.tool(StageTool).ask_add(app)
        else:
            app.dialogs.open_file("Add to the scene", SCENE_PATTERNS, lambda path: self.add(app, path))

    def add(self, app: App, path: Path) -> None:
        """Begins to load `path`, in place of what was added before."""
        if self.slot is None:
            self.slot = app.add_scene()
        self.slot.open(path)

    def remove(self, app: App) -> None:
        """Back to the first scene alone."""
        if self.slot is None:
            app.note("Nothing to remove: no scene was added")
            return
        app.scenes[0].join(None)
        app.remove_scene(self.slot)
        self.slot = self._joined = None
        if app.loaded is not None:
            app.navigator.set_extent(replace(app.loaded.extent, up=app.navigator.up))

    def step(self, app: App, seconds: float) -> bool:
        """Joins the two when both are there, and parts them when they do not go together."""
        if self.slot is None:
            return False
        if self.slot.loaded is None and self.slot.loader.path is None:
            self.remove(app)  # it could not be read
            return True
        if app.loaded is None or self.slot.loaded is None or self._joined == (app.loaded, self.slot.loaded):
            return False
        if {app.scenes[0].kind, self.slot.kind} == {"gaussians", "surface"}:
            self._join(app, app.loaded, self.slot.loaded)
        else:
            self._part(app, self.slot.loaded)
        return True

    def _join(self, app: App, first: LoadedScene, added: LoadedScene) -> None:
        app.scenes[0].join(self.slot)
        app.picture.forget()
        self._joined = first, added
        extent = replace(around(first.extent, added.extent), up=app.navigator.up)
        if app.navigator.at_home:
            app.navigator.go_home(extent, app.navigator.first)
        else:
            app.navigator.set_extent(extent)

    def _part(self, app: App, added: LoadedScene) -> None:
        assert self.slot is not None
        kinds = list(dict.fromkeys(KIND_NAMES[str(slot.kind)] for slot in (app.scenes[0], self.slot)))
        found = " and ".join(kinds) if len(kinds) > 1 else f"both {kinds[0]}"
        self.remove(app)
        app.note(
            f"{scene_name(added.file.path)} is not shown: only Gaussians and a surface go together, these are {found}"
        )
