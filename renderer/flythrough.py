"""Flythroughs: scenes along one camera path, into videos or frames, with the time each frame took.

Several scenes are drawn in turn, frame i of each before frame i + 1 of any, so that whatever else the machine does
meanwhile falls on all of them. A frame's time is from the camera to the finished picture: no v-sync, and reading back,
encoding and writing are not in it. What comes out is told by `fly_report.py` and drawn by `fly_plot.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from renderer.accumulation import check_size
from renderer.context import create_context, device_facts
from renderer.fly_report import FlyReport, Frame
from renderer.fly_scenes import AnyScene, AnySettings, FlownScene, all_settings, flown_scene
from renderer.images import frame_sheet, write_png
from renderer.settings import RenderSettings
from renderer.video import FrameSink, frame_sink
from scenes.cameras import Camera
from scenes.errors import KilofieldError

SHEET_FRAMES = 12  # on the contact sheet

DEFAULT = RenderSettings()

Progress = Callable[[int, int], None]  # (frames done, frames)


@dataclass
class _Flyer:
    """One scene, and what is known of its flight so far."""

    name: str
    scene: FlownScene
    read_ms: float
    load_ms: float = 0.0
    first_frame_ms: float = 0.0
    first_frame_at: float = 0.0  # seconds of `perf_counter`
    frames: list[Frame] = field(default_factory=list)
    kept: dict[int, NDArray[np.uint8]] = field(default_factory=dict)  # pictures of the contact sheet, by frame


class Flythrough:
    """Scenes on one device, loaded one after the other and then flown through together.

    `size` is (width, height) in pixels. `began`, in seconds of `perf_counter`, is when the waiting for the first frame
    started; now, if not given. Raises `KilofieldError` for a device without OpenGL and a size it cannot draw.
    """

    def __init__(
        self,
        size: tuple[int, int],
        settings: AnySettings = DEFAULT,
        pipeline: str = "auto",
        residency: str = "decoded",
        began: float | None = None,
    ) -> None:
        self.size = size
        self._settings = settings
        self._kind = pipeline, residency
        self._began = perf_counter() if began is None else began
        self._flyers: list[_Flyer] = []
        self._context = create_context()
        try:
            check_size(self._context, *size)
        except KilofieldError:
            self._context.release()
            raise
        self._picture = self._context.texture(size, 4, dtype="f1")
        self._target = self._context.framebuffer([self._picture])
        self.device = device_facts(self._context)
        self._waits = bool(self.device["software"])  # after each stage, to time it; a GPU has queries for that

    def load(
        self,
        name: str,
        scene: AnyScene,
        camera: Camera,
        read_ms: float = 0.0,
        settings: AnySettings | None = None,
    ) -> None:
        """Puts a scene into video memory and draws a first frame of it, through `camera`.

        `read_ms` is what reading its file took; `settings` are the flight's if not given; where they are for another
        kind of scene, the defaults over their background. Raises `KilofieldError` when it does not fit the
        device.
        """
        start = perf_counter()
        flown = flown_scene(self._context, scene, all_settings(settings or self._settings), *self._kind)
        flown.times.synchronised = self._waits
        flyer = _Flyer(name, flown, read_ms)
        self._context.finish()
        loaded = perf_counter()
        self._draw(flyer, camera)
        flyer.first_frame_at = perf_counter()
        flyer.load_ms, flyer.first_frame_ms = 1e3 * (loaded - start), 1e3 * (flyer.first_frame_at - loaded)
        self._flyers.append(flyer)

    def fly(
        self,
        cameras: Sequence[Camera],
        outs: Sequence[Path | None] = (),
        warmup: int = 2,
        fps: float = 30.0,
        progress: Progress | None = None,
    ) -> list[FlyReport]:
        """Draws every scene from every camera, and tells for each scene how long it took, in the order of loading.

        `outs`, one for each scene, are videos if they end in .mp4, else folders of frame-00000.png and so on, with a
        contact sheet beside each; None, or none at all, draws without keeping the pictures. `warmup` frames along the
        path are drawn first and thrown away. Raises `KilofieldError` for an output that cannot be written, or no
        cameras, and leaves nothing half made.
        """
        if not cameras or fps <= 0:
            raise KilofieldError(
                f"flythrough: expected cameras and a frame rate above 0, found {len(cameras)}, {fps:g}"
            )
        outs = list(outs) or [None] * len(self._flyers)
        with ExitStack() as stack:
            sinks = [stack.enter_context(frame_sink(out, self.size, fps)) if out else None for out in outs]
            for i in np.linspace(0, len(cameras) - 1, warmup).round().astype(int):
                for flyer in self._flyers:
                    flyer.scene.warm_up(cameras[i], *self.size)
            self._fly(cameras, sinks, progress)
        return [self._report(flyer, out) for flyer, out in zip(self._flyers, outs, strict=True)]

    def _fly(self, cameras: Sequence[Camera], sinks: Sequence[FrameSink | None], progress: Progress | None) -> None:
        wanted = sheet_frames(len(cameras))
        began = perf_counter()
        for i, camera in enumerate(cameras):
            for flyer, sink in zip(self._flyers, sinks, strict=True):
                flyer.frames.append(self._timed(flyer, camera, began))
                if sink:
                    picture = self._read()
                    sink(picture)
                    if i in wanted:
                        flyer.kept[i] = picture
            if progress:
                progress(i + 1, len(cameras))

    def _timed(self, flyer: _Flyer, camera: Camera, began: float) -> Frame:
        times = flyer.scene.times
        start = perf_counter()
        self._draw(flyer, camera)
        stop = perf_counter()
        times.synchronised = True  # the device is idle: ask for this frame, not for one long done
        stages = times.ms()
        times.synchronised = self._waits
        gaussians = flyer.scene.gaussian_facts
        return {
            "at": 1e3 * (start - began),
            **{name: ms for name, ms in stages.items() if name != "total"},
            "total": 1e3 * (stop - start),
            "candidates": gaussians.candidates,
            "capped": gaussians.capped,
        }

    def _draw(self, flyer: _Flyer, camera: Camera) -> None:
        flyer.scene.draw(camera, self._target)
        self._context.finish()

    def _read(self) -> NDArray[np.uint8]:
        """[H, W, 3] the picture drawn last, row 0 the top one."""
        width, height = self.size
        rgba = np.frombuffer(self._picture.read(), np.uint8).reshape(height, width, 4)
        return np.ascontiguousarray(rgba[::-1, :, :3])

    def _report(self, flyer: _Flyer, out: Path | None) -> FlyReport:
        sheet = None if out is None else sheet_path(out)
        if sheet:
            write_png(sheet, frame_sheet(list(flyer.kept.values()), [f"frame {i}" for i in flyer.kept]))
        return FlyReport(
            name=flyer.name,
            out=None if out is None else str(out),
            sheet=None if sheet is None else str(sheet),
            gaussians=next(iter(flyer.scene.counts.values())),
            video_memory=flyer.scene.video_memory,
            working_memory=flyer.scene.working_memory,
            pipeline=flyer.scene.pipeline,
            residency=flyer.scene.residency,
            read_ms=flyer.read_ms,
            load_ms=flyer.load_ms,
            first_frame_ms=flyer.first_frame_ms,
            first_frame_since_load_ms=flyer.read_ms + flyer.load_ms + flyer.first_frame_ms,
            first_frame_since_command_ms=1e3 * (flyer.first_frame_at - self._began),
            frames=flyer.frames,
            kind=flyer.scene.kind,
            counts=flyer.scene.counts,
        )

    def release(self) -> None:
        """Frees everything."""
        for flyer in self._flyers:
            flyer.scene.release()
        self._context.release()


@contextmanager
def flythrough(
    size: tuple[int, int],
    settings: AnySettings = DEFAULT,
    pipeline: str = "auto",
    residency: str = "decoded",
    began: float | None = None,
) -> Iterator[Flythrough]:
    """A `Flythrough` that frees its device memory at the end of the block."""
    flight = Flythrough(size, settings, pipeline, residency, began)
    try:
        yield flight
    finally:
        flight.release()


def sheet_path(out: Path) -> Path:
    """Where the contact sheet of `out` goes: beside a video, inside a folder."""
    if out.suffix.lower() == ".mp4":
        return out.with_name(f"{out.stem}-frames.png")
    return out / "contact-sheet.png"


def sheet_frames(count: int) -> list[int]:
    """Which of `count` frames are on the contact sheet, evenly spread."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, SHEET_FRAMES))})
