"""Surfaces drawn a part at a time: the same picture in the end, and none before."""

from __future__ import annotations

from dataclasses import replace

import moderngl
import numpy as np
import pytest
from gaussian_samples import random_gaussians

from renderer.context import create_context
from renderer.gaussian_renderer import GaussianRenderer
from renderer.scene_settings import SceneSettings
from renderer.surface_renderer import BAND, SurfaceRenderer
from renderer.surface_settings import SURFACE_VIEWS, SurfaceSettings
from renderer.together import TogetherRenderer
from renderer.window import WindowPicture
from scenes.cameras import look_at
from scenes.extent import Extent
from tests.surface_samples import random_surface
from ui.together import around

SIZE = (40, 3 * BAND + 5)
CAMERA = look_at(np.array([1.9, -0.5, 2.5]), np.array([0.35, 0.85, 1.05]), np.array([0.0, 0.0, 1.0]), 0.8)


@pytest.fixture(scope="module")
def context() -> moderngl.Context:
    return create_context()


def patiently(renderer: SurfaceRenderer | TogetherRenderer, surface: SurfaceRenderer, settings: object) -> list[bytes]:
    """The picture after each call with time for one band only."""
    target = renderer.context.simple_framebuffer(SIZE)
    target.clear()
    surface.patience = 0.0
    pictures = []
    while not pictures or renderer.behind:
        renderer.draw(CAMERA, target, settings)  # pyright: ignore[reportArgumentType]
        pictures.append(target.read())
        assert len(pictures) < 100
    surface.patience = None
    return pictures


@pytest.mark.parametrize("view", SURFACE_VIEWS)
def test_bands_make_the_same_picture(context: moderngl.Context, view: str) -> None:
    surface, settings = SurfaceRenderer(context, random_surface()), SurfaceSettings(view=view, samples=3)
    pictures = patiently(surface, surface, settings)
    assert len(pictures) == 3 * 4  # samples and bands
    assert not any(pictures[0])  # nothing before the first sample is whole
    target = context.simple_framebuffer(SIZE)
    surface.restart()
    surface.draw(CAMERA, target, settings)
    assert pictures[-1] == target.read()


def test_another_camera_begins_anew(context: moderngl.Context) -> None:
    surface, settings = SurfaceRenderer(context, random_surface()), SurfaceSettings()
    target = context.simple_framebuffer(SIZE)
    surface.patience = 0.0
    surface.draw(replace(CAMERA, fov_y=0.5), target, settings)
    assert surface.behind
    pictures = patiently(surface, surface, settings)
    assert len(pictures) == 4
    surface.restart()
    surface.draw(CAMERA, target, settings)
    assert pictures[-1] == target.read()


def test_bands_beside_gaussians(context: moderngl.Context) -> None:
    gaussians, surface = GaussianRenderer(context), SurfaceRenderer(context, random_surface())
    gaussians.load(random_gaussians(60, 0))
    both, settings = TogetherRenderer(gaussians, surface), SceneSettings(surface=SurfaceSettings(samples=2))
    pictures = patiently(both, surface, settings)
    assert len(pictures) == 2 * 4 - 1  # the second begins where the first ends
    target = context.simple_framebuffer(SIZE)
    both.restart()
    both.draw(CAMERA, target, settings)
    assert pictures[-1] == target.read()


def test_a_picture_that_is_not_ready_is_not_shown(context: moderngl.Context) -> None:
    picture = WindowPicture(context)
    assert picture.size == (0, 0)

    def paint(level: float, ready: bool | None) -> bool:
        def fill(target: moderngl.Framebuffer) -> bool | None:
            target.clear(level, level, level)
            return ready

        return picture.draw(6, 4, fill)

    assert paint(0.2, None)
    assert not paint(0.4, False)
    assert np.unique(picture.read()).tolist() == [51]
    assert paint(0.6, True)
    assert np.unique(picture.read()).tolist() == [153]
    assert picture.draw(3, 5, lambda target: target.clear(1.0, 1.0, 1.0))
    assert picture.read().shape == (5, 3, 3)
    picture.release()
    assert picture.size == (0, 0)


def test_a_ball_around_two() -> None:
    up = np.array([0.0, 1.0, 0.0])
    a, b = Extent(np.zeros(3), 1.0, up), Extent(np.array([3.0, 0.0, 0.0]), 2.0, -up)
    both = around(a, b)
    assert (both.centre.tolist(), both.radius, both.up.tolist()) == ([2.0, 0.0, 0.0], 3.0, [0.0, 1.0, 0.0])
    inside = Extent(np.array([0.2, 0.0, 0.0]), 0.5, up)
    assert around(a, inside) is a
    assert around(inside, a).radius == 1.0
