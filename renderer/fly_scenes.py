"""What a flythrough flies through: a scene of any kind in video memory, how it is drawn, and what it takes there.

However often a picture is asked for, it is drawn anew. A frame's times are those of all that draws it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import moderngl

from renderer.gaussian_renderer import FrameFacts, GaussianRenderer
from renderer.scene_settings import SceneSettings
from renderer.settings import RenderSettings
from renderer.stage_renderer import StageRenderer
from renderer.stage_settings import StageSettings
from renderer.stage_times import StageTimes
from renderer.surface_renderer import SurfaceRenderer
from renderer.surface_settings import SurfaceSettings
from renderer.together import TogetherRenderer
from scenes.cameras import Camera
from scenes.gaussians import Gaussians
from scenes.neural_gaussians import NeuralGaussians
from scenes.stage import Stage
from scenes.surface import NeuralSurface


@dataclass(frozen=True)
class Pair:
    """Gaussians and a surface, in one picture."""

    gaussians: Gaussians | NeuralGaussians
    surface: NeuralSurface


AnyScene: TypeAlias = "Gaussians | NeuralGaussians | NeuralSurface | Pair | Stage"
AnySettings: TypeAlias = "RenderSettings | SurfaceSettings | StageSettings | SceneSettings"
AnyRenderer: TypeAlias = "GaussianRenderer | SurfaceRenderer | StageRenderer"
Draw = Callable[[Camera, moderngl.Framebuffer], None]
WarmUp = Callable[
    [Camera, int, int], object
]  # a picture of a width and a height read back: makes all the room it needs


@dataclass(frozen=True)
class FlownScene:
    """One scene in video memory; `counts` is how much of what there is of it."""

    kind: str  # "gaussians", "surface", "together" or "stage"
    counts: dict[str, int]
    renderers: tuple[AnyRenderer, ...]  # the first one's facts are the scene's
    times: StageTimes
    draw: Draw
    warm_up: WarmUp
    release: Callable[[], None]

    @property
    def video_memory(self) -> int:
        """Bytes of the scene."""
        return sum(renderer.scene.bytes for renderer in self.renderers)

    @property
    def working_memory(self) -> int:
        """Bytes that pictures take beside it."""
        return sum(renderer.working_bytes for renderer in self.renderers)

    @property
    def pipeline(self) -> str:
        """How it was drawn last."""
        return self.renderers[0].facts.pipeline

    @property
    def residency(self) -> str:
        """How it is in video memory."""
        return self.renderers[0].facts.residency

    @property
    def gaussian_facts(self) -> FrameFacts:
        """About the latest frame; empty where there are no Gaussians."""
        facts = self.renderers[0].facts
        return facts if isinstance(facts, FrameFacts) else FrameFacts()


def all_settings(settings: AnySettings) -> SceneSettings:
    """For every kind of scene; those not said are the defaults, over the same background."""
    if isinstance(settings, SceneSettings):
        return settings
    if isinstance(settings, StageSettings):
        return SceneSettings(stage=settings)
    background = settings.background
    gaussians = settings if isinstance(settings, RenderSettings) else RenderSettings(background=background)
    surface = settings if isinstance(settings, SurfaceSettings) else SurfaceSettings(background=background)
    return SceneSettings(gaussians, surface)


def flown_scene(
    context: moderngl.Context, scene: AnyScene, settings: SceneSettings, pipeline: str, residency: str
) -> FlownScene:
    """Puts `scene` into video memory; `pipeline` and `residency` are for its Gaussians.

    Raises `KilofieldError` when it does not fit the device.
    """
    if isinstance(scene, Stage):
        return _flown_stage(context, scene, settings.stage)
    if isinstance(scene, NeuralSurface):
        return _flown_surface(context, scene, settings.surface)
    if isinstance(scene, Pair):
        return _flown_pair(context, scene, settings, pipeline, residency)
    renderer = _gaussians(context, scene, pipeline, residency)
    how = settings.gaussians
    return FlownScene(
        "gaussians",
        {"Gaussians": len(scene)},
        (renderer,),
        renderer.times,
        lambda camera, target: renderer.draw(camera, target, how),
        lambda camera, width, height: renderer.render_rgba(camera, width, height, how),
        renderer.release,
    )


def _gaussians(
    context: moderngl.Context, scene: Gaussians | NeuralGaussians, pipeline: str, residency: str
) -> GaussianRenderer:
    renderer = GaussianRenderer(context, pipeline=pipeline, residency=residency)
    renderer.load(scene)
    return renderer


def _flown_surface(context: moderngl.Context, surface: NeuralSurface, settings: SurfaceSettings) -> FlownScene:
    renderer = SurfaceRenderer(context, surface)

    def draw(camera: Camera, target: moderngl.Framebuffer) -> None:
        renderer.restart()
        renderer.draw(camera, target, settings)

    return FlownScene(
        "surface",
        {"cells": len(surface)},
        (renderer,),
        renderer.times,
        draw,
        lambda camera, width, height: renderer.render_rgba(camera, width, height, settings),
        renderer.release,
    )


def _flown_pair(
    context: moderngl.Context, pair: Pair, settings: SceneSettings, pipeline: str, residency: str
) -> FlownScene:
    gaussians = _gaussians(context, pair.gaussians, pipeline, residency)
    surface = SurfaceRenderer(context, pair.surface)
    surface.times = times = gaussians.times
    both = TogetherRenderer(gaussians, surface)
    look = replace(settings, stage=StageSettings())  # whose samples are none of theirs

    def draw(camera: Camera, target: moderngl.Framebuffer) -> None:
        with times.frame():
            both.restart()
            both.draw(camera, target, look)

    def release() -> None:
        for renderer in (both, surface, gaussians):
            renderer.release()

    return FlownScene(
        "together",
        {"Gaussians": len(pair.gaussians), "cells": len(pair.surface)},
        (gaussians, surface),
        times,
        draw,
        lambda camera, width, height: both.render_rgba(camera, width, height, look),
        release,
    )


def _flown_stage(context: moderngl.Context, stage: Stage, settings: StageSettings) -> FlownScene:
    renderer = StageRenderer(context, stage)

    def draw(camera: Camera, target: moderngl.Framebuffer) -> None:
        renderer.restart()
        renderer.draw(camera, target, settings)

    def warm_up(camera: Camera, width: int, height: int) -> object:
        renderer.restart()
        return renderer.render(camera, width, height, settings)

    counts = {"objects": len(stage.scene.objects), "lights": len(stage.scene.lights)}
    return FlownScene("stage", counts, (renderer,), renderer.times, draw, warm_up, renderer.release)
