"""Options and arguments that several commands share, as typer reads them from the annotations in `cli.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.arguments import at_least

if TYPE_CHECKING:
    from scenes.content import ReadOptions

Scene = Annotated[Path, typer.Argument(metavar="FILE", help="A scene of any readable format (see convert).")]
MaxGaussians = Annotated[
    int | None,
    typer.Option(
        "--max-gaussians", metavar="N", help="Refuse a file that claims to hold more.", show_default="50 million"
    ),
]
Lod = Annotated[int, typer.Option("--lod", metavar="N", help="Of a lod-meta.json: the level of detail, 0 the finest.")]
Salvage = Annotated[
    bool,
    typer.Option(
        "--salvage", metavar=" ", help="Of a .kilo that is damaged or cut short: read what is whole, say what is not."
    ),
]
Size = Annotated[str, typer.Option(metavar="WxH", help="Size of a picture in pixels, such as 1280x720.")]
Background = Annotated[
    str, typer.Option(metavar="COLOUR", help="black, white, grey, #rrggbb, or three numbers from 0 to 1.")
]
Near = Annotated[
    float | None,
    typer.Option(
        metavar="DISTANCE",
        help="Leave out Gaussians nearer than this, in world units. Cameras of a file have 0.2, as in the original "
        "3DGS; presets and paths less in small scenes.",
    ),
]
View = Annotated[
    str,
    typer.Option(
        metavar="VIEW",
        help="Of Gaussians: colour, depth, normal, alpha, clusters, overdraw, points or rings; of a surface: colour, "
        "normal, depth, cost, cells or slice.",
    ),
]
Samples = Annotated[int, typer.Option(help="Rays a pixel of a surface, averaged: 4 or more for smooth edges.")]
Together = Annotated[
    bool,
    typer.Option("--together", metavar=" ", help="Show Gaussians and a surface in one picture, not side by side."),
]
Denoise = Annotated[
    bool, typer.Option("--denoise", metavar=" ", help="Of a .json: less noise of few paths, by blur that spares edges.")
]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE.json", help="Write the figures here too; - is stdout.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", metavar=" ", help="Print nothing but errors, and what was left out.")
]
Resume = Annotated[
    bool, typer.Option("--resume", metavar=" ", help="Continue an interrupted run from OUT.kilo.checkpoint.")
]
Force = Annotated[bool, typer.Option("--force", metavar=" ", help="Replace outputs that exist already.")]


@dataclass(frozen=True)
class Reading:
    """--max-gaussians, --lod and --salvage, as typed."""

    max_gaussians: int | None = None
    lod: int = 0
    salvage: bool = False

    @property
    def options(self) -> ReadOptions:
        """For the readers, checked. Raises `KilofieldError`."""
        from scenes.content import MAX_GAUSSIANS, ReadOptions  # numpy, which --help does without

        most = MAX_GAUSSIANS if self.max_gaussians is None else at_least("--max-gaussians", self.max_gaussians, 1)
        return ReadOptions(most, at_least("--lod", self.lod, 0), self.salvage)
