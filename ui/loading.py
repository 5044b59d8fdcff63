"""Reading scene files beside the frame loop, one at a time; the newest request wins."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from time import perf_counter

from scenes.extent import Extent, scene_extent
from scenes.gaussians import Gaussians
from scenes.load import SceneFile, load_scene
from ui.framing import framing


@dataclass(frozen=True)
class LoadedScene:
    """A file read and measured, ready for video memory."""

    file: SceneFile
    gaussians: Gaussians  # plain, for picking
    extent: Extent  # for the first view
    seconds: float  # it took


@dataclass
class _Job:
    path: Path
    started: float
    stage: str = "reading"
    done: Future[LoadedScene] | None = None


class SceneLoader:
    """Loads on a thread of its own. A request while another is under way replaces it; the older result is dropped."""

    def __init__(self) -> None:
        self._job: _Job | None = None

    def start(self, path: Path) -> None:
        """Begins to load `path`."""
        job = _Job(path, perf_counter(), done=Future())
        self._job = job
        # A daemon, so that closing the window does not wait for a large file.
        Thread(target=_work, args=(job,), name=f"load {path.name}", daemon=True).start()

    @property
    def path(self) -> Path | None:
        """What is being loaded."""
        return self._job.path if self._job else None

    def status(self) -> tuple[str, float]:
        """The stage ("reading", "decoding", "measuring"), and the seconds since the request."""
        return (self._job.stage, perf_counter() - self._job.started) if self._job else ("", 0.0)

    def poll(self) -> LoadedScene | None:
        """The scene, once, when it is there. Raises what reading it raised: `KilofieldError` for a bad file."""
        if self._job is None or self._job.done is None or not self._job.done.done():
            return None
        done, self._job = self._job.done, None
        return done.result()


def _work(job: _Job) -> None:
    assert job.done is not None
    try:
        job.done.set_result(_load(job))
    except BaseException as error:  # handed on: `poll` raises it in the frame loop
        job.done.set_exception(error)


def _load(job: _Job) -> LoadedScene:
    file = load_scene(job.path)
    job.stage = "decoding"
    gaussians = file.gaussians
    job.stage = "measuring"
    extent = framing(gaussians, scene_extent(gaussians))
    return LoadedScene(file, gaussians, extent, perf_counter() - job.started)
