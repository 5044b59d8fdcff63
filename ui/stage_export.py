"""A scene file as exports draw it: a little at a time, by a renderer of its own, so that the window stays alive.

What is changed in the scene meanwhile does not change the export.
"""

from __future__ import annotations

import moderngl
import numpy as np

from renderer.scene_settings import SceneSettings
from renderer.stage_renderer import StageRenderer
from scenes.cameras import Camera
from scenes.gaussians import Floats
from scenes.stage import Stage

SECONDS = 0.03  # of tracing in a frame of the window


class StageExport:
    """Draws nothing before all paths of a picture are traced; `share` says how many of them are."""

    casts_rays = True

    def __init__(self, context: moderngl.Context, stage: Stage) -> None:
        self.context = context
        self.share = 0.0
        self._renderer = StageRenderer(context, stage)
        self._renderer.patience = SECONDS

    def draw(self, camera: Camera, framebuffer: moderngl.Framebuffer, settings: SceneSettings) -> None:
        """Into the viewport of `framebuffer`, when it is there."""
        if self._whole(camera, framebuffer.viewport[2:], settings):
            self._renderer.draw(camera, framebuffer, settings.stage)

    def render(self, camera: Camera, width: int, height: int, settings: SceneSettings) -> Floats:
        """[H, W, 3], black before it is there."""
        if self._whole(camera, (width, height), settings):
            return self._renderer.render(camera, width, height, settings.stage)
        return np.zeros((height, width, 3), np.float32)

    def render_rgba(self, camera: Camera, width: int, height: int, settings: SceneSettings) -> Floats:
        """[H, W, 4], black before it is there."""
        if self._whole(camera, (width, height), settings):
            return self._renderer.render_rgba(camera, width, height, settings.stage)
        return np.zeros((height, width, 4), np.float32)

    def _whole(self, camera: Camera, size: tuple[int, int], settings: SceneSettings) -> bool:
        self.share = self._renderer.trace(camera, size, settings.stage)
        return self.share >= 1

    def release(self) -> None:
        """Frees everything."""
        self._renderer.release()
