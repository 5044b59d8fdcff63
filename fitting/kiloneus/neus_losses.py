"""What a NeuS is taught by: photographs, and what a distance must be like anywhere.

colour    L1 over a background that changes from ray to ray, so that edges are right in front of everything
mask      cross-entropy of the opacity
eikonal   the gradient's length is 1
hull      outside of the visual hull the distance is at least that to the hull
smooth    normals change little over a small way: a grid mixed linearly makes them noisy where nothing is to be seen
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, normalize

from fitting.kiloneus.neus import Neus
from fitting.kiloneus.volume import Rays, Rendered, Samples

SURE = 1e-3  # opacities are kept this far from 0 and 1 in the cross-entropy
NUDGE = 0.01  # of the box: how far apart normals are compared


@dataclass(frozen=True)
class Batch:
    """R rays of a step, or of a piece of it, and points elsewhere."""

    rays: Rays
    samples: Samples
    rgba: Tensor  # [R, 4] what the photographs show, premultiplied
    behind: Tensor  # [R, 3] background
    free: Tensor  # [M, 3] points anywhere in the box
    least: Tensor  # [M] what the distance must be there at least; negative: anything
    probes: Tensor  # [Q, 4] which of the sections to look beside, as a share of them, and where to, in `NUDGE`

    def pieces(self, count: int) -> list[Batch]:
        """Its rays in `count` parts of about as many sections each."""
        aims = torch.arange(1, count, device=self.samples.starts.device) * int(self.samples.starts[-1]) // count
        cuts = [0, *torch.searchsorted(self.samples.starts, aims).tolist(), len(self.rays)]
        others = zip(*(torch.tensor_split(t, count) for t in (self.free, self.least, self.probes)), strict=True)
        return [self._part(*cut, *other) for cut, other in zip(pairwise(cuts), others, strict=True)]

    def _part(self, first: int, last: int, free: Tensor, least: Tensor, probes: Tensor) -> Batch:
        rows = slice(first, last)
        rays, samples = self.rays.rows(rows), self.samples.part(first, last)
        return Batch(rays, samples, self.rgba[rows], self.behind[rows], free, least, probes)


def colour_error(shown: Rendered, batch: Batch, behind: Tensor) -> Tensor:
    """[R, 3] over `behind` [R, 3]."""
    return shown.over(behind) - batch.rgba[:, :3] - (1 - batch.rgba[:, 3:]) * behind


def mask_loss(shown: Rendered, batch: Batch) -> Tensor:
    """[R]."""
    return binary_cross_entropy(shown.opacity.clamp(SURE, 1 - SURE), batch.rgba[:, 3], reduction="none")


def eikonal(gradient: Tensor) -> Tensor:
    """[N] how far the lengths of `gradient` [N, 3] are from 1, squared."""
    return (torch.linalg.vector_norm(gradient, dim=1) - 1).square()


def elsewhere_losses(model: Neus, shown: Rendered, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """The eikonal and the hull loss of each free point [M], and how different normals are beside sections [Q]."""
    sections = batch.samples.rays
    chosen = (batch.probes[:, 0] * len(sections)).long()[: len(batch.probes) if len(sections) else 0]
    ray = sections[chosen]
    points = batch.rays.origins[ray] + batch.samples.depths[chosen, None] * batch.rays.directions[ray]
    beside = points + NUDGE * batch.probes[: len(chosen), 1:]
    found = model.geometry(torch.cat([batch.free, beside]))
    count = len(batch.free)
    below = torch.where(batch.least > 0, torch.relu(batch.least - found.sdf[:count]), 0)
    change = normalize(found.gradient[count:], dim=1) - normalize(shown.geometry.gradient[chosen], dim=1)
    return eikonal(found.gradient[:count]), below, change.square().sum(dim=1)
