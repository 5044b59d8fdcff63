"""Pictures and videos made beside the frame loop: drawn a part a frame, encoded and written on a thread.

Nothing is under the name asked for before all of it is there, and nothing is left of what was cancelled.
"""

from __future__ import annotations

import queue
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Event, Thread
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from renderer.images import save_png
from renderer.large_pictures import LargePicture, Renderer, Settings
from renderer.video import FrameSink, frame_sink
from scenes.atomic import replacing
from scenes.cameras import Camera
from scenes.errors import KilofieldError

WAITING = 3  # frames drawn and not yet encoded, at most
STEP_SECONDS = 0.012  # of drawing in a frame of the window: the rest of it stays for the window

SHORT = 6  # parts of a picture

OpenSink = Callable[[], AbstractContextManager[FrameSink]]


class _CancelledError(Exception):
    """Ends the writer's block without a result."""


class Writer:
    """Takes pictures [H, W, C] in order and hands them to a sink on a thread of its own."""

    def __init__(self, open_sink: OpenSink) -> None:
        self._pictures: queue.Queue[NDArray[np.uint8] | None] = queue.Queue(WAITING)
        self._cancelled = Event()
        self._error: BaseException | None = None
        self._open = open_sink
        self._thread = Thread(target=self._work, name="export", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """It has enough to do: `put` would wait."""
        return self._pictures.full()

    @property
    def done(self) -> bool:
        """All is written, or nothing ever will be. Raises what went wrong on the thread."""
        if self._thread.is_alive():
            return False
        if self._error is not None:
            raise self._error
        return True

    def put(self, picture: NDArray[np.uint8] | None) -> None:
        """The next picture; None after the last."""
        self._pictures.put(picture)

    def cancel(self) -> None:
        """Waits until the thread has removed what there was: at most the time of one picture."""
        self._cancelled.set()
        while self._thread.is_alive():
            self._make_room()
            self._thread.join(0.05)

    def _make_room(self) -> None:
        """So that a thread waiting for a picture wakes up."""
        try:
            self._pictures.put_nowait(None)
        except queue.Full:
            return

    def _work(self) -> None:
        try:
            with self._open() as sink:
                while (picture := self._pictures.get()) is not None:
                    self._stop_if_cancelled()
                    sink(picture)
                self._stop_if_cancelled()
        except _CancelledError:
            return
        except BaseException as error:  # handed on: `done` raises it in the frame loop
            self._error = error

    def _stop_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise _CancelledError


class Job(ABC):
    """Something that takes many frames of the window and ends in `out`."""

    def __init__(self, out: Path, writer: Writer) -> None:
        self.out = out
        self._writer = writer
        self._started = perf_counter()

    @property
    @abstractmethod
    def progress(self) -> float:
        """0 to 1."""

    @property
    @abstractmethod
    def long(self) -> bool:
        """It takes more than a moment."""

    @property
    @abstractmethod
    def text(self) -> str:
        """What it is doing."""

    @abstractmethod
    def _draw(self) -> bool:
        """Draws one part more, if the writer can take it; False when there is nothing to draw now."""

    @property
    def seconds_left(self) -> float | None:
        """A guess from what there is so far; None before there is anything."""
        passed = perf_counter() - self._started
        return passed * (1 / self.progress - 1) if self.progress > 0 else None

    def step(self, seconds: float = STEP_SECONDS) -> bool:
        """Goes on for about `seconds`; True when `out` is there. Raises `KilofieldError` when it cannot be written."""
        end = perf_counter() + seconds
        if self._writer.done:
            return True
        while self._draw() and perf_counter() < end:
            pass
        return False

    def cancel(self) -> None:
        """Stops, and leaves nothing behind."""
        self._writer.cancel()


class PictureJob(Job):
    """One picture of any size, as a PNG."""

    def __init__(self, picture: LargePicture, out: Path) -> None:
        super().__init__(out, Writer(lambda: _png(out)))
        self._picture = picture
        self._handed_over = False

    @property
    def progress(self) -> float:
        """Of drawing."""
        return self._picture.progress

    @property
    def long(self) -> bool:
        """Many parts, or a part that takes a while."""
        return self._picture.parts > SHORT or self._picture.patient

    @property
    def text(self) -> str:
        """What it is doing."""
        return f"writing {self.out.name}" if self._handed_over else f"drawing {self.out.name}"

    def _draw(self) -> bool:
        if self._handed_over:
            return False
        if self._picture.step():
            self._writer.put(self._picture.picture)
            self._writer.put(None)
            self._handed_over = True
        return True


class PathJob(Job):
    """A camera path as a video (a name ending in .mp4) or a folder of PNGs."""

    def __init__(
        self,
        renderer: Renderer[Settings],
        cameras: Sequence[Camera],
        size: tuple[int, int],
        settings: Settings,
        out: Path,
        fps: float = 30.0,
        alpha: bool = False,
        supersampling: int = 1,
    ) -> None:
        """`size` is (width, height) in pixels; see `LargePicture`.

        Raises `KilofieldError` for no cameras, a frame rate of 0 or less, a size that is not possible, and for alpha
        in a video.
        """
        video = out.suffix.lower() == ".mp4"
        if not cameras or fps <= 0:
            raise KilofieldError(f"export: expected cameras and a frame rate above 0, found {len(cameras)} and {fps:g}")
        if video and alpha:
            raise KilofieldError(f"{out}: expected a folder of PNGs for pictures with alpha, found a video")
        self._cameras = list(cameras)
        self._begin = lambda camera: LargePicture(renderer, camera, size, settings, alpha, supersampling)
        self._picture = self._begin(self._cameras[0])
        self._frame, self._ended = 0, False
        super().__init__(out, Writer(lambda: frame_sink(out, size, fps)))

    @property
    def progress(self) -> float:
        """Of drawing; what is written lags a few frames."""
        if self._frame == len(self._cameras):
            return 1.0
        return (self._frame + self._picture.progress) / len(self._cameras)

    @property
    def long(self) -> bool:
        """Always."""
        return True

    @property
    def text(self) -> str:
        """What it is doing."""
        count = len(self._cameras)
        return f"frame {self._frame + 1} of {count}" if self._frame < count else f"writing {self.out.name}"

    def _draw(self) -> bool:
        if self._ended or self._writer.full:
            return False
        if self._frame == len(self._cameras):
            self._writer.put(None)
            self._ended = True
        elif self._picture.step():
            self._writer.put(self._picture.picture)
            self._frame += 1
            if self._frame < len(self._cameras):
                self._picture = self._begin(self._cameras[self._frame])
        return True


@contextmanager
def _png(out: Path) -> Iterator[FrameSink]:
    with replacing(out) as temporary:
        yield lambda picture: save_png(temporary, picture)


def check_free(out: Path) -> None:
    """Raises `KilofieldError` if an export to `out` would write over files, or into a folder that is not empty."""
    if out.is_dir() and out.suffix.lower() != ".mp4":
        if any(out.iterdir()):
            raise KilofieldError(f"{out}: this folder is not empty")
    elif out.exists():
        raise KilofieldError(f"{out}: this file is there already")
