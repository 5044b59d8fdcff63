"""Editing of the scene file that is open: which thing is chosen, handles on it, undo, saving."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import glfw
import numpy as np

from renderer.stage_renderer import StageRenderer, numbered
from scenes.errors import KilofieldError
from scenes.scene_file import Plane, SceneCamera, SceneDescription, matrix_of, placed
from scenes.scene_file_write import write_scene_file
from scenes.stage import Stage
from scenes.stage_extent import own_ball
from ui.inputs import DOUBLE_CLICK
from ui.measure import TREMBLE
from ui.picking import pick_stage
from ui.stage_additions import PATTERNS, Additions, placed_at
from ui.stage_edit import Doubles, History, Thing, added, new_thing, put, things_of, with_thing, world_of
from ui.stage_gizmo import OPERATIONS, is_held, is_over, manipulated
from ui.tool import Tool

if TYPE_CHECKING:
    from imgui_bundle import imgui

    from ui.app import App
    from ui.loading import LoadedScene

PANEL_TITLE = "Scene editor"
SUFFIX = ".json"
NEW_SIZE = 0.3  # of the scene's radius


class StageTool(Tool):
    """`chosen` is the number of a thing (see `ui/stage_edit.py`), or None; `operation` one of `OPERATIONS`.

    `path` is where the scene is saved. All this is of the first scene, while that is a scene file.
    """

    def __init__(self) -> None:
        self.chosen: int | None = None
        self.operation = next(iter(OPERATIONS))
        self.own_axes = False
        self.history = History(SceneDescription())
        self.path: Path | None = None
        self.additions = Additions()
        self._loaded: LoadedScene | None = None
        self._moved = 0.0  # since the press
        self._on_gizmo = self._held = False
        self._clicked = (-math.inf, 0.0, 0.0)  # when and where

    # What is edited

    def stage(self, app: App) -> StageRenderer | None:
        """Of the scene file that is open."""
        return app.scenes[0].stage

    def ready(self, app: App) -> bool:
        """A scene file is open and its panel is seen: clicks choose, and there are handles."""
        return self.stage(app) is not None and app.switches.panels and PANEL_TITLE in app.panels.open

    def thing(self) -> Thing | None:
        """That is chosen."""
        things = things_of(self.history.now)
        return things[self.chosen] if self.chosen is not None and self.chosen < len(things) else None

    def change(self, app: App, scene: SceneDescription, what: object = None, more: Stage | None = None) -> None:
        """Shows another description, which may name the files of `more`; see `History.change`. One that cannot be shown
        is told, and left."""
        try:
            app.scenes[0].edit(scene, more)
        except KilofieldError as error:
            app.messages.error(str(error))
        else:
            self.history.change(scene, what)

    def set_thing(self, app: App, thing: Thing, what: object = None) -> None:
        """Another one in place of the chosen."""
        assert self.chosen is not None
        key = None if what is None else (self.chosen, what)
        self.change(app, with_thing(self.history.now, self.chosen, thing), key)

    def undo(self, app: App, step: int) -> None:
        """Back (-1) or forth (1)."""
        if self.history.undo() if step < 0 else self.history.redo():
            app.scenes[0].edit(self.history.now)
        else:
            app.note("Nothing to undo" if step < 0 else "Nothing to redo")

    def add(self, app: App, kind: str) -> None:
        """A new thing of `ui.stage_edit.NEW` where the camera looks, and chooses it."""
        x, y, z = app.navigator.orbit.pivot.tolist()
        thing = new_thing(kind, (x, y, z), NEW_SIZE * app.navigator.extent.radius)
        scene, number = added(self.history.now, thing)
        self.change(app, scene)
        self.chosen = number

    def ask_add(self, app: App) -> None:
        """Asks for a file to add."""
        app.dialogs.open_file("Add to the scene", PATTERNS, self.add_file)

    def add_file(self, path: Path) -> None:
        """Begins to read a surface, Gaussians or a mesh, to be put where the camera looks."""
        self.additions.ask(path)

    def _take_addition(self, app: App) -> bool:
        """What has been read is in the scene, and chosen; True while there is more to come."""
        try:
            found = self.additions.poll()
        except (KilofieldError, OSError, MemoryError) as error:
            name = self.additions.path.name if self.additions.path else "This file"
            app.messages.error(str(error) or "not enough memory", f"{name} cannot be added")
            return True
        if found is not None:
            thing = placed_at(found[1], found[0], app.navigator.orbit.pivot)
            scene, number = added(self.history.now, thing)
            self.change(app, scene, more=found[1])
            self.chosen = number if self.history.now == scene else self.chosen
            return True
        return self.additions.busy

    def copy(self, app: App) -> None:
        """The chosen thing once more, in the same place, and chooses that."""
        thing = self.thing()
        if thing is not None:
            scene, number = added(self.history.now, replace(thing, name=""))
            self.change(app, scene)
            self.chosen = number

    def delete(self, app: App) -> None:
        """Without the chosen thing."""
        if self.thing() is not None and self.chosen is not None:
            self.change(app, with_thing(self.history.now, self.chosen, None))
            self.chosen = None

    def keep_camera(self, app: App) -> None:
        """The file's camera is the window's from now on."""
        orbit, camera = app.navigator.orbit, app.camera()
        position, target, up = (tuple(v.tolist()) for v in (orbit.eye, orbit.pivot, app.navigator.up_in_picture()))
        kept = SceneCamera(
            position, target, up, math.degrees(camera.fov_y), camera.projection, camera.view_height, camera.near
        )
        self.change(app, replace(self.history.now, camera=kept))

    # Files

    def unsaved(self, app: App) -> bool:
        """A scene file is open, and was changed since it was read or saved."""
        return self.stage(app) is not None and app.loaded is self._loaded and self.history.dirty

    def forget_changes(self) -> None:
        """Nobody is asked about what was changed so far."""
        self.history.saved = self.history.now

    def save(self, app: App) -> bool:
        """To where it was read or saved last; whether that worked."""
        return self.path is not None and self.save_to(app, self.path)

    def ask_save(self, app: App) -> None:
        """Asks for a place and saves there."""

        def save(path: Path) -> None:
            self.save_to(app, path)

        if self.path is not None:
            app.dialogs.save_file("Save the scene", self.path.name, (f"*{SUFFIX}",), save)

    def save_to(self, app: App, path: Path) -> bool:
        """Writes the scene; from then on it is saved there. Whether that worked: else the user is told."""
        path = path if path.suffix else path.with_suffix(SUFFIX)
        try:
            write_scene_file(path, self.history.now)
        except (KilofieldError, OSError) as error:
            app.messages.error(str(error))
            return False
        self.path, self.history.saved = path, self.history.now
        app.note(f"Saved {path}")
        return True

    # What the user does

    def step(self, app: App, seconds: float) -> bool:
        """Another scene has other things; a drag that has ended is one change."""
        if app.loaded is not self._loaded:
            self._loaded, self.chosen = app.loaded, None
            self.additions.cancel()
            description = app.scenes[0].description
            self.history = History(description or SceneDescription())
            self.path = app.loaded.file.path if app.loaded and description else None
            if description:
                app.show_panel(PANEL_TITLE)
        held = self.ready(app) and is_held()
        if self._held and not held:
            self.history.settle()
        self._held = held
        return self._take_addition(app) or held

    def on_press(self, app: App, x: float, y: float, button: int, modifiers: int) -> bool:
        """A handle, or a click that chooses."""
        if not self.ready(app) or button != glfw.MOUSE_BUTTON_LEFT or modifiers:
            return False
        self._on_gizmo, self._moved = self._handles(app) and is_over(), 0.0
        return True

    def on_drag(self, app: App, x: float, y: float, dx: float, dy: float) -> None:
        """Turns the camera, unless a handle is held."""
        self._moved += math.hypot(dx, dy)
        if not self._on_gizmo and self._moved > TREMBLE * app.gui.scale:
            app.dragged("turn", dx, dy)

    def on_release(self, app: App, x: float, y: float) -> None:
        """Chooses what is there; twice at once focuses on it."""
        if not self._on_gizmo and self._moved <= TREMBLE * app.gui.scale:
            then, last_x, last_y = self._clicked
            now, near = glfw.get_time(), max(abs(x - last_x), abs(y - last_y)) <= DOUBLE_CLICK[1]
            self._clicked = (now, x, y)
            if near and now - then <= DOUBLE_CLICK[0]:
                app.double_clicked(x, y)
            else:
                self.choose_at(app, x, y)

    def choose_at(self, app: App, x: float, y: float) -> None:
        """What is under a position on screen, or nothing."""
        stage = self.stage(app)
        assert stage is not None  # it is what was clicked on
        density = app.window.density
        pixel = (x - app.view_rect.x) * density, (y - app.view_rect.y) * density
        met = pick_stage(stage, app.camera(), pixel, *app.view_size)
        self.chosen = None if met is None else numbered(self.history.now)[met[0]]

    # What is seen

    def draw(self, app: App, pen: imgui.ImDrawList) -> None:
        """The handles, and what they have done."""
        thing = self.thing()
        if not self.ready(app) or not self._handles(app) or thing is None:
            return
        pivot = self._pivot(app, thing)
        held = world_of(thing) @ pivot
        found = manipulated(pen, app.camera(), app.view_rect, held, self.operation, self.own_axes)
        if found is not None:
            self.set_thing(app, put(thing, found @ np.linalg.inv(pivot)), "gizmo")

    def _handles(self, app: App) -> bool:
        return self.thing() is not None and app.camera().projection != "equirectangular"

    def _pivot(self, app: App, thing: Thing) -> Doubles:
        """[4, 4] its frame from one around its middle."""
        stage = self.stage(app)
        assert stage is not None
        if isinstance(thing, Plane):
            normal = np.array(thing.normal) / np.linalg.norm(thing.normal)
            x, y, z = (thing.offset * normal).tolist()
        else:
            x, y, z = own_ball(stage.stage, thing)[0].tolist()
        return matrix_of(placed((x, y, z)))
