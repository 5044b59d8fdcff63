"""What every recipe starts from: the scene cleaned, the views with their pictures, each Gaussian's weight in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fitting.neuralgs.canonical import limited_colours
from fitting.neuralgs.distant import brought_nearer, check_coordinates, without_specks
from fitting.neuralgs.importance import visible_weight
from fitting.neuralgs.options import Effort
from fitting.neuralgs.pictures import draw_targets
from fitting.neuralgs.places import Place, find_place
from fitting.neuralgs.targets import Target, photograph_target, photograph_windows
from fitting.neuralgs.views import cameras_beside, virtual_cameras
from fitting.tensors import GaussianTensors
from scenes.cameras import Camera
from scenes.captures import read_capture
from scenes.errors import KilofieldError, SceneFileError
from scenes.extent import Extent, scene_extent
from scenes.gaussians import Gaussians

HELD_OUT = 8  # views kept for judging; of given cameras, every eighth as is the field's habit
WEIGHING_VIEWS = 240  # at most: more change no weight that matters
FAINTEST = 1 / 255  # opacity below which the rasteriser never draws a Gaussian
WINDOWS = 2  # of each photograph that is too large: parts at full resolution beside the reduced whole
JUDGED_DETAIL = 4  # times the pictures' longest side: photographs to judge by are reduced to it at most
INVISIBLE = 1e-4  # of the mean weight: a Gaussian this faint in all views is left out


@dataclass(frozen=True)
class Job:
    """A scene ready to be fitted."""

    gaussians: Gaussians  # the visible ones
    weight: NDArray[np.float64]  # [N] visible weight of each, pixels
    targets: Sequence[Target]
    held_out: Sequence[Target]
    radius: float  # of the scene, or half as far as one sees in a place, world units
    device: torch.device
    notes: tuple[str, ...]  # for the user


@dataclass(frozen=True)
class Cleaned:
    """A scene without what no fit needs."""

    gaussians: Gaussians
    extent: Extent
    notes: tuple[str, ...]  # for the user


def clean(source: Path, gaussians: Gaussians) -> Cleaned:
    """`gaussians`, read from `source`, without those never drawn and the specks far away; colours limited."""
    drawn = gaussians.opacity_logits > np.log(FAINTEST / (1 - FAINTEST))
    if not drawn.any():
        raise KilofieldError(
            f"{source}: opacity: expected Gaussians that can be seen, found all {len(drawn)} under 1/255"
        )
    gaussians = gaussians.select(drawn)
    extent = scene_extent(gaussians)
    check_coordinates(source, extent)
    gaussians, left_out = without_specks(gaussians, extent)
    gaussians, limited = limited_colours(gaussians)
    return Cleaned(gaussians, extent, tuple(note for note in (left_out, limited) if note))


def prepare(
    source: Path,
    gaussians: Gaussians,
    effort: Effort,
    *,
    images: Path | None,
    seed: int,
    device: torch.device,
    progress: Callable[[float, str], None],
) -> Job:
    """Views, pictures and weights for fitting `gaussians`, read from `source`."""
    cleaned = clean(source, gaussians)
    gaussians, extent = cleaned.gaussians, cleaned.extent
    tensors = GaussianTensors.of(gaussians, device)
    place = find_place(gaussians, seed)
    if images is None:
        progress(0.0, "drawing the original")
        views = chosen_cameras(source, gaussians, scene_extent(gaussians), place, effort.views, seed)
        targets, held_out, weight = own_pictures(tensors, views, effort.side, gaussians.antialiased, progress)
        notes = (views.note,)
    else:
        targets, held_out, notes = _photographs(images, effort.side, seed, device, progress)
        progress(0.6, "weighing Gaussians")
        weight = visible_weight(
            tensors,
            targets[:: _stride(len(targets))],
            gaussians.antialiased,
            lambda f: progress(0.6 + 0.4 * f, "weighing Gaussians"),
        )
    check_seen(source, weight, len(targets))
    seen = visible(weight)
    kept, brought = brought_nearer(gaussians.select(seen), extent)
    notes = (*notes, *cleaned.notes, *([brought] if brought else []))
    radius = extent.radius if place is None else place.radius
    return Job(kept, weight[seen], targets, held_out, radius, device, notes)


def check_seen(source: Path, weight: NDArray[np.float64], views: int) -> None:
    """Refuses a scene that none of its views shows."""
    if weight.sum() == 0:
        raise KilofieldError(f"{source}: views: expected to see the Gaussians, found nothing in {views} views")


def visible(weight: NDArray[np.float64]) -> NDArray[np.bool_]:
    """[N] which Gaussians are worth keeping at all, by their `weight` [N] in the views."""
    return weight > INVISIBLE * weight.mean()


def _stride(count: int) -> int:
    """Every which view is weighed."""
    return -(-count // WEIGHING_VIEWS)


@dataclass(frozen=True)
class Views:
    """Cameras to fit with, cameras to judge by, and a word on where they come from."""

    cameras: list[Camera]
    held_out: list[Camera]
    note: str


def own_pictures(
    tensors: GaussianTensors, views: Views, side: int, antialiased: bool, progress: Callable[[float, str], None]
) -> tuple[list[Target], list[Target], NDArray[np.float64]]:
    """The scene's pictures to fit to and to judge by, and the visible weight [N] in the former."""
    count, all_ = len(views.cameras), [*views.cameras, *views.held_out]
    weighed = [i < count and i % _stride(count) == 0 for i in range(len(all_))]
    targets, weight = draw_targets(
        tensors, all_, weighed, side, antialiased, lambda f: progress(f, "drawing the original")
    )
    return targets[:count], targets[count:], weight


