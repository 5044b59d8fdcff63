"""Every check there is on a .kilo, past the first that fails: checksums, padding, codecs, values and their decoding."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scenes.content import ReadOptions
from scenes.errors import SceneFileError
from scenes.gaussians import Floats
from scenes.kilo import read_manifest, salvage_kilo
from scenes.kilo_salvage import Damage
from scenes.kilo_surface import read_surface_manifest, salvage_surface
from scenes.neural_gaussians import NeuralGaussians
from scenes.open_scene import Kind
from scenes.progress import Progress, silent
from scenes.surface import NeuralSurface

BOUNDS_TOLERANCE = 1e-6  # of their largest number: they are decimals, positions single precision


@dataclass(frozen=True)
class KiloCheck:
    """What a check of a .kilo found."""

    damage: Damage
    problems: tuple[SceneFileError, ...]
    readable: bool  # what is whole of it, at least


def check_kilo(path: Path, kind: Kind, options: ReadOptions, progress: Progress = silent) -> KiloCheck:
    """Reads all of a file of this kind; nothing that is wrong with it is raised."""
    damage = Damage()
    try:
        if kind == "surface":
            further = _of_surface(path, salvage_surface(path, damage, progress=progress), damage)
        else:
            most = options.max_gaussians
            further = _of_gaussians(path, salvage_kilo(path, damage, max_gaussians=most, progress=progress), damage)
        return KiloCheck(damage, (*_cut(path, damage), *damage.errors, *further), readable=True)
    except SceneFileError as error:
        return KiloCheck(damage, (*_cut(path, damage), *(damage.errors or [error])), readable=False)


def _cut(path: Path, damage: Damage) -> Iterator[SceneFileError]:
    if damage.size < damage.whole_size:
        yield SceneFileError(path, "file", f"{damage.whole_size} bytes", f"{damage.size}, cut short")


def _of_gaussians(path: Path, scene: NeuralGaussians, damage: Damage) -> Iterator[SceneFileError]:
    """What a file without damage may still have wrong."""
    if damage.errors:
        return
    ends = np.concatenate([[0], np.cumsum(scene.counts)])
    for index, chunk in enumerate(read_manifest(path)["chunks"]):
        first, count = chunk["clusters"]
        yield from _beyond(path, index, chunk, scene.positions[ends[first] : ends[first + count]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of numbers too large, which are counted
        bad = len(scene) - int(scene.decode().finite().sum())
    if bad:
        yield SceneFileError(path, "Gaussians", "finite attributes, decoded", f"{bad} of {len(scene)} with others")


def _of_surface(path: Path, surface: NeuralSurface, damage: Damage) -> Iterator[SceneFileError]:
    if damage.errors:
        return
    origin, edge = np.asarray(surface.grid.origin), surface.grid.edge
    for index, chunk in enumerate(read_surface_manifest(path)["chunks"]):
        first, count = chunk["cells"]
        cells = surface.cells[first : first + count]
        corners = origin + edge * np.concatenate([cells, cells + 1])
        yield from _beyond(path, index, chunk, corners.astype(np.float32))
    middles = (origin + edge * (surface.cells + 0.5)).astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        sampled = surface.sample(middles)
        finite = np.isfinite(sampled.distance) & np.isfinite(sampled.gradient).all(axis=1)
    if not finite.all():
        found = f"{int((~finite).sum())} of {len(surface)} with others"
        yield SceneFileError(path, "cells", "finite distances in their middles", found)


def _beyond(path: Path, index: int, chunk: dict[str, Any], points: Floats) -> Iterator[SceneFileError]:
    """Whether some of a chunk lies outside of its bounds."""
    low, high = np.asarray(chunk["bounds"], np.float64)
    slack = BOUNDS_TOLERANCE * max(np.abs(low).max(), np.abs(high).max())
    outside = int(((points < low - slack) | (points > high + slack)).any(axis=1).sum())
    if outside:
        yield SceneFileError(
            path, f"chunk {index} bounds", "a box around all that is in it", f"{outside} points outside"
        )
