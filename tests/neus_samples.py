"""What tests of NeuS look at: a sphere with an exact distance, and photographs of a coloured one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize

from fitting.kiloneus.neus import Geometry, sphere_directions
from fitting.kiloneus.neus_photographs import SceneFrame, View, photograph_rays
from fitting.kiloneus.volume import Rays
from scenes.cameras import Camera, look_at
from scenes.common_view import Sphere
from scenes.photographs import Photograph

CENTRE, RADIUS = (1.0, 2.0, -0.5), 0.8  # of the photographed sphere, world units
AROUND = Sphere(CENTRE, 1.1)  # what files would say of where it is
FAR = 3.0  # of the cameras
FINER = 4  # rays along a pixel's edge


@dataclass(frozen=True)
class SphereField:
    """The exact distance to a sphere around the origin, coloured by its normals."""

    radius: float

    def geometry(self, points: Tensor) -> Geometry:
        lengths = torch.linalg.vector_norm(points, dim=1)
        return Geometry(lengths - self.radius, normalize(points, dim=1), points)

    def colour(self, points: Tensor, normals: Tensor, directions: Tensor, features: Tensor) -> Tensor:
        return painted(normals)


def painted(normals: Tensor) -> Tensor:
    """RGB [N, 3] that changes over the sphere."""
    return 0.5 + 0.4 * torch.sin(3 * normals)


def sphere_cameras(count: int) -> list[Camera]:
    """Cameras all around the photographed sphere."""
    eyes = np.array(CENTRE) + FAR * sphere_directions(count).double().numpy()
    return [look_at(eye, np.array(CENTRE), np.array([0.1, 0.2, 1.0]), fov_y=0.75) for eye in eyes]


def sphere_views(count: int, side: int, opaque: bool = False) -> list[View]:
    """Pictures of `side` pixels of the sphere; `opaque` before a background."""
    return [sphere_view(camera, side, opaque) for camera in sphere_cameras(count)]


def sphere_view(camera: Camera, side: int, opaque: bool = False) -> View:
    frame = SceneFrame(np.array(CENTRE), RADIUS)
    photograph = Photograph(camera, Path("sphere.png"), side, side)
    rays, _ = photograph_rays(photograph, FINER * side, FINER * side, frame, torch.device("cpu"))
    fine = _traced(rays, opaque).T.reshape(1, 4, FINER * side, FINER * side)
    return View(photograph, avg_pool2d(fine, FINER)[0].permute(1, 2, 0).half())


def _traced(rays: Rays, opaque: bool) -> Tensor:
    """[R, 4] of the unit sphere."""
    along = -(rays.origins * rays.directions).sum(dim=1)
    across = (rays.origins + along[:, None] * rays.directions).square().sum(dim=1)
    depths = along - torch.sqrt((1 - across).clamp(min=0))
    colours = painted(rays.origins + depths[:, None] * rays.directions)
    hit = (across < 1).float()[:, None]
    behind = 0.3 + 0.2 * rays.directions
    return torch.cat([colours * hit + (1 - hit) * behind * opaque, torch.ones_like(hit) if opaque else hit], dim=1)
