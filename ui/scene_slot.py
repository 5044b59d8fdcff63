"""A scene that can be open: what was read, a renderer that has it in video memory, and a loader for the next one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from glfw import post_empty_event

from renderer.context import is_software
from renderer.gaussian_renderer import FrameFacts, GaussianRenderer
from renderer.scene_settings import SceneSettings
from renderer.stage_renderer import StageFacts, StageRenderer
from renderer.surface_renderer import SurfaceFacts, SurfaceRenderer
from renderer.together import TogetherRenderer
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.gaussians import Floats
from scenes.load import SceneFile
from scenes.neural_gaussians import NeuralGaussians
from scenes.open_scene import SurfaceFile
from scenes.scene_file import SceneDescription
from scenes.sizes import readable_bytes
from scenes.stage import Stage, StageFile, with_files
from ui.kinds import SceneKind
from ui.loading import LoadedScene, SceneLoader

if TYPE_CHECKING:
    import moderngl

    from renderer.frame_paths import Prepared
    from scenes.gaussians import Gaussians

FATAL = ("GL_OUT_OF_MEMORY", "GL_UNKNOWN_ERROR")  # the latter is moderngl's word for a lost context


class SceneSlot:
    """Empty at first; `loaded` is what is open: Gaussians, which `renderer` has, or a surface, which `surface` has, or
    a scene file, which `stage` has.

    What the slot draws has the scene of a slot it has been joined with in it, too.
    """

    def __init__(self, context: moderngl.Context, loader: SceneLoader | None = None) -> None:
        self.context = context
        self.renderer = GaussianRenderer(context)
        self.renderer.times.synchronised = is_software(context)  # waiting costs a GPU time, and a CPU none
        self.surface: SurfaceRenderer | None = None
        self.stage: StageRenderer | None = None
        self.partner: SceneSlot | None = None
        self._together: TogetherRenderer | None = None
        self.loader = loader or SceneLoader()
        self.loader.wake = post_empty_event
        self.loader.prepare = self._prepare
        self.loaded: LoadedScene | None = None

    @property
    def kind(self) -> SceneKind | None:
        """Of what is open."""
        if self.loaded is None:
            return None
        if self.stage is not None:
            return "stage"
        return "gaussians" if self.surface is None else "surface"

    @property
    def description(self) -> SceneDescription | None:
        """Of a scene file, as it is shown now."""
        return self.stage.stage.scene if self.stage else None

    def edit(self, description: SceneDescription, more: Stage | None = None) -> None:
        """Another scene of the same files, and of those of `more`, while a scene file is open. Raises `KilofieldError`
        for one that cannot be drawn."""
        assert self.stage is not None
        stage = self.stage.stage if more is None else with_files(self.stage.stage, more)
        self.stage.show(replace(stage, scene=description))

    @property
    def sh_degree(self) -> int:
        """Of the scene that is open."""
        if self.loaded is None or not isinstance(self.loaded.file, SceneFile):
            return 0
        return self.loaded.file.scene.sh_degree

    @property
    def facts(self) -> FrameFacts | SurfaceFacts | StageFacts:
        """About the latest frame."""
        return self._active.facts

    @property
    def _active(self) -> GaussianRenderer | SurfaceRenderer | StageRenderer:
        return self.stage or self.surface or self.renderer

    @property
    def video_memory(self) -> int:
        """Bytes the scene takes on the device."""
        return self._active.scene.bytes if self.loaded else 0

    @property
    def words(self) -> str:
        """What is open and what it takes, for an error."""
        if self.loaded is None:
            return "no scene"
        memory = readable_bytes(self.video_memory + self._active.working_bytes)
        return f"{self.loaded.file.path}: {content_words(self.loaded.file)}, {memory} of video memory"

    def join(self, partner: SceneSlot | None) -> None:
        """From now on draws what `partner` has open, too, while it is of the other kind; None ends that."""
        self.partner = partner
        if partner is None:
            self._release_together()

    @property
    def _both(self) -> TogetherRenderer | None:
        """What draws this scene and the partner's, if there are two."""
        if self.partner is None or {self.kind, self.partner.kind} != {"gaussians", "surface"}:
            return None
        own, other = (self, self.partner) if self.kind == "gaussians" else (self.partner, self)
        assert other.surface is not None  # it is the surface
        pair = own.renderer, other.surface
        if self._together is None or (self._together.gaussians, self._together.surface) != pair:
            self._release_together()
            self._together = TogetherRenderer(*pair)
        return self._together

    def _release_together(self) -> None:
        if self._together is not None:
            self._together.release()
            self._together = None

    def draw(self, camera: Camera, framebuffer: moderngl.Framebuffer, settings: SceneSettings) -> None:
        """What is open, into the viewport of `framebuffer`."""
        both = self._both
        if both is not None:
            both.draw(camera, framebuffer, settings)
        elif self.stage is not None:
            self.stage.draw(camera, framebuffer, settings.stage)
        elif self.surface is not None:
            self.surface.draw(camera, framebuffer, settings.surface)
        else:
            self.renderer.draw(camera, framebuffer, settings.gaussians)

    def render(self, camera: Camera, width: int, height: int, settings: SceneSettings) -> Floats:
        """[H, W, 3] the picture of what is open."""
        both = self._both
        if both is not None:
            return both.render(camera, width, height, settings)
        if self.stage is not None:
            return self.stage.render(camera, width, height, settings.stage)
        if self.surface is not None:
            return self.surface.render(camera, width, height, settings.surface)
        return self.renderer.render(camera, width, height, settings.gaussians)

    def render_rgba(self, camera: Camera, width: int, height: int, settings: SceneSettings) -> Floats:
        """[H, W, 4] premultiplied colour and alpha."""
        both = self._both
        if both is not None:
            return both.render_rgba(camera, width, height, settings)
        if self.stage is not None:
            return self.stage.render_rgba(camera, width, height, settings.stage)
        if self.surface is not None:
            return self.surface.render_rgba(camera, width, height, settings.surface)
        return self.renderer.render_rgba(camera, width, height, settings.gaussians)

    @property
    def casts_rays(self) -> bool:
        """A pixel takes a while on a software rasteriser."""
        return self._active.casts_rays or self._both is not None

    @property
    def behind(self) -> bool:
        """There was no time for a sample that was asked for last: see `be_patient`."""
        renderer = self._both or self.stage or self.surface
        return renderer is not None and renderer.behind

    def be_patient(self, seconds: float | None) -> None:
        """How long `draw` may take for what casts rays, which goes on the next time; None: until it is drawn."""
        for renderer in (self.surface, self.stage):
            if renderer is not None:
                renderer.patience = seconds

    def restart(self) -> None:
        """Draws the next picture anew, also if it is the same as the last."""
        for renderer in (self.surface, self.stage, self._together):
            if renderer is not None:
                renderer.restart()

    def open(self, path: Path) -> None:
        """Begins to load a file; what is open stays until the new scene is in video memory."""
        self.loader.start(path)

    def take(self) -> bool:
        """What the loader has finished is now open: True once. Raises `KilofieldError` for a file that cannot be."""
        path = self.loader.path
        try:
            loaded = self.loader.poll()
            if loaded is None:
                return False
            self._upload(loaded)
            loaded = replace(loaded, prepared=None)  # which is in video memory now
        except (OSError, MemoryError) as error:
            raise KilofieldError(f"{path}: {error or 'not enough memory'}") from error
        self.loaded = loaded
        return True

    def _prepare(self, file: SceneFile, gaussians: Gaussians) -> Prepared:
        """On the loader's thread."""
        return self.renderer.prepare(file.scene, gaussians)

    def _upload(self, loaded: LoadedScene) -> None:
        """Into video memory; an error names what was to go there."""
        what = f"{loaded.file.path}: {content_words(loaded.file)}"
        try:
            if isinstance(loaded.file, StageFile):
                self._upload_stage(loaded.file)
            elif isinstance(loaded.file, SurfaceFile):
                self._upload_surface(loaded.file)
            elif loaded.prepared is None:
                self.renderer.load(loaded.file.scene)
            else:
                self.renderer.load_prepared(loaded.prepared)
        except KilofieldError as error:
            raise KilofieldError(f"{what}: {error}") from error
        if isinstance(loaded.file, SceneFile):
            self._release_rays()
        if device_error(self.context):
            size = readable_bytes(self._active.scene.bytes)
            raise KilofieldError(f"{what}: expected {size} of video memory for them, found none left")

    def _upload_surface(self, file: SurfaceFile) -> None:
        surface = SurfaceRenderer(self.context, file.surface)
        surface.times.synchronised = self.renderer.times.synchronised
        self._release_rays()
        self.renderer.unload()
        self.surface = surface

    def _upload_stage(self, file: StageFile) -> None:
        stage = StageRenderer(self.context, file.stage)
        stage.times.synchronised = self.renderer.times.synchronised
        self._release_rays()
        self.renderer.unload()
        self.stage = stage

    def _release_rays(self) -> None:
        """Frees what casts rays."""
        for renderer in (self.surface, self.stage):
            if renderer is not None:
                renderer.release()
        self.surface = self.stage = None

    def set_residency(self, residency: str) -> None:
        """How a neural scene is in video memory, from now on: one of the renderer's `RESIDENCIES`."""
        self.renderer.residency = residency
        if self.loaded is None or not isinstance(self.loaded.file, SceneFile):
            return
        if isinstance(self.loaded.file.scene, NeuralGaussians):
            self._upload(replace(self.loaded, prepared=None))

    def release(self) -> None:
        """Frees everything in video memory."""
        self._release_together()
        self._release_rays()
        self.renderer.release()


def content_words(file: SceneFile | SurfaceFile | StageFile) -> str:
    """How much of what a file holds."""
    if isinstance(file, StageFile):
        return f"a scene of {len(file.stage.scene.objects):,} objects"
    if isinstance(file, SurfaceFile):
        return f"a surface of {len(file.surface):,} cells"
    return f"{len(file.scene):,} Gaussians"


def device_error(context: moderngl.Context) -> str:
    """What OpenGL cannot recover from: no memory left, or a device that is lost; empty when all is well."""
    error = str(context.error)
    return error if error in FATAL else ""
