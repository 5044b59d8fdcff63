"""A scene that can be open: what was read, a renderer that has it in video memory, and a loader for the next one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from glfw import post_empty_event

from renderer.context import is_software
from renderer.gaussian_renderer import GaussianRenderer
from scenes.errors import KilofieldError
from scenes.neural_gaussians import NeuralGaussians
from scenes.sizes import readable_bytes
from ui.loading import LoadedScene, SceneLoader

if TYPE_CHECKING:
    import moderngl

    from renderer.frame_paths import Prepared
    from scenes.gaussians import Gaussians
    from scenes.load import SceneFile

FATAL = ("GL_OUT_OF_MEMORY", "GL_UNKNOWN_ERROR")  # the latter is moderngl's word for a lost context


class SceneSlot:
    """Empty at first; `loaded` is what is open."""

    def __init__(self, context: moderngl.Context, loader: SceneLoader | None = None) -> None:
        self._context = context
        self.renderer = GaussianRenderer(context)
        self.renderer.times.synchronised = is_software(context)  # waiting costs a GPU time, and a CPU none
        self.loader = loader or SceneLoader()
        self.loader.wake = post_empty_event
        self.loader.prepare = self._prepare
        self.loaded: LoadedScene | None = None

    @property
    def sh_degree(self) -> int:
        """Of the scene that is open."""
        return self.loaded.file.scene.sh_degree if self.loaded else 0

    @property
    def video_memory(self) -> int:
        """Bytes the scene takes on the device."""
        return self.renderer.scene.bytes if self.loaded else 0

    @property
    def words(self) -> str:
        """What is open and what it takes, for an error."""
        if self.loaded is None:
            return "no scene"
        file = self.loaded.file
        memory = readable_bytes(self.video_memory + self.renderer.working_bytes)
        return f"{file.path}: {len(file.scene):,} Gaussians, {memory} of video memory"

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
        what = f"{loaded.file.path}: {len(loaded.file.scene):,} Gaussians"
        try:
            if loaded.prepared is None:
                self.renderer.load(loaded.file.scene)
            else:
                self.renderer.load_prepared(loaded.prepared)
        except KilofieldError as error:
            raise KilofieldError(f"{what}: {error}") from error
        if device_error(self._context):
            size = readable_bytes(self.renderer.scene.bytes)
            raise KilofieldError(f"{what}: expected {size} of video memory for them, found none left")

    def set_residency(self, residency: str) -> None:
        """How a neural scene is in video memory, from now on: one of the renderer's `RESIDENCIES`."""
        self.renderer.residency = residency
        if self.loaded is not None and isinstance(self.loaded.file.scene, NeuralGaussians):
            self._upload(replace(self.loaded, prepared=None))

    def release(self) -> None:
        """Frees everything in video memory."""
        self.renderer.release()


def device_error(context: moderngl.Context) -> str:
    """What OpenGL cannot recover from: no memory left, or a device that is lost; empty when all is well."""
    error = str(context.error)
    return error if error in FATAL else ""
