"""The renderer of scene files in windows: parts of a sample, what begins it anew, and Gaussians before it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import sleep

import moderngl
import numpy as np
import pytest
from path_samples import BALL, ball, camera, cornell, meadow, stage_of
from surface_samples import random_surface
from ui_scenes import shell

from renderer import stage_renderer
from renderer.context import create_context
from renderer.lit_picture import displayed, gaussians_before
from renderer.path_tracer import PathTracer
from renderer.scene_settings import SceneSettings
from renderer.stage_denoise import MOST_PASSES, passes_for
from renderer.stage_denoise_reference import denoised
from renderer.stage_renderer import StageRenderer, instant_bounces, numbered
from renderer.stage_settings import MOST_PATHS, StageSettings
from renderer.stage_times import StageTimes
from scenes.errors import KilofieldError
from scenes.load import SceneFile
from scenes.scene_file import ConstantSky, Diffuse, GaussianScene, Plane, Sky, placed
from scenes.stage import Stage

SIZE = (24, 18)
TWO = StageSettings(samples=2)
SHELL = Path("shell.ply")


@pytest.fixture(scope="module")
def context() -> moderngl.Context:
    return create_context()


def with_gaussians() -> Stage:
    """Through a ball, at two scales."""
    stage = stage_of(
        ball(Diffuse((0.2, 0.5, 0.8))),
        GaussianScene(SHELL, placed((0.6, -0.4, 0), (0, 0, 1), 20, 0.5)),
        GaussianScene(SHELL, placed((-1, 0, 0))),
        environment=ConstantSky((0.4, 0.4, 0.4)),
    )
    file = SceneFile(SHELL, "ply", shell(300), 0, 0)
    return replace(stage, gaussians={SHELL: file})


def drawn(renderer: StageRenderer, settings: StageSettings) -> np.ndarray:
    target = renderer.context.simple_framebuffer(SIZE)
    target.clear()
    renderer.draw(camera(), target, settings)
    picture = np.frombuffer(target.read(components=3, alignment=1), np.uint8).reshape(SIZE[1], SIZE[0], 3)[::-1]
    target.release()
    return picture / 255


@pytest.mark.parametrize("stage", [cornell(), with_gaussians()], ids=["cornell", "gaussians"])
def test_is_what_the_tracer_and_its_development_make(stage: Stage, context: moderngl.Context) -> None:
    tracer, renderer = PathTracer(context, stage), StageRenderer(context, stage)
    light = tracer.render(camera(), *SIZE, 2)
    wanted = displayed(light, gaussians_before(tracer, camera()), stage.scene)
    np.testing.assert_array_equal(renderer.render(camera(), *SIZE, TWO), wanted)
    rgba = renderer.render_rgba(camera(), *SIZE, TWO)
    np.testing.assert_array_equal(rgba, np.dstack([wanted, np.ones(SIZE[::-1])]))
    assert np.abs(drawn(renderer, TWO) - wanted).max() <= 2.01 / 255
    assert renderer.facts.samples == 2


@pytest.fixture
def by_hundreds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths between looks at the clock; a picture has 432."""
    monkeypatch.setattr(stage_renderer, "FEWEST", 100)
    monkeypatch.setattr(stage_renderer, "MOST", 100)


@pytest.mark.usefixtures("by_hundreds")
def test_goes_on_where_it_had_no_more_time(context: moderngl.Context) -> None:
    renderer = StageRenderer(context, cornell())
    whole = drawn(renderer, TWO)
    renderer.restart()
    renderer.patience = 0.0
    seen, steps = [], 0
    while renderer.samples < 2:
        seen.append(drawn(renderer, TWO))
        steps += 1
        assert renderer.behind == (renderer.samples == 0 or steps not in (5, 9)), steps
    assert steps == 9
    assert not seen[0].any()  # nothing is drawn before all pixels have a sample
    np.testing.assert_array_equal(seen[-1], whole)
    drawn(renderer, TWO)
    assert not renderer.behind


