"""Colours of cells solved from the photographs, through rays cast as the viewer casts them.

A pixel's colour is linear in what the output layers give before their tanh is taken; so few Gauss-Newton steps do what
descent would need thousands for. A step is a linear least-squares problem of all cells at once (a ray meets several),
solved by conjugate gradients, preconditioned by each cell's own block. A pull towards what the teacher taught, in the
metric of the features (G, their mean square), decides where photographs say little.

    minimise  sum over pixels |photograph - rendered|^2  +  PULL n sum over cells (W - W0)' G (W - W0)

The shape stays as it was learnt: it has come closer to the teacher than the photographs can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fitting.hash_grid_numba import in_pieces
from fitting.kiloneus.cast import BLOCK, FINER, Caster, fine_rays
from fitting.kiloneus.neus_photographs import View, photograph_rays
from fitting.kiloneus.neus_teacher import NeusTeacher
from fitting.kiloneus.occupancy import Occupancy, hits
from fitting.kiloneus.sightings import Sightings
from scenes.gaussians import Floats

FLOATS = 100_000_000  # of features, about, at most: fewer pixels are looked at where there are more
CELLS_A_HIT = 2  # about, that are blended
STEPS = 2  # of Gauss and Newton
INNER = 15  # of conjugate gradients, each
PULL = 0.02  # a cell's pull, as if it were so many pixels for each that sees it
LEAST_PULL = 4.0  # pixels, of cells hardly seen
GREY = 0.5  # behind everything, here and there: colours do not make up for what shape gets wrong at outlines


def solve_colours(
    caster: Caster, teacher: NeusTeacher, views: Sequence[View], seed: int, say: Callable[[float, str], None]
) -> None:
    """Changes the output layers of the appearance networks `caster` shows for the photographs `views`."""
    field = caster.field
    sight, wanted = look(caster, teacher, views, seed, lambda share: say(0.5 * share, ""))
    shape = field.appearance.shape
    start = field.appearance.own.numpy().reshape(len(field.appearance.own), shape.width + 1, shape.outputs)
    weights = start.copy()
    metric = _metric(sight)
    for step in range(STEPS):
        change, error = _step(sight, wanted, weights, start, metric)
        weights += change
        say(0.5 + 0.5 * (step + 1) / STEPS, f"step {step + 1} of {STEPS} · {-10 * np.log10(error):.2f} dB before")
    field.appearance.own.copy_(torch.from_numpy(weights.reshape(len(weights), -1)))


def _step(sight: Sightings, wanted: Floats, weights: Floats, start: Floats, metric: Floats) -> tuple[Floats, float]:
    """A Gauss-Newton step [K, F, D] from `weights`, and the mean squared error there."""
    shown = np.tanh(sight.outputs(weights))
    left = wanted - sight.summed(sight.share[:, None] * shown)
    slope = sight.share[:, None] * (1 - shown * shown)
    pull = PULL * np.diff(sight.starts) + LEAST_PULL
    held = (pull[:, None, None] * metric).astype(np.float32)  # [K, F, F]
    blocks = sight.blocks(slope * slope) + held[:, None]
    inverse = np.linalg.inv(blocks.astype(np.float64)).astype(np.float32)

    def normal(x: Floats) -> Floats:
        seen = sight.summed(slope * sight.outputs(x))
        pulled = (held @ x).astype(np.float32)
        return sight.transposed((slope * seen[sight.pixels]).astype(np.float32)) + pulled

    def precondition(x: Floats) -> Floats:
        return np.einsum("kdfg,kgd->kfd", inverse, x).astype(np.float32)

    right = sight.transposed((slope * left[sight.pixels]).astype(np.float32)) - held @ (weights - start)
    return conjugate_gradients(normal, precondition, right.astype(np.float32), INNER), float(np.square(left).mean())


def conjugate_gradients(
    normal: Callable[[Floats], Floats], precondition: Callable[[Floats], Floats], right: Floats, iterations: int
) -> Floats:
    """x with `normal(x)` about `right`."""
    x, left = np.zeros_like(right), right.copy()
    towards = direction = precondition(left)
    size = float((left * towards).sum(dtype=np.float64))
    for _ in range(iterations):
        if size <= 0:
            break
        image = normal(direction)
        step = np.float32(size / float((direction * image).sum(dtype=np.float64)))
        x += step * direction
        left -= step * image
        towards = precondition(left)
        last, size = size, float((left * towards).sum(dtype=np.float64))
        direction = towards + np.float32(size / last) * direction
    return x


def _metric(sight: Sightings) -> Floats:
    """[F, F] the mean square of the features, weighed by what pixels see of them."""
    square = np.square(sight.share)[:, None]
    found = (sight.features * square).T.astype(np.float64) @ sight.features / len(square)
    return (found + 1e-5 * np.trace(found) / len(found) * np.eye(len(found))).astype(np.float32)


def look(
    caster: Caster, teacher: NeusTeacher, views: Sequence[View], seed: int, progress: Callable[[float], None]
) -> tuple[Sightings, Floats]:
    """What cells give to pixels of the photographs, and what is wanted of them [R, 3] in shares of tanh."""
    useful = [_useful(view, teacher) for view in views]
    bank = caster.field.appearance
    most = FLOATS / ((bank.shape.width + 1) * FINER**2 * CELLS_A_HIT)
    share = min(1.0, most / max(sum(map(len, useful)), 1))
    done = 0

    def one(number: int) -> list[_Looked]:
        nonlocal done
        rng = np.random.default_rng((seed, 4, number))
        chosen = np.sort(rng.permutation(useful[number])[: round(share * len(useful[number]))])
        some = np.array_split(chosen, max(round(len(chosen) * FINER**2 / BLOCK), 1))
        found = [_look(caster, teacher, views[number], torch.from_numpy(block)) for block in some]
        done += 1
        progress(done / len(views))
        return found

    looked = [part for parts in in_pieces(one, range(len(views))) for part in parts]
    return _joined(looked, len(bank.own))


class _Looked(NamedTuple):
    """Entries of some pixels [R], and what is wanted of those."""

    features: Tensor  # [n, W]
    share: Tensor  # [n]
    pixel: Tensor  # [n]
    network: Tensor  # [n]
    left: Tensor  # [R, 3]


def _joined(looked: Sequence[_Looked], cells: int) -> tuple[Sightings, Floats]:
    """All of them in one."""
    starts = np.cumsum([0, *(len(part.left) for part in looked)]).tolist()
    pixels = torch.cat([part.pixel + start for part, start in zip(looked, starts[:-1], strict=True)])
    features, share, network, left = (
        torch.cat([getattr(part, name) for part in looked]) for name in ("features", "share", "network", "left")
    )
    return Sightings.of(features, share, pixels, network, cells, starts[-1]), left.numpy()


@torch.no_grad()
def _look(caster: Caster, teacher: NeusTeacher, view: View, chosen: Tensor) -> _Looked:
    """What is seen in the pixels `chosen` [R]."""
    number = FINER**2 * chosen[:, None] + torch.arange(FINER**2)
    rays = fine_rays(view, teacher.frame).rows(number.reshape(-1))
    hits = caster.cast(rays)
    features, parts = hits.features(caster.field)
    pixel = hits.rays // FINER**2
    amount = (0.5 / FINER**2) * parts.share
    opacity = torch.bincount(pixel, minlength=len(chosen))[:, None] / FINER**2
    rgba = view.rgba.view(-1, 4)[chosen].float()
    behind = _behind(teacher, rays.directions[:: FINER**2])
    left = rgba[:, :3] + (1 - rgba[:, 3:]) * behind - (1 - opacity) * behind - 0.5 * opacity
    return _Looked(features, amount, pixel[parts.rows], parts.network, left)


def _behind(teacher: NeusTeacher, directions: Tensor) -> Tensor:
    """[R or 1, 3] what lies behind everything."""
    if not teacher.backed:
        return torch.full((1, 3), GREY)
    return teacher.model.background(directions.to(teacher.model.level_weights.device)).cpu()


def _useful(view: View, teacher: NeusTeacher) -> np.ndarray:
    """Pixels that can show the object."""
    everywhere = Occupancy.everywhere(teacher.occupancy.allowed)
    rays, seen = photograph_rays(view.photograph, *view.size, teacher.frame, torch.device("cpu"))
    return np.flatnonzero(hits(everywhere, rays) & seen)
