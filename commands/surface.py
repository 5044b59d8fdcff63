"""`kilofield surface`: a mesh, or photographs, into a neural surface."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from commands.arguments import at_least, output_file
from commands.checkpoints import check_checkpoint, going_on_told, interruption
from commands.console import Screen, progress, readable_time
from commands.errors import Interrupted
from commands.surface_preview import SurfacePreview
from renderer.metrics import json_number
from scenes.sizes import readable_bytes

if TYPE_CHECKING:
    from fitting.kiloneus.options import Fidelity, SurfaceOptions, SurfaceResult, ViewQuality

PURPOSES = {
    "cells": "which cells there are",
    "geometry": "geometry networks",
    "appearance": "appearance networks",
    "tables": "tables of the range coder",
    "manifest": "header and manifest",
    "other": "what cells share, steps, padding",
}


def options(
    preset: str,
    cells: int | None,
    steps: int | None,
    side: int | None,
    face_loss: float,
    device: str,
    seed: int,
    resume: bool,
) -> SurfaceOptions:
    """The options of the command line, checked."""
    from fitting.kiloneus.options import Choices, SurfaceOptions

    at_least("--seed", seed, 0)
    choices = Choices(face_loss=face_loss)
    return SurfaceOptions(
        preset,  # pyright: ignore[reportArgumentType]
        cells,
        steps,
        side,
        seed,
        resume,
        device,  # pyright: ignore[reportArgumentType]
        choices,
    )


def run(source: Path, target: Path, options: SurfaceOptions, preview: Path | None, force: bool, screen: Screen) -> None:
    """Learn `source` into `target`, and print what came of it."""
    output_file(target, force, ".kilo", [source])
    check_checkpoint(target, options.resume, force)
    pictures = None if preview is None else SurfacePreview(preview, force or options.resume, [source])
    from fitting.kiloneus.surface import fit_surface

    try:
        with going_on_told(target), progress(f"surface {source.name}", screen.quiet) as bar:
            result = fit_surface(
                source, target, options, lambda now: bar(now.done, f"{now.stage} {now.detail}".strip()), pictures
            )
    except KeyboardInterrupt as interrupt:
        raise Interrupted(interruption(target, str(interrupt))) from None
    _print(result, screen)
    screen.figures(figures(source, result))


def figures(source: Path, result: SurfaceResult) -> dict[str, object]:
    """What --json writes: the fields of `SurfaceResult` and the source."""
    found = asdict(result)
    if result.views is not None:
        found["views"] = {name: json_number(value) for name, value in asdict(result.views).items()}
    return {"source": str(source), **found, "path": str(result.path)}


def _print(result: SurfaceResult, screen: Screen) -> None:
    size = "x".join(map(str, result.grid))
    facts = {
        "bytes": f"{readable_bytes(result.bytes)} ({readable_bytes(result.source_bytes)} before)",
        "cells": f"{result.cells:,} of {size}, each {result.edge:.4g} units wide",
        "networks": f"{result.geometry_weights} weights for the shape, {result.appearance_weights} for the colour",
        "shape": _shape(result.fidelity),
        "before rounding": _shape(result.before_rounding),
    }
    if result.colour_psnr is not None:
        facts["colour"] = f"{result.colour_psnr:.2f} dB ({result.colour_psnr_before:.2f} dB before rounding)"
    if result.views is not None and result.views.count:
        facts["views"] = _views(result.views)
    facts["time"] = f"{readable_time(result.seconds)} (preset {result.preset}, seed {result.seed})"
    facts["stages"] = ", ".join(f"{stage} {readable_time(seconds)}" for stage, seconds in result.stages.items())
    if result.notes:
        facts["notes"] = "; ".join(result.notes)
    screen.facts(str(result.path), facts)
    rows = [
        [PURPOSES.get(name, name), f"{size:,}", f"{100 * size / result.bytes:.1f}"]
        for name, size in sorted(result.streams.items(), key=lambda stream: -stream[1])
        if size
    ]
    screen.table("spent on", ["", "bytes", "%"], rows, ["all", f"{result.bytes:,}", "100.0"])


def _views(found: ViewQuality) -> str:
    return (
        f"PSNR {found.written:.2f} dB in {found.count} photographs not learnt from, {found.side} pixels "
        f"(teacher {found.teacher:.2f}, cells {found.distilled:.2f}, coloured again {found.coloured:.2f} dB)"
    )


def _shape(found: Fidelity) -> str:
    lost = f", {100 * found.lost:.3f} % lost" if found.lost else ""
    return (
        f"{found.distance:.3g} units from the original in the mean ({found.distance_percent:.4f} % of the diagonal), "
        f"normals {found.normal:.2f} degrees off{lost}"
    )
