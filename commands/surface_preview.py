"""`--preview` of `kilofield surface`: colour, normals and cells of the surface as it is, replaced at every look."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from commands.arguments import output_file
from commands.console import note
from renderer.contact_sheet import GAP, PAPER
from renderer.images import to_8_bit, write_png
from renderer.surface_settings import SurfaceSettings
from renderer.surface_views import render_reference
from scenes.cameras import Camera, look_at
from scenes.errors import KilofieldError
from scenes.surface import NeuralSurface

SIDE = 240  # px, of one picture
VIEWS = ("colour", "normal", "cells")
DIRECTIONS = ((-0.7, -0.5, -1.0), (0.9, -0.4, 0.8))  # from the camera to the middle
DISTANCE = 1.2  # of the box's diagonal
FOV = 0.7  # radians
UP = (0.0, 1.0, 0.0)  # of most meshes


class SurfacePreview:
    """Writes the sheet. A write that fails does not end the fit; it is told once."""

    def __init__(self, path: Path, replace: bool, sources: Iterable[Path]) -> None:
        self.path = output_file(path, replace, ".png", sources)
        self._told = False

    def __call__(self, surface: NeuralSurface, stage: str) -> None:
        """Put pictures of `surface` in the place of the last."""
        try:
            write_png(self.path, sheet(surface))
        except KilofieldError as error:
            if not self._told:
                note(f"--preview: {stage}: {error}")
            self._told = True


def sheet(surface: NeuralSurface, side: int = SIDE) -> np.ndarray:
    """uint8 [H, W, 3]: a row for each direction, a column for each view."""
    background = tuple(channel / 255 for channel in PAPER)
    rows = [
        np.concatenate([_framed(surface, camera, view, background, side) for view in VIEWS], axis=1)
        for camera in cameras(surface)
    ]
    return np.concatenate(rows, axis=0)


def cameras(surface: NeuralSurface) -> list[Camera]:
    """Two cameras around the grid's box that see all of it."""
    low, high = np.asarray(surface.grid.origin, np.float64), surface.grid.corner.astype(np.float64)
    centre, diagonal = 0.5 * (low + high), float(np.linalg.norm(high - low))
    directions = np.asarray(DIRECTIONS) / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)
    return [look_at(centre - DISTANCE * diagonal * forward, centre, np.array(UP), FOV) for forward in directions]


def _framed(surface: NeuralSurface, camera: Camera, view: str, background: tuple, side: int) -> np.ndarray:
    picture = render_reference(surface, camera, side, side, SurfaceSettings(view=view)).rgba
    rgb = picture[..., :3] + (1 - picture[..., 3:]) * np.asarray(background)
    return np.pad(to_8_bit(rgb), ((GAP, 0), (GAP, 0), (0, 0)), constant_values=PAPER[0])
