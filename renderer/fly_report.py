"""What a flythrough measured: one report a scene, and the same figures as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

Frame = Mapping[str, float]  # `total` and the stages in ms, and `NOT_STAGES`
NOT_STAGES = ("at", "candidates", "capped")  # ms since the flight began, and counts of `FrameFacts`


@dataclass(frozen=True)
class FlyReport:
    """What was drawn of one scene and how long it took; times in milliseconds."""

    name: str
    out: str | None  # the video or the folder of frames
    sheet: str | None  # PNG of some of the frames
    gaussians: int  # or cells of a surface, or objects of a scene file, by `kind`
    video_memory: int  # bytes of the scene's buffers
    working_memory: int  # bytes that frames take beside them
    pipeline: str  # the one in use at the end of the flight
    residency: str
    read_ms: float  # the file into memory
    load_ms: float  # from there into video memory, decoding included
    first_frame_ms: float  # with whatever is compiled then
    first_frame_since_load_ms: float  # read, load and first frame
    first_frame_since_command_ms: float  # with the start of the program, and the scenes loaded before this one
    frames: Sequence[Frame]
    kind: str = "gaussians"  # or "surface", "together", "stage"
    counts: Mapping[str, int] = field(default_factory=dict)  # all there is of it, by name; empty: the Gaussians alone

    @property
    def content(self) -> str:
        """Such as `300 Gaussians`."""
        counts = self.counts or {"Gaussians": self.gaussians}
        return ", ".join(
            f"{count:,} {name.removesuffix('s') if count == 1 else name}" for name, count in counts.items()
        )

    @property
    def stages(self) -> list[str]:
        """The names of what is timed in a frame, in the order of the work, `total` last."""
        names = dict.fromkeys(name for frame in self.frames for name in frame if name not in (*NOT_STAGES, "total"))
        return [*names, "total"]

    def times(self, stage: str) -> list[float]:
        """Milliseconds of `stage` in each frame; 0 where a frame had no such stage."""
        return [frame.get(stage, 0.0) for frame in self.frames]

    def summary(self) -> dict[str, dict[str, float]]:
        """`statistics` over the frames, by stage."""
        return {stage: statistics(self.times(stage)) for stage in self.stages}

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {**asdict(self), "summary": self.summary()}


def statistics(values: Sequence[float]) -> dict[str, float]:
    """Mean, median, p95 and p99, percentiles interpolated linearly between the two nearest values."""
    median, p95, p99 = np.percentile(values, [50, 95, 99])
    return {"mean": float(np.mean(values)), "median": float(median), "p95": float(p95), "p99": float(p99)}
