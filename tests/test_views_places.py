"""Where visitors stand in gardens and rooms with a view, and that objects are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fitting.neuralgs import places
from fitting.neuralgs.places import Place, find_place, has_background
from fitting.neuralgs.targets import rendered_target
from fitting.neuralgs.views import virtual_cameras
from fitting.tensors import GaussianTensors
from scenes.extent import scene_extent
from scenes.gaussians import Gaussians
from scenes.load import load_scene

Doubles = NDArray[np.float64]
HILLS = 200
Z = np.array([0.0, 0.0, 1.0])


def sheets(points: Doubles, across: int, size: float) -> Gaussians:
    """Opaque flat Gaussians at `points` [N, 3], thin along the axis `across`."""
    scales = np.full((len(points), 3), np.log(size))
    scales[:, across] = np.log(0.1 * size)
    return Gaussians(
        points.astype(np.float32),
        scales.astype(np.float32),
        np.tile([1.0, 0, 0, 0], (len(points), 1)).astype(np.float32),
        np.full(len(points), 5, np.float32),
        np.zeros((len(points), 1, 3), np.float32),
    )


def wall(across: int, at: float, first: tuple[float, float], second: tuple[float, float], step: float) -> Gaussians:
    """A plane at right angles to the axis `across`, between two bounds along each of the other two."""
    grid = np.stack(np.meshgrid(np.arange(*first, step), np.arange(*second, step)), axis=-1).reshape(-1, 2)
    return sheets(np.insert(grid, across, at, axis=1), across, 0.7 * step)


def together(*parts: Gaussians) -> Gaussians:
    fields = ("positions", "log_scales", "rotations", "opacity_logits", "sh")
    arrays = {field: np.concatenate([getattr(part, field) for part in parts]) for field in fields}
    return replace(parts[0], **arrays)


def hills() -> Gaussians:
    """Large Gaussians far around, from the horizon up."""
    angles = np.linspace(0, 2 * np.pi, HILLS, endpoint=False)
    return sheets(80 * np.stack([np.cos(angles), np.sin(angles), np.full(HILLS, 0.05)], axis=1), 2, 3.0)


def garden() -> Gaussians:
    """Lawn of 20 x 20 at height 0, a hedge of 2.5 around it, a solid block of 2 x 2 x 2 in the middle, and hills."""
    sides = [wall(axis, at, (-10, 10.1), (0, 2.5), 0.25) for axis in (0, 1) for at in (-10, 10)]
    block = np.stack(np.meshgrid(*[np.arange(-1, 1.1, 0.2)] * 2, np.arange(0, 2.1, 0.2)), axis=-1).reshape(-1, 3)
    return together(wall(2, 0, (-10, 10.1), (-10, 10.1), 0.25), *sides, sheets(block, 2, 0.15), hills())


def room() -> Gaussians:
    """8 x 6 x 3 with a floor at 0, open on one side above a parapet, which the hills are seen over."""
    level = [wall(2, at, (-4, 4.1), (-3, 3.1), 0.15) for at in (0, 3)]
    closed = [wall(0, at, (-3, 3.1), (0, 3.1), 0.15) for at in (-4, 4)] + [wall(1, -3, (-4, 4.1), (0, 3.1), 0.15)]
    table = wall(2, 0.8, (-1, 1.1), (-0.5, 0.6), 0.15)
    return together(*level, *closed, wall(1, 3, (-4, 4.1), (0, 0.8), 0.15), table, hills())


def turned(scene: Gaussians, axis: int, sign: int) -> Gaussians:
    """With what was up along +z along an axis of that sign."""
    roll = (axis - 2) % 3
    positions, log_scales = (np.roll(x, roll, axis=1) for x in (scene.positions, scene.log_scales))
    positions[:, axis] *= sign
    return replace(scene, positions=positions, log_scales=log_scales)


@pytest.fixture(autouse=True)
def coarse_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small scenes need no fine grid, and tests no patience."""
    monkeypatch.setattr(places, "CELLS", 64)


def place_in(scene: Gaussians, seed: int = 0) -> Place:
    place = find_place(scene, seed)
    assert place is not None
    return place


@cache
def garden_place() -> Place:
    return place_in(garden())


@cache
def room_place() -> Place:
    return place_in(room())


def test_visitors_of_a_garden_stand_on_its_lawn() -> None:
    place = garden_place()
    assert np.array_equal(place.up, Z)
    assert len(place.eyes) >= places.FEWEST
    assert (np.abs(place.eyes[:, :2]) < 10).all()
    assert (place.eyes[:, 2] > 0.3).all()
    assert (place.eyes[:, 2] < 4).all()
    assert ((np.abs(place.eyes) > 1) | (place.eyes > 2)).any(axis=1).all()  # nobody is in the block
    assert 3 < place.sight < 15  # from edge to edge it is 20
    quarters = {tuple(quarter) for quarter in np.sign(place.eyes[:, :2]).astype(int)}
    assert len(quarters) == 4


