"""The path tracer's shaders against known answers and against their twin in numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import moderngl
import numpy as np
import pytest
import trimesh

from renderer.context import create_context
from renderer.path_reference import PathReference
from renderer.path_scene import path_scene
from renderer.path_tracer import PathTracer
from renderer.surface_renderer import SurfaceRenderer
from renderer.surface_settings import SurfaceSettings
from renderer.tone_mapping import tone_mapped
from scenes.cameras import Camera
from scenes.scene_file import (
    Box,
    Captured,
    ConstantSky,
    Diffuse,
    Glass,
    MeshObject,
    Metal,
    Plane,
    RectangleLight,
    Sky,
    Surface,
    placed,
)
from scenes.stage import Stage
from scenes.surface import NeuralSurface
from scenes.triangle_mesh import Mesh
from tests.path_samples import BALL, KNOWN, ball, camera, cornell, meadow, picture_stage, stage_of
from tests.surface_samples import fitted_surface, sphere, torus

SIZE = (24, 18)


@pytest.fixture(scope="module")
def context() -> moderngl.Context:
    return create_context()


@pytest.fixture(scope="module")
def ring() -> NeuralSurface:
    return fitted_surface(torus, cells=8, colour=lambda p: 0.5 + 0.4 * np.sin([8, 6, 7] * p + [0, 1, 2]))


@pytest.fixture(scope="module")
def tracer(context: moderngl.Context) -> Callable[..., np.ndarray]:
    one = PathTracer(context, stage_of())

    def trace(stage: Stage, view: Camera, size: tuple[int, int], samples: int, **how: Any) -> np.ndarray:
        if stage is not one.stage:
            one.show(stage)
        return one.render(view, *size, samples, **how)

    return trace


@pytest.mark.parametrize("name", KNOWN)
def test_known_answers(tracer: Callable[..., np.ndarray], name: str) -> None:
    KNOWN[name](tracer)


def blocks() -> Stage:
    """A mesh of glass before one that is diffuse, under a picture."""
    bodies = {
        Path("knot.obj"): trimesh.creation.torus(0.6, 0.25, 24, 12),
        Path("ball.obj"): trimesh.creation.icosphere(2),
    }
    meshes = {
        file: Mesh(np.asarray(body.vertices, np.float64), np.asarray(body.faces, np.int64))
        for file, body in bodies.items()
    }
    return picture_stage(
        MeshObject(Path("knot.obj"), Glass(1.4, (0.9, 1.0, 0.9)), placed((0.3, -0.8, 0), (1, 0, 0), 70)),
        MeshObject(Path("ball.obj"), Diffuse((0.8, 0.5, 0.2)), placed((-0.5, 0.4, 0), scale=(0.8, 0.6, 1.0))),
        MeshObject(Path("ball.obj"), Metal((0.9, 0.9, 0.9), 0.3), placed((0.9, 0.6, -0.2), scale=0.5)),
        meshes=meshes,
    )


def ring_scene(ring: NeuralSurface, material: Any) -> Stage:
    return stage_of(
        Surface(BALL, material, placed((0, 0, 0.1), (1, 0.5, 0), 60, (1.2, 1.0, 1.1))),
        Surface(BALL, Diffuse((0.3, 0.5, 0.9)), placed((0.9, 0.9, 0.1), scale=0.6)),
        Plane((0, 0, 1), -0.8, Diffuse((0.6, 0.5, 0.4))),
        surfaces={BALL: ring},
        environment=Sky(),
        lights=(RectangleLight((5, 5, 5), (1, 1), placed((0, 0, 2.5), (1, 0, 0), 180)),),
        bounces=3,
    )


SCENES: dict[str, Callable[[NeuralSurface], Stage]] = {
    "Cornell": lambda ring: cornell(),
    "clamped": lambda ring: cornell(clamp=0.5),
    "meshes": lambda ring: blocks(),
    "diffuse surface": lambda ring: ring_scene(ring, Diffuse(None)),
    "captured surface": lambda ring: ring_scene(ring, Captured()),
    "metal surface": lambda ring: ring_scene(ring, Metal((0.9, 0.7, 0.4), 0.3)),
    "glass surface": lambda ring: ring_scene(ring, Glass(1.3)),
}
VIEWS = {
    "pinhole": camera((0.6, -3.2, 0.9), 45),
    "orthographic": camera((0.6, -3.2, 0.9), projection="orthographic", view_height=2.5),
    "equirectangular": camera((0.2, -0.9, 0.1), projection="equirectangular"),
}


def assert_alike(found: np.ndarray, expected: np.ndarray, flipped: float) -> None:
    """40 dB, but for a share of pixels of which a path took another turn: float32 sees an edge, a lobe elsewhere."""
    scale = np.quantile(expected, 0.99)
    square = np.sort(np.square((found - expected) / scale).mean(axis=2).ravel())
    kept = square[: int(len(square) * (1 - flipped))]
    assert -10 * np.log10(kept.mean() + 1e-12) >= 40
    assert expected.std() > 0.02 * expected.mean()


@pytest.mark.parametrize("name", SCENES)
def test_the_shaders_agree_with_numpy_sample_by_sample(
    tracer: Callable[..., np.ndarray], ring: NeuralSurface, name: str
) -> None:
    stage = SCENES[name](ring)
    expected = PathReference(path_scene(stage), seed=5).render(VIEWS["pinhole"], *SIZE, 2)
    assert_alike(tracer(stage, VIEWS["pinhole"], SIZE, 2, seed=5), expected, 0.02)


@pytest.mark.parametrize("view", ["orthographic", "equirectangular"])
def test_other_cameras(tracer: Callable[..., np.ndarray], view: str) -> None:
    stage = cornell()
    expected = PathReference(path_scene(stage)).render(VIEWS[view], *SIZE, 2)
    assert_alike(tracer(stage, VIEWS[view], SIZE, 2), expected, 0.02)


def test_a_cornell_box_is_that_of_numpy_within_its_noise(tracer: Callable[..., np.ndarray]) -> None:
    """With other random numbers: means of blocks of pixels differ by no more than their samples' deviations say."""
    stage, view = cornell(), VIEWS["pinhole"]
    samples = [PathReference(path_scene(stage), 1, True).sample(view, 16, 12, i) for i in range(24)]
    drawn = [tracer(stage, view, (16, 12), 24, seed=s, independent=True) for s in range(2, 10)]
    deviation = np.sqrt(np.var(samples, axis=0, ddof=1) / 24 + np.var(drawn, axis=0, ddof=1) / 8)
    off = (np.mean(drawn, axis=0) - np.mean(samples, axis=0)) / np.maximum(deviation, 1e-9)
    blocks = off.mean(axis=2).reshape(3, 4, 4, 4).mean(axis=(1, 3)) * 4
    assert np.abs(blocks).max() < 4
    assert abs(np.mean(drawn) / np.mean(samples) - 1) < 0.05


