"""Where to look at one chunk of a scene from, which is fitted without the others.

Around an object's part as around an object, and now and then from as far as one looks at the whole; in a place or a
room from where a visitor of the whole could stand; from given cameras, those that have most of it in the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fitting.neuralgs.job import HELD_OUT, Views
from fitting.neuralgs.places import Place
from fitting.neuralgs.views import ASPECT, virtual_cameras
from scenes.cameras import Camera
from scenes.extent import Extent, scene_extent
from scenes.gaussians import Gaussians

SAMPLED = 2000  # Gaussians that tell whether a camera has a chunk in its picture
DRAWN = 3  # times as many visitors as cameras, since some look elsewhere
FROM_AFAR = 0.3  # of the cameras around a part are as far from it as they would be from the whole
LEAST = 0.02  # of a chunk is in the picture of a camera that serves


@dataclass(frozen=True)
class Surroundings:
    """What is known of the whole scene where one chunk of it is looked at."""

    extent: Extent
    place: Place | None
    room: Extent | None  # None: it is no room
    given: tuple[Camera, ...] = ()  # of the trainer; none: there were too few


def chunk_views(chunk: Gaussians, around: Surroundings, count: int, seed: int) -> Views:
    """`count` cameras to fit with and some to judge by, the same for the same seed."""
    extent = replace(scene_extent(chunk), up=around.extent.up)
    wanted = count + HELD_OUT
    candidates = list(around.given) or _visitors(chunk, around.place, extent, wanted, seed)
    chosen = _that_see(chunk, candidates, wanted)
    if len(chosen) < 2 * HELD_OUT:
        return _around(chunk, around, extent, count, seed)
    held_out = chosen[:: len(chosen) // HELD_OUT][:HELD_OUT]
    kept = {id(camera) for camera in held_out}
    return Views([camera for camera in chosen if id(camera) not in kept], held_out, "")


def _around(chunk: Gaussians, around: Surroundings, extent: Extent, count: int, seed: int) -> Views:
    """Around the `extent` of the chunk; those to judge by are near it."""
    afar = round(FROM_AFAR * count) if around.room is None else 0
    near = virtual_cameras(chunk, extent, count - afar + HELD_OUT, seed, room=around.room)
    wide = replace(extent, radius=max(extent.radius, around.extent.radius))
    return Views([*near[HELD_OUT:], *virtual_cameras(chunk, wide, afar, seed)], near[:HELD_OUT], "")


def _visitors(chunk: Gaussians, place: Place | None, extent: Extent, count: int, seed: int) -> list[Camera]:
    return virtual_cameras(chunk, extent, DRAWN * count, seed, place) if place is not None else []


def _that_see(chunk: Gaussians, cameras: Sequence[Camera], count: int) -> list[Camera]:
    """Up to `count` of `cameras`, in their order: those that have most of the chunk in the picture."""
    some = chunk.positions[:: -(-len(chunk) // SAMPLED)].astype(np.float64)
    seen = np.array([_share_in_picture(some, camera) for camera in cameras])
    best = np.argsort(-seen, kind="stable")[:count]
    return [cameras[i] for i in np.sort(best[seen[best] >= LEAST])]


def _share_in_picture(points: NDArray[np.float64], camera: Camera) -> float:
    """Of the `points` [N, 3], those in front of a pinhole camera and within its picture."""
    aspect = camera.aspect or ASPECT
    matrix = camera.camera_from_world
    x, y, z = (points @ matrix[:3, :3].T + matrix[:3, 3]).T
    low, high = camera.slopes(round(1000 * aspect), 1000)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = (x / z > low[0]) & (x / z < high[0]) & (y / z > low[1]) & (y / z < high[1])
    return float((inside & (z > camera.near)).mean())
