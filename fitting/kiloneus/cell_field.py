"""The cells as a field to render and to tune: what `NeuralSurface` evaluates, in torch, for cells that share layers.

With shared hidden layers every point goes through the same matrices, and only its output layer is looked up: no sorting
of points into cells, whatever rays they come from. Points are in the box [-1, 1]^3 of the teacher's frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding

from fitting.kiloneus.features import shared_size
from fitting.kiloneus.neus import Geometry
from fitting.kiloneus.neus_photographs import SceneFrame
from fitting.torch_bank import activate, encode_position, modulate
from fitting.torch_bank_gradient import evaluate_with_gradient
from scenes.bank import BankShape
from scenes.surface import EMPTY, CellGrid, NeuralSurface


@dataclass(frozen=True)
class Shared:
    """A bank whose networks differ in their output layers alone."""

    shape: BankShape
    hidden: Tensor  # [first] weights of the shared layers
    own: Tensor  # [K, P - first] output matrix [W, D], then bias [D]

    @classmethod
    def of(cls, shape: BankShape, weights: Tensor) -> Shared:
        """From the weights [K, P] of a bank."""
        first = shared_size(shape)
        return cls(shape, weights[0, :first].clone(), weights[:, first:].clone())

    def weights(self) -> Tensor:
        """[K, P] with the shared layers rounded to half floats, as they are written."""
        hidden = self.hidden.detach().half().float().expand(len(self.own), -1)
        return torch.cat([hidden, self.own.detach()], dim=1).contiguous()

    def values(self, local: Tensor, codes: Tensor | None = None) -> Tensor:
        """As `features`, without derivatives."""
        hidden = encode_position(local, self.shape.frequencies)
        hidden = hidden if codes is None else torch.cat([hidden, codes], dim=1)
        blocks = {b.name: self.hidden[b.offset : b.stop].view(b.rows, b.columns) for b in self.shape.blocks()[:-2]}
        for layer in range(self.shape.layers):
            hidden = torch.addmm(blocks[f"hidden{layer}_bias"], hidden, blocks[f"hidden{layer}"])
            if self.shape.modulation:
                grids = blocks[f"modulation{layer}"].view(1, *self.shape.modulation, 2)
                hidden = modulate(hidden[None], grids, local[None])[0]
            hidden = activate(hidden, self.shape.activation)
        return hidden

    def features(self, local: Tensor, codes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What the last hidden layer holds [N, W] at `local` [N, 3], and its derivatives [3, N, W]."""
        width = self.shape.width
        through = replace(self.shape, outputs=width, output_activation="none")
        identity = torch.eye(width, device=local.device).reshape(-1)
        weights = torch.cat([self.hidden, identity, torch.zeros(width, device=local.device)])
        codes = None if codes is None else codes[None]
        values, slopes = evaluate_with_gradient(through, weights[None], local[None], codes)
        return values[0], slopes[0]

    def outputs(self, features: Tensor, network: Tensor) -> Tensor:
        """[N, D] of `features` [N, W] by the output layers of `network` [N]."""
        mine = embedding(network, self.own)
        split = self.shape.width * self.shape.outputs
        matrix = mine[:, :split].view(-1, self.shape.width, self.shape.outputs)
        return (features[:, :, None] * matrix).sum(dim=1) + mine[:, split:]


@dataclass(frozen=True)
class Parts:
    """What the cells around each point give to it, one behind another."""

    rows: Tensor  # [n] points
    network: Tensor  # [n]
    local: Tensor  # [n, 3]
    share: Tensor  # [n] adding up to 1 for each point
    slope: Tensor  # [n, 3] of the share by places in cells


