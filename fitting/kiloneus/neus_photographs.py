"""Photographs as rays: which pixels there are, where they look, and what they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fitting.kiloneus.volume import Rays
from fitting.neuralgs.targets import Target
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.gaussians import Floats

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class SceneFrame:
    """The frame the field lives in: the box [-1, 1]^3 laid over a cube of the world."""

    centre: Doubles  # [3] world units
    half: float  # world units a unit of the box

    def box_from_world(self, points: Floats | Doubles) -> Floats:
        """[N, 3]."""
        return ((points - self.centre) / self.half).astype(np.float32)


class Lenses(NamedTuple):
    """V pinhole cameras in the box's frame."""

    rotations: Tensor  # [V, 3, 3] box from camera
    positions: Tensor  # [V, 3]
    intrinsics: Tensor  # [V, 4] fx, fy, cx, cy in pixels

    @classmethod
    def of(cls, cameras: Sequence[Camera], sizes: Sequence[tuple[int, int]], frame: SceneFrame) -> Lenses:
        """Of cameras with pictures of `sizes` width and height."""
        rotations = np.stack([c.camera_from_world[:3, :3].T for c in cameras])
        positions = frame.box_from_world(np.stack([c.position for c in cameras]))
        intrinsics = np.array([c.intrinsics(*size) for c, size in zip(cameras, sizes, strict=True)])
        return cls(*(torch.from_numpy(a.astype(np.float32)) for a in (rotations, positions, intrinsics)))

    def rays(self, view: Tensor, column: Tensor, row: Tensor) -> Rays:
        """Of pixels [R], given their places in the pictures; 0.5 is the middle of the first."""
        fx, fy, cx, cy = self.intrinsics[view].unbind(1)
        towards = torch.stack([(column - cx) / fx, (row - cy) / fy, torch.ones_like(fx)], dim=1)
        directions = torch.einsum("rij,rj->ri", self.rotations[view], towards)
        return Rays(self.positions[view], torch.nn.functional.normalize(directions, dim=1))


@dataclass(frozen=True)
class Photographs:
    """All pixels of all photographs, in one row."""

    lenses: Lenses
    sizes: NDArray[np.int64]  # [V, 2] width, height
    firsts: NDArray[np.int64]  # [V] the first pixel of each
    rgba: Tensor  # [P, 4] half floats, premultiplied
    masked: bool  # whether any has transparent pixels

    @classmethod
    def of(cls, targets: Sequence[Target], frame: SceneFrame, device: torch.device) -> Photographs:
        """Of the pictures to fit."""
        if any(t.camera.projection != "pinhole" for t in targets):
            raise KilofieldError("photographs: expected pinhole cameras, found another projection")
        sizes = [(t.rgba.shape[1], t.rgba.shape[0]) for t in targets]
        lenses = Lenses(*(t.to(device) for t in Lenses.of([t.camera for t in targets], sizes, frame)))
        counts = np.array([w * h for w, h in sizes])
        rgba = torch.cat([t.rgba.reshape(-1, 4) for t in targets]).to(device)
        return cls(lenses, np.array(sizes), np.cumsum(counts) - counts, rgba, is_masked(targets))

    def __len__(self) -> int:
        return len(self.rgba)

    def rays(self, pixels: NDArray[np.int64], within: Floats | None = None) -> Rays:
        """Through `pixels` [R], at the places `within` [R, 2] of them (0 to 1), or their middles."""
        view = np.searchsorted(self.firsts, pixels, side="right") - 1
        row, column = np.divmod(pixels - self.firsts[view], self.sizes[view, 0])
        places = np.stack([column, row], axis=1) + (0.5 if within is None else within)
        device = self.rgba.device
        x, y = torch.from_numpy(places.astype(np.float32)).to(device).unbind(1)
        return self.lenses.rays(torch.from_numpy(view).to(device), x, y)

    def colours(self, pixels: NDArray[np.int64]) -> Tensor:
        """[R, 4] premultiplied."""
        return self.rgba[torch.from_numpy(pixels).to(self.rgba.device)].float()


def is_masked(targets: Sequence[Target]) -> bool:
    """Whether any picture has transparent pixels."""
    return any(bool((t.rgba[..., 3] < 0.5).any()) for t in targets)


def picture_rays(camera: Camera, width: int, height: int, frame: SceneFrame, device: torch.device) -> Rays:
    """[height * width] one ray a pixel, row by row."""
    lenses = Lenses(*(t.to(device) for t in Lenses.of([camera], [(width, height)], frame)))
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = (columns.flatten().float() + 0.5, rows.flatten().float() + 0.5)
    view = torch.zeros(width * height, dtype=torch.int64, device=device)
    return lenses.rays(view, *(p.to(device) for p in places))
