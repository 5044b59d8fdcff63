"""Scenes read on a thread, so that the window never waits: the file, what is in it, and where a camera should go."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import TYPE_CHECKING

from scenes.cameras import Camera
from scenes.content import ReadOptions
from scenes.detect import is_scene_name
from scenes.extent import Extent, scene_extent
from scenes.framing import framing
from scenes.gaussians import Gaussians
from scenes.load import SceneFile
from scenes.open_scene import SurfaceFile, open_scene
from scenes.stage import StageFile, read_stage, stage_file
from scenes.stage_extent import stage_extent
from scenes.surface_extent import surface_extent

if TYPE_CHECKING:
    from renderer.frame_paths import Prepared

LAST_STAGE = "to video memory"
LARGE = 500_000  # Gaussians, whose way into video memory takes longer than a frame


@dataclass(frozen=True)
class LoadedScene:
    """A file read and measured, ready for video memory."""

    file: SceneFile | SurfaceFile | StageFile
    gaussians: Gaussians | None  # plain, for picking; only of a scene of Gaussians
    extent: Extent  # for the first view
    seconds: float  # it took
    prepared: Prepared | None = None  # for the renderer
    first: Camera | None = None  # that the file says, for the first view


Prepare = Callable[[SceneFile, Gaussians], "Prepared"]


@dataclass(frozen=True)
class Status:
    """How far loading is."""

    stage: str  # "reading", "decoding", "measuring", "packing" or LAST_STAGE
    share: float | None  # of the stage, 0 to 1; None where that is not known
    seconds: float  # since the request


class _CancelledError(Exception):
    """Nobody wants this file any more."""


class _Job:
    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path, self.options = path, options
        self.started = perf_counter()
        self.stage = "reading"
        self.share: float | None = None
        self.cancelled = False
        self.done: Future[LoadedScene] = Future()

    def progress(self, share: float) -> None:
        """Called by what reads; leaves it when the job is cancelled."""
        if self.cancelled:
            raise _CancelledError
        self.share = share


class SceneLoader:
    """Loads on a thread of its own. A request while another is under way replaces it; the older result is dropped."""

    def __init__(self, options: ReadOptions | None = None) -> None:
        self.options = options or ReadOptions()
        self.wake: Callable[[], None] = _nobody  # called on the thread that loads, when it is done
        self.prepare: Prepare | None = None  # called on that thread too: what takes long and needs no OpenGL
        self._job: _Job | None = None

    def start(self, path: Path) -> None:
        """Begins to load `path`."""
        self.cancel()
        self._job = _Job(path, self.options)
        # A daemon, so that closing the window does not wait for a large file.
        Thread(target=self._work, args=(self._job,), name=f"load {path.name}", daemon=True).start()

    def cancel(self) -> bool:
        """Gives up what is being loaded; False if nothing was."""
        if self._job is None:
            return False
        self._job.cancelled = True
        self._job = None
        return True

    @property
    def path(self) -> Path | None:
        """What is being loaded."""
        return self._job.path if self._job else None

    def status(self) -> Status:
        """How far it is."""
        job = self._job
        return Status(job.stage, job.share, perf_counter() - job.started) if job else Status("", None, 0.0)

    def poll(self) -> LoadedScene | None:
        """The scene, once, when it is there. Raises what reading it raised: `KilofieldError` for a bad file."""
        if self._job is None or not self._job.done.done():
            return None
        if self._job.stage != LAST_STAGE and _is_large(self._job.done):
            self._job.stage, self._job.share = LAST_STAGE, None  # one frame says so, for the next may take a while
            return None
        done, self._job = self._job.done, None
        return done.result()

    def _work(self, job: _Job) -> None:
        try:
            job.done.set_result(self._prepared(job, _load(job)))
        except BaseException as error:  # handed on: `poll` raises it in the frame loop
            job.done.set_exception(error)
        self.wake()

    def _prepared(self, job: _Job, loaded: LoadedScene) -> LoadedScene:
        """Ready for the renderer, if there is one already: the first file is read before there is a window."""
        if self.prepare is None or loaded.gaussians is None:
            return loaded
        assert isinstance(loaded.file, SceneFile)  # it has Gaussians
        job.stage = "packing"
        return replace(loaded, prepared=self.prepare(loaded.file, loaded.gaussians))


def _is_large(done: Future[LoadedScene]) -> bool:
    if done.exception() is not None:
        return False
    gaussians = done.result().gaussians
    return gaussians is not None and len(gaussians) >= LARGE


def _nobody() -> None:
    """Nobody waits."""


def _load(job: _Job) -> LoadedScene:
    if is_scene_name(job.path):
        file = stage_file(job.path, read_stage(job.path, job.progress, job.options))
        extent, first = stage_extent(file.stage), file.stage.scene.view()
        return LoadedScene(file, None, extent, perf_counter() - job.started, first=first)
    file = open_scene(job.path, job.progress, job.options)
    if isinstance(file, SurfaceFile):
        return LoadedScene(file, None, surface_extent(file.surface), perf_counter() - job.started)
    job.stage, job.share = "decoding", None
    gaussians = file.gaussians
    job.stage = "measuring"
    extent = framing(gaussians, scene_extent(gaussians))
    return LoadedScene(file, gaussians, extent, perf_counter() - job.started)
