"""Flythroughs: a scene along a camera path, into a video or frames, with the time each frame took.

A frame's time is the device's and the CPU's work from camera to finished picture; reading it back, encoding and writing
are not in it. Every stage waits for the device, so the stages add up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.context import create_context, device_facts
from renderer.gaussian_renderer import DEFAULT, GaussianRenderer
from renderer.images import frame_sheet, to_8_bit, write_png
from renderer.settings import RenderSettings
from renderer.video import frame_sink
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.gaussians import Gaussians
from scenes.neural_gaussians import NeuralGaussians

STAGES = ("project", "sort", "blend", "total")
SHEET_FRAMES = 12  # on the contact sheet


@dataclass(frozen=True)
class FlyReport:
    """What a flythrough drew and how long it took; times in milliseconds."""

    out: str
    sheet: str  # PNG of some of the frames
    size: tuple[int, int]
    gaussians: int
    video_memory: int  # bytes of the scene's buffers
    device: dict[str, Any]  # see `device_facts`
    load_ms: float  # into video memory, decoding included
    first_frame_ms: float  # with whatever is compiled then
    frames: list[dict[str, float]]  # of each frame: `STAGES` and `candidates`, the Gaussians sorted and drawn

    def summary(self) -> dict[str, dict[str, float]]:
        """Mean, median, p95 and p99 over the frames, by stage."""
        figures = {}
        for stage in STAGES:
            values = [frame[stage] for frame in self.frames]
            median, p95, p99 = np.percentile(values, [50, 95, 99])
            figures[stage] = {
                "mean": float(np.mean(values)),
                "median": float(median),
                "p95": float(p95),
                "p99": float(p99),
            }
        return figures

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {**asdict(self), "summary": self.summary()}


def fly(
    scene: Gaussians | NeuralGaussians,
    cameras: Sequence[Camera],
    size: tuple[int, int],
    out: Path,
    warmup: int = 2,
    fps: float = 30.0,
    settings: RenderSettings = DEFAULT,
    progress: Callable[[int, int], None] | None = None,
) -> FlyReport:
    """Renders `scene` from every camera at `size` (width, height) into `out`, and a contact sheet beside it.

    `out` is a video if it ends in .mp4, else a folder of frame-00000.png and so on. `warmup` frames are drawn first and
    thrown away. `progress(done, frames)` is called after each frame. Raises `KilofieldError` for an output that cannot
    be written, a size the device cannot draw, or no cameras, and leaves nothing half made.
    """
    if not cameras or fps <= 0:
        raise KilofieldError(f"flythrough: expected cameras and a frame rate above 0, found {len(cameras)} and {fps:g}")
    with _loaded(scene) as (renderer, load_ms), frame_sink(out, size, fps) as sink:
        start = perf_counter()
        renderer.render(cameras[0], *size, settings)
        first_frame_ms = 1e3 * (perf_counter() - start)
        for i in range(warmup):
            renderer.render(cameras[i % len(cameras)], *size, settings)
        frames, kept = _frames(renderer, cameras, size, settings, sink, progress)
        facts = device_facts(renderer.context)
        memory, count = renderer.scene.bytes, len(renderer.scene)
    sheet = sheet_path(out)
    write_png(sheet, frame_sheet(list(kept.values()), [f"frame {i}" for i in kept]))
    return FlyReport(str(out), str(sheet), size, count, memory, facts, load_ms, first_frame_ms, frames)


def sheet_path(out: Path) -> Path:
    """Where the contact sheet of `out` goes: beside a video, inside a folder."""
    if out.suffix.lower() == ".mp4":
        return out.with_name(f"{out.stem}-frames.png")
    return out / "contact-sheet.png"


def sheet_frames(count: int) -> list[int]:
    """Which of `count` frames are on the contact sheet, evenly spread."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, SHEET_FRAMES))})


@contextmanager
def _loaded(scene: Gaussians | NeuralGaussians) -> Iterator[tuple[GaussianRenderer, float]]:
    """A renderer with the scene in video memory, and the milliseconds that took."""
    context: moderngl.Context = create_context()
    try:
        renderer = GaussianRenderer(context)
        renderer.times.synchronised = True
        start = perf_counter()
        renderer.load(scene)
        context.finish()
        yield renderer, 1e3 * (perf_counter() - start)
        renderer.release()
    finally:
        context.release()


def _frames(
    renderer: GaussianRenderer,
    cameras: Sequence[Camera],
    size: tuple[int, int],
    settings: RenderSettings,
    sink: Callable[[NDArray[np.uint8]], None],
    progress: Callable[[int, int], None] | None,
) -> tuple[list[dict[str, float]], dict[int, NDArray[np.uint8]]]:
    """Renders and hands on all frames; their times, and the pictures of the contact sheet by frame."""
    wanted = sheet_frames(len(cameras))
    times, kept = [], {}
    for i, camera in enumerate(cameras):
        picture = to_8_bit(renderer.render(camera, *size, settings))
        times.append({**renderer.facts.wall_ms, "candidates": renderer.facts.candidates})
        sink(picture)
        if i in wanted:
            kept[i] = picture
        if progress:
            progress(i + 1, len(cameras))
    return times, kept
