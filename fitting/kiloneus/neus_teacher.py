"""A trained NeuS as teacher of cells: distance, gradient and colour at points of the world, and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from fitting.hash_grid_numba import in_pieces
from fitting.kiloneus.neus_photographs import SceneFrame, View, photograph_rays
from fitting.kiloneus.occupancy import Occupancy, march
from fitting.kiloneus.volume import Field, Rays, render
from fitting.neuralgs.targets import mean_quality
from scenes.cameras import Camera
from scenes.gaussians import Floats
from scenes.lenses import PINHOLE, Lens
from scenes.photographs import Photograph

BLOCK = 1 << 13  # points or rays at a time
SHADED = 1e-4  # opacity under which a pixel's normal and depth mean nothing


@dataclass(frozen=True)
class Picture:
    """What a camera sees."""

    colour: Floats  # [H, W, 3] over the background
    opacity: Floats  # [H, W]
    depth: Floats  # [H, W] along the ray, world units; 0 where nothing is
    normal: Floats  # [H, W, 3] unit, in the world; 0 where nothing is


class Model(Field, Protocol):
    """A field that knows how sharp it is: a `Neus`, or cells."""

    @property
    def sharpness(self) -> Tensor:
        """s, per unit of the box."""
        ...

    @property
    def level_weights(self) -> Tensor:
        """Any tensor on the model's device."""
        ...

    def background(self, directions: Tensor) -> Tensor:
        """RGB [R, 3] of what lies behind everything."""
        ...


@dataclass(frozen=True)
class NeusTeacher:
    """See `fitting.kiloneus.teacher.Teacher`, whose interface this is."""

    model: Model
    frame: SceneFrame
    occupancy: Occupancy
    length: float  # of a section, in units of the box
    box: Floats  # [2, 3] world units
    backed: bool = False  # whether it has learnt what lies behind, from photographs without alpha

    coloured = True
    view_dependent = True

    @property
    def bounds(self) -> Floats:
        """[2, 3] lowest and highest corner of a box around the surface."""
        return self.box

    @property
    def sharpness(self) -> float:
        """The learnt s, per world unit."""
        return float(self.model.sharpness.detach()) / self.frame.half

    def sdf(self, points: Floats) -> tuple[Floats, Floats]:
        """Signed distances [N] in world units and gradients [N, 3], about of length 1, at `points` [N, 3]."""

        def block(rows: slice) -> Floats:
            found = self.model.geometry(self._tensor(self.frame.box_from_world(points[rows])))
            return torch.cat([found.sdf[:, None] * self.frame.half, found.gradient], dim=1).cpu().numpy()

        both = _in_blocks(block, len(points), 4)
        return both[:, 0], both[:, 1:]

    def distance(self, points: Floats) -> tuple[Floats, Floats]:
        """As `sdf`, with gradients made unit vectors."""
        distances, gradients = self.sdf(points)
        lengths = np.linalg.norm(gradients, axis=1, keepdims=True)
        return distances, gradients / np.maximum(lengths, 1e-6)

    def colour(self, points: Floats, normals: Floats, directions: Floats) -> Floats:
        """RGB [N, 3] in [0, 1] at `points` with unit `normals`, seen along unit `directions`; all [N, 3]."""

        def block(rows: slice) -> Floats:
            inside = self._tensor(self.frame.box_from_world(points[rows]))
            features = self.model.geometry(inside).features
            seen = (self._tensor(normals[rows]), self._tensor(directions[rows]))
            return self.model.colour(inside, *seen, features).cpu().numpy()

        return _in_blocks(block, len(points), 3)

    def render(
        self,
        camera: Camera,
        width: int,
        height: int,
        background: tuple[float, float, float] | None = None,
        lens: Lens = PINHOLE,
    ) -> Picture:
        """The picture of `camera`; without `background` over what was learnt of it, or black."""
        photograph = Photograph(camera, Path(), width, height, lens)
        rays, _ = photograph_rays(photograph, width, height, self.frame, self.model.level_weights.device)
        colour = (0.0, 0.0, 0.0) if background is None else background
        behind = None if self.backed and background is None else self._tensor(np.array(colour, np.float32))
        found = _in_blocks(lambda rows: self._rendered(rays.rows(rows), behind), len(rays), 8)
        opacity = found[:, 3:4]
        lengths = np.maximum(np.linalg.norm(found[:, 5:], axis=1, keepdims=True), 1e-6)
        depth = np.where(opacity > SHADED, self.frame.half * found[:, 4:5] / np.maximum(opacity, SHADED), 0)
        normal = np.where(opacity > SHADED, found[:, 5:] / lengths, 0)
        parts = (found[:, :3], opacity[:, 0], depth[:, 0].astype(np.float32), normal.astype(np.float32))
        return Picture(*(part.reshape(height, width, *part.shape[1:]) for part in parts))

    def _rendered(self, rays: Rays, background: Tensor | None) -> Floats:
        """[R, 8] colour, opacity, depth times opacity, normal times opacity."""
        offsets = torch.full((len(rays),), 0.5, device=rays.origins.device)
        samples = march(self.occupancy, rays, self.length, offsets)
        shown = render(self.model, rays, samples, self.model.sharpness)
        behind = self.model.background(rays.directions) if background is None else background
        parts = [shown.over(behind), shown.opacity[:, None], shown.depth[:, None], shown.normal]
        return torch.cat(parts, dim=1).cpu().numpy()

    def _tensor(self, values: Floats) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.model.level_weights.device)


def judge(teacher: NeusTeacher, views: Sequence[View], background: tuple[float, float, float]) -> tuple[float, float]:
    """Mean PSNR (dB) and SSIM of the teacher's pictures of `views`, those with alpha over `background`."""
    behind = None if teacher.backed else background
    cameras = [(view.photograph.camera, *view.size, behind, view.photograph.lens) for view in views]
    pictures = [torch.from_numpy(teacher.render(*camera).colour) for camera in cameras]
    return mean_quality(pictures, [view.over(background) for view in views])


def _in_blocks(work: Callable[[slice], Floats], count: int, columns: int) -> Floats:
    """[count, columns] what `work` gives for one slice after the other, without gradients."""

    def quietly(rows: slice) -> Floats:
        with torch.no_grad():  # which is a matter of each thread
            return work(rows)

    found = in_pieces(quietly, [slice(i, i + BLOCK) for i in range(0, count, BLOCK)])
    return np.concatenate(found) if found else np.zeros((0, columns), np.float32)
