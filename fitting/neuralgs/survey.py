"""A large scene looked at as a whole before its chunks are fitted one by one: what they share, and what each is worth.

Gaussians -> cleaned -> chunks, one grid of positions, one mean; pictures from afar -> weight of each chunk
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fitting.neuralgs.chunk_views import Surroundings
from fitting.neuralgs.chunks import Indices, shares, split
from fitting.neuralgs.distant import brought_nearer
from fitting.neuralgs.job import HELD_OUT, check_seen, chosen_cameras, clean, own_pictures
from fitting.neuralgs.model import Frame, shared_frame
from fitting.neuralgs.places import find_place
from fitting.neuralgs.targets import Target
from fitting.neuralgs.views import cameras_beside, is_room
from fitting.tensors import GaussianTensors
from scenes.gaussians import Gaussians

VIEWS = 24  # of the whole, to weigh its chunks by


@dataclass(frozen=True)
class Survey:
    """What is known before any chunk is fitted."""

    gaussians: Gaussians
    chunks: list[Indices]  # into `gaussians`
    richer: NDArray[np.float64]  # [chunks] how much more of each is kept than by its number of Gaussians
    frame: Frame
    around: Surroundings
    held_out: list[Target]  # views of the whole
    notes: tuple[str, ...]  # for the user


def survey(
    source: Path,
    gaussians: Gaussians,
    most: int,
    *,
    side: int,
    seed: int,
    device: torch.device,
    progress: Callable[[float, str], None],
) -> Survey:
    """Looks at `gaussians`, read from `source`, and splits them into chunks of at most `most`.

    Pictures are `side` pixels long. The same for the same seed.
    """
    progress(0.0, "splitting")
    cleaned = clean(source, gaussians)
    gaussians, brought = brought_nearer(cleaned.gaussians, cleaned.extent)
    place = find_place(gaussians, seed)
    room = cleaned.extent if place is None and is_room(gaussians, cleaned.extent) else None
    views = chosen_cameras(source, gaussians, cleaned.extent, place, VIEWS, seed)
    beside = cameras_beside(source)
    given = tuple(beside[1]) if beside is not None and len(beside[1]) >= 2 * HELD_OUT else ()
    tensors = GaussianTensors.of(gaussians, device)
    _, held_out, weight = own_pictures(tensors, views, side, gaussians.antialiased, progress)
    check_seen(source, weight, len(views.cameras))
    chunks = split(gaussians.positions, most)
    notes = (f"{len(chunks)} chunks, fitted one by one", *cleaned.notes, *([brought] if brought else []))
    around = Surroundings(cleaned.extent, place, room, given)
    return Survey(
        gaussians, chunks, shares(weight, chunks), shared_frame(gaussians, cleaned.extent), around, held_out, notes
    )
