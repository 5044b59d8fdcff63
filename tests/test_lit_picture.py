"""Path-traced pictures with Gaussians before them, and `kilofield render` of a scene file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from renderer.context import create_context
from renderer.lit_picture import displayed, gaussians_before, linear, moved
from renderer.path_reference import PathReference
from renderer.path_scene import path_scene
from renderer.path_tracer import PathTracer
from renderer.reference import blend_reference, project_reference
from renderer.settings import RenderSettings
from renderer.together_reference import before
from renderer.tone_mapping import tone_mapped
from scenes.kilo_surface import write_surface
from scenes.light_images import read_light
from scenes.ply import write_ply
from scenes.scene_file import ConstantSky, Diffuse, GaussianScene, Plane, SceneDescription, placed
from scenes.stage import open_stage
from scenes.triangle_mesh import srgb_of_linear
from tests.cli_samples import kilofield, sample_gaussians
from tests.path_samples import camera
from tests.surface_samples import fitted_surface, sphere

SIZE = (40, 30)
WALL = Plane((0, -1, 0), 0, Diffuse((0.2, 0.6, 0.3)))
SCENE = {
    "camera": {"position": [0.5, -3, 1], "target": [0, 0, 0]},
    "objects": [
        {"kind": "surface", "file": "ball.kilo", "material": {"kind": "diffuse", "albedo": "captured"}},
        {"kind": "plane", "offset": -0.7},
        {"kind": "gaussians", "file": "cloud.ply", "transform": {"scale": 0.3, "translate": [0.8, -0.5, 0]}},
    ],
    "tone_mapping": "linear",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_surface(tmp_path / "ball.kilo", fitted_surface(sphere, cells=6, colour=lambda p: 0.5 + 0.3 * p))
    write_ply(tmp_path / "cloud.ply", sample_gaussians())
    (tmp_path / "scene.json").write_text(json.dumps(SCENE))
    return tmp_path


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_wall_hides_the_gaussians_behind_it(tmp_path: Path, scale: float) -> None:
    """As the twin in numpy has it, whatever the scale they are put into the world with."""
    gaussians = sample_gaussians(200)
    write_ply(tmp_path / "cloud.ply", gaussians)
    cloud = GaussianScene(tmp_path / "cloud.ply", placed((0.1, 0.05, 0), (1, 2, 3), 40, scale))
    stage = open_stage(SceneDescription((WALL, cloud), environment=ConstantSky()))
    view = camera((0.3, -4, 0.2))
    tracer = PathTracer(create_context(), stage)
    light = tracer.render(view, *SIZE, 1)
    (front,) = gaussians_before(tracer, view)
    seen, unit = moved(view, cloud.transform)
    assert unit == pytest.approx(scale)
    splats = project_reference(gaussians, seen, *SIZE, RenderSettings())
    expected = blend_reference(splats, *SIZE, before(tracer.depths().astype(np.float64) / scale))
    assert np.abs(front[..., 3] - (1 - expected.transmittance)).max() < 0.02
    assert np.abs(front[..., :3] - expected.light).max() < 0.02
    whole = blend_reference(splats, *SIZE, before(np.full((SIZE[1], SIZE[0]), np.inf)))
    assert (1 - expected.transmittance).sum() < 0.95 * (1 - whole.transmittance).sum()
    shown = displayed(light, [front], stage.scene)
    np.testing.assert_allclose(shown[front[..., 3] == 0], tone_mapped(light, "agx")[front[..., 3] == 0], atol=1e-6)
    covered = front[..., 3] > 0.9
    assert covered.sum() > 5
    straight = np.clip(front[..., :3] / np.maximum(front[..., 3:], 1e-6), 0, 1)
    back = srgb_of_linear(linear(np.zeros_like(light), [front]).astype(np.float64) / np.maximum(front[..., 3:], 1e-6))
    np.testing.assert_allclose(back[covered], straight[covered], atol=1e-4)
    tracer.release()


def test_render_traces_a_scene_file(folder: Path) -> None:
    options = ("--spp", "4", "--size", f"{SIZE[0]}x{SIZE[1]}")
    for name in ("a.png", "a.exr"):
        result = kilofield("render", folder / "scene.json", *options, "--out", folder / name)
        assert result.exit_code == 0, result.output
        assert "4 paths a pixel" in result.output
    light = read_light(folder / "a.exr")
    scene = SCENE | {"objects": SCENE["objects"][:2]}  # pyright: ignore[reportIndexIssue]
    (folder / "bare.json").write_text(json.dumps(scene))
    from scenes.stage import read_stage

    stage = read_stage(folder / "bare.json")
    view = stage.scene.view()
    assert view is not None
    expected = PathReference(path_scene(stage)).render(view, *SIZE, 4)
    alike = np.abs(light - expected).max(axis=2) < 0.002 * expected.max()
    assert 0.5 < alike.mean() < 0.995  # all but the cloud
    with Image.open(folder / "a.png") as picture:
        found = np.asarray(picture, np.float64) / 255
    np.testing.assert_allclose(found[alike], srgb_of_linear(np.clip(expected, 0, 1))[alike], atol=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("scene.json", "--out", "a.jpg"), "expected an output named *.png or *.exr"),
        (("scene.json", "--out", "a.png", "--spp", "0"), "--spp: expected 1 or more, found 0"),
        (("scene.json", "--out", "a.png", "--samples", "4"), "--samples: expected none for the scene file"),
        (("scene.json", "--out", "a.png", "--background", "white"), "--background: expected none for the scene file"),
        (("scene.json", "--out", "a.png", "--cameras", "c.json"), "--cameras: expected none for the scene file"),
        (("cloud.ply", "--out", "a", "--spp", "4", "--cameras", "c.json"), "--spp: expected a scene file (.json)"),
        (("cloud.ply", "--out", "a"), "--cameras: expected a file of cameras for"),
        (("blind.json", "--out", "a.png"), "camera: expected one to render through, found none"),
        (("gone.json", "--out", "a.png"), "gone.json: file: expected a file, found nothing at this path"),
        (("bad.json", "--out", "a.png"), "bad.json: line 1, file: expected one of objects, lights"),
    ],
)
def test_what_render_refuses(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "blind.json").write_text("{}")
    (folder / "bad.json").write_text('{"object": []}')
    result = kilofield("render", *arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not (folder / "a.png").exists()


def test_a_picture_is_not_replaced_unless_asked(folder: Path) -> None:
    (folder / "a.png").write_bytes(b"mine")
    arguments = ("render", folder / "scene.json", "--spp", "1", "--size", "4x3", "--out", folder / "a.png")
    assert "exists already" in kilofield(*arguments).output
    assert (folder / "a.png").read_bytes() == b"mine"
    assert kilofield(*arguments, "--force").exit_code == 0
    with Image.open(folder / "a.png") as picture:
        assert picture.size == (4, 3)


def test_moved_cameras_see_the_same(folder: Path) -> None:
    view = camera((0.3, -4, 0.2), projection="orthographic", view_height=2.0)
    seen, unit = moved(view, placed((1, 2, 3), (1, 1, 0), 30, 2.0))
    assert (unit, seen.near, seen.view_height) == pytest.approx((2.0, view.near / 2, 1.0))
    point = np.array([0.3, 0.2, -0.1, 1.0])
    world = np.array(placed((1, 2, 3), (1, 1, 0), 30, 2.0)) @ point
    np.testing.assert_allclose(2 * (seen.camera_from_world @ point)[:3], (view.camera_from_world @ world)[:3])
    assert replace(seen, camera_from_world=view.camera_from_world).fov_y == view.fov_y