def test_a_picture_goes_on_until_something_changes(context: moderngl.Context) -> None:
    stage, view = cornell(), VIEWS["pinhole"]
    tracer = PathTracer(context, stage)
    whole = tracer.render(view, 8, 6, 6)
    tracer.restart()
    for count in (1, 2):
        tracer.add(view, (8, 6), count)
    for _ in range(11):
        tracer.advance(view, (8, 6), 13)
    assert tracer.samples == 5
    tracer.advance(view, (8, 6), 1)
    assert tracer.samples == 6
    np.testing.assert_allclose(tracer.light(), whole, rtol=1e-5, atol=1e-6)
    for change in (
        lambda: tracer.add(VIEWS["orthographic"], (8, 6)),
        lambda: tracer.add(view, (8, 6)),
        lambda: tracer.add(view, (6, 8)),
        lambda: tracer.add(view, (6, 8), seed=1, independent=True),
        lambda: (tracer.show(replace(stage, scene=replace(stage.scene, bounces=1))), tracer.add(view, (6, 8), seed=1)),
    ):
        tracer.add(view, (6, 8), seed=1)
        change()
        assert tracer.samples == 1
    tracer.release()


def test_depths_are_along_the_view_axis(context: moderngl.Context) -> None:
    wall = Plane((0, -1, 0), -1, Diffuse())
    tracer = PathTracer(context, stage_of(ball(Diffuse()), wall, environment=ConstantSky()))
    tracer.add(camera((0, -4, 0), 60), (9, 9), 2)
    depths = tracer.depths()
    assert depths[4, 4] == pytest.approx(3, abs=0.02)
    assert depths[0, 0] == pytest.approx(5, rel=1e-5)
    tracer.add(camera((0, -4, 0), projection="equirectangular"), (36, 18))
    depths = tracer.depths()
    assert np.isinf(depths[9, 0])
    assert depths[9, 18] == pytest.approx(3, abs=0.35)
    tracer.release()


def test_batches_are_parts_of_a_picture(context: moderngl.Context, monkeypatch: pytest.MonkeyPatch) -> None:
    tracer = PathTracer(context, cornell())
    whole = tracer.render(VIEWS["pinhole"], 11, 7, 2)
    tracer.release()
    monkeypatch.setattr("renderer.path_passes.MOST_PATHS", 30)
    tracer = PathTracer(context, cornell())
    np.testing.assert_array_equal(tracer.render(VIEWS["pinhole"], 11, 7, 2), whole)
    tracer.release()


