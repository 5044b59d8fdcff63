"""How alike scenes look: pictures drawn by OpenGL, their figures, and more cameras of the kind a benchmark has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from renderer.context import create_context
from renderer.gaussian_renderer import GaussianRenderer
from renderer.metrics import MeanScore, ViewScore, mean_score, mean_squared_error, object_error, ssim
from renderer.settings import RenderSettings
from scenes.cameras import Camera
from scenes.extent import Extent
from scenes.gaussians import Floats, Gaussians
from scenes.neural_gaussians import NeuralGaussians

SIZE = (480, 320)
TURN = np.radians(20)  # between an evaluation camera and the one beside it

Scenery = Gaussians | NeuralGaussians


def render(scene: Scenery, cameras: Sequence[Camera], background: float = 0.0) -> list[Floats]:
    """The pictures [H, W, 3] of a scene before black, white or grey, clipped to [0, 1]."""
    return [over(picture, background) for picture in render_rgba(scene, cameras)]


def over(picture: Floats, background: float) -> Floats:
    """[H, W, 3] a premultiplied picture [H, W, 4] before a shade from black to white, clipped to [0, 1]."""
    return np.clip(picture[..., :3] + np.float32(background) * (1 - picture[..., 3:]), 0, 1)


def render_rgba(scene: Scenery, cameras: Sequence[Camera]) -> list[Floats]:
    """The pictures [H, W, 4] of a scene, premultiplied and not clipped."""
    renderer = GaussianRenderer(create_context())
    renderer.load(scene)
    pictures = [renderer.render_rgba(camera, *SIZE, RenderSettings()) for camera in cameras]
    renderer.release()
    return pictures


def judge(a: Sequence[Floats], b: Sequence[Floats]) -> MeanScore:
    """The mean figures of pairs of pictures."""
    return mean_score(view_scores(a, b))


def view_scores(a: Sequence[Floats], b: Sequence[Floats], alphas: Sequence[Floats] | None = None) -> list[ViewScore]:
    """The figures of each pair of pictures; with `alphas` [H, W] of the first, of the object's own pixels too."""
    objects = (
        [None] * len(a) if alphas is None else [object_error(x, y, m) for x, y, m in zip(a, b, alphas, strict=True)]
    )
    triples = enumerate(zip(a, b, objects, strict=True))
    return [ViewScore(str(i), mean_squared_error(x, y), ssim(x, y), object_error=e) for i, (x, y, e) in triples]


def turned(cameras: Sequence[Camera], extent: Extent, angle: float = TURN) -> list[Camera]:
    """Other cameras of the same kind: each taken `angle` radians around the scene's upright axis."""
    x, y, z = extent.up
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.eye(4)
    turn[:3, :3] = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)  # Rodrigues
    turn[:3, 3] = extent.centre - turn[:3, :3] @ extent.centre
    return [replace(c, camera_from_world=c.camera_from_world @ np.linalg.inv(turn)) for c in cameras]
