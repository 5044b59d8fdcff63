"""Renders a neural surface: rays through its networks in compute shaders; see `renderer/__init__.py`.

    trace    surface_trace.comp   where each ray hits, and the networks read for it
    normal   surface_normal.comp  forward-mode derivatives there
    shade    surface_shade.comp   appearance networks; or surface_view.comp, what a view paints without networks
    slice    surface_slice.comp   in place of all that, in the slice view

The twin is `renderer/surface_views.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import perf_counter

import moderngl
import numpy as np

from renderer.accumulation import Accumulation, composed
from renderer.context import has_compute, is_software
from renderer.gpu_surface import GpuSurface
from renderer.settings import RenderSettings
from renderer.stage_times import StageTimes
from renderer.surface_passes import SurfacePasses
from renderer.surface_settings import SurfaceSettings
from renderer.surface_targets import SurfaceTargets
from renderer.surface_views import SurfacePicture, jitters
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.gaussians import Floats
from scenes.surface import EMPTY, NeuralSurface

DEFAULT = SurfaceSettings()
BAND = 16  # rows between looks at the clock, a multiple of the passes' TILE


@dataclass
class SurfaceFacts:
    """About the latest picture."""

    cells: int = 0
    samples: int = 0  # rays of each pixel in the picture so far
    grouping: str = ""  # "direct" or "grouped"
    pipeline: str = "rays"
    residency: str = "resident"  # networks stay as they are, and a frame evaluates what it needs
    wall_ms: dict[str, float] = field(default_factory=dict)  # by stage, and "total": see StageTimes


class SurfaceRenderer:
    """Renders one surface into float pictures or into a window's framebuffer.

    A picture of the same camera, size and settings as the one before goes on from there: while the camera rests, `draw`
    adds samples until there are as many as the settings want, which may be more each time. `times.synchronised` makes
    stage times those of the frame just drawn, at the price of waiting. With `patience`, `draw` and `sample`
    stop after so many seconds, in the middle of a sample, and go on there the next time; `behind` says so. Raises
    `KilofieldError` without compute shaders, and for a surface that does not fit the device.
    """

    casts_rays = True

    def __init__(self, context: moderngl.Context, surface: NeuralSurface) -> None:
        if not has_compute(context):
            raise KilofieldError("surface: expected OpenGL 4.3 with compute shaders, found less")
        self.context = context
        self.times = StageTimes(context)
        self.facts = SurfaceFacts()
        self.scene = GpuSurface(context, surface)
        self._accumulation = Accumulation(context)
        self._targets: SurfaceTargets | None = None
        self._passes: dict[str, SurfacePasses] = {}
        self._shown: tuple[object, ...] = ()
        self._samples, self._wanted = 0, 1
        self._row = 0  # of the sample under way, the first that is not done
        self.patience: float | None = None

    @property
    def surface(self) -> NeuralSurface:
        """What is rendered."""
        return self.scene.surface

    @property
    def working_bytes(self) -> int:
        """Video memory that pictures take beside the surface's own."""
        return 0 if self._targets is None else self._targets.bytes

    def render(self, camera: Camera, width: int, height: int, settings: SurfaceSettings = DEFAULT) -> Floats:
        """[H, W, 3] the picture of the settings' view, over their background."""
        return composed(self.render_rgba(camera, width, height, settings), _composite_settings(settings))

    def render_rgba(self, camera: Camera, width: int, height: int, settings: SurfaceSettings = DEFAULT) -> Floats:
        """[H, W, 4] premultiplied colour and alpha."""
        self._sample(camera, (width, height), settings, settings.samples)
        picture = self._accumulation.read()
        self._note_facts()
        return picture

    def picture(self, camera: Camera, width: int, height: int, settings: SurfaceSettings = DEFAULT) -> SurfacePicture:
        """The picture with everything known about its pixels; slower, and for tests and tools."""
        self._shown = ()
        self._sample(camera, (width, height), replace(settings, samples=1, view="normal"), 1)
        assert self._targets is not None  # there is one now
        hits, normals = self._targets.read("hits"), self._targets.read("normals")
        network = self._targets.read("counts")[..., 0].astype(np.int32)
        rgba = self.render_rgba(camera, width, height, settings)
        hit = hits[..., 3] >= 0
        return SurfacePicture(
            rgba=rgba,
            depth=np.where(hit, normals[..., 3], np.inf),
            distance=np.where(hit, hits[..., 3], np.inf),
            normals=np.where(hit[..., None], normals[..., :3], 0),
            network=np.where(hit, network, EMPTY).astype(np.int32),
            evaluations=self._targets.read("counts")[..., 1].astype(np.int32),
        )

    def draw(
        self,
        camera: Camera,
        framebuffer: moderngl.Framebuffer,
        settings: SurfaceSettings = DEFAULT,
        most: int | None = None,
    ) -> None:
        """Draws into the viewport of `framebuffer`, upright, and leaves it bound; nothing is read back.

        At most `most` samples are added to what is there already of this picture. Nothing is drawn while there was no
        time for the first.
        """
        self._sample(camera, framebuffer.viewport[2:], settings, settings.samples if most is None else most)
        if self._samples:
            self._accumulation.composite(framebuffer, _composite_settings(settings))
        self._note_facts()

    def sample(
        self, camera: Camera, size: tuple[int, int], settings: SurfaceSettings, jitter: tuple[float, float]
    ) -> tuple[moderngl.Texture, moderngl.Texture] | None:
        """One sample by itself: premultiplied colour, and a texture whose fourth channel has the depths. None when
        there was no time for all of it.

        Depths are along the view axis (equirectangular: the distance), world units, and 3e38 where nothing is. Row 0 is
        the top. Both hold until the next picture.
        """
        passes = self._prepare(size, settings)
        self._begin((*camera_key(camera), size, settings, jitter))
        self._wanted = 1
        with self.times.frame():
            whole = self._add(passes, camera, jitter, settings, self._end())
        self._note_facts()
        if not whole:
            return None
        self._shown = ()
        assert self._targets is not None  # there is one now
        return self._accumulation.colour, self._targets.texture("normals")

    def restart(self) -> None:
        """Begins the next picture anew, also if it is the same as the last."""
        self._shown = ()

    @property
    def behind(self) -> bool:
        """Whether there was no time for a sample that was asked for last."""
        return self._row > 0 or self._samples < self._wanted

    @property
    def finished(self) -> bool:
        """Whether the picture drawn last has all of its samples."""
        return self._samples >= self._wanted

    def _prepare(self, size: tuple[int, int], settings: SurfaceSettings) -> SurfacePasses:
        self._accumulation.begin(*size)
        self._make_targets()
        passes = self._grouped_passes(settings)
        passes.march(settings.march)
        return passes

    def _sample(self, camera: Camera, size: tuple[int, int], settings: SurfaceSettings, most: int) -> None:
        passes = self._prepare(size, settings)
        if self._samples > settings.samples:
            self._shown = ()
        self._begin((*camera_key(camera), size, replace(settings, samples=1)))
        self._wanted = settings.samples
        end = self._end()
        with self.times.frame():
            for jitter in jitters(settings.samples)[self._samples : self._samples + most]:
                if not self._add(passes, camera, jitter, settings, end) or (end and perf_counter() >= end):
                    break

    def _begin(self, shown: tuple[object, ...]) -> None:
        """Anew, unless it is what is there."""
        if shown != self._shown:
            self._shown, self._samples, self._row = shown, 0, 0

    def _end(self) -> float | None:
        return None if self.patience is None else perf_counter() + self.patience

    def _add(
        self,
        passes: SurfacePasses,
        camera: Camera,
        jitter: tuple[float, float],
        settings: SurfaceSettings,
        end: float | None,
    ) -> bool:
        """One sample more, or as much of it as there is time for; True when it is whole."""
        assert self._targets is not None
        height = self._targets.size[1]
        band = height if end is None else BAND
        while self._row < height:
            passes.rows = self._row, min(self._row + band, height)
            self._add_rows(passes, camera, jitter, settings)
            self._row += band
            if end is not None:
                self.context.finish()
                if perf_counter() >= end and self._row < height:
                    return False
        self._row = 0
        self._samples += 1
        return True

    def _add_rows(
        self, passes: SurfacePasses, camera: Camera, jitter: tuple[float, float], settings: SurfaceSettings
    ) -> None:
        assert self._targets is not None
        share = 1 / (self._samples + 1)
        if settings.view == "slice":
            with self.times.stage("slice"):
                passes.cut(camera, self._targets, jitter, share, settings)
        else:
            self._add_hits(passes, camera, jitter, settings, share)

    def _add_hits(
        self,
        passes: SurfacePasses,
        camera: Camera,
        jitter: tuple[float, float],
        settings: SurfaceSettings,
        share: float,
    ) -> None:
        assert self._targets is not None
        with self.times.stage("trace"):
            passes.trace(camera, self._targets, jitter, self._samples == 0)
        with self.times.stage("normal"):
            passes.normals(camera, self._targets, jitter)
        with self.times.stage("shade"):
            if settings.view == "colour" and self.surface.appearance is not None and not settings.headlight:
                passes.shade(camera, self._targets, jitter, share)
            else:
                passes.view(camera, self._targets, jitter, share, settings)

    def _grouped_passes(self, settings: SurfaceSettings) -> SurfacePasses:
        grouping = settings.grouping
        if grouping == "auto":
            grouping = "direct"
        if grouping not in self._passes:
            self._passes[grouping] = SurfacePasses(self.context, self.scene, grouping == "grouped")
        self.facts.grouping = grouping
        return self._passes[grouping]

    def _make_targets(self) -> None:
        if self._targets is None or self._targets.size != self._accumulation.size:
            if self._targets is not None:
                self._targets.release()
            self._targets = SurfaceTargets(self.context, self._accumulation.colour, is_software(self.context))
            self._shown = ()

    def _note_facts(self) -> None:
        self.facts = SurfaceFacts(
            cells=len(self.surface), samples=self._samples, grouping=self.facts.grouping, wall_ms=self.times.ms()
        )

    def release(self) -> None:
        """Frees everything in video memory."""
        if self._targets is not None:
            self._targets.release()
        for passes in self._passes.values():
            passes.release()
        self.scene.release()
        self._accumulation.release()


def camera_key(camera: Camera) -> tuple[object, ...]:
    """What two cameras must share to see the same; the camera itself cannot be compared, for its array."""
    return (camera.camera_from_world.tobytes(), *(v for k, v in vars(camera).items() if k != "camera_from_world"))


def _composite_settings(settings: SurfaceSettings) -> RenderSettings:
    return RenderSettings(background=settings.background)
