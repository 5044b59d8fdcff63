"""A scene that can be open: what was read, a renderer that has it in video memory, and a loader for the next one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from renderer.gaussian_renderer import GaussianRenderer
from scenes.errors import KilofieldError
from ui.loading import LoadedScene, SceneLoader

if TYPE_CHECKING:
    import moderngl


class SceneSlot:
    """Empty at first; `loaded` is what is open."""

    def __init__(self, context: moderngl.Context) -> None:
        self.renderer = GaussianRenderer(context)
        self.renderer.times.synchronised = True  # stage times are what the device took, not what it was told
        self.loader = SceneLoader()
        self.loaded: LoadedScene | None = None

    @property
    def sh_degree(self) -> int:
        """Of the scene that is open."""
        return self.loaded.file.scene.sh_degree if self.loaded else 0

    @property
    def video_memory(self) -> int:
        """Bytes the scene takes on the device."""
        return self.renderer.scene.bytes if self.loaded else 0

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
            self.renderer.load(loaded.file.scene)
        except (OSError, MemoryError) as error:
            raise KilofieldError(f"{path}: {error or 'not enough memory'}") from error
        self.loaded = loaded
        return True

    def release(self) -> None:
        """Frees everything in video memory."""
        self.renderer.release()
