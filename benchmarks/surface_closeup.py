"""The same spot of two surfaces from near: glossy, and in stripes of the normal's direction, where seams show first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.surface_quality import face_jumps
from renderer.camera_rays import camera_rays
from renderer.images import frame_sheet, write_png
from renderer.surface_reference import trace
from renderer.surface_views import jitters
from scenes.cameras import Camera, look_at
from scenes.gaussians import Floats
from scenes.surface import NeuralSurface

Doubles = NDArray[np.float64]

SIZE = 320  # px, of each of the four pictures
SAMPLES = 4  # rays a pixel
AWAY, SEEN = 6.0, 4.0  # cells from the camera to the spot, and cells that a picture is high
TILT = 0.6  # how much the view leans from the normal at the spot
FACE_POINTS = 4000
QUANTILE = 0.98  # of the jumps: the spot is where one is as large as that, not the worst of all
STRIPES = 6.0  # over the range of a normal's component
CAPTIONS = ("coherent", "each cell alone")


def write_closeup(path: Path, coherent: NeuralSurface, alone: NeuralSurface) -> None:
    """Two columns, the surfaces; rows: glossy, stripes. `alone` says where to look: at a large jump of its normal."""
    camera = closeup_camera(alone)
    pictures = [pictured(surface, camera, stripes) for stripes in (False, True) for surface in (coherent, alone)]
    captions = [f"{name}, {shade}" for shade in ("glossy", "stripes") for name in CAPTIONS]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, frame_sheet(pictures, captions, columns=2))


def closeup_camera(surface: NeuralSurface) -> Camera:
    """Looks at a face between two cells, a little from the side."""
    jumps = face_jumps(surface, FACE_POINTS, 0)
    chosen = int(np.argmin(np.abs(jumps.angles - np.quantile(jumps.angles, QUANTILE))))
    grid = surface.grid
    target = np.asarray(grid.origin) + grid.edge * jumps.places[chosen]
    normal = surface.sample(target[None].astype(np.float32)).gradient[0].astype(np.float64)
    normal /= np.linalg.norm(normal)
    up = np.eye(3)[int(np.argmin(np.abs(normal)))]
    towards = normal + TILT * np.cross(normal, up)
    eye = target + AWAY * grid.edge * towards / np.linalg.norm(towards)
    return look_at(eye, target, up, float(2 * np.arctan(0.5 * SEEN / AWAY)), near=0.01 * grid.edge)


def pictured(surface: NeuralSurface, camera: Camera, stripes: bool) -> Floats:
    """[SIZE, SIZE, 3] on white."""
    total = np.zeros((SIZE * SIZE, 3))
    for jitter in jitters(SAMPLES):
        rays = camera_rays(camera, SIZE, SIZE, jitter)
        hits = trace(surface, rays.origins, rays.directions, start=rays.start)
        colours = np.ones((SIZE * SIZE, 3))
        normals = hits.normals[hits.hit].astype(np.float64)
        in_view = normals @ camera.camera_from_world[:3, :3].T
        colours[hits.hit] = (striped if stripes else glossy)(in_view)[:, None]
        total += colours
    return (total / SAMPLES).reshape(SIZE, SIZE, 3).astype(np.float32)


def striped(normals: Doubles) -> Doubles:
    """[N] black and white by the direction of `normals` [N, 3] in the camera's frame: breaks show as steps."""
    return np.clip(0.5 + 4 * np.sin(np.pi * STRIPES * (normals[:, 0] + 0.5 * normals[:, 1])), 0.08, 1)


def glossy(normals: Doubles) -> Doubles:
    """[N] grey of a shiny material under a light from above left (Blinn's highlights)."""
    light = np.array([-0.35, -0.4, -0.85])  # towards it; the camera looks along z
    middle = light / np.linalg.norm(light) + np.array([0, 0, -1])
    diffuse = np.maximum(normals @ light, 0)
    shine = np.maximum(normals @ (middle / np.linalg.norm(middle)), 0) ** 60
    return np.clip(0.12 + 0.5 * diffuse + 0.5 * shine, 0, 1)
