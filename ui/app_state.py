"""Everything the running window has: made once, and read by all of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import glfw
import numpy as np

from renderer.gaussian_renderer import GaussianRenderer
from renderer.scene_settings import SceneSettings
from renderer.settings import VIEWS
from renderer.stage_settings import StageSettings
from renderer.surface_settings import SURFACE_VIEWS, SurfaceSettings
from renderer.window import window_context
from scenes.cameras import Camera
from scenes.extent import Extent
from ui.docking import Docking
from ui.file_dialogs import FileDialogs
from ui.gui import Gui
from ui.kinds import SceneKind
from ui.loading import LoadedScene, SceneLoader
from ui.messages import Messages
from ui.navigation import Navigator
from ui.panel_windows import PanelWindows
from ui.scene_picture import Painter, ScenePicture
from ui.scene_slot import SceneSlot
from ui.screen import Rect
from ui.settings import STAGE_SAMPLES, STAGE_VIEWS, Switches
from ui.stored import read_layout, read_stored
from ui.tool import Tool
from ui.tools import TOOLS
from ui.window import Window

if TYPE_CHECKING:
    import moderngl

TITLE = "Kilofield"
FRAMES = 60  # of the window, whose times are kept

AnyTool = TypeVar("AnyTool", bound=Tool)


class AppState:
    """The parts of `App`, and what is plain to say of them."""

    def __init__(
        self, files: Sequence[Path], size: tuple[int, int] | None = None, loader: SceneLoader | None = None
    ) -> None:
        """A window of `size`, or as large as the last; `loader` may be at work on the first file already."""
        self.stored, complaint = read_stored()
        self.window = Window(TITLE, size or self.stored.window)
        self.context = window_context()
        self.scenes = [SceneSlot(self.context, loader)]
        self.picture = ScenePicture(self.context, self.scenes)
        self.painter: Painter = self.paint_scene
        self.gui = Gui(self.window, self.stored.text_size)
        self.navigator = Navigator(Extent(np.zeros(3), 1.0, np.array([0.0, -1.0, 0.0])))
        self.messages, self.dialogs = Messages(), FileDialogs()
        self.look, self.switches = self.stored.look, Switches(vsync=self.stored.vsync)
        self.surface_look = SurfaceSettings(view=self.look.view if self.look.view in SURFACE_VIEWS else "colour")
        self.stage_look = StageSettings(STAGE_SAMPLES, hurried=True)
        self.panels = PanelWindows(self.stored.panels)
        self.docking = Docking(read_layout(), self.gui.scale, self.panels.first_tabs)
        self.view_rect = Rect(0, 0, *self.window.size)
        self.side_by_side = False  # the picture is two, see `screen.halves`
        self.tools: list[Tool] = [tool() for tool in TOOLS]
        self.files = list(files)
        self.file_index = 0
        self.frame_seconds: deque[float] = deque(maxlen=FRAMES)  # from each frame of the window to the next
        self.window.set_vsync(self.switches.vsync)
        if complaint:
            self.note(complaint)

    @property
    def renderer(self) -> GaussianRenderer:
        """Of the first scene, when that is Gaussians."""
        return self.scenes[0].renderer

    @property
    def kinds(self) -> set[SceneKind]:
        """Of all scenes that are open."""
        return {slot.kind for slot in self.scenes if slot.kind is not None}

    def shows(self, kind: SceneKind) -> bool:
        """Whether a scene of this kind is open; with none at all, it is as if there were Gaussians."""
        return kind in (self.kinds or {"gaussians"})

    @property
    def views(self) -> tuple[str, ...]:
        """What a picture of the open scenes can show."""
        if self.kinds == {"surface"}:
            return SURFACE_VIEWS
        if self.kinds == {"stage"}:
            return STAGE_VIEWS
        return tuple(dict.fromkeys((*VIEWS, *SURFACE_VIEWS))) if "surface" in self.kinds else VIEWS

    @property
    def surface_slot(self) -> SceneSlot | None:
        """The first scene that is a surface."""
        return next((slot for slot in self.scenes if slot.kind == "surface"), None)

    @property
    def loader(self) -> SceneLoader:
        """Of the first scene."""
        return self.scenes[0].loader

    @property
    def loaded(self) -> LoadedScene | None:
        """The first scene, when one is open."""
        return self.scenes[0].loaded

    @property
    def view_size(self) -> tuple[int, int]:
        """Pixels of the scene's part of the window."""
        density = self.window.density
        return max(1, round(self.view_rect.width * density)), max(1, round(self.view_rect.height * density))

    @property
    def aspect(self) -> float:
        """Width / height of the scene's part of the window."""
        return self.view_size[0] / self.view_size[1]

    def paint_scene(self, target: moderngl.Framebuffer, camera: Camera, settings: SceneSettings) -> None:
        """The first scene, over all of `target`."""
        self.scenes[0].draw(camera, target, settings)

    def note(self, text: str) -> None:
        """Shows `text` for a few seconds."""
        self.messages.note(text, glfw.get_time())

    def tool(self, kind: type[AnyTool]) -> AnyTool:
        """The tool of this class."""
        return next(tool for tool in self.tools if isinstance(tool, kind))
