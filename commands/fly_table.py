"""What `kilofield fly` prints: facts of one scene, or several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from commands.console import Screen
from scenes.sizes import readable_bytes

if TYPE_CHECKING:
    from renderer.fly_report import FlyReport

FIGURES = ("mean", "median", "p95", "p99")


def print_flight(
    reports: Sequence[FlyReport], size: tuple[int, int], device: Mapping[str, Any], screen: Screen
) -> None:
    """Print one scene as facts, several as a table in the order they were given."""
    name = f"{device['renderer']}{' (software)' if device['software'] else ''}"
    if len(reports) == 1:
        screen.facts(reports[0].out or reports[0].name, _facts(reports[0], size, name))
        return
    count, (width, height) = len(reports[0].frames), size
    columns = ("file", "content", "memory", "load", "first", *FIGURES, "frames/s", "time")
    rows = [_row(report, reports[0]) for report in reports]
    screen.table(f"{count} frames of {width}x{height} each, in turn, on {name}; milliseconds", columns, rows, ())
    stages = list(dict.fromkeys(stage for report in reports for stage in report.stages))
    rows = [(report.name, *_medians(report, stages), report.pipeline, report.residency) for report in reports]
    screen.table("Median of each stage", ("file", *stages, "pipeline", "residency"), rows, ())
    for report in reports:
        if report.out:
            screen.line(f"{report.name}: {report.out}, a sheet of some frames in {report.sheet}")


def _facts(report: FlyReport, size: tuple[int, int], device: str) -> dict[str, str]:
    summary = report.summary()
    total, sheet = summary["total"], f", a sheet of some in {report.sheet}" if report.sheet else ""
    stages = ", ".join(f"{stage} {summary[stage]['median']:.1f}" for stage in report.stages[:-1])
    return {
        "frames": f"{len(report.frames)} of {size[0]}x{size[1]}{sheet}",
        "scene": f"{report.content} in {readable_bytes(report.video_memory)} of video memory, "
        f"{readable_bytes(report.working_memory)} to work with, "
        f"{report.read_ms:.0f} ms to read, {report.load_ms:.0f} ms to load",
        "device": f"{device}, pipeline {report.pipeline}, {report.residency}",
        "first frame": f"{report.first_frame_ms:.1f} ms, {report.first_frame_since_load_ms:.0f} ms after the load"
        f" began, {report.first_frame_since_command_ms:.0f} ms after the command did",
        "a frame": f"mean {total['mean']:.1f} ms, median {total['median']:.1f}, p95 {total['p95']:.1f}, "
        f"p99 {total['p99']:.1f}: {1000 / total['mean']:.1f} frames a second",
        "stages": f"{stages} (medians, ms)",
    }


def _row(report: FlyReport, first: FlyReport) -> tuple[str, ...]:
    """One line of the table; its last figure is the median against that of the first scene."""
    total = report.summary()["total"]
    return (
        report.name,
        report.content,
        readable_bytes(report.video_memory),
        f"{report.read_ms + report.load_ms:.0f}",
        f"{report.first_frame_ms:.0f}",
        *(f"{total[name]:.1f}" for name in FIGURES),
        f"{1000 / total['mean']:.1f}",
        f"{total['median'] / first.summary()['total']['median']:.2f}x",
    )


def _medians(report: FlyReport, stages: Sequence[str]) -> list[str]:
    summary = report.summary()
    return [f"{summary[stage]['median']:.1f}" if stage in summary else "-" for stage in stages]