def test_only_light_begins_it_anew(context: moderngl.Context) -> None:
    stage = with_gaussians()
    renderer = StageRenderer(context, stage)
    drawn(renderer, TWO)
    paths = renderer.tracer.paths
    scene = replace(stage.scene, exposure=1.0, tone_mapping="aces", camera=None)
    named = tuple(replace(thing, name="thing") for thing in scene.objects)
    renderer.show(replace(stage, scene=replace(scene, objects=named)))
    assert renderer.tracer.paths == paths
    fewer = replace(stage, scene=replace(scene, objects=scene.objects[:2]))
    renderer.show(fewer)
    assert renderer.tracer.paths == 0
    tracer = PathTracer(context, fewer)
    light = tracer.render(camera(), *SIZE, 1)
    wanted = displayed(light, gaussians_before(tracer, camera()), fewer.scene)
    np.testing.assert_array_equal(renderer.render(camera(), *SIZE), wanted)


def test_goes_on_with_what_there_was_after_too_many_objects(context: moderngl.Context) -> None:
    renderer = StageRenderer(context, cornell())
    before = drawn(renderer, TWO)
    scene = renderer.stage.scene
    with pytest.raises(KilofieldError, match="expected at most 1024 objects and lights, found 1031"):
        renderer.show(replace(renderer.stage, scene=replace(scene, objects=scene.objects[:1] * 1029)))
    assert renderer.stage.scene == scene
    np.testing.assert_array_equal(drawn(renderer, TWO), before)


def test_picks_the_nearest(context: moderngl.Context) -> None:
    stage = with_gaussians()
    objects = (*stage.scene.objects, Plane((0, -1, 0), -3, Diffuse()))
    renderer = StageRenderer(context, replace(stage, scene=replace(stage.scene, objects=objects)))
    for across, number, y in ((0.0, 0, -1.0), (2.0, 3, 3.0)):
        met = renderer.pick(np.array([across, -4.0, 0.0]), np.array([0.0, 1.0, 0.0]), 0.5)
        assert met is not None
        assert numbered(renderer.stage.scene)[met[0]] == number
        np.testing.assert_allclose(met[1], [across, y, 0], atol=1e-6)
    assert renderer.pick(np.array([0.0, -4.0, 0.0]), np.array([0.0, -1.0, 0.0]), 0.5) is None


@pytest.mark.usefixtures("by_hundreds")
def test_a_surface_in_parts(context: moderngl.Context) -> None:
    renderer = StageRenderer(context, meadow(random_surface(), Diffuse(None), (0.5, 0.5, 0.5), bounces=1))
    whole = drawn(renderer, TWO)
    renderer.restart()
    renderer.patience = 0.0
    parts = [drawn(renderer, TWO)]
    while renderer.samples < 2:
        parts.append(drawn(renderer, TWO))
    assert len(parts) == 9
    np.testing.assert_array_equal(parts[-1], whole)
    assert BALL in renderer.stage.surfaces


def test_settings() -> None:
    for samples in (0, MOST_PATHS + 1):
        with pytest.raises(KilofieldError, match=f"samples: expected 1 to {MOST_PATHS}, found {samples}"):
            StageSettings(samples=samples)
    both = SceneSettings().sampled(2000)
    assert (both.samples, both.stage.samples, both.surface.samples) == (2000, 2000, 1024)


INSTANT = StageSettings(samples=1, instant=True, denoise=True)


