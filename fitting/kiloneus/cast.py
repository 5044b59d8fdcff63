"""Rays cast at cells as the viewer draws them: the first crossing of the surface, several rays a pixel, no volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from fitting.hash_grid_numba import in_pieces
from fitting.kiloneus.cell_field import CellField, Parts
from fitting.kiloneus.neus_photographs import SceneFrame, View, photograph_rays
from fitting.kiloneus.occupancy import Occupancy, march
from fitting.kiloneus.volume import Rays
from scenes.gaussians import Floats

FINER = 2  # rays of a pixel, each way
THIN = 6.0  # sections a unit of sharpness: the band around the surface that is looked at is a section or so each way
BLOCK = 1 << 14  # rays at a time


@dataclass(frozen=True)
class Hits:
    """Where H of the rays meet the surface."""

    rays: Tensor  # [H]
    points: Tensor  # [H, 3] of the box
    normals: Tensor  # [H, 3] unit
    directions: Tensor  # [H, 3] unit

    def features(self, field: CellField) -> tuple[Tensor, Parts]:
        """What the appearance networks' output layers are given there."""
        return field.colour_features(self.points, self.normals, self.directions)


@dataclass(frozen=True)
class Caster:
    """A field to cast rays at, in steps of `length`, units of the box."""

    field: CellField
    occupancy: Occupancy
    length: float

    @classmethod
    def of(cls, field: CellField, allowed: np.ndarray, length: float) -> Caster:
        """Steps of `length` in the voxels [n, n, n] that are `allowed`."""
        occupancy = Occupancy.everywhere(allowed)
        occupancy.update(field.distance, THIN / length, length, torch.device("cpu"))
        return cls(field, occupancy, length)

    @torch.no_grad()
    def cast(self, rays: Rays) -> Hits:
        """Where `rays` first come to a negative distance."""
        samples = march(self.occupancy, rays, self.length, torch.full((len(rays),), 0.5))
        ray = samples.rays
        distance = self.field.distance(rays.origins[ray] + samples.depths[:, None] * rays.directions[ray])
        deep = torch.nonzero(distance < 0)[:, 0]
        mine = ray[deep]
        first = torch.ones(len(deep), dtype=torch.bool)
        first[1:] = mine[1:] != mine[:-1]
        deep, mine = deep[first], mine[first]
        before = (deep - 1).clamp_min(0)
        crossed = (ray[before] == mine) & (distance[before] >= 0) & (before < deep)
        share = torch.where(crossed, distance[before] / (distance[before] - distance[deep]).clamp_min(1e-12), 1.0)
        near = torch.where(crossed, samples.depths[before], samples.depths[deep])
        depth = near + share * (samples.depths[deep] - near)
        directions = rays.directions[mine]
        points = rays.origins[mine] + depth[:, None] * directions
        return Hits(mine, points, normalize(self.field.geometry(points).gradient, dim=1), directions)

    def picture(self, view: View, frame: SceneFrame, background: tuple[float, float, float]) -> Floats:
        """[H, W, 3] what a view's camera sees of it, as it is drawn."""
        rays = fine_rays(view, frame)
        behind = torch.tensor(background)

        @torch.no_grad()
        def block(rows: slice) -> Tensor:
            some = rays.rows(rows)
            hits = self.cast(some)
            colours = self.field.colour(hits.points, hits.normals, hits.directions, hits.points[:, :0])
            return behind.repeat(len(some), 1).index_copy(0, hits.rays, colours)

        found = torch.cat(in_pieces(block, [slice(i, i + BLOCK) for i in range(0, len(rays), BLOCK)]))
        width, height = view.size
        return found.view(height, width, FINER**2, 3).mean(dim=2).numpy()


def fine_rays(view: View, frame: SceneFrame) -> Rays:
    """[H * W * FINER^2] rays of a view, those of a pixel together, through the middles of its parts."""
    width, height = view.size
    rays, _ = photograph_rays(view.photograph, FINER * width, FINER * height, frame, torch.device("cpu"))
    number = torch.arange(len(rays)).view(height, FINER, width, FINER)
    return rays.rows(number.permute(0, 2, 1, 3).reshape(-1))
