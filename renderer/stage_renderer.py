"""A scene to be lit as a window shows it: path-traced a little at a time, tone-mapped, Gaussians in front.

    paths (renderer/path_tracer.py) --> light, depth --> tone mapping --> Gaussians before that depth (stage_fronts.py)

The twin of a whole picture is `renderer/path_reference.py` with `renderer/lit_picture.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import perf_counter

import moderngl
import numpy as np

from renderer.lit_picture import displayed
from renderer.path_display import PathDisplay
from renderer.path_shapes import Doubles, Shapes, nowhere
from renderer.path_tracer import PathTracer
from renderer.stage_denoise import StageDenoiser
from renderer.stage_fronts import StageFronts
from renderer.stage_settings import StageSettings
from renderer.surface_renderer import camera_key
from scenes.cameras import Camera
from scenes.gaussians import Floats
from scenes.scene_file import GaussianScene, Metal, SceneDescription
from scenes.stage import Stage

DEFAULT = StageSettings()
FEWEST, MOST = 1 << 10, 1 << 19  # paths between looks at the clock
MIRROR_BOUNCES = 2  # at a mirror, and where that leads
LOOKS = 4  # at the clock, while `patience` lasts


@dataclass
class StageFacts:
    """About the latest picture."""

    samples: int = 0  # paths of each pixel in the picture so far
    paths_a_second: float = 0.0  # 0 while nobody has measured
    pipeline: str = "paths"
    residency: str = "resident"
    wall_ms: dict[str, float] = field(default_factory=dict)  # by stage, and "total": see StageTimes


class StageRenderer:
    """Draws one stage, which may be changed at any time.

    A picture of the same camera and size as the one before goes on from there. With `patience`, `draw` stops after so
    many seconds, in the middle of a sample, and goes on there the next time; `behind` says that it had no time for one
    sample more. Raises `KilofieldError` without compute shaders, and for what does not fit the device.
    """

    casts_rays = True

    def __init__(self, context: moderngl.Context, stage: Stage) -> None:
        self.context = context
        self.tracer = PathTracer(context, stage)
        self.times = self.tracer.times
        self.facts = StageFacts()
        self.patience: float | None = None
        self.behind = False
        self._denoiser: StageDenoiser | None = None  # made when it is wanted
        self._display, self._fronts = PathDisplay(context), StageFronts(context, self.times)
        self._fronts.show(stage)
        self._stage = stage
        self._shown: tuple[object, ...] = ()
        self._blended = False  # the Gaussians are in front of this picture
        self._chunk = FEWEST  # paths
        self._shapes: Shapes | None = None

    @property
    def stage(self) -> Stage:
        """What is drawn."""
        return self._stage

    @property
    def scene(self) -> PathTracer:
        """What has it in video memory."""
        return self.tracer

    @property
    def working_bytes(self) -> int:
        """Video memory beside the tracer's."""
        return self._fronts.bytes + (self._denoiser.bytes if self._denoiser else 0)

    @property
    def samples(self) -> int:
        """Of each pixel of the picture."""
        return self.tracer.samples

    def show(self, stage: Stage) -> None:
        """Draws `stage` from now on. The picture begins anew unless only its development is another.

        Raises `KilofieldError` for what cannot be traced, and goes on with what there was.
        """
        if traced_part(stage.scene) != traced_part(self._stage.scene):
            self.tracer.show(stage)
            self._fronts.show(stage)
            self._blended, self._shapes = False, None
        self._stage = stage

    def restart(self) -> None:
        """Begins the next picture anew, also if it is the same as the last."""
        self._shown = ()
        self.tracer.restart()

    def draw(self, camera: Camera, framebuffer: moderngl.Framebuffer, settings: StageSettings = DEFAULT) -> None:
        """Draws into the viewport of `framebuffer`, upright, and leaves it bound.

        Nothing is drawn while there was no time for the first sample.
        """
        with self.times.frame():
            self._trace(camera, framebuffer.viewport[2:], settings)
            if self.samples:
                scene = self._stage.scene
                self._display.draw(self._light(settings), framebuffer, scene.tone_mapping, scene.exposure)
                self._fronts.draw(framebuffer)
        self._note_facts()

    def trace(self, camera: Camera, size: tuple[int, int], settings: StageSettings = DEFAULT) -> float:
        """Adds paths to the picture while `patience` lasts, without showing it; the share of them that are there."""
        with self.times.frame():
            self._trace(camera, size, settings)
        self._note_facts()
        return min(self.tracer.paths / (settings.samples * size[0] * size[1]), 1.0)

    def render(self, camera: Camera, width: int, height: int, settings: StageSettings = DEFAULT) -> Floats:
        """[H, W, 3] in [0, 1], as the scene's tone mapping has it."""
        with self.times.frame():
            self._trace(camera, (width, height), settings, patient=False)
            picture = self._light(settings)
        self._note_facts()
        light = np.frombuffer(picture.read(), np.float32).reshape(height, width, 4)[..., :3]
        return displayed(light, self._fronts.read(), self._stage.scene)

    def render_rgba(self, camera: Camera, width: int, height: int, settings: StageSettings = DEFAULT) -> Floats:
        """[H, W, 4] the same; alpha is 1, for there is light from everywhere."""
        picture = self.render(camera, width, height, settings)
        return np.concatenate([picture, np.ones_like(picture[..., :1])], axis=2)

    def pick(self, origin: Doubles, direction: Doubles, start: float) -> tuple[int, Doubles] | None:
        """What a ray from `origin` [3] in the unit `direction` [3] meets first, beyond `start`: its number among the
        objects that are traced and then the lights, and the point [3]. None for nothing.
        """
        self._shapes = self._shapes or Shapes(self.tracer.scene)
        first = origin + start * direction
        met = self._shapes.meet(first[None], direction[None], nowhere(1), colours=False)
        number = int(met.number[0])
        return None if number < 0 else (number, first + met.distance[0] * direction)

    def _light(self, settings: StageSettings) -> moderngl.Texture:
        if not settings.denoise:
            return self.tracer.texture
        self._denoiser = self._denoiser or StageDenoiser(self.context)
        with self.times.stage("filter"):
            return self._denoiser.filtered(self.tracer)

    def _trace(self, camera: Camera, size: tuple[int, int], settings: StageSettings, patient: bool = True) -> None:
        shown = (*camera_key(camera), size)
        if shown != self._shown:
            self._shown, self._blended = shown, False
            self.tracer.restart()
        self.tracer.limit_bounces(instant_bounces(self._stage.scene) if settings.instant else None)
        self.tracer.guide(settings.denoise)
        before = self.samples
        self._advance(camera, size, settings.samples * size[0] * size[1], self.patience if patient else None)
        self.behind = self.samples == before and before < settings.samples
        if self.samples and not self._blended:
            self._fronts.blend(self.tracer.texture, camera)
            self._blended = True

    def _note_facts(self) -> None:
        self.facts = StageFacts(self.samples, self.facts.paths_a_second, wall_ms=self.times.ms())

    def _advance(self, camera: Camera, size: tuple[int, int], wanted: int, patience: float | None) -> None:
        """Up to `wanted` paths in the picture, as far as there is time."""
        if patience is None:
            if self.tracer.paths < wanted:
                self.tracer.advance(camera, size, wanted - self.tracer.paths)
            return
        start = now = perf_counter()
        while self.tracer.paths < wanted:
            then, count = now, min(self._chunk, wanted - self.tracer.paths)
            self.tracer.advance(camera, size, count)
            self.context.finish()
            now = perf_counter()
            self.facts.paths_a_second = count / max(now - then, 1e-6)
            steady = int(self.facts.paths_a_second * patience / LOOKS)
            self._chunk = min(max(steady, FEWEST), 2 * max(self._chunk, count), MOST)
            if now - start >= patience:
                return

    def release(self) -> None:
        """Frees everything in video memory."""
        self.tracer.release()
        self._display.release()
        self._fronts.release()
        if self._denoiser is not None:
            self._denoiser.release()


def instant_bounces(scene: SceneDescription) -> int:
    """Scatterings of a path when light must be there at once: one, or as many as show what is in mirrors."""
    materials = {type(thing.material) for thing in scene.objects if not isinstance(thing, GaussianScene)}
    return MIRROR_BOUNCES if Metal in materials else 1


def traced_part(scene: SceneDescription) -> SceneDescription:
    """What the light depends on: all but the development, the camera and names."""
    plain = SceneDescription()
    objects = tuple(replace(thing, name="") for thing in scene.objects)
    return replace(
        scene,
        objects=objects,
        lights=tuple(replace(light, name="") for light in scene.lights),
        exposure=plain.exposure,
        tone_mapping=plain.tone_mapping,
        camera=plain.camera,
    )


def numbered(scene: SceneDescription) -> list[int]:
    """By the numbers of `StageRenderer.pick`, where in `objects`, and after them in `lights`, a thing is."""
    traced = [i for i, thing in enumerate(scene.objects) if not isinstance(thing, GaussianScene)]
    return [*traced, *(len(scene.objects) + i for i in range(len(scene.lights)))]