def lit(renderer: StageRenderer, settings: StageSettings, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """[H, W, 3] light, before its development."""
    renderer.restart()
    renderer.render(camera(), *size, settings)
    texture = renderer._light(settings)
    return np.frombuffer(texture.read(), np.float32).reshape(*size[::-1], 4)[..., :3].astype(np.float64)


def test_the_denoiser_is_its_twin(context: moderngl.Context) -> None:
    renderer = StageRenderer(context, cornell())
    filtered, noisy = (lit(renderer, StageSettings(2, denoise=on), (40, 30)) for on in (True, False))
    renderer.restart()
    renderer.render(camera(), 40, 30, StageSettings(2, denoise=True))
    normals, places, albedos = (
        np.frombuffer(guide.read(), dtype).reshape(30, 40, 4)[..., :3].astype(np.float64)
        for guide, dtype in zip(renderer.tracer.guides, (np.float16, np.float32, np.float16), strict=True)
    )
    wanted = denoised(noisy, normals, places, albedos, passes_for(2))
    np.testing.assert_allclose(filtered, wanted, rtol=2e-3, atol=1e-4)
    sharp = (normals == 0).all(axis=2)
    assert 0 < sharp.mean() < 0.5
    np.testing.assert_array_equal(filtered[sharp], noisy[sharp])
    np.testing.assert_allclose(np.linalg.norm(normals[~sharp], axis=1), 1, atol=2e-3)


def test_one_instant_path_is_much_nearer_to_the_light_than_one_path(context: moderngl.Context) -> None:
    """Of a box under sky and sun; the error of direct light alone is left out."""
    stage = stage_of(
        Plane((0, 0, 1), -1, Diffuse((0.5, 0.5, 0.5))),
        ball(Diffuse((0.7, 0.3, 0.2))),
        environment=Sky((0.5, -0.6, 0.7), sun_degrees=5.0),
        bounces=1,
    )
    renderer = StageRenderer(context, stage)
    wanted = lit(renderer, StageSettings(128))
    errors = [np.sqrt(((lit(renderer, settings) - wanted) ** 2).mean()) for settings in (StageSettings(1), INSTANT)]
    assert errors[1] < 0.35 * errors[0], errors
    assert abs(lit(renderer, INSTANT).mean() / wanted.mean() - 1) < 0.05
    many = StageSettings(4**MOST_PASSES, denoise=True)
    assert passes_for(many.samples) == 0
    assert [passes_for(samples) for samples in (1, 3, 4, 16, 1023)] == [5, 5, 4, 3, 1]


def test_instant_light_is_direct_but_for_mirrors(context: moderngl.Context) -> None:
    mirrors, plain = cornell().scene, cornell(bounces=4).scene
    glass = replace(plain, objects=(*plain.objects[:5], plain.objects[6]))
    plain = replace(plain, objects=plain.objects[:5])
    assert [instant_bounces(scene) for scene in (mirrors, glass, plain)] == [2, 1, 1]
    stage = replace(cornell(), scene=plain)
    direct = StageRenderer(context, replace(stage, scene=replace(plain, bounces=1)))
    renderer = StageRenderer(context, stage)
    instant = StageSettings(samples=2, instant=True)
    wanted = direct.render(camera(), *SIZE, TWO)
    np.testing.assert_array_equal(renderer.render(camera(), *SIZE, instant), wanted)
    whole = renderer.render(camera(), *SIZE, TWO)  # and back
    assert whole.mean() > 1.1 * wanted.mean()
    hurried = replace(SceneSettings().sampled(5), stage=StageSettings(5, hurried=True))
    assert (hurried.moving().stage.instant, hurried.moving().stage.denoise) == (True, True)
    assert SceneSettings().moving() == SceneSettings()


def test_the_times_have_the_filter_and_the_gaussians(context: moderngl.Context) -> None:
    renderer = StageRenderer(context, with_gaussians())
    renderer.times.synchronised = True
    drawn(renderer, INSTANT)
    stages = dict(renderer.facts.wall_ms)
    total = stages.pop("total")
    assert set(stages) == {"paths", "project", "sort", "blend", "filter"}
    assert all(ms > 0 for ms in stages.values())
    assert sum(stages.values()) <= total
    renderer.restart()
    drawn(renderer, StageSettings(samples=1))
    assert "filter" not in renderer.facts.wall_ms


def test_times_of_a_frame_add_up_and_frames_within_it_are_parts_of_it(context: moderngl.Context) -> None:
    times = StageTimes(context, synchronised=True)
    for _ in range(2):  # the second begins anew
        with times.frame():
            for name in ("a", "b", "a"):
                with times.frame(), times.stage(name, on_gpu=False):
                    sleep(0.004)
    found = times.ms()
    assert set(found) == {"a", "b", "total"}
    assert found["a"] >= 8
    assert found["b"] >= 4
    assert found["a"] + found["b"] <= found["total"]
