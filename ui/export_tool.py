"""What is to be exported, and the export under way: one at a time, a little of it in each frame of the window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from renderer.camera_paths import PRESETS, preset_path
from renderer.large_pictures import LargePicture
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from ui.export import Job, PathJob, PictureJob, check_free
from ui.loading import LoadedScene
from ui.path_tool import PathTool
from ui.scene_slot import SceneSlot
from ui.screenshots import free_name, picture_stem
from ui.stage_export import StageExport
from ui.tool import Tool

if TYPE_CHECKING:
    from ui.app import App

PANEL_TITLE = "Export"
EDITED = "camera path"  # the source that is not a preset
SOURCES = (EDITED, *PRESETS)
SIZES = ((1280, 720), (1920, 1080), (2560, 1440), (3840, 2160), (7680, 4320), (1080, 1920), (2048, 2048))
FRAME_RATES = (1.0, 240.0)
LONGEST = 100_000  # frames


@dataclass
class PictureWishes:
    """Of one picture."""

    size: tuple[int, int] | None = None  # None: the window's
    alpha: bool = False
    supersampling: int = 1
    out: str = ""  # empty: a free name in the working folder


@dataclass
class PathWishes:
    """Of a camera path."""

    source: str = EDITED
    seconds: float = 8.0
    fps: float = 30.0
    size: tuple[int, int] = (1920, 1080)
    video: bool = True  # else a folder of PNGs
    alpha: bool = False
    supersampling: int = 1
    out: str = ""

    @property
    def frames(self) -> int:
        """How many there will be."""
        return min(max(round(self.seconds * self.fps), 1), LONGEST)


@dataclass(frozen=True)
class Question:
    """Something is there already: whether to write over it."""

    text: str
    yes: Callable[[], None]


@dataclass
class ExportTool(Tool):
    """The wishes, the job under way, and what the user is asked."""

    picture: PictureWishes = field(default_factory=PictureWishes)
    path: PathWishes = field(default_factory=PathWishes)
    job: Job | None = None
    question: Question | None = None
    _scene: LoadedScene | None = None  # that the job draws
    _stage: StageExport | None = None  # what draws it, when it is a scene file

    # What to do

    def save_picture(self, app: App, wishes: PictureWishes | None = None) -> None:
        """Begins a picture of what the camera sees of the scene; says why not where it cannot."""
        wishes = replace(wishes or self.picture)
        if app.loaded is None:
            return app.note("Nothing to save: no scene is open")
        out = _out(wishes.out, app, "", ".png")

        def begin() -> Job:
            size = wishes.size or app.view_size
            scene, settings = self._drawer(app), app.exported_settings()
            arguments = wishes.alpha, wishes.supersampling
            return PictureJob(LargePicture(scene, app.camera(), size, settings, *arguments), out)

        self._begin(app, out, begin)
        return None

    def save_path(self, app: App) -> None:
        """Begins a flythrough; says why not where it cannot."""
        if app.loaded is None:
            return app.note("Nothing to export: no scene is open")
        wishes = replace(self.path)
        cameras = self.cameras(app)
        if not cameras:
            return app.note("Nothing to export: the camera path has no keys; add some or choose a preset")
        out = _out(wishes.out, app, "-path", ".mp4" if wishes.video else "")
        if wishes.video != (out.suffix.lower() == ".mp4"):
            kind = "a name ending in .mp4 for a video" if wishes.video else "a folder for PNGs"
            return app.messages.error(f"{out}: expected {kind}")

        def begin() -> Job:
            arguments = wishes.fps, wishes.alpha and not wishes.video, wishes.supersampling
            scene, settings = self._drawer(app), app.exported_settings()
            return PathJob(scene, cameras, wishes.size, settings, out, *arguments)

        self._begin(app, out, begin)
        return None

    def cameras(self, app: App) -> list[Camera]:
        """Of the flythrough; none while the path has no keys."""
        wishes = self.path
        if wishes.source == EDITED:
            return app.tool(PathTool).cameras(app, wishes.frames)
        assert app.loaded is not None
        extent = replace(app.loaded.extent, up=app.navigator.up)
        return preset_path(wishes.source, extent, wishes.frames, wishes.size[0] / wishes.size[1])

    def cancel(self, app: App) -> None:
        """Stops what is under way, and leaves nothing of it."""
        if self.job is not None:
            self.job.cancel()
            app.note(f"Stopped: nothing is left of {self.job.out.name}")
            self._end()

    def _drawer(self, app: App) -> SceneSlot | StageExport:
        """What draws the first scene: of a scene file, one that lets the window go on."""
        stage = app.scenes[0].stage
        if stage is None:
            return app.scenes[0]
        self._stage = StageExport(app.context, stage.stage)
        return self._stage

    def _end(self) -> None:
        self.job = None
        if self._stage is not None:
            self._stage.release()
            self._stage = None

    def _begin(self, app: App, out: Path, begin: Callable[[], Job]) -> None:
        if self.job is not None:
            return app.note(f"{self.job.out.name} is not finished: one export at a time")
        try:
            check_free(out)
        except KilofieldError as error:
            self.question = Question(f"{error}. Replace what is in it?", lambda: self._start(app, begin))
            return app.show_panel(PANEL_TITLE)
        self._start(app, begin)
        return None

    def _start(self, app: App, begin: Callable[[], Job]) -> None:
        self.question = None
        try:
            self.job = begin()
        except KilofieldError as error:
            self._end()
            app.messages.error(str(error))
        else:
            self._scene = app.loaded
            if self.job.long:
                app.show_panel(PANEL_TITLE)  # that says how far it is, and can stop it

    # One frame

    def step(self, app: App, seconds: float) -> bool:
        """Goes on with the job."""
        job = self.job
        if job is None:
            return False
        if app.loaded is not self._scene:
            self.cancel(app)
            app.note(f"{job.out.name}: stopped, because another scene was opened")
            return False
        try:
            done = job.step()
        except KilofieldError as error:
            job.cancel()
            app.messages.error(str(error))
            self._end()
        else:
            if done:
                app.note(f"Saved {job.out}")
                self._end()
        return True

    def close(self) -> None:
        """Nothing is left of a job when the window closes."""
        if self.job is not None:
            self.job.cancel()
            self._end()


def _out(text: str, app: App, what: str, suffix: str) -> Path:
    """What the user wrote, with the suffix it lacks, or a free name in the working folder."""
    assert app.loaded is not None
    if not text.strip():
        return free_name(Path.cwd(), picture_stem(app.loaded.file.path) + what, suffix)
    path = Path(text.strip()).expanduser()
    return path if path.suffix or not suffix else path.with_suffix(suffix)