def test_visitors_of_a_room_stand_between_floor_and_ceiling() -> None:
    place = room_place()
    assert np.array_equal(np.abs(place.up), Z)  # a floor and a ceiling look alike
    for points in (place.eyes, place.vantages):
        assert (np.abs(points) < [4, 3, 3]).all()
        assert (points[:, 2] > 0).all()
    assert np.quantile(place.eyes[:, 2], 0.05) > 0.6
    assert np.quantile(place.eyes[:, 2], 0.95) < 2.4


@pytest.mark.parametrize(("scene", "place_of"), [(garden, garden_place), (room, room_place)])
def test_nobody_stands_in_anything(scene: Callable[[], Gaussians], place_of: Callable[[], Place]) -> None:
    place, middle = place_of(), scene().positions[:-HILLS]
    cell = np.ptp(middle, axis=0).max() / places.CELLS
    for eye in place.eyes[::40]:
        assert np.linalg.norm(middle - eye, axis=1).min() > cell


@pytest.mark.parametrize(("axis", "sign"), [(0, 1), (0, -1), (1, 1), (1, -1), (2, -1)])
def test_up_is_found_along_every_axis(axis: int, sign: int) -> None:
    place = place_in(turned(garden(), axis, sign))
    assert np.array_equal(place.up, sign * np.eye(3)[axis])
    assert (place.eyes @ place.up > 0.3).all()


def test_the_scale_of_a_scene_does_not_matter() -> None:
    scene = garden()
    small = replace(scene, positions=scene.positions / 64, log_scales=scene.log_scales - np.float32(np.log(64)))
    here, there = garden_place(), place_in(small)
    assert there.sight == pytest.approx(here.sight / 64, rel=0.05)
    assert there.eyes.mean(axis=0) == pytest.approx(here.eyes.mean(axis=0) / 64, abs=0.01)


def test_the_same_seed_gives_the_same_place() -> None:
    first, again, other = (place_in(garden(), seed) for seed in (1, 1, 2))
    assert np.array_equal(first.eyes, again.eyes)
    assert first.sight == again.sight
    assert first.eyes.shape != other.eyes.shape or not np.allclose(first.eyes, other.eyes)


def test_without_a_background_there_is_no_place() -> None:
    for scene in (garden(), room()):
        assert has_background(scene)
        assert find_place(scene.select(np.arange(len(scene) - HILLS)), 0) is None


def test_where_nobody_can_stand_there_is_no_place() -> None:
    """A lawn that nothing surrounds, and a few Gaussians."""
    lawn = together(wall(2, 0, (-10, 10.1), (-10, 10.1), 0.25), hills())
    assert find_place(lawn, 0) is None
    assert find_place(garden().select(np.arange(10)), 0) is None


@pytest.mark.parametrize("name", ["hamburger.ply", "donut.ply", "playbot-31k.ply", "guitar.compressed.ply"])
def test_real_objects_are_no_places(data: Path, name: str) -> None:
    assert find_place(load_scene(data / "gaussians" / name).gaussians, 0) is None


def test_cameras_of_a_place_look_around_at_eye_height() -> None:
    scene = garden()
    place, tensors = garden_place(), GaussianTensors.of(scene)
    cameras = virtual_cameras(scene, scene_extent(scene), 80, 0, place)
    assert len(cameras) == 80
    eyes = {tuple(eye) for eye in place.eyes.round(6)}
    at_eye_height = [tuple(camera.position.round(6)) in eyes for camera in cameras]
    assert np.mean(at_eye_height) > 0.7
    looks = np.array([camera.camera_from_world[2, :3] for camera in cameras])
    assert np.abs(looks[:, :2].mean(axis=0)).max() < 0.3  # every way,
    assert np.median(np.abs(looks @ place.up)) < 0.4  # mostly level
    assert all(camera.camera_from_world[1, :3] @ place.up < 0 for camera in cameras)  # y is down in a picture
    shares = [rendered_target(tensors, c, 48, 32, False).rgba[..., 3].float().mean() for c in cameras[:20]]
    assert min(map(float, shares)) > 0.1


def test_looks_end_at_the_first_solid_thing() -> None:
    place = garden_place()
    eyes = np.array([[-8.0, 0.0, 1.0], [-8.0, 0.0, 1.0], [-8.0, 5.0, 5.0]])
    looks = np.array([[3.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    sights = place.ahead(eyes, looks)
    assert sights[:2] == pytest.approx([7.0, 2.0], abs=2 * place.grid.cell)  # to the block and to the hedge
    assert np.isinf(sights[2])  # over the hedge
    cameras = virtual_cameras(garden(), scene_extent(garden()), 100, 0, place)
    directions = np.array([camera.camera_from_world[2, :3] for camera in cameras])
    assert place.ahead(np.array([c.position for c in cameras]), directions).min() > 0.1 * place.sight


def test_cameras_of_a_place_are_the_same_for_the_same_seed() -> None:
    scene = room()
    place, extent = room_place(), scene_extent(scene)
    first, again, other = (virtual_cameras(scene, extent, 6, seed, place) for seed in (1, 1, 2))
    poses = [np.stack([c.camera_from_world for c in cameras]) for cameras in (first, again, other)]
    assert np.array_equal(poses[0], poses[1])
    assert not np.allclose(poses[0], poses[2])
