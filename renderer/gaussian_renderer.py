"""Renders scenes of Gaussians, plain or neural, exactly as the original 3DGS does; see `renderer/__init__.py`.

The picture agrees with the original's within 1/255 on all but a few pixels: 3DGS drops the Gaussian that would take the
transmittance under 1e-4, here it is the last one blended.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.accumulation import Accumulation, check_size
from renderer.decode import decode
from renderer.depth_order import depth_order
from renderer.gpu_gaussians import GpuGaussians
from renderer.projection import Projection
from renderer.quads import Quads
from renderer.settings import RenderSettings
from renderer.stage_times import StageTimes
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.gaussians import Floats, Gaussians
from scenes.neural_gaussians import NeuralGaussians

DEFAULT = RenderSettings()


@dataclass
class FrameFacts:
    """About the latest frame."""

    gaussians: int = 0  # in the scene
    candidates: int = 0  # sorted and drawn: in front of the camera and perhaps inside the picture
    wall_ms: dict[str, float] = field(default_factory=dict)  # by stage: project, sort, blend, and total


class GaussianRenderer:
    """Renders one scene at a time into float pictures or into a window's framebuffer.

    `times.synchronised` makes the stage times true walls, at the price of waiting.
    """

    def __init__(self, context: moderngl.Context) -> None:
        self.context = context
        self.times = StageTimes(context)
        self.facts = FrameFacts()
        self._projection = Projection(context)
        self._quads = Quads(context)
        self._target = Accumulation(context)
        self._gaussians: GpuGaussians | None = None

    def load(self, scene: Gaussians | NeuralGaussians) -> None:
        """Puts a scene into video memory, in place of the one before; a neural one is decoded there once.

        Raises `KilofieldError` when it has more Gaussians than the device can bind, or does not fit.
        """
        gaussians = self._upload(scene)
        if self._gaussians is not None:
            self._gaussians.release()
        self._gaussians = gaussians
        self._projection.reserve(len(gaussians))

    def _upload(self, scene: Gaussians | NeuralGaussians) -> GpuGaussians:
        if isinstance(scene, NeuralGaussians):
            return decode(self.context, scene)
        return GpuGaussians.upload(self.context, scene)

    @property
    def scene(self) -> GpuGaussians:
        """The scene in video memory. Raises `KilofieldError` before `load`."""
        if self._gaussians is None:
            raise KilofieldError("renderer: expected a loaded scene, found none")
        return self._gaussians

    def render(
        self,
        camera: Camera,
        width: int,
        height: int,
        settings: RenderSettings = DEFAULT,
    ) -> Floats:
        """[H, W, 3] the picture over the settings' background."""
        rgba = self.render_rgba(camera, width, height, settings)
        return (rgba[..., :3] + (1 - rgba[..., 3:]) * np.asarray(settings.background, np.float32)).astype(np.float32)

    def render_rgba(self, camera: Camera, width: int, height: int, settings: RenderSettings = DEFAULT) -> Floats:
        """[H, W, 4] premultiplied colour and alpha."""
        self._accumulate(camera, width, height, settings)
        return self._target.read()

    def draw(
        self,
        camera: Camera,
        framebuffer: moderngl.Framebuffer,
        settings: RenderSettings = DEFAULT,
    ) -> None:
        """Draws into the viewport of `framebuffer`, upright, and leaves it bound; nothing is read back."""
        width, height = framebuffer.viewport[2:]
        self._accumulate(camera, width, height, settings)
        self._target.composite(framebuffer, settings.background)

    def _accumulate(self, camera: Camera, width: int, height: int, settings: RenderSettings) -> None:
        check_size(self.context, width, height)
        with self.times.stage("total", on_gpu=False):
            order = self._stages(self.scene, camera, width, height, settings)
        self.facts = FrameFacts(len(self.scene), len(order), dict(self.times.wall_ms))

    def _stages(
        self, scene: GpuGaussians, camera: Camera, width: int, height: int, settings: RenderSettings
    ) -> NDArray[np.uint32]:
        antialiased = scene.antialiased if settings.antialiased is None else settings.antialiased
        degree = scene.sh_degree if settings.sh_degree is None else settings.sh_degree
        scale = settings.scale
        with self.times.stage("project"):
            self._projection.run(scene, camera, width, height, degree, antialiased, scale)
        with self.times.stage("sort", on_gpu=False):  # of the CPU, while the device projects
            order = depth_order(scene.positions, scene.radii, camera, width, height, scale)
            self._quads.upload_order(order)
        with self.times.stage("blend"):
            self._target.begin(width, height)
            self._quads.draw(self._projection.records, len(order), self._target)
        return order

    def release(self) -> None:
        """Frees everything in video memory."""
        if self._gaussians is not None:
            self._gaussians.release()
            self._gaussians = None
        for part in (self._projection, self._quads, self._target):
            part.release()
