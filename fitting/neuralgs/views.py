"""Where to look from, when all there is is the scene: cameras placed where a person would stand.

Around an object they look inwards from every side; in a room, which is a scene that surrounds its own free middle, most
stand in the free space and look every way; in a place (`places.py`) all stand where a visitor could. INRIA's
`cameras.json` beside the file, when there is one, knows better.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fitting.neuralgs.places import Place
from fitting.raster_view import RasterView
from fitting.rasterize import draw
from fitting.tensors import GaussianTensors
from scenes.camera_files import read_cameras
from scenes.cameras import NEAR, Camera, look_at
from scenes.errors import SceneFileError
from scenes.extent import Extent
from scenes.gaussians import Gaussians

NEAREST, FARTHEST = 1.2, 2.9  # radii from the centre of an object
AIMED_AT_CENTRE = 0.65  # of the cameras; the others aim at Gaussians, so that all parts are seen well
FROM_BELOW = 0.1  # of the cameras around an object: few people look at its underside, and grounds hide it
FOV_Y = (0.7, 1.0)  # radians: 40 to 57 degrees, what people film with
WALLS = 5  # of six directions from the middle that must be closed, and open nearby, before a scene counts as a room
FREE = 0.4  # radii around the middle of a room that are nearly empty
CLOSED, OPEN = 0.1, 0.7  # shares of the background that shine through
INSIDE_SHARE = 0.6  # of the cameras stand in the room; the others stay outside, for a hollow object looks like a room
CUT_SHARE = 0.4  # of the views have 3DGS's near plane, which cuts small scenes open, as it does in many viewers
EYE_LEVEL = 0.85  # of the cameras in a place are at eye height; the others anywhere in its air, some above heads
LOOKED_AT = 0.6  # of them look at Gaussians from nearby, so that all parts are seen well; the others look around
CHOICES = 32  # eyes that one is drawn from to look at a Gaussian, the nearer the likelier,
ARMS_LENGTH = 0.3  # of sight: but from here on nearer is no better
SPARE = 2  # times as many looks as cameras are drawn, since some end
TOO_CLOSE = 0.15  # of sight, right at something
PITCH = (-0.09, 0.2)  # radians: the mean and deviation of how far up they look
ASPECT = 3 / 2
SIDEWAYS = ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))


def virtual_cameras(
    gaussians: Gaussians,
    extent: Extent,
    count: int,
    seed: int,
    place: Place | None = None,
    room: Extent | None = None,
) -> list[Camera]:
    """`count` cameras around the object, in the room or in the `place`; the same for the same seed.

    Of one part of a scene, `place` and `room` are what the whole is; `extent` is the part's.
    """
    rng = np.random.default_rng((seed, 1))
    if place is not None:
        return _visitors(gaussians, place, count, rng)
    aims = _aims(gaussians, extent, count, rng)
    positions = _eyes_around(extent, count, rng)
    room = extent if room is None and is_room(gaussians, extent) else room
    if room is not None:
        inside = rng.random((count, 1)) < INSIDE_SHARE
        positions = np.where(inside, _eyes_inside(room, count, rng), positions)
    fovs = rng.uniform(*FOV_Y, count)
    nears = np.where(rng.random(count) < CUT_SHARE, NEAR, extent.near)
    views = zip(positions, aims, fovs, nears, strict=True)
    return [look_at(eye, aim, extent.up, float(fov), near=float(near)) for eye, aim, fov, near in views]


def _visitors(gaussians: Gaussians, place: Place, count: int, rng: np.random.Generator) -> list[Camera]:
    """`count` cameras of visitors of a place, who look at things, or ahead and a little down, but not into walls."""
    eyes, targets = _looks(gaussians, place, SPARE * count, rng)
    blocked = place.ahead(eyes, targets - eyes) < TOO_CLOSE * place.sight
    chosen = np.argsort(blocked, kind="stable")[:count]
    fovs = rng.uniform(*FOV_Y, count)
    nears = np.where(rng.random(count) < CUT_SHARE, NEAR, Extent(eyes[0], place.radius, place.up).near)
    views = zip(eyes[chosen], targets[chosen], fovs, nears, strict=True)
    return [look_at(eye, target, place.up, float(fov), near=float(near)) for eye, target, fov, near in views]


def _looks(
    gaussians: Gaussians, place: Place, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eyes and targets, [count, 3] both."""
    things = _things(gaussians, count, rng)
    at_eye_level = rng.random((count, 1)) < EYE_LEVEL
    eyes = np.where(at_eye_level, _near(things, place.eyes, place, rng), _near(things, place.vantages, place, rng))
    looked_at = rng.random((count, 1)) < LOOKED_AT
    eyes = np.where(looked_at | ~at_eye_level, eyes, rng.choice(place.eyes, count))
    return eyes, np.where(looked_at, things, eyes + _ahead(place.up, count, rng))


