"""How the scene is seen: settings, camera, where it is on the screen, panels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import glfw
import numpy as np

from renderer.scene_settings import SceneSettings
from renderer.settings import VIEWS, CropBox, RenderSettings
from renderer.surface_settings import SURFACE_VIEWS, SurfaceSettings
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.open_scene import SurfaceFile
from scenes.stage import StageFile
from ui.app_scenes import AppScenes
from ui.depth_range import depth_range
from ui.loading import LoadedScene
from ui.picking import pick, pick_stage, pick_surface
from ui.scene_picture import Painter
from ui.scene_slot import SceneSlot
from ui.screen import Points, Rect, halves, project_points
from ui.screenshots import save_screenshot
from ui.settings import REST_SAMPLES, STAGE_VIEWS


class AppView(AppScenes):
    """What the panels and keys set, and what they ask."""

    @property
    def shown_sh_degree(self) -> int:
        """At most the scene's."""
        wanted, there = self.look.sh_degree, self.sh_degree
        return there if wanted is None else min(wanted, there)

    @property
    def sh_degree(self) -> int:
        """The highest of an open scene."""
        return max(slot.sh_degree for slot in self.scenes)

    @property
    def view(self) -> str:
        """What the picture shows: one of `views`, or of those of the scene before."""
        if self.kinds == {"stage"}:
            return STAGE_VIEWS[0]
        if self.kinds == {"surface"} or self.look.view == "colour":
            return self.surface_look.view if "surface" in self.kinds else self.look.view
        return self.look.view

    def set_view(self, view: str) -> None:
        """What the picture shows; a kind of scene that has no such view shows its colours."""
        self.look = replace(self.look, view=view if view in VIEWS else "colour")
        self.set_surface_look(view=view if view in SURFACE_VIEWS else "colour")

    def settings(self) -> RenderSettings:
        """`look` as the picture is drawn with: the depth view's range follows the camera unless it is fixed."""
        return replace(self.look, depth_range=self.shown_depths()) if self.look.view == "depth" else self.look

    def surface_settings(self) -> SurfaceSettings:
        """`surface_look` as the picture is drawn with, and with what `look` says of any scene."""
        look = replace(self.surface_look, background=self.look.background)
        return replace(look, depth_range=self.shown_depths()) if look.view == "depth" else look

    def scene_settings(self) -> SceneSettings:
        """Both, as the window's picture is drawn with once the camera rests."""
        settings = self.exported_settings()
        return settings if "stage" in self.kinds else settings.sampled(REST_SAMPLES if "surface" in self.kinds else 1)

    def exported_settings(self) -> SceneSettings:
        """Both, with a ray a pixel: exports have samples of their own. A scene file is path-traced as in the window."""
        settings = SceneSettings(self.settings(), self.surface_settings())
        return replace(settings, stage=self.stage_look) if "stage" in self.kinds else settings

    def shown_depths(self) -> tuple[float, float]:
        """The depth view's range, world units: what the camera sees, unless it is fixed."""
        return depth_range(self.camera(), self.navigator.extent) if self.switches.auto_depth else self.look.depth_range

    def toggle_crop(self) -> None:
        """A crop box around the scene, or none."""
        extent = self.navigator.extent
        low, high = (extent.centre + side * extent.radius for side in (-1, 1))
        box = CropBox((low[0], low[1], low[2]), (high[0], high[1], high[2]))
        self.set_look(crop=box if self.look.crop is None else None)

    def set_pipeline(self, pipeline: str) -> None:
        """How scenes are drawn: one of the renderer's `PIPELINES`."""
        for slot in self.scenes:
            slot.renderer.pipeline = pipeline
        self.picture.forget()

    def set_residency(self, residency: str) -> None:
        """How neural scenes are in video memory: one of the renderer's `RESIDENCIES`."""
        for slot in self.scenes:
            slot.set_residency(residency)
        self.picture.forget()

    def reset_display(self) -> None:
        """All that the Display panel sets is as at first."""
        self.look, self.surface_look = RenderSettings(), SurfaceSettings()
        self.switches.auto_depth, self.navigator.near = True, None

    def set_text_size(self, times: float) -> None:
        """Panels, menus and all their text."""
        self.stored.text_size = times
        self.gui.set_text_size(times)

    def set_look(self, **changes: Any) -> None:
        """Changes fields of `look`."""
        self.look = replace(self.look, **changes)

    def set_surface_look(self, **changes: Any) -> None:
        """Changes fields of `surface_look`."""
        self.surface_look = replace(self.surface_look, **changes)

    def set_vsync(self, wanted: bool) -> None:
        """Whether frames wait for the display."""
        self.switches.vsync = wanted
        self.window.set_vsync(wanted)

    def set_painter(self, painter: Painter | None) -> None:
        """What paints the picture: `painter(framebuffer, camera, settings)`; None for the first scene alone."""
        self.painter = painter or self.paint_scene
        self.picture.invalidate()

    def camera(self) -> Camera:
        """The camera of the picture."""
        return self.navigator.camera()

    @property
    def parts(self) -> list[tuple[Rect, Rect]]:
        """Where the camera's picture is seen, and where all of it would be."""
        return halves(self.view_rect) if self.side_by_side else [(self.view_rect, self.view_rect)]

    @contextmanager
    def seeing(self, rect: Rect) -> Iterator[None]:
        """`view_rect` is this one for a while."""
        whole, self.view_rect = self.view_rect, rect
        try:
            yield
        finally:
            self.view_rect = whole

    def part_at(self, x: float) -> Rect:
        """All of the picture that is seen at a column of the screen."""
        return next((rect for seen, rect in self.parts if seen.x <= x < seen.right), self.view_rect)

    def on_screen(self, points: Points) -> tuple[Points, Points]:
        """Screen coordinates [N, 2] and depths [N] of world points [N, 3]; NaN for what is behind the camera."""
        return project_points(points, self.camera(), self.view_rect)

    def pick(self, x: float, y: float) -> Points | None:
        """[3] the point of the first scene, and of what was added to it, under a position on screen; None over
        empty space.
        """
        density, camera = self.window.density, self.camera()
        pixel = (x - self.view_rect.x) * density, (y - self.view_rect.y) * density
        points = []
        for slot in (self.scenes[0], self.scenes[0].partner):
            if slot is not None and slot.loaded is not None:
                points.append(_picked(slot, slot.loaded, camera, pixel, self.view_size))
        there = [point for point in points if point is not None]
        return min(there, key=lambda point: float(np.linalg.norm(point - camera.position)), default=None)

    def take_screenshot(self) -> None:
        """Saves the scene as it is seen, without panels, in the working folder."""
        if self.loaded is None:
            self.note("Nothing to save: no scene is open")
            return
        settings = self.scene_settings()
        if "stage" in self.kinds:  # as far as it has come: all of it may take minutes
            settings = settings.sampled(self.picture.samples)
        self.picture.draw(self.painter, self.camera(), self.view_size, settings)
        try:
            path = save_screenshot(self.picture.picture.read(), self.loaded.file.path, Path.cwd())
        except KilofieldError as error:
            self.messages.error(str(error))
        else:
            self.note(f"Saved {path}")

    def show_panel(self, title: str, shown: bool = True) -> None:
        """Opens a panel and brings it to the front, or closes it."""
        self.panels.show(title, shown)
        self.switches.panels |= shown

    def toggle_panel(self, title: str) -> None:
        """Opens or closes a panel."""
        self.show_panel(title, not (title in self.panels.open and self.switches.panels))

    def quit(self) -> None:
        """Closes after this frame."""
        glfw.set_window_should_close(self.window.handle, True)


def _picked(
    slot: SceneSlot, loaded: LoadedScene, camera: Camera, pixel: tuple[float, float], size: tuple[int, int]
) -> Points | None:
    if isinstance(loaded.file, StageFile):
        assert slot.stage is not None  # it is what is open
        met = pick_stage(slot.stage, camera, pixel, *size)
        return met[1] if met else None
    if isinstance(loaded.file, SurfaceFile):
        return pick_surface(loaded.file.surface, camera, pixel, *size)
    assert loaded.gaussians is not None  # it is no surface
    return pick(loaded.gaussians, camera, pixel, *size)
