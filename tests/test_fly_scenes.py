"""Flights through scene files, and pictures and flights of Gaussians and a surface together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_samples import kilofield
from path_samples import ball, camera, stage_of
from PIL import Image
from surface_samples import fitted_surface, torus
from test_together import CAMERA, cloud, colours

from commands.opened import PairFile, extent_of, open_for_pictures
from renderer.context import create_context
from renderer.fly_scenes import all_settings
from renderer.flythrough import flythrough
from renderer.gaussian_renderer import GaussianRenderer
from renderer.images import to_8_bit
from renderer.metrics import psnr
from renderer.path_tracer import PathTracer
from renderer.scene_settings import SceneSettings
from renderer.settings import RenderSettings
from renderer.stage_denoise import filtered_light
from renderer.stage_renderer import StageRenderer
from renderer.stage_settings import StageSettings
from renderer.surface_renderer import SurfaceRenderer
from renderer.surface_settings import SurfaceSettings
from renderer.together import TogetherRenderer
from renderer.together_reference import render_together
from renderer.tone_mapping import tone_mapped
from scenes.camera_files import write_cameras
from scenes.content import ReadOptions
from scenes.kilo_surface import write_surface
from scenes.ply import write_ply
from scenes.scene_file import (
    ConstantSky,
    Diffuse,
    GaussianScene,
    Plane,
    SceneCamera,
    Sphere,
    SphereLight,
    Surface,
    placed,
)
from scenes.scene_file_write import write_scene_file
from scenes.stage import read_stage
from scenes.surface_extent import surface_extent

SIZE = (40, 30)
QUICK = ("--size", "40x30", "--frames", "2", "--warmup", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("flights")
    write_surface(made / "ring.kilo", fitted_surface(torus, cells=6, width=8, layers=1, colour=colours))
    write_ply(made / "cloud.ply", cloud(120))
    write_cameras(made / "cameras.json", [replace(CAMERA, name="front")])
    objects = (
        Plane((0, 0, 1), -0.7, Diffuse((0.5, 0.4, 0.3))),
        Surface(made / "ring.kilo", Diffuse((0.2, 0.6, 0.4))),
        GaussianScene(made / "cloud.ply", placed((0.5, 0, 0), scale=0.5)),
    )
    lights = (SphereLight((40, 30, 20), 0.2, (1, -1, 2)),)
    scene = stage_of(*objects, lights=lights, environment=ConstantSky((0.3, 0.4, 0.5))).scene
    write_scene_file(made / "room.json", scene)
    return made


def frames(out: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)).astype(int) for path in sorted(out.glob("frame-*.png"))]


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ((), StageSettings(instant=True, denoise=True)),
        (("--spp", "2"), StageSettings(samples=2)),
        (("--spp", "2", "--denoise"), StageSettings(samples=2, denoise=True)),
    ],
)
def test_a_scene_file_is_flown_through_as_it_is_drawn(
    folder: Path, tmp_path: Path, options: tuple[str, ...], settings: StageSettings
) -> None:
    write_cameras(tmp_path / "path.json", [CAMERA, camera((0.4, -3, 0.8))])
    flight = (*QUICK, "--path", tmp_path / "path.json", "--json", tmp_path / "f.json", "--out", tmp_path / "f")
    done = kilofield("fly", folder / "room.json", *flight, *options)
    assert done.exit_code == 0, done.output
    (told,) = json.loads((tmp_path / "f.json").read_text())["scenes"]
    assert (told["kind"], told["format"], told["counts"]) == ("stage", "json", {"objects": 3, "lights": 1})
    assert told["bytes"] == sum((folder / name).stat().st_size for name in ("room.json", "ring.kilo", "cloud.ply"))
    assert {"paths", "blend", "total"} <= set(told["summary"])
    assert ("filter" in told["summary"]) == settings.denoise
    assert "3 objects, 1 light in" in done.output
    found = frames(tmp_path / "f")
    assert len(found) == 2
    stage = read_stage(folder / "room.json")
    renderer = StageRenderer(create_context(), stage)
    near = extent_of(open_for_pictures([folder / "room.json"], ReadOptions())).near
    for picture, view in zip(found, (CAMERA, camera((0.4, -3, 0.8))), strict=True):
        wanted = to_8_bit(renderer.render(replace(view, near=near), *SIZE, settings)).astype(int)
        assert np.ptp(wanted) > 50
        assert np.abs(picture - wanted).max() <= 2


def test_presets_go_around_all_that_ends_somewhere(folder: Path) -> None:
    extent = extent_of(open_for_pictures([folder / "room.json"], ReadOptions()))
    np.testing.assert_array_equal(extent.up, [0, 0, 1])
    ring = surface_extent(fitted_surface(torus, cells=6, width=8, layers=1))
    assert np.linalg.norm(extent.centre - ring.centre) + ring.radius <= extent.radius + 1e-9


def test_frames_that_show_the_same_are_traced_anew() -> None:
    stage = stage_of(ball(Diffuse((0.5, 0.5, 0.5))), environment=ConstantSky((1, 1, 1)))
    with flythrough(SIZE, StageSettings(samples=3)) as flight:
        flight.load("ball", stage, camera())
        (report,) = flight.fly([camera(), camera()], [None], warmup=0)
    assert report.content == "1 object, 0 lights"
    assert (report.pipeline, report.residency) == ("paths", "resident")
    assert all(frame["paths"] > 0 for frame in report.frames)


def test_together_is_flown_and_rendered_as_its_twin_says(folder: Path, tmp_path: Path) -> None:
    files = folder / "cloud.ply", folder / "ring.kilo"
    options = ("--background", "#336699", "--samples", "3")
    cameras = ("--cameras", folder / "cameras.json", "--size", "40x30")
    done = kilofield("render", *files, "--together", *cameras, *options, "--out", tmp_path / "r")
    assert done.exit_code == 0, done.output
    picture = np.asarray(Image.open(tmp_path / "r" / "front.png")) / 255
    opened = open_for_pictures(files, ReadOptions())
    assert isinstance(opened, PairFile)
    blue = (0.2, 0.4, 0.6)
    settings = SceneSettings(RenderSettings(background=blue), SurfaceSettings(background=blue, samples=3))
    pair = opened.gaussians.gaussians, opened.surface.surface
    wanted = render_together(*pair, CAMERA, *SIZE, settings).clip(0, 1)
    assert psnr(picture, wanted) >= 40
    for alone in files:
        assert kilofield("render", alone, *cameras, *options, "--out", tmp_path / alone.stem).exit_code == 0
        assert psnr(picture, np.asarray(Image.open(tmp_path / alone.stem / "front.png")) / 255) < 30
    flight = (*QUICK, "--path", folder / "cameras.json", "--near", str(CAMERA.near), "--out", tmp_path / "f")
    done = kilofield("fly", *files[::-1], "--together", *options, *flight, "--json", tmp_path / "f.json")
    assert done.exit_code == 0, done.output
    assert "120 Gaussians" in done.output
    (told,) = json.loads((tmp_path / "f.json").read_text())["scenes"]
    assert (told["kind"], told["name"], len(told["files"])) == ("together", "ring.kilo + cloud.ply", 2)
    stages = [stage for stage in told["summary"] if stage != "total"]
    assert {"trace", "shade", "project", "blend"} <= set(stages)
    for frame in told["frames"]:  # of all samples
        assert 0.5 * frame["total"] < sum(frame[stage] for stage in stages) <= frame["total"]
    for frame in frames(tmp_path / "f"):
        assert np.abs(frame - 255 * picture).max() <= 2


def test_a_pair_shows_the_colours_of_what_has_no_such_view(folder: Path, tmp_path: Path) -> None:
    files = folder / "cloud.ply", folder / "ring.kilo"
    cameras = ("--cameras", folder / "cameras.json", "--size", "40x30", "--view", "cells")
    done = kilofield("render", *files, "--together", *cameras, "--out", tmp_path / "r")
    assert done.exit_code == 0, done.output
    opened = open_for_pictures(files, ReadOptions())
    assert isinstance(opened, PairFile)
    context = create_context()
    gaussians = GaussianRenderer(context)
    gaussians.load(opened.gaussians.scene)
    both = TogetherRenderer(gaussians, SurfaceRenderer(context, opened.surface.surface))
    wanted = both.render(CAMERA, *SIZE, SceneSettings(surface=SurfaceSettings(view="cells")))
    assert np.abs(np.asarray(Image.open(tmp_path / "r" / "front.png")) - to_8_bit(wanted).astype(int)).max() <= 1


def test_a_filtered_picture_of_a_scene_file(tmp_path: Path) -> None:
    lamp = SphereLight((40, 30, 20), 0.2, (1, -1, 2))
    stage = stage_of(Plane((0, 0, 1), -0.7, Diffuse((0.5, 0.4, 0.3))), Sphere(0.5), lights=(lamp,))
    described = replace(stage.scene, tone_mapping="linear", camera=SceneCamera((0.0, -4.0, 1.0), (0.0, 0.0, 0.0)))
    write_scene_file(tmp_path / "plain.json", described)
    options = ("--size", "40x30", "--spp", "3", "--denoise", "--out", tmp_path / "p.png")
    done = kilofield("render", tmp_path / "plain.json", *options, "--json", tmp_path / "p.json")
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "p.json").read_text())["denoise"] is True
    tracer = PathTracer(create_context(), replace(stage, scene=described))
    tracer.guide(True)
    view = described.view()
    assert view is not None
    noisy = tracer.render(view, *SIZE, 3)
    wanted = to_8_bit(tone_mapped(filtered_light(tracer), "linear"))
    assert np.abs(wanted - to_8_bit(tone_mapped(noisy, "linear")).astype(int)).max() > 20
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "p.png")), wanted)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            ("fly", "room.json", "cloud.ply"),
            "fly: expected scene files alone, or none, to compare; found the scene file",
        ),
        (("fly", "room.json", "--view", "depth"), "--view: expected none for the scene file"),
        (("fly", "room.json", "--samples", "4"), "--spp sets the paths a pixel"),
        (("fly", "room.json", "--background", "white"), "--background: expected none for the scene file"),
        (("fly", "room.json", "--spp", "0"), "--spp: expected 1 to 65536, found 0"),
        (("fly", "ring.kilo", "--spp", "4"), "--spp: expected a scene file (.json), found"),
        (("fly", "ring.kilo", "--denoise"), "--denoise: expected a scene file (.json), found"),
        (("render", "ring.kilo", "--denoise"), "--denoise: expected a scene file (.json), found"),
        (("render", "ring.kilo", "cloud.ply"), "render: expected one file, or two with --together, found 2"),
        (("render", "room.json", "ring.kilo", "--together"), "found the scene file"),
        (("fly", "room.json", "ring.kilo", "--together"), "found the scene file"),
        (("fly", "ring.kilo", "--together"), "found 0 of Gaussians and 1 of surfaces"),
        (("fly", "cloud.ply", "cloud.ply", "--together"), "found 2 of Gaussians and 0 of surfaces"),
    ],
)
def test_what_does_not_go_together(folder: Path, command: tuple[str, ...], message: str) -> None:
    before = sorted(folder.iterdir())
    arguments = [folder / word if "." in word else word for word in command]
    done = kilofield(*arguments, *(("--out", folder / "no") if command[0] == "render" else ()))
    assert (done.exit_code, done.stdout) == (1, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(folder.iterdir()) == before


def test_settings_of_one_kind_are_those_of_all() -> None:
    blue = (0.0, 0.0, 1.0)
    for settings in (RenderSettings(background=blue, scale=0.5), SurfaceSettings(background=blue, samples=4)):
        both = all_settings(settings)
        assert settings in (both.gaussians, both.surface)
        assert both.gaussians.background == both.surface.background == blue
    assert all_settings(StageSettings(7)).stage.samples == 7
