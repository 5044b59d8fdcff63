"""Commands on .kilo files of surfaces: pictures, flights, and what they refuse."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_samples import kilofield
from gaussian_samples import random_gaussians
from PIL import Image

from renderer.flythrough import flythrough
from renderer.images import to_8_bit
from renderer.surface_settings import SurfaceSettings
from renderer.surface_views import render_reference
from scenes.camera_files import write_cameras
from scenes.cameras import look_at
from scenes.kilo_surface import read_surface, write_surface
from scenes.ply import write_ply
from scenes.surface_extent import surface_extent
from tests.surface_samples import fitted_surface, plane_surface, random_surface, torus

SIZE = 40, 30
CAMERA = look_at(np.array([1.6, -1.4, 1.5]), np.zeros(3), np.array([0.0, 0.0, 1.0]), 0.8, name="front")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("surfaces")
    write_surface(made / "ring.kilo", fitted_surface(torus, cells=6))
    write_ply(made / "scene.ply", random_gaussians(50, 0, 0))
    write_cameras(made / "cameras.json", [replace(CAMERA, near=0.1)])
    return made


def test_render_draws_what_the_reference_draws(folder: Path) -> None:
    options = ["--cameras", str(folder / "cameras.json"), "--size", "40x30", "--background", "#204060"]
    done = kilofield("render", str(folder / "ring.kilo"), *options, "--samples", "3", "--out", str(folder / "out"))
    assert done.exit_code == 0, done.output
    found = np.asarray(Image.open(folder / "out" / "front.png")).astype(int)
    settings = SurfaceSettings(samples=3, background=(32 / 255, 64 / 255, 96 / 255))
    rgba = render_reference(read_surface(folder / "ring.kilo"), CAMERA, *SIZE, settings).rgba
    expected = to_8_bit(rgba[..., :3] + (1 - rgba[..., 3:]) * settings.background)
    assert np.abs(found - expected).max() <= 1
    assert tuple(found[0, 0]) == (32, 64, 96)


def test_fly_through_a_surface_and_a_scene(folder: Path) -> None:
    files = [str(folder / "ring.kilo"), str(folder / "scene.ply")]
    options = [
        "--frames",
        "2",
        "--warmup",
        "1",
        "--size",
        "40x30",
        "--view",
        "normal",
        "--json",
        str(folder / "f.json"),
    ]
    done = kilofield("fly", *files, *options, "--out", str(folder / "flight"))
    assert done.exit_code == 0, done.output
    surface, gaussians = json.loads((folder / "f.json").read_text())["scenes"]
    assert (surface["kind"], gaussians["kind"]) == ("surface", "gaussians")
    assert surface["gaussians"] == len(read_surface(folder / "ring.kilo"))
    assert set(surface["summary"]) == {"trace", "normal", "shade", "total"}
    assert all(frame["trace"] > 0 for frame in surface["frames"])
    picture = np.asarray(Image.open(folder / "flight" / "ring" / "frame-00001.png"))
    assert (picture.reshape(-1, 3) > 0).any(
        axis=1
    ).mean() > 0.05  # the ring is in the picture, wherever it is seen from


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--view", "clusters"],
            "expected one of colour, normal, depth, cost, cells, slice for a surface, found clusters",
        ),
        (["--view", "shiny"], "--view: expected one of colour, depth, normal, alpha"),
        (["--samples", "0"], "--samples: expected 1 to 1024, found 0"),
    ],
)
def test_what_is_refused(folder: Path, options: list[str], message: str) -> None:
    for command in (["render", "--cameras", str(folder / "cameras.json"), "--out", str(folder / "no")], ["fly"]):
        done = kilofield(command[0], str(folder / "ring.kilo"), *command[1:], *options)
        assert done.exit_code == 1
        assert message in " ".join(done.output.split())
    assert not (folder / "no").exists()


def test_views_of_surfaces_are_not_for_gaussians(folder: Path) -> None:
    done = kilofield("fly", str(folder / "scene.ply"), "--view", "cost")
    assert done.exit_code == 1
    assert "for Gaussians, found cost" in " ".join(done.output.split())


def test_a_frame_that_shows_the_same_is_drawn_again(folder: Path) -> None:
    with flythrough(SIZE) as flight:
        flight.load("ring", read_surface(folder / "ring.kilo"), CAMERA)
        (report,) = flight.fly([CAMERA, CAMERA], [None], 0)
    assert all(frame["trace"] > 0 for frame in report.frames)
    assert report.content.endswith(" cells")


def test_extent_holds_all_cells() -> None:
    surface = random_surface((3, 4, 5))
    extent = surface_extent(surface)
    grid = surface.grid
    corners = np.asarray(grid.origin) + grid.edge * (surface.cells[:, None] + np.indices((2, 2, 2)).reshape(3, -1).T)
    far = np.linalg.norm(corners.reshape(-1, 3) - extent.centre, axis=1).max()
    assert extent.radius == pytest.approx(far)
    np.testing.assert_allclose(surface_extent(plane_surface()).centre, 0, atol=0.1)
