"""Renders Gaussians and a neural surface in one picture, each hiding what is behind it.

    surface, one sample --> colour, depth --> Gaussians with their centres before that depth, blended front to back
                               |                                   |
                               +-------> together_over.comp <------+   --> mean of the samples

Gaussians are so blended for each sample of the surface: a pixel at its edge is in part surface, in part what is behind
it. The twin is `renderer/together_reference.py`.
"""

from __future__ import annotations

from dataclasses import replace

import moderngl

from renderer.accumulation import Accumulation, composed
from renderer.gaussian_renderer import GaussianRenderer
from renderer.scene_settings import SceneSettings
from renderer.shader_library import compile_compute, set_uniforms
from renderer.surface_renderer import SurfaceRenderer, camera_key
from renderer.surface_views import jitters
from renderer.tiles import PICTURE_WRITTEN
from scenes.cameras import Camera
from scenes.gaussians import Floats

TILE = 8  # pixels each way of a workgroup


class TogetherRenderer:
    """Draws what two renderers have loaded, which stay their owners'. Settings as of both; see `SurfaceRenderer`.

    The background and what the view shows of the picture as a whole are the Gaussians' settings'.
    """

    casts_rays = True

    def __init__(self, gaussians: GaussianRenderer, surface: SurfaceRenderer) -> None:
        self.context = gaussians.context
        self.gaussians, self.surface = gaussians, surface
        self._accumulation = Accumulation(self.context)
        self._over = compile_compute(self.context, "together_over.comp")
        self._shown: tuple[object, ...] = ()
        self._samples, self._wanted = 0, 1

    def render(self, camera: Camera, width: int, height: int, settings: SceneSettings) -> Floats:
        """[H, W, 3] the picture over the background."""
        return composed(self.render_rgba(camera, width, height, settings), settings.gaussians)

    def render_rgba(self, camera: Camera, width: int, height: int, settings: SceneSettings) -> Floats:
        """[H, W, 4] premultiplied colour and alpha."""
        self.restart()
        self._sample(camera, (width, height), settings, wait=True)
        return self._accumulation.read()

    def draw(self, camera: Camera, framebuffer: moderngl.Framebuffer, settings: SceneSettings) -> None:
        """Draws into the viewport of `framebuffer`, upright, and leaves it bound; nothing is read back.

        A picture of the same camera, size and settings as the last goes on with more samples, where more are wanted.
        """
        self._sample(camera, framebuffer.viewport[2:], settings, wait=False)
        if self._samples:
            self._accumulation.composite(framebuffer, settings.gaussians)

    @property
    def behind(self) -> bool:
        """Whether the surface had no time (its `patience`) for a sample that was asked for last."""
        return self._samples < self._wanted

    def restart(self) -> None:
        """Begins the next picture anew, also if it is the same as the last."""
        self._shown = ()

    def _sample(self, camera: Camera, size: tuple[int, int], settings: SceneSettings, wait: bool) -> None:
        self._accumulation.begin(*size)
        shown = (*camera_key(camera), size, settings.sampled(1))
        if shown != self._shown or self._samples > settings.samples:
            self._shown, self._samples = shown, 0
        self._wanted = settings.samples
        for jitter in jitters(settings.samples)[self._samples :]:
            if not self._add(camera, size, settings, jitter, wait):
                break

    def _add(
        self, camera: Camera, size: tuple[int, int], settings: SceneSettings, jitter: tuple[float, float], wait: bool
    ) -> bool:
        """One sample more; False when there was no time for it."""
        sample = self.surface.sample(camera, size, replace(settings.surface, samples=1), jitter)
        if sample is None:
            return False
        behind, cover = sample
        front = self.gaussians.blend(camera, size, settings.gaussians, cover, wait)
        self._samples += 1
        self._accumulation.colour.bind_to_image(0, read=True, write=True)
        front.bind_to_image(1, read=True, write=False)
        behind.bind_to_image(2, read=True, write=False)
        set_uniforms(self._over, size=size, sample_share=1 / self._samples)
        self.context.memory_barrier(PICTURE_WRITTEN)
        self._over.run(-(-size[0] // TILE), -(-size[1] // TILE))
        self.context.memory_barrier(PICTURE_WRITTEN)
        return True

    def release(self) -> None:
        """Frees its own part."""
        self._over.release()
        self._accumulation.release()
