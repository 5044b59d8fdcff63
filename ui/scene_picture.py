"""The picture of the scene in the window: redrawn when something changed, smaller while it changes on slow devices."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renderer.context import is_software
from renderer.gaussian_renderer import GaussianRenderer
from renderer.settings import RenderSettings
from renderer.window import WindowPicture
from scenes.cameras import Camera
from ui.resolution import MovingScale

REST_SECONDS = 0.25  # without a change before the picture is drawn whole
HISTORY = 120  # frame times kept


@dataclass
class _Drawn:
    """What is in the picture now."""

    pose: NDArray[np.float64]
    fov_y: float
    size: tuple[int, int]
    look: RenderSettings
    scale: float

    def shows(self, camera: Camera, size: tuple[int, int], look: RenderSettings) -> bool:
        """Whether this is what is wanted, at whatever scale."""
        same = self.size == size and self.look == look and self.fov_y == camera.fov_y
        return same and np.array_equal(self.pose, camera.camera_from_world)


class ScenePicture:
    """Draws with `renderer` into a texture; `frames_ms` holds what the latest frames took."""

    def __init__(self, renderer: GaussianRenderer) -> None:
        self.renderer = renderer
        renderer.times.synchronised = True  # stage times are what the device took, not what it was told
        self.picture = WindowPicture(renderer.context)
        self.moving = MovingScale(0.5 if is_software(renderer.context) else 1.0)
        self.frames_ms: deque[float] = deque(maxlen=HISTORY)
        self._drawn: _Drawn | None = None
        self._changed = -REST_SECONDS

    def forget(self) -> None:
        """Another scene: what is drawn is out of date."""
        self._drawn = None
        self.frames_ms.clear()

    @property
    def whole(self) -> bool:
        """Whether the picture has all its pixels."""
        return self._drawn is not None and self._drawn.scale == 1.0

    def update(
        self, camera: Camera, size: tuple[int, int], look: RenderSettings, now: float, always: bool = False
    ) -> bool:
        """Brings the picture up to date, `size` in pixels, `now` in seconds; True if it may change again by itself."""
        fresh = self._drawn is not None and self._drawn.shows(camera, size, look)
        if not fresh:
            self._changed = now
        resting = now - self._changed >= REST_SECONDS
        scale = 1.0 if always or resting else self.moving.value
        stale = not fresh or self._drawn is None or (resting and self._drawn.scale < scale)
        if stale or always:
            self.draw(camera, size, look, scale)
        return always or not self.whole

    def draw(self, camera: Camera, size: tuple[int, int], look: RenderSettings, scale: float = 1.0) -> None:
        """Draws at `scale` times the size, and learns from how long it took."""
        width, height = (max(1, round(side * scale)) for side in size)
        renderer = self.renderer
        self.picture.draw(
            width,
            height,
            lambda target: renderer.draw(camera, target, look),
        )
        self._drawn = _Drawn(camera.camera_from_world, camera.fov_y, size, look, scale)
        self.frames_ms.append(renderer.facts.wall_ms["total"])
        self.moving.measured(scale, renderer.facts.wall_ms)

    def release(self) -> None:
        """Frees everything but the renderer."""
        self.picture.release()
