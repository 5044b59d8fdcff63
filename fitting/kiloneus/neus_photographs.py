"""Photographs as rays: which pixels there are, where they look, and what they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fitting.hash_grid_numba import in_pieces
from fitting.kiloneus.volume import Rays
from scenes.gaussians import Floats
from scenes.photographs import Photograph

Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class SceneFrame:
    """The frame the field lives in: the box [-1, 1]^3 laid over a cube of the world."""

    centre: Doubles  # [3] world units
    half: float  # world units a unit of the box

    def box_from_world(self, points: Floats | Doubles) -> Floats:
        """[N, 3]."""
        return ((points - self.centre) / self.half).astype(np.float32)


@dataclass(frozen=True)
class View:
    """A photograph at the size it is learnt at."""

    photograph: Photograph
    rgba: Tensor  # [H, W, 4] half floats, premultiplied by alpha

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.rgba.shape[1], self.rgba.shape[0]

    @property
    def pixel(self) -> float:
        """What a pixel covers at distance 1."""
        return 1 / self.photograph.camera.intrinsics(*self.size)[1]

    def over(self, background: tuple[float, float, float]) -> Tensor:
        """[H, W, 3] the picture over a background."""
        rgba = self.rgba.float()
        return rgba[..., :3] + (1 - rgba[..., 3:]) * torch.tensor(background)


def load_views(photographs: Sequence[Photograph], side: int) -> list[View]:
    """Photographs averaged down to at most `side` pixels on their longest side."""
    return in_pieces(lambda photograph: _loaded(photograph, side), list(photographs))


def _loaded(photograph: Photograph, side: int) -> View:
    scale = min(side / max(photograph.width, photograph.height), 1.0)
    width, height = (max(round(scale * pixels), 1) for pixels in (photograph.width, photograph.height))
    rgba = photograph.image_at(width, height)
    rgba[..., :3] *= rgba[..., 3:]
    return View(photograph, torch.from_numpy(rgba).half())


def is_masked(views: Sequence[View]) -> bool:
    """Whether any picture has transparent pixels."""
    return any(bool((v.rgba[..., 3] < 0.5).any()) for v in views)


@dataclass(frozen=True)
class Pixels:
    """All pixels of V views, in one row. Views through one lens share its directions."""

    rotations: Tensor  # [V, 3, 3] world from camera
    positions: Tensor  # [V, 3] of the cameras, in the box
    directions: Tensor  # [D, 3] unit, in the camera's axes
    tables: Indices  # [V] the first direction of each view
    firsts: Indices  # [V] the first pixel of each view
    rgba: Tensor  # [P, 4] half floats, premultiplied
    masked: bool  # whether any is transparent
    seen: Indices  # [S] pixels where the lens shows something

    @classmethod
    def of(cls, views: Sequence[View], frame: SceneFrame, device: torch.device) -> Pixels:
        """Of the pictures to learn."""
        poses = [v.photograph.camera.camera_from_world for v in views]
        rotations = np.stack([pose[:3, :3].T for pose in poses]).astype(np.float32)
        positions = frame.box_from_world(np.stack([v.photograph.camera.position for v in views]))
        tables, directions, shown = _tables(views)
        counts = np.array([v.rgba.shape[0] * v.rgba.shape[1] for v in views])
        firsts = np.cumsum(counts) - counts
        places = [first + np.flatnonzero(shown[t : t + n]) for first, t, n in zip(firsts, tables, counts, strict=True)]
        rgba = torch.cat([v.rgba.reshape(-1, 4) for v in views]).to(device)
        turns, eyes, towards = (torch.from_numpy(a).to(device) for a in (rotations, positions, directions))
        return cls(turns, eyes, towards, tables, firsts, rgba, is_masked(views), np.concatenate(places))

    def rays(self, pixels: Indices) -> Rays:
        """Through the middles of `pixels` [R]."""
        number = np.searchsorted(self.firsts, pixels, side="right") - 1
        places = self.tables[number] + pixels - self.firsts[number]
        view, place = (torch.from_numpy(a).to(self.rgba.device) for a in (number, places))
        directions = (self.rotations[view] * self.directions[place, None]).sum(dim=2)
        return Rays(self.positions[view], directions)

    def colours(self, pixels: Indices) -> Tensor:
        """[R, 4] premultiplied."""
        return self.rgba[torch.from_numpy(pixels).to(self.rgba.device)].float()


def _tables(views: Sequence[View]) -> tuple[Indices, Floats, NDArray[np.bool_]]:
    """The first direction of each view [V], all directions [D, 3] in cameras' axes, and whether they are seen [D]."""
    known: dict[object, int] = {}
    firsts, directions, seen, count = [], [], [], 0
    for view in views:
        photograph, size = view.photograph, view.size
        key = (photograph.lens, photograph.camera.intrinsics(*size), size)
        if key not in known:
            rays = photograph.rays(*size)
            known[key] = count
            directions.append(rays.directions.reshape(-1, 3) @ photograph.camera.camera_from_world[:3, :3].T)
            seen.append(rays.seen.ravel())
            count += len(seen[-1])
        firsts.append(known[key])
    return np.array(firsts), np.concatenate(directions).astype(np.float32), np.concatenate(seen)


def photograph_rays(
    photograph: Photograph, width: int, height: int, frame: SceneFrame, device: torch.device
) -> tuple[Rays, NDArray[np.bool_]]:
    """[height * width] one ray a pixel of the view, row by row, and whether the lens shows it."""
    found = photograph.rays(width, height)
    directions = torch.from_numpy(found.directions.reshape(-1, 3)).to(device)
    origin = torch.from_numpy(frame.box_from_world(found.origin[None])).to(device)
    return Rays(origin.expand_as(directions).contiguous(), directions), found.seen.ravel()
