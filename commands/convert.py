"""`kilofield convert`: any scene this program reads into a plain .ply."""

from __future__ import annotations

from pathlib import Path

from commands.arguments import output_file
from commands.console import Screen, note_dropped
from scenes.sizes import readable_bytes


def run(source: Path, target: Path, force: bool, screen: Screen) -> None:
    """Write the Gaussians of `source`, decoded if need be, to `target`."""
    from scenes.load import load_scene
    from scenes.ply import write_ply

    output_file(target, force, ".ply", [source])
    file = load_scene(source)
    note_dropped(source, file.dropped, len(file.gaussians))
    write_ply(target, file.gaussians)
    size = target.stat().st_size
    screen.line(
        f"{target}: {len(file.gaussians):,} Gaussians, {readable_bytes(size)} (from {readable_bytes(file.bytes)})"
    )
    screen.figures(
        {
            "source": str(source),
            "path": str(target),
            "format": file.format,
            "gaussians": len(file.gaussians),
            "dropped": file.dropped,
            "source_bytes": file.bytes,
            "bytes": size,
        }
    )