def _things(gaussians: Gaussians, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """[count, 3] Gaussians drawn by opacity, whatever their size: where detail is, there are many."""
    opacity = 1 / (1 + np.exp(-gaussians.opacity_logits.astype(np.float64)))
    return gaussians.positions[rng.choice(len(gaussians), count, p=opacity / opacity.sum())].astype(np.float64)


def _near(
    things: NDArray[np.float64], points: NDArray[np.float64], place: Place, rng: np.random.Generator
) -> NDArray[np.float64]:
    """[N, 3] one of `points` for each of `things` [N, 3], drawn by the inverse square of the distance."""
    choices = rng.choice(points, (len(things), CHOICES))
    squares = ((choices - things[:, None]) ** 2).sum(axis=2) + (ARMS_LENGTH * place.sight) ** 2
    chosen = (rng.exponential(size=squares.shape) * squares).argmin(axis=1)  # the first of so many clocks to ring
    return choices[np.arange(len(things)), chosen]


def _ahead(up: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """[count, 3] looks of a visitor, every way and mostly level."""
    looks = rng.normal(size=(count, 3))
    looks -= (looks @ up)[:, None] * up
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    return looks + np.tan(np.clip(rng.normal(*PITCH, count), -1, 1))[:, None] * up


def cameras_beside(source: Path) -> tuple[Path, list[Camera]] | None:
    """The cameras of INRIA's trainer and their file: `cameras.json` beside the .ply, or up to two folders up.

    A file of that name in another form, or one that cannot be read, is not the trainer's.
    """
    for folder in source.absolute().parents[:3]:
        path = folder / "cameras.json"
        if not path.is_file():
            continue
        with suppress(SceneFileError):
            cameras = read_cameras(path)
            if all(camera.aspect for camera in cameras):  # INRIA's form says how large its pictures are
                return path, cameras
    return None


def is_room(gaussians: Gaussians, extent: Extent) -> bool:
    """Whether the scene closes off the view from its own middle, with nothing but air nearby."""
    near = np.linalg.norm(gaussians.positions - extent.centre, axis=1) < FREE * extent.radius
    closed = _shine_through(gaussians, extent) < CLOSED
    free = _shine_through(gaussians.select(near), extent) > OPEN
    return bool((closed & free).sum() >= WALLS)


def _shine_through(gaussians: Gaussians, extent: Extent) -> NDArray[np.float64]:
    """[6] the share of the background seen from the middle in each direction."""
    tensors, shares = GaussianTensors.of(gaussians), []
    for direction in SIDEWAYS:
        camera = look_at(extent.centre, extent.centre + np.array(direction), extent.up, np.pi / 2)
        shares.append(1 - float(draw(*tensors, RasterView.of(camera, 64, 64))[..., 3].mean()))
    return np.array(shares)


def _aims(gaussians: Gaussians, extent: Extent, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """[count, 3] points to look at: the centre, or Gaussians drawn by how much of a picture they cover."""
    inside = np.linalg.norm(gaussians.positions - extent.centre, axis=1) <= extent.radius
    log_size = np.minimum(gaussians.log_scales.max(axis=1), np.log(extent.radius))  # a sky must not draw all looks
    opacity = 1 / (1 + np.exp(-gaussians.opacity_logits.astype(np.float64)))
    weights = np.where(inside, np.exp(log_size.astype(np.float64)) * opacity, 0)
    if weights.sum() == 0:
        return np.tile(extent.centre, (count, 1))
    drawn = gaussians.positions[rng.choice(len(gaussians), count, p=weights / weights.sum())]
    return np.where(rng.random((count, 1)) < AIMED_AT_CENTRE, extent.centre, drawn)


def _eyes_around(extent: Extent, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """[count, 3] on every side, between the nearest and the farthest distance, most of them above the middle."""
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    height = directions @ extent.up
    raised = (height < 0) & (rng.random(count) < 1 - FROM_BELOW / 0.5)
    directions -= 2 * (raised * height)[:, None] * extent.up
    return extent.centre + directions * extent.radius * rng.uniform(NEAREST, FARTHEST, (count, 1))


def _eyes_inside(extent: Extent, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """[count, 3] in the middle half of the room, at about one height."""
    offsets = rng.uniform(-0.5, 0.5, (count, 3))
    offsets -= 0.7 * (offsets @ extent.up)[:, None] * extent.up
    return extent.centre + offsets * extent.radius
