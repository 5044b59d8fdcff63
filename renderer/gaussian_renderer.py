"""Renders scenes of Gaussians, plain or neural, exactly as the original 3DGS does; see `renderer/__init__.py`.

The picture agrees with the original's within 1/255 on all but a few pixels: 3DGS drops the Gaussian that would take the
transmittance under 1e-4, on the quads path it is the last one blended.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import moderngl

from renderer.accumulation import Accumulation, check_size, composed
from renderer.context import has_compute, is_software
from renderer.frame_paths import ComputePaths, FeedbackPath, Frame, Prepared, Scene
from renderer.pipeline_trial import PipelineTrial
from renderer.settings import RenderSettings
from renderer.stage_times import StageTimes
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.gaussians import Floats, Gaussians
from scenes.neural_gaussians import NeuralGaussians

DEFAULT = RenderSettings()
PIPELINES = ("auto", "tiles", "quads")
RESIDENCIES = ("decoded", "resident")
SORTS = ("auto", "gpu", "cpu")

# Pixels all footprints of a frame may cover together. What is beyond is left out, the farthest first: on a slow GPU
# this much takes about as long as a driver waits before it gives a program up (2 s on Windows).
OVERDRAW_BUDGET = 2.0e10
SOFTWARE_BUDGET = 4.0e9  # about two minutes of llvmpipe on two cores


@dataclass
class FrameFacts:
    """About the latest frame; of counts and times that only the GPU knows, about one two frames back."""

    gaussians: int = 0  # in the scene
    candidates: int = 0  # sorted and drawn: in front of the camera and perhaps inside the picture
    capped: int = 0  # of them, left out because the frame would have cost more than its budget
    pipeline: str = ""  # "tiles" or "quads"
    residency: str = ""  # "decoded" or "resident"
    wall_ms: dict[str, float] = field(default_factory=dict)  # by stage, and "total": see StageTimes


class GaussianRenderer:
    """Renders one scene at a time into float pictures or into a window's framebuffer.

    `pipeline` "auto" measures tiles and quads on the first frames of a scene and keeps the faster; a software
    rasteriser gets quads. `residency` "resident" keeps a neural scene compressed in video memory and decodes what is
    visible every frame. `sort` "auto" sorts on the GPU if there is one, else with numpy. Without compute shaders
    (OpenGL 4.1) it is quads, decoded, numpy, whatever was asked for. `overdraw_budget` is in pixels a frame.
    `times.synchronised` makes stage times those of the frame just drawn, at the price of waiting.
    """

    casts_rays = False

    def __init__(
        self, context: moderngl.Context, pipeline: str = "auto", residency: str = "decoded", sort: str = "auto"
    ) -> None:
        for name, value, known in (
            ("pipeline", pipeline, PIPELINES),
            ("residency", residency, RESIDENCIES),
            ("sort", sort, SORTS),
        ):
            if value not in known:
                raise KilofieldError(f"{name}: expected one of {', '.join(known)}, found {value!r}")
        self.context = context
        self.pipeline = pipeline
        self.residency = residency
        self.times = StageTimes(context)
        self.facts = FrameFacts()
        self.overdraw_budget = SOFTWARE_BUDGET if is_software(context) else OVERDRAW_BUDGET
        self._target = Accumulation(context)
        self._paths = ComputePaths(context, sort) if has_compute(context) else FeedbackPath(context)
        self._trial = PipelineTrial(context)
        self._scene: Scene | None = None

    def prepare(self, scene: Gaussians | NeuralGaussians, plain: Gaussians | None = None) -> Prepared:
        """All of loading that needs no OpenGL, so that it can be done on another thread.

        `plain` is what `scene` decodes to, where that is known already.
        """
        return self._paths.prepare(scene, self.residency, plain)

    def load(self, scene: Gaussians | NeuralGaussians) -> None:
        """Puts a scene into video memory, in place of the one before; a neural one is decoded there once, or kept as it
        is where `residency` says so.

        Raises `KilofieldError` when it has more Gaussians than the device can bind, or does not fit.
        """
        self.load_prepared(self.prepare(scene))

    def load_prepared(self, prepared: Prepared) -> None:
        """`load` of what `prepare` has made, with the residency of that time."""
        loaded = self._paths.load(prepared)
        if self._scene is not None:
            self._scene.release()
        self._scene = loaded
        self._trial.restart()

    def unload(self) -> None:
        """Frees the scene, if there is one."""
        if self._scene is not None:
            self._scene.release()
            self._scene = None
            self.facts = FrameFacts()

    @property
    def scene(self) -> Scene:
        """The scene in video memory. Raises `KilofieldError` before `load`."""
        if self._scene is None:
            raise KilofieldError("renderer: expected a loaded scene, found none")
        return self._scene

    @property
    def working_bytes(self) -> int:
        """Video memory that frames take beside the scene's own: records, sort, tiles."""
        return self._paths.bytes

    def render(self, camera: Camera, width: int, height: int, settings: RenderSettings = DEFAULT) -> Floats:
        """[H, W, 3] the picture of the settings' view, over their background; colours are not clipped at 1."""
        return composed(self.render_rgba(camera, width, height, settings), settings)

    def render_rgba(self, camera: Camera, width: int, height: int, settings: RenderSettings = DEFAULT) -> Floats:
        """[H, W, 4] premultiplied colour and alpha; of the depth view the depths from 0 (black) to 1 (white) in place
        of the colour, of the overdraw view counts."""
        self._accumulate(camera, width, height, settings)
        while self._paths.grow():  # more tile instances than there was room for
            self._accumulate(camera, width, height, settings)
        picture = self._target.read()
        self._note_facts(finished=True)
        return picture

    def draw(self, camera: Camera, framebuffer: moderngl.Framebuffer, settings: RenderSettings = DEFAULT) -> None:
        """Draws into the viewport of `framebuffer`, upright, and leaves it bound; nothing is read back."""
        width, height = framebuffer.viewport[2:]
        self._paths.grow(wait=False)
        self._accumulate(camera, width, height, settings)
        self._target.composite(framebuffer, settings)
        self._note_facts(self.times.synchronised)

    def blend(
        self,
        camera: Camera,
        size: tuple[int, int],
        settings: RenderSettings,
        cover: moderngl.Texture,
        wait: bool = False,
    ) -> moderngl.Texture:
        """Premultiplied colour and alpha, row 0 at the top, until the next picture, without what a surface hides.

        `cover`, of `size`, has in its fourth channel the surface's depth at each pixel: a Gaussian with its centre
        there or beyond is not drawn. With `wait` none is missing for want of room, as in `render`; else as in `draw`.
        """
        self._paths.grow(wait=False)
        self._accumulate(camera, *size, settings, cover)
        while wait and self._paths.grow():
            self._accumulate(camera, *size, settings, cover)
        self._note_facts(wait or self.times.synchronised)
        return self._target.colour

    def _accumulate(
        self, camera: Camera, width: int, height: int, settings: RenderSettings, cover: moderngl.Texture | None = None
    ) -> None:
        check_size(self.context, width, height)
        scene = self.scene
        frame = Frame(camera, (width, height), settings, self._pipeline(), self.overdraw_budget, cover)
        with self._trial.timed(frame.pipeline, self.pipeline == "auto"), self.times.frame():
            self._paths.draw(scene, frame, self._target, self.times)
        self.facts.pipeline = frame.pipeline

    def _note_facts(self, finished: bool) -> None:
        self.facts = FrameFacts(
            gaussians=len(self.scene),
            **self._paths.counts(finished),
            pipeline=self.facts.pipeline,
            residency=self.scene.residency,
            wall_ms=self.times.ms(),
        )

    def _pipeline(self) -> str:
        if not has_compute(self.context):
            return "quads"
        if self.pipeline != "auto":
            return self.pipeline
        return "quads" if is_software(self.context) else self._trial.choice()

    def release(self) -> None:
        """Frees everything in video memory."""
        self.unload()
        self._paths.release()
        self._target.release()
