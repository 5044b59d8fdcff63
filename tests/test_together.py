"""Gaussians and a surface in one picture: the renderer against its twin in numpy, and against what is known."""

from __future__ import annotations

from dataclasses import replace

import moderngl
import numpy as np
import pytest

from renderer.context import create_context
from renderer.gaussian_renderer import GaussianRenderer
from renderer.metrics import psnr
from renderer.reference import MIN_ALPHA
from renderer.scene_settings import SceneSettings
from renderer.settings import RenderSettings
from renderer.surface_renderer import SurfaceRenderer
from renderer.surface_settings import SurfaceSettings
from renderer.together import TogetherRenderer
from renderer.together_reference import render_together
from scenes.cameras import Camera, look_at
from scenes.gaussians import SH_C0, Gaussians
from scenes.surface import NeuralSurface
from tests.surface_samples import fitted_surface, sphere, torus
from tests.ui_scenes import shell

SIZE = (56, 40)
BACKGROUND = (0.1, 0.2, 0.4)
PLAIN = SceneSettings(RenderSettings(background=BACKGROUND), SurfaceSettings(background=BACKGROUND))
CAMERA = look_at(np.array([1.9, -1.6, 1.4]), np.zeros(3), np.array([0.0, 0.0, 1.0]), 0.9)
RADIUS = 0.5  # of the ball


def colours(points: np.ndarray) -> np.ndarray:
    return 0.5 + 0.4 * np.sin([8, 6, 7] * points + [0, 1, 2])


def cloud(count: int = 900) -> Gaussians:
    """Gaussians through and around everything, large and small, thin and dense."""
    rng = np.random.default_rng(3)
    return Gaussians(
        positions=rng.normal(0, 0.5, (count, 3)).astype(np.float32),
        log_scales=rng.uniform(-4.5, -2.2, (count, 3)).astype(np.float32),
        rotations=(quaternions := rng.normal(size=(count, 4))).astype(np.float32)
        / np.linalg.norm(quaternions, axis=1, keepdims=True).astype(np.float32),
        opacity_logits=rng.uniform(-3, 3, count).astype(np.float32),
        sh=rng.uniform(-1.5, 1.5, (count, 1, 3)).astype(np.float32),
    )


def one_gaussian(place: tuple[float, float, float], opacity: float, colour: tuple[float, float, float]) -> Gaussians:
    return Gaussians(
        positions=np.array([place], np.float32),
        log_scales=np.full((1, 3), np.log(0.1), np.float32),
        rotations=np.array([[1, 0, 0, 0]], np.float32),
        opacity_logits=np.array([np.log(opacity / (1 - opacity))], np.float32),
        sh=((np.array([[colour]]) - 0.5) / SH_C0).astype(np.float32),
    )


@pytest.fixture(scope="module")
def context() -> moderngl.Context:
    return create_context()


@pytest.fixture(scope="module")
def ring() -> NeuralSurface:
    return fitted_surface(torus, cells=6, width=8, layers=1, colour=colours)


@pytest.fixture(scope="module")
def ball() -> NeuralSurface:
    return fitted_surface(lambda points: sphere(points, RADIUS), cells=8, width=16, layers=1)


def both(
    context: moderngl.Context, scene: Gaussians, surface: NeuralSurface, pipeline: str = "quads", sort: str = "auto"
) -> TogetherRenderer:
    gaussians = GaussianRenderer(context, pipeline=pipeline, sort=sort)
    gaussians.load(scene)
    return TogetherRenderer(gaussians, SurfaceRenderer(context, surface))


def assert_agrees(
    renderer: TogetherRenderer,
    scene: Gaussians,
    surface: NeuralSurface,
    camera: Camera = CAMERA,
    settings: SceneSettings = PLAIN,
) -> None:
    found = renderer.render(camera, *SIZE, settings)
    wanted = render_together(scene, surface, camera, *SIZE, settings)
    assert psnr(found, wanted) >= 40
    # and neither of the two by itself
    for alone in (renderer.gaussians.render(camera, *SIZE, settings.gaussians), found * 0 + BACKGROUND):
        assert psnr(found, alone) < 30


@pytest.mark.parametrize(("pipeline", "sort"), [("quads", "cpu"), ("quads", "gpu"), ("tiles", "cpu"), ("tiles", "gpu")])
def test_every_path_agrees_with_the_twin(
    context: moderngl.Context, ring: NeuralSurface, pipeline: str, sort: str
) -> None:
    scene = cloud()
    assert_agrees(both(context, scene, ring, pipeline, sort), scene, ring)


@pytest.mark.parametrize("projection", ["orthographic", "equirectangular"])
@pytest.mark.parametrize("pipeline", ["quads", "tiles"])
def test_other_cameras_agree_with_the_twin(
    context: moderngl.Context, ring: NeuralSurface, projection: str, pipeline: str
) -> None:
    scene = cloud()
    nearer = look_at(0.5 * CAMERA.position, np.zeros(3), np.array([0.0, 0.0, 1.0]), 0.9)
    camera = replace(nearer, projection=projection, view_height=2.4)
    assert_agrees(both(context, scene, ring, pipeline), scene, ring, camera)


@pytest.mark.parametrize("view", ["normal", "cells", "cost", "slice"])
def test_views_of_the_surface_agree_with_the_twin(context: moderngl.Context, ring: NeuralSurface, view: str) -> None:
    scene = cloud()
    settings = replace(PLAIN, surface=replace(PLAIN.surface, view=view))
    assert_agrees(both(context, scene, ring), scene, ring, settings=settings)


