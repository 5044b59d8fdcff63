"""From the light of a path-traced scene to a picture: Gaussians in front of it, then tone mapping.

Gaussians have the colours of a display, which no tone mapping should change again: they are blended with the
tone-mapped picture. For a picture of light their colours are made linear, by sRGB's curve. A Gaussian is drawn where
its centre is nearer than what the first path of the pixel met. Of several scenes of Gaussians the later ones in the
file are over the earlier ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import moderngl
import numpy as np

from renderer.accumulation import picture_texture
from renderer.gaussian_renderer import GaussianRenderer
from renderer.path_tracer import PathTracer
from renderer.settings import RenderSettings
from renderer.tone_mapping import tone_mapped
from scenes.cameras import Camera
from scenes.gaussians import Floats
from scenes.scene_file import GaussianScene, Matrix, SceneDescription, matrix_of
from scenes.triangle_mesh import linear_of_srgb

PLAIN = RenderSettings()


def gaussians_before(tracer: PathTracer, camera: Camera) -> list[Floats]:
    """[H, W, 4] premultiplied colour and alpha of each of the scene's Gaussians, before what `tracer` has traced."""
    stage, found = tracer.stage, []
    renderer = None
    for thing in stage.scene.objects:
        if isinstance(thing, GaussianScene):
            renderer = renderer or GaussianRenderer(tracer.context)
            renderer.load(stage.gaussians[thing.file].scene)
            found.append(_before(renderer, tracer.texture, *moved(camera, thing.transform)))
    if renderer is not None:
        renderer.release()
    return found


def moved(camera: Camera, transform: Matrix) -> tuple[Camera, float]:
    """The camera as things see it that `transform` puts into the world, and what a unit of theirs is there.

    `transform` is a rotation, a translation and one scale.
    """
    matrix = matrix_of(transform)
    scale = float(np.cbrt(np.linalg.det(matrix[:3, :3])))
    camera_from_object = camera.camera_from_world @ matrix / scale
    camera_from_object[3] = 0, 0, 0, 1
    near, height = camera.near / scale, camera.view_height / scale
    return replace(camera, camera_from_world=camera_from_object, near=near, view_height=height), scale


def displayed(light: Floats, fronts: Sequence[Floats], scene: SceneDescription) -> Floats:
    """[H, W, 3] in [0, 1], as the scene's tone mapping has it."""
    picture = tone_mapped(light, scene.tone_mapping, scene.exposure)
    for front in fronts:
        picture = front[..., :3] + (1 - front[..., 3:]) * picture
    return np.clip(picture, 0, 1).astype(np.float32)


def linear(light: Floats, fronts: Sequence[Floats]) -> Floats:
    """[H, W, 3] the light of both."""
    for front in fronts:
        alpha = front[..., 3:]
        colour = front[..., :3] / np.where(alpha > 0, alpha, 1)
        light = (alpha * linear_of_srgb(np.clip(colour, 0, 1)) + (1 - alpha) * light).astype(np.float32)
    return light


def _before(renderer: GaussianRenderer, traced: moderngl.Texture, camera: Camera, scale: float) -> Floats:
    """What `renderer` draws with centres nearer than the depths of `traced`, which are in units of the world."""
    width, height = size = traced.size
    depths = np.frombuffer(traced.read(), np.float32).reshape(height, width, 4).copy()
    depths[..., 3] /= scale
    cover = picture_texture(renderer.context, size, "f4")
    cover.write(depths.tobytes())
    picture = renderer.blend(camera, size, PLAIN, cover, wait=True).read()
    cover.release()
    return np.frombuffer(picture, np.float32).reshape(height, width, 4).copy()
