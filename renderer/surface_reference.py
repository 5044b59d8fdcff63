"""Rays against a neural surface, in numpy: the twin of `shaders/surface_trace.comp`, and a library for benchmarks.

All lengths of the march are in cells: u is where a ray is, counted from where it enters the grid's box (or from its
start, inside), and g the distance there, positive on the side of the surface where the run began.

1. In an empty cell: on to the end of the empty cube around it (`renderer/empty_space.py`), and a nudge. The run ends.
2. In an occupied cell: sample the blend of up to 8 networks. The first sample of a run of occupied cells says on which
   side of the surface the ray is, so that rays may start inside the object.
   a. |g| < tolerance: a hit, at u + g where that is in the same cell, since the surface is at least so much farther.
   b. The run has just been let in and is inside the object by less than `entry`: the surface is where the cells end. A
      hit.
   c. g < 0: the surface lies between this sample and the last, and is looked for there: false position, with the value
      of a side halved that stays a second time (the Illinois algorithm, Dowell and Jarratt 1971), until |g| <
      tolerance, or the far side is the hit because nothing is left between the two, or `refinements` samples are
      taken. In an empty cell there is no surface: the march goes on from there.
   d. Back, where the last step was longer than both distances together, so that something may have been passed: to the
      end of the last distance (Keinert et al. 2014, "Enhanced Sphere Tracing").
   e. Else on by `relaxation` * g, but no less than `least_step` and no more than `most_step`.
3. Beyond the box, or after `steps` samples and cubes: no hit.

The normal is the normalised gradient of the blend at the hit, out of the object, seen from inside too.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from renderer.empty_space import cell_codes
from renderer.surface_settings import MarchSettings
from scenes.bank import MlpBank, activate, encode_position
from scenes.gaussians import Floats
from scenes.surface import EMPTY, NeuralSurface

Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int32]

NUDGE = 1e-4  # cells, beyond the end of what is empty: more than float32 can lose in a grid of a thousand cells
TINY = 1e-12  # of a direction, in place of 0
ROUNDING = 1e-6  # of the grid: places are kept so far from the faces of their cells when rounded to float32
LEFT = 0.1  # tolerances between the two sides that are nothing
BATCH = 32  # points of one network that are evaluated at once
DEFAULT = MarchSettings()


@dataclass(frozen=True)
class Hits:
    """What N rays met; where `hit` is False, `distance` is inf, `network` is EMPTY and the rest but `evaluations` 0."""

    hit: Bools  # [N]
    distance: Doubles  # [N] along the ray, world units
    points: Doubles  # [N, 3] world
    normals: Floats  # [N, 3] unit, world, out of the object
    network: Ints  # [N] of the cell the hit is in
    evaluations: Ints  # [N] networks that were read on the way


def trace(
    surface: NeuralSurface,
    origins: NDArray[np.floating],
    directions: NDArray[np.floating],
    settings: MarchSettings = DEFAULT,
    start: NDArray[np.floating] | float = 0.0,
) -> Hits:
    """The first meeting of each ray with the surface; `origins` [N, 3] and unit `directions` [N, 3], world.

    `start` [N] or one number: world units along the rays before which nothing is looked for.
    """
    march = _March(surface, np.asarray(origins, np.float64), np.asarray(directions, np.float64), settings)
    return march.run(np.broadcast_to(np.asarray(start, np.float64), len(origins)))


@dataclass
class _Rays:
    """The rays that are still under way."""

    row: NDArray[np.int64]  # [n] among all
    first: Doubles  # [n, 3] where u is 0, cells from the grid's origin
    direction: Doubles  # [n, 3]
    entered: Doubles  # [n] world units before u is 0
    end: Doubles  # [n] u at the end of the box
    u: Doubles  # [n]
    let_in: Bools  # [n] nothing is known of where the ray was before, but that it was empty
    side: Doubles  # [n] sign of the run's first sample; 0: no run
    low_u: Doubles  # [n] the last sample on the near side, or the only one
    low_g: Doubles
    high_u: Doubles  # [n] the last on the far side
    high_g: Doubles
    stride: Doubles  # [n] the last step within the run; 0: there was none, or it was as short as it may be
    beyond: Bools  # [n] the last sample was on the far side
    refined: NDArray[np.int64]  # [n] samples since the two are known; 0: they are not

    def __len__(self) -> int:
        return len(self.row)

    def places(self) -> Doubles:
        """[n, 3] in cells."""
        return self.first + self.u[:, None] * self.direction

    def select(self, kept: Bools) -> _Rays:
        return _Rays(*(getattr(self, f.name)[kept] for f in fields(self)))


class _March:
    def __init__(self, surface: NeuralSurface, origins: Doubles, directions: Doubles, settings: MarchSettings) -> None:
        self._surface, self._settings = surface, settings
        self._origins, self._directions = origins, directions
        self._size = np.array(surface.grid.size)
        self._codes = cell_codes(surface, settings.skip)
        diagonal = float(np.linalg.norm(self._size))
        self._tolerance, self._least_step = settings.tolerance * diagonal, settings.least_step * diagonal
        self._distance = np.full(len(origins), np.inf)
        self._places = np.zeros((len(origins), 3))
        self._evaluations = np.zeros(len(origins), np.int32)

    def run(self, start: Doubles) -> Hits:
        rays = self._enter(start)
        for _ in range(self._settings.steps):
            rays = rays.select(rays.u <= rays.end)
            if not len(rays):
                break
            rays = self._step(rays)
        return self._hits()

    def _enter(self, start: Doubles) -> _Rays:
        """The rays that meet the box, at where they do or at their start."""
        edge = self._surface.grid.edge
        first = (self._origins - self._surface.grid.origin) / edge
        slope = _away_from_zero(self._directions)
        ends = np.stack([-first, self._size - first]) / slope  # [2, N, 3]
        near = np.maximum(ends.min(axis=0).max(axis=1), start / edge)
        far = ends.max(axis=0).min(axis=1)
        row = np.flatnonzero(near < far)
        zeros = np.zeros(len(row))
        return _Rays(
            row=row,
            first=first[row] + near[row, None] * slope[row],
            direction=slope[row],
            entered=edge * near[row],
            end=far[row] - near[row],
            u=zeros.copy(),
            let_in=near[row] > start[row] / edge,
            side=zeros.copy(),
            low_u=zeros.copy(),
            low_g=zeros.copy(),
            high_u=zeros.copy(),
            high_g=zeros.copy(),
            stride=zeros.copy(),
            beyond=np.zeros(len(row), np.bool_),
            refined=np.zeros(len(row), np.int64),
        )

    def _step(self, rays: _Rays) -> _Rays:
        """One sample or one empty cube further; without the rays that have hit."""
        places = rays.places()
        cells = self._cells(places)
        code = self._codes[tuple(cells.T)]
        empty = code < 0
        g = np.zeros(len(rays))
        g[~empty], count = self._sample(rays, ~empty, within_cells(places[~empty], self._size))
        self._evaluations[rays.row[~empty]] += count
        self._skip(rays, empty, places, cells, code)
        hit = self._absorb(rays, g, ~empty)
        self._distance[rays.row[hit]] = rays.entered[hit] + self._surface.grid.edge * rays.u[hit]
        self._places[rays.row[hit]] = rays.places()[hit]
        return rays.select(~hit)

    def _cells(self, places: Doubles) -> NDArray[np.int64]:
        """[n, 3] the cells of places in the box, rounding at its faces aside."""
        return cells_of(places, self._size)

    def _skip(self, rays: _Rays, empty: Bools, places: Doubles, cells: NDArray[np.int64], code: Ints) -> None:
        reach = -code[empty, None]
        slope = rays.direction[empty]
        wall = cells[empty] + np.where(slope > 0, reach, 1 - reach)
        rays.u[empty] += np.maximum(((wall - places[empty]) / slope).min(axis=1), 0) + NUDGE
        rays.side[empty] = rays.stride[empty] = 0
        rays.let_in[empty] = True
        rays.refined[empty] = 0

    def _sample(self, rays: _Rays, sampled: Bools, places: Doubles) -> tuple[Doubles, Ints]:
        """g of the rays `sampled`, whose run begins here where there is none, and the networks read for it."""
        f, count = sample_distance(self._surface, places)
        begins = rays.side[sampled] == 0
        inside = f < 0
        met = begins & rays.let_in[sampled] & inside & (f > -self._settings.entry)
        rays.side[sampled] = np.where(begins, np.where(inside & ~met, -1.0, 1.0), rays.side[sampled])
        return np.where(met, 0.0, f * rays.side[sampled]), count

    def _absorb(self, rays: _Rays, g: Doubles, active: Bools) -> Bools:
        """Which rays have hit, with `u` there; the others that are `active` are moved on by what g is."""
        near = active & (np.abs(g) < self._tolerance)
        ahead = rays.first + (rays.u + g)[:, None] * rays.direction
        rays.u += np.where(near & (self._cells(ahead) == self._cells(rays.places())).all(axis=1), g, 0)
        between = active & ~near & ((rays.refined > 0) | (g < 0))
        back = active & ~near & ~between & (g + rays.low_g < rays.stride)
        marching = active & ~near & ~between & ~back
        self._note_sides(rays, g, between | marching)
        self._move(rays, g, marching, back)
        rays.let_in[active] = False
        return near | self._refine(rays, between)

    def _move(self, rays: _Rays, g: Doubles, marching: Bools, back: Bools) -> None:
        settings = self._settings
        step = np.minimum(np.maximum(settings.relaxation * g, self._least_step), settings.most_step)[marching]
        rays.u[marching] += step
        rays.stride[marching] = np.where(step > self._least_step, step, 0)
        rays.u[back] = rays.low_u[back] + np.maximum(rays.low_g[back], self._least_step)
        rays.stride[back] = 0

    def _note_sides(self, rays: _Rays, g: Doubles, active: Bools) -> None:
        beyond = active & (g < 0)
        before = active & (g >= 0)
        stays = rays.refined > 0
        rays.high_g[before & stays & ~rays.beyond] *= 0.5
        rays.low_g[beyond & stays & rays.beyond] *= 0.5
        for mask, u, value in ((before, rays.low_u, rays.low_g), (beyond, rays.high_u, rays.high_g)):
            u[mask], value[mask] = rays.u[mask], g[mask]
        rays.beyond[active] = beyond[active]

    def _refine(self, rays: _Rays, between: Bools) -> Bools:
        """Moves rays to where the surface should be between their two sides; which of them are there."""
        low, width = rays.low_u[between], (rays.high_u - rays.low_u)[between]
        rays.refined[between] += 1
        done = (rays.refined[between] > self._settings.refinements) | (width < LEFT * self._tolerance)
        share = rays.low_g[between] / (rays.low_g - rays.high_g)[between]
        rays.u[between] = np.where(done, rays.high_u[between], low + share * width)
        found = np.zeros(len(rays), np.bool_)
        found[between] = done
        return found

    def _hits(self) -> Hits:
        hit = np.isfinite(self._distance)
        places = self._places[hit]
        network, normals = np.full(len(hit), EMPTY, np.int32), np.zeros((len(hit), 3), np.float32)
        network[hit] = self._codes[tuple(self._cells(places).T)]
        distance = np.where(hit, self._distance, 0)[:, None]
        points = np.where(hit[:, None], self._origins + distance * self._directions, 0)
        normals[hit] = self._normals(within_cells(places, self._size), self._directions[hit])
        return Hits(hit, self._distance, points, normals, network, self._evaluations)

    def _normals(self, places: Doubles, directions: Doubles) -> Floats:
        """Where the gradient is 0, against the ray."""
        grid = self._surface.grid
        sample = self._surface.sample((np.asarray(grid.origin) + grid.edge * places).astype(np.float32))
        length = np.linalg.norm(sample.gradient, axis=1, keepdims=True)
        unit = sample.gradient / np.where(length > 0, length, 1)
        return np.where(length > 0, unit, -directions).astype(np.float32)


def cells_of(places: Doubles, size: NDArray[np.integer]) -> NDArray[np.int64]:
    """[N, 3] the cells of `places` [N, 3] in a grid of `size`; its faces are in it."""
    return np.clip(np.floor(places).astype(np.int64), 0, size - 1)


def within_cells(places: Doubles, size: NDArray[np.integer]) -> Doubles:
    """[N, 3] places that stay in their cells when they are rounded to float32."""
    cells, margin = cells_of(places, size), ROUNDING * size.max()
    return np.clip(places, cells + margin, cells + 1 - margin)


def sample_distance(surface: NeuralSurface, places: NDArray[np.floating]) -> tuple[Doubles, Ints]:
    """Signed distances [N] in cell edges at `places` [N, 3] in occupied cells, and the networks read for each [N].

    The same as `NeuralSurface.sample` without the gradient, and many times faster.
    """
    parts = list(surface.contributions(places.astype(np.float32), np.ones(len(places), np.bool_)))
    rows, share = np.concatenate([part.rows for part in parts]), np.concatenate([part.share for part in parts])
    network, local = np.concatenate([part.network for part in parts]), np.concatenate([part.local for part in parts])
    values = evaluate_many(surface.geometry, network, local)[:, 0]
    weight, total = (np.bincount(rows, x, len(places)) for x in (share, share * values))
    return total / weight, np.bincount(rows, minlength=len(places)).astype(np.int32)


def evaluate_many(bank: MlpBank, network: Ints, local: Floats) -> Floats:
    """[N, D] what `MlpBank.evaluate` gives without codes: all networks in one go, some points of each at a time."""
    if bank.shape.modulation or not bank.shape.layers or not len(local):
        return bank.evaluate(network, local, np.zeros((len(local), 0), np.float32))
    order = np.argsort(network, kind="stable")
    of, where, counts = np.unique(network[order], return_index=True, return_counts=True)
    batches = -(-counts // BATCH)
    batch_network = np.repeat(of, batches)
    slot = np.arange(len(order)) - np.repeat(where - BATCH * (np.cumsum(batches) - batches), counts)
    points = np.zeros((len(batch_network) * BATCH, 3), np.float32)
    points[slot] = local[order]
    features = encode_position(points, bank.shape.frequencies)
    outputs = np.empty((len(local), bank.shape.outputs), np.float32)
    outputs[order] = _evaluate_batches(bank, batch_network, features.reshape(len(batch_network), BATCH, -1))[slot]
    return outputs


def _evaluate_batches(bank: MlpBank, network: Ints, hidden: Floats) -> Floats:
    """[C * M, D] the networks [C], each at features [C, M, I]."""
    weights = bank.weights[network]
    blocks = {b.name: weights[:, b.offset : b.stop].reshape(-1, b.rows, b.columns) for b in bank.shape.blocks()}
    for layer in range(bank.shape.layers):
        linear = hidden @ blocks[f"hidden{layer}"] + blocks[f"hidden{layer}_bias"]
        hidden = activate(linear, bank.shape.activation)
    outputs = (hidden @ blocks["output"] + blocks["output_bias"]).reshape(-1, bank.shape.outputs)
    return np.tanh(outputs) if bank.shape.output_activation == "tanh" else outputs


def _away_from_zero(directions: Doubles) -> Doubles:
    return np.where(np.abs(directions) < TINY, np.where(directions < 0, -TINY, TINY), directions)