def test_samples_are_composed_one_by_one(context: moderngl.Context, ring: NeuralSurface) -> None:
    """At the surface's edge a pixel is in part the surface, in part the Gaussians behind it."""
    scene, settings = cloud(), PLAIN.sampled(5)
    renderer = both(context, scene, ring)
    assert_agrees(renderer, scene, ring, settings=settings)
    target = context.simple_framebuffer(SIZE)
    pictures = []
    for wanted in (PLAIN, settings):  # the second goes on where the first ended
        renderer.draw(CAMERA, target, wanted)
        pictures.append(np.frombuffer(target.read(), np.uint8).reshape(*SIZE[::-1], 3)[::-1] / 255)
        expected = render_together(scene, ring, CAMERA, *SIZE, wanted).clip(0, 1)
        assert psnr(pictures[-1], expected) >= 40
    assert np.abs(pictures[1] - pictures[0]).max() > 0.1


@pytest.mark.parametrize("pipeline", ["quads", "tiles"])
def test_one_gaussian_before_and_behind_a_ball(context: moderngl.Context, ball: NeuralSurface, pipeline: str) -> None:
    """In front, it is blended over the ball with its alpha; behind, the ball is as if it were alone."""
    camera = look_at(np.array([0.0, 0.0, 3.0]), np.zeros(3), np.array([0.0, 1.0, 0.0]), 0.6)
    opacity, colour = 0.6, (0.9, 0.1, 0.2)
    settings = replace(PLAIN, surface=replace(PLAIN.surface, material=(0.3, 0.8, 0.5)))
    size, middle = (41, 41), (20, 20)
    alone = SurfaceRenderer(context, ball).render(camera, *size, settings.surface)
    pixel_of = {}
    for place in (1.0, RADIUS + 0.02, RADIUS - 0.02, 0.0, -1.0):  # z, the camera looks down on it
        renderer = both(context, one_gaussian((0.0, 0.0, place), opacity, colour), ball, pipeline)
        picture = renderer.render(camera, *size, settings)
        pixel_of[place] = picture[middle]
        if place <= 0:  # nearer, it would be in front of the ball's farther parts
            np.testing.assert_array_equal(picture, alone)
    over = opacity * np.array(colour) + (1 - opacity) * alone[middle]
    for place in (1.0, RADIUS + 0.02):
        np.testing.assert_allclose(pixel_of[place], over, atol=2e-3)
    np.testing.assert_array_equal(pixel_of[RADIUS - 0.02], alone[middle])
    assert np.abs(over - alone[middle]).max() > 0.1


def test_a_gaussian_beside_the_ball_is_seen_whatever_its_depth(context: moderngl.Context, ball: NeuralSurface) -> None:
    camera = look_at(np.array([0.0, 0.0, 3.0]), np.zeros(3), np.array([0.0, 1.0, 0.0]), 0.6)
    scene = one_gaussian((0.75, 0.0, -0.5), 0.9, (0.9, 0.1, 0.2))
    found = both(context, scene, ball).render(camera, *SIZE, PLAIN)
    gaussians = GaussianRenderer(context)
    gaussians.load(scene)
    alpha = gaussians.render_rgba(camera, *SIZE, PLAIN.gaussians)[..., 3]
    surface = SurfaceRenderer(context, ball).render_rgba(camera, *SIZE, PLAIN.surface)[..., 3]
    beside = (alpha > MIN_ALPHA) & (surface == 0)
    assert beside.sum() > 30
    np.testing.assert_allclose(found[beside], gaussians.render(camera, *SIZE, PLAIN.gaussians)[beside], atol=1e-6)


def test_the_depth_view_has_both(context: moderngl.Context, ball: NeuralSurface) -> None:
    """The Gaussian is nearer than the ball, which has its own depth beside it."""
    camera = look_at(np.array([0.0, 0.0, 3.0]), np.zeros(3), np.array([0.0, 1.0, 0.0]), 0.6)
    depths = (1.0, 5.0)
    settings = SceneSettings(
        RenderSettings(view="depth", depth_range=depths), SurfaceSettings(view="depth", depth_range=depths)
    )
    scene = one_gaussian((0.0, 0.0, 0.7), 0.99, (1.0, 1.0, 1.0))
    picture = 1 + 4 * both(context, scene, ball).render(camera, 81, 81, settings)[..., 0]
    x = 3 * np.tan(0.3) * (np.arange(81) - 40) / 40.5  # where the rays of the middle row pass z = 0
    assert picture[40, 40] == pytest.approx(0.99 * 2.3 + 0.01 * (3 - RADIUS), abs=5e-3)
    beside = (np.abs(x) > 0.45) & (np.abs(x) < 0.49)  # of the Gaussian, before the edge of the ball
    assert beside.sum() == 4
    slope = x[beside] / 3  # of the ray; where it meets the ball:
    depth = (3 - np.sqrt(RADIUS**2 * (1 + slope**2) - 9 * slope**2)) / (1 + slope**2)
    np.testing.assert_allclose(picture[40][beside], depth, atol=0.02)


def test_without_a_surface_nothing_of_it_is_compiled(context: moderngl.Context) -> None:
    renderer = GaussianRenderer(context, pipeline="tiles")
    renderer.load(shell(200))
    before = renderer.render(CAMERA, *SIZE)
    far = context.texture(SIZE, 4, np.full((*SIZE[::-1], 4), 3e38, np.float32).tobytes(), dtype="f4")
    renderer.blend(CAMERA, SIZE, RenderSettings(), far, wait=True)
    np.testing.assert_array_equal(renderer.render(CAMERA, *SIZE), before)
