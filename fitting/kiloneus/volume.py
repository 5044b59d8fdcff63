"""Volume rendering of a signed distance field, after NeuS, over packed samples: as many a ray as it needs.

Between two samples the distance goes from f_a to f_b, and the section hides the share

    alpha = max((Phi(s f_a) - Phi(s f_b)) / Phi(s f_a), 0),    Phi the logistic function, s the sharpness,

of what lies behind (equation 13 of arXiv 2106.10689). Here a section's ends are estimated from its middle, the length
and the cosine between ray and gradient, as in the authors' code. In logarithms the light that passes a section is

    log(1 - alpha) = min(log Phi(s f_b) - log Phi(s f_a), 0),

which needs no small numbers to guard it, and adds up along the ray. The renderer takes any field: a teacher, or cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, normalize

from fitting.kiloneus.neus import Geometry

UNSEEN = 1e-4  # weight below which a sample's colour is not asked for


class Field(Protocol):
    """What is rendered."""

    def geometry(self, points: Tensor) -> Geometry:
        """Distance, gradient and any features at `points` [N, 3]."""
        ...

    def colour(self, points: Tensor, normals: Tensor, directions: Tensor, features: Tensor) -> Tensor:
        """RGB [N, 3] from unit normals, unit directions from the camera, and what `geometry` gave as features."""
        ...


@dataclass(frozen=True)
class Rays:
    """R rays."""

    origins: Tensor  # [R, 3]
    directions: Tensor  # [R, 3] of length 1

    def __len__(self) -> int:
        return len(self.origins)

    def rows(self, chosen: slice | Tensor) -> Rays:
        """Some of them."""
        return Rays(self.origins[chosen], self.directions[chosen])


@dataclass(frozen=True)
class Samples:
    """N sections on R rays, ray after ray, front to back."""

    starts: Tensor  # [R + 1] the first section of each ray, and N
    depths: Tensor  # [N] of the middle of each, along the ray
    length: float  # of all sections

    @property
    def rays(self) -> Tensor:
        """[N] the ray of each."""
        counts = self.starts.diff()
        return torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)

    def part(self, first: int, last: int) -> Samples:
        """Those of the rays `first` to `last`."""
        low, high = int(self.starts[first]), int(self.starts[last])
        return Samples(self.starts[first : last + 1] - low, self.depths[low:high], self.length)


@dataclass(frozen=True)
class Rendered:
    """What R rays show, and what the losses need of the samples."""

    colour: Tensor  # [R, 3] times opacity: nothing behind it
    opacity: Tensor  # [R]
    depth: Tensor  # [R] mean along the ray, times opacity
    normal: Tensor  # [R, 3] mean unit normal, times opacity
    weights: Tensor  # [N]
    geometry: Geometry  # of the samples

    def over(self, background: Tensor) -> Tensor:
        """[R, 3] over `background` [3] or [R, 3]."""
        return self.colour + (1 - self.opacity)[:, None] * background


def render(
    field: Field, rays: Rays, samples: Samples, sharpness: Tensor, annealing: float = 1.0, shading: bool = True
) -> Rendered:
    """Renders `rays` through `samples`; without `shading` the colour is black and costs nothing.

    `annealing` goes from 0 to 1 in the first part of a fit; see `decline`.
    """
    ray = samples.rays
    directions = rays.directions[ray]
    points = rays.origins[ray] + samples.depths[:, None] * directions
    found = field.geometry(points)
    normals = normalize(found.gradient, dim=1)
    slope = decline((directions * found.gradient).sum(dim=1), annealing)
    passing = section_passing(found.sdf, slope, samples.length, sharpness)
    weights = section_weights(passing, samples.starts, ray)
    colours = torch.zeros_like(points)
    if shading:
        seen = torch.nonzero(weights.detach() > UNSEEN)[:, 0]
        shown = field.colour(points[seen], normals[seen], directions[seen], found.features[seen])
        colours = colours.index_copy(0, seen, shown)
    values = torch.cat([colours, normals, samples.depths[:, None], torch.ones_like(weights)[:, None]], dim=1)
    total = torch.zeros(len(rays), values.shape[1], device=points.device)
    total = total.index_add(0, ray, weights[:, None] * values)
    return Rendered(total[:, :3], total[:, 7], total[:, 6], total[:, 3:6], weights, found)


def decline(cosine: Tensor, annealing: float) -> Tensor:
    """The slope of the distance along the ray, at most 0, for a cosine [N] between ray and gradient.

    A section that leaves the surface hides nothing. At annealing 0 those nearly along the surface count as entering
    it, which keeps an untrained field from having no gradient at all (the authors' code).
    """
    steady = torch.relu(0.5 - 0.5 * cosine)
    return -(steady * (1 - annealing) + torch.relu(-cosine) * annealing)


def section_passing(sdf: Tensor, slope: Tensor, length: float, sharpness: Tensor) -> Tensor:
    """[N] logarithm of the light that passes a section: at most 0."""
    change = 0.5 * length * slope
    return (logsigmoid(sharpness * (sdf + change)) - logsigmoid(sharpness * (sdf - change))).clamp(max=0)


def section_weights(passing: Tensor, starts: Tensor, ray: Tensor) -> Tensor:
    """[N] what each section adds to its ray's picture: light that reaches it times what it hides."""
    total = torch.cumsum(passing.double(), dim=0)  # of all rays in a row: single precision would not do
    before = total - passing
    first = before[starts[:-1].clamp(max=max(len(before) - 1, 0))] if len(before) else before
    reaching = (before - first[ray]).to(passing.dtype) if len(before) else before.to(passing.dtype)
    return torch.exp(reaching) * -torch.expm1(passing)