class CellField:
    """See `fitting.kiloneus.volume.Field`."""

    def __init__(
        self, surface: NeuralSurface, geometry: Shared, appearance: Shared, frame: SceneFrame, beyond: np.ndarray
    ) -> None:
        """`beyond` [X, Y, Z] are distances at the middles of cells, world units, for where no cell is occupied."""
        self.grid, self.overlap, self.frame = surface.grid, surface.overlap, frame
        self.geometry_bank, self.appearance = geometry, appearance
        volume = np.pad(surface.networks, 1, constant_values=EMPTY)
        self._networks = torch.from_numpy(volume.astype(np.int64))
        self._beyond = torch.from_numpy((beyond / frame.half).astype(np.float32))

    def places(self, points: Tensor) -> Tensor:
        """[N, 3] points of the box, in cells from the grid's origin."""
        return (points - _offset(self.grid, self.frame)) * (self.frame.half / self.grid.edge)

    def geometry(self, points: Tensor) -> Geometry:
        """Distance [N] in units of the box, its gradient [N, 3]; no features."""
        places = self.places(points)
        parts = self._parts(places)
        values, slopes = self.geometry_bank.features(parts.local)
        value = self.geometry_bank.outputs(values, parts.network)[:, 0]
        mine = embedding(parts.network, self.geometry_bank.own)[:, : self.geometry_bank.shape.width]
        slope = (slopes * mine).sum(dim=2).T * (2 / (1 + self.overlap))
        edge = self.grid.edge / self.frame.half
        zeros = torch.zeros(len(points), 3, device=points.device)
        distance = zeros[:, 0].index_add(0, parts.rows, edge * parts.share * value)
        change = parts.share[:, None] * slope + value[:, None] * parts.slope
        gradient = zeros.index_add(0, parts.rows, change)
        empty = torch.ones(len(points), dtype=torch.bool, device=points.device).index_fill(0, parts.rows, False)
        distance = torch.where(empty, self._far(places), distance)
        return Geometry(distance, gradient, zeros[:, :0])

    def colour(self, points: Tensor, normals: Tensor, directions: Tensor, features: Tensor) -> Tensor:
        """RGB [N, 3]; grey where no cell is."""
        values, parts = self.colour_features(points, normals, directions)
        shown = torch.tanh(self.appearance.outputs(values, parts.network))
        total = torch.full((len(points), 3), 0.5, device=points.device)
        return total.index_add(0, parts.rows, 0.5 * parts.share[:, None] * shown)

    def colour_features(self, points: Tensor, normals: Tensor, directions: Tensor) -> tuple[Tensor, Parts]:
        """What the appearance networks' output layers are given [n, W], by the cells around the points."""
        parts = self._parts(self.places(points))
        codes = torch.cat([normals, directions], dim=1)[parts.rows] if self.appearance.shape.code else None
        return self.appearance.values(parts.local, codes), parts

    @torch.no_grad()
    def distance(self, points: Tensor) -> Tensor:
        """[N] the distance alone, in units of the box."""
        places = self.places(points)
        parts = self._parts(places)
        value = self.geometry_bank.outputs(self.geometry_bank.values(parts.local), parts.network)[:, 0]
        edge = self.grid.edge / self.frame.half
        distance = torch.zeros(len(points)).index_add(0, parts.rows, edge * parts.share * value)
        empty = torch.ones(len(points), dtype=torch.bool).index_fill(0, parts.rows, False)
        return torch.where(empty, self._far(places), distance)

    def _far(self, places: Tensor) -> Tensor:
        """[N] distances where no cell is."""
        size = torch.tensor(self.grid.size) - 1
        cell = torch.minimum(places.detach().floor().long().clamp_min(0), size)
        return self._beyond[cell[:, 0], cell[:, 1], cell[:, 2]]

    @torch.no_grad()
    def _parts(self, places: Tensor) -> Parts:
        """As `NeuralSurface`'s blend, with shares that add up to 1."""
        size = torch.tensor(self.grid.size)
        cells = torch.minimum(places.floor().long().clamp_min(-1), size)
        offset = 2 * (places - cells) - 1
        side = torch.where(offset < 0, -1, 1)
        share, slope = _blend(offset.abs(), self.overlap)
        slope = 2 * side * slope
        corners = torch.tensor(list(product((0, 1), repeat=3)))  # [8, 3]
        beyond = corners[None] == 1
        factors = torch.where(beyond, share[:, None], 1 - share[:, None])  # [N, 8, 3]
        slopes = torch.where(beyond, slope[:, None], -slope[:, None])
        at = (cells[:, None] + side[:, None] * corners + 1).clamp_min(0)
        at = torch.minimum(at, size + 1)
        network = self._networks[at[..., 0], at[..., 1], at[..., 2]]
        network = torch.where(network[:, :1] == EMPTY, EMPTY, network)  # a point in no cell has no neighbours
        weight = factors.prod(dim=2) * (network != EMPTY)
        x, y, z = factors.unbind(2)
        change = slopes * torch.stack([y * z, x * z, x * y], dim=2) * (network != EMPTY)[..., None]
        total = weight.sum(dim=1, keepdim=True).clamp_min(1e-12)
        lean = change.sum(dim=1, keepdim=True)
        change = (change - (weight / total)[..., None] * lean) / total[..., None]
        local = (offset[:, None] - 2 * side[:, None] * corners) / (1 + self.overlap)
        rows, which = torch.nonzero(weight > 0, as_tuple=True)
        return Parts(rows, network[rows, which], local[rows, which], (weight / total)[rows, which], change[rows, which])


def _offset(grid: CellGrid, frame: SceneFrame) -> Tensor:
    """[3] the grid's origin in the box."""
    return torch.from_numpy(frame.box_from_world(np.asarray(grid.origin)[None])[0])


def _blend(amount: Tensor, overlap: float) -> tuple[Tensor, Tensor]:
    """`scenes.surface.blend_share`."""
    if overlap == 0:
        return torch.zeros_like(amount), torch.zeros_like(amount)
    t = (amount - (1 - overlap)).clamp_min(0) / (2 * overlap)
    return t * t * (3 - 2 * t), 6 * t * (1 - t) / (2 * overlap)