def chosen_cameras(
    source: Path, gaussians: Gaussians, extent: Extent, place: Place | None, count: int, seed: int
) -> Views:
    """Those beside the `source`, if there are enough, or `count` of our own."""
    note = f"views: {count} virtual cameras" + (", where a visitor could stand" if place else "")
    beside = cameras_beside(source)
    if beside is not None:
        path, given = beside
        if len(given) >= 2 * HELD_OUT:
            held_out, rest = given[::HELD_OUT], [c for i, c in enumerate(given) if i % HELD_OUT]
            chosen = np.linspace(0, len(rest) - 1, min(count, len(rest))).round().astype(int)
            note = f"views: {len(chosen)} of the {len(given)} in {path}"
            return Views([rest[i] for i in chosen], held_out[:: -(-len(held_out) // HELD_OUT)], note)
        note += f"; the {len(given)} in {path} are too few"
    cameras = virtual_cameras(gaussians, extent, count + HELD_OUT, seed, place)
    return Views(cameras[HELD_OUT:], cameras[:HELD_OUT], note)


Photographs = tuple[list[Target], list[Target], tuple[str, ...]]


def _photographs(
    path: Path, side: int, seed: int, device: torch.device, progress: Callable[[float, str], None]
) -> Photographs:
    capture = read_capture(path)
    frames = capture.train or capture.test
    if len(frames) < 2:
        raise SceneFileError(path, "frames", "at least 2 photographs", str(len(frames)))
    held_out = capture.test if capture.train and capture.test else frames[::HELD_OUT]
    kept = frames if capture.train and capture.test else [f for i, f in enumerate(frames) if i % HELD_OUT]
    held_out = held_out[:: max(len(held_out) // HELD_OUT, 1)]
    whole, parts = [], []
    for i, frame in enumerate(kept):
        progress(0.6 * i / len(kept), "reading photographs")
        whole.append(photograph_target(frame, side, device))
        parts += photograph_windows(frame, side, WINDOWS, np.random.default_rng((seed, 7, i)), device)
    judged = [photograph_target(frame, JUDGED_DETAIL * side, device) for frame in held_out]
    notes = (f"views: {len(kept)} photographs, {len(capture.missing)} missing",)
    return whole + parts, judged, notes