def test_neural_and_classic_things_light_and_shadow_each_other(tracer: Callable[..., np.ndarray]) -> None:
    """The surface's shadow darkens the ground, and the ground's colour is seen on the surface."""
    surface, white, grey = fitted_surface(sphere, cells=8), Diffuse((0.8, 0.8, 0.8)), (0.5, 0.5, 0.5)
    view, size = camera((1.0, -3.5, 1.6), 40), (32, 24)
    plain, red = (tracer(meadow(surface, white, ground), view, size, 16) for ground in (grey, (0.8, 0.05, 0.05)))
    scene = meadow(surface, white, grey)
    gone = tracer(replace(scene, scene=replace(scene.scene, objects=scene.scene.objects[1:])), view, size, 16)
    captured = meadow(fitted_surface(sphere, cells=8, colour=lambda p: np.full_like(p, 0.9)), Captured(), grey)
    unlit = tracer(captured, view, size, 1)
    body = np.ptp(unlit, axis=2) + np.abs(unlit[..., 0] - ((0.9 + 0.055) / 1.055) ** 2.4) < 0.01
    ground = (np.abs(gone - plain).max(axis=2) < 0.02 * gone.max()) & ~body
    shadow = (plain.mean(axis=2) < 0.4 * gone.mean(axis=2)) & ~body
    assert min(body.sum(), ground.sum(), shadow.sum()) > 20
    redness = [picture[body][:, 0].mean() / picture[body][:, 2].mean() for picture in (plain, red)]
    assert redness[1] > 1.3 * redness[0]


def test_a_scene_of_nothing_is_its_sky(tracer: Callable[..., np.ndarray]) -> None:
    found = tracer(stage_of(environment=ConstantSky((0.5, 1.0, 2.0))), camera(), (4, 4), 2)
    np.testing.assert_allclose(found, np.broadcast_to((0.5, 1.0, 2.0), found.shape), rtol=1e-5)


def test_captured_colours_are_those_of_the_surface_by_itself(
    context: moderngl.Context, tracer: Callable[..., np.ndarray], ring: NeuralSurface
) -> None:
    """Shown without a curve of its own, the picture is what the surface's renderer draws, but at edges."""
    view, size = camera((0.6, -2.4, 1.9), 40), (40, 30)
    stage = stage_of(Surface(BALL, Captured()), surfaces={BALL: ring}, environment=ConstantSky((0.0, 0.0, 0.0)))
    shown = tone_mapped(tracer(stage, view, size, 16), "linear")
    renderer = SurfaceRenderer(context, ring)
    expected = renderer.render_rgba(view, *size, SurfaceSettings(samples=16))
    renderer.release()
    inside = expected[..., 3] > 0.999
    assert inside.mean() > 0.1
    assert -10 * np.log10(np.square(shown - expected[..., :3])[inside].mean()) > 36


@pytest.mark.parametrize("body", [sphere, torus])
def test_neural_glass_loses_no_light(tracer: Callable[..., np.ndarray], body: Any) -> None:
    """Under a sky of 1 glass is 1 in every pixel, with as few bounces as a file has by default: no path ends inside,
    though a ring guides some light round and round.
    """
    sky = ConstantSky((1.0, 1.0, 1.0))
    stage = stage_of(Surface(BALL, Glass(1.5)), environment=sky, surfaces={BALL: fitted_surface(body, 8)})
    found = tracer(stage, camera((0.3, -1.8, 1.6)), (32, 24), 4)
    np.testing.assert_allclose(found, 1, atol=1e-5)
    black = replace(stage.scene, objects=(Surface(BALL, Glass(1.5, (0.0, 0.0, 0.0))),))
    reflected = tracer(replace(stage, scene=black), camera((0.3, -1.8, 1.6)), (32, 24), 4)
    assert 0.1 < (reflected < 0.9).any(axis=2).mean() < 0.9  # it was there


def test_what_is_behind_glass_takes_as_many_bounces_as_without(tracer: Callable[..., np.ndarray]) -> None:
    """Glass of index 1 is not there, however many panes there are."""
    floor = Plane((0, 0, 1), -1, Diffuse((0.5, 0.5, 0.5)))
    panes = [Box((3.0, 0.02, 3.0), Glass(1.0), placed((0, -2 + 0.1 * i, 0))) for i in range(6)]
    lamp = RectangleLight((8, 8, 8), (1, 1), placed((0, 3, 2.5), (1, 0, 0), 180))
    pictures = [
        tracer(stage_of(floor, *some, lights=(lamp,), bounces=1), camera((0, -4, 0.5)), SIZE, 16)
        for some in ([], panes)
    ]
    behind = pictures[0][-5:, 8:16], pictures[1][-5:, 8:16]
    assert behind[0].mean() > 0.01
    np.testing.assert_allclose(behind[1].mean(), behind[0].mean(), rtol=0.1)
