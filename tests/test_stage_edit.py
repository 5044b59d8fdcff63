"""Changes of scene descriptions, and the matrices of the handles, without a window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import sleep

import numpy as np
import pytest
import trimesh
from gaussian_samples import random_gaussians
from path_samples import camera, cornell
from surface_samples import random_surface

from renderer.camera_rays import camera_rays
from scenes.cameras import Camera
from scenes.errors import SceneFileError
from scenes.kilo_surface import write_surface
from scenes.ply import write_ply
from scenes.save import save_scene
from scenes.scene_file import (
    Box,
    GaussianScene,
    MeshObject,
    Plane,
    RectangleLight,
    SceneDescription,
    Sphere,
    SphereLight,
    Surface,
    matrix_of,
    placed,
)
from scenes.sky import world_frame
from scenes.stage import Stage
from scenes.stage_extent import stage_extent
from ui.screen import Rect
from ui.stage_additions import Additions, FileObject, object_of, placed_at
from ui.stage_edit import (
    NEW,
    History,
    Placement,
    added,
    angles_of,
    direction_of,
    new_thing,
    placement_of,
    put,
    things_of,
    title_of,
    with_thing,
    world_of,
)
from ui.stage_gizmo import projection_matrix, view_matrix

THINGS = (
    Sphere(transform=placed((1, 2, 3), (1, 2, 3), 40, (1, 2, 0.5))),
    RectangleLight((1, 1, 1), transform=placed((0, 0, 1), (0, 1, 0), 70)),
    SphereLight((1, 1, 1), 0.3, (1, 0, 2)),
    GaussianScene(Path("a.ply"), placed((1, 2, 3), (0, 1, 1), 100, 0.7)),
)


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: type(thing).__name__)
def test_put_is_the_inverse_of_world_of(thing: Sphere) -> None:
    np.testing.assert_allclose(world_of(put(thing, world_of(thing))), world_of(thing), atol=1e-12)
    moved = world_of(thing)
    moved[:3, 3] += (1, -2, 0.5)
    np.testing.assert_allclose(world_of(put(thing, moved)), moved, atol=1e-12)


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: type(thing).__name__)
def test_what_cannot_be_is_left(thing: Sphere) -> None:
    flat = np.diag([1.0, 0.0, 1.0, 1.0])
    assert put(thing, flat) is thing
    assert put(thing, np.full((4, 4), np.nan)) is thing


def test_gaussians_keep_one_scale_and_lamps_their_shape() -> None:
    uneven = matrix_of(placed((1, 0, 0), (1, 1, 0), 30, (1, 2, 4)))
    for mirror in (np.eye(4), np.diag([-1.0, 1, 1, 1])):
        linear = world_of(put(THINGS[3], uneven @ mirror))[:3, :3]
        np.testing.assert_allclose(linear.T @ linear, 4 * np.eye(3), atol=1e-9)
        assert np.linalg.det(linear) > 0
    lamp = put(THINGS[2], uneven)
    assert isinstance(lamp, SphereLight)
    assert (lamp.position, lamp.radius) == ((1, 0, 0), pytest.approx(2))


def test_numbers_of_a_placement() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        x, y, z = random.uniform(-179, 179, 3).tolist()
        wanted = Placement((1.0, 2.0, 3.0), (x, y, z), (0.5, 2.0, 3.0)).matrix()
        found = placement_of(wanted)
        assert found is not None
        np.testing.assert_allclose(found.matrix(), wanted, atol=1e-9)
        assert abs(found.degrees[1]) <= 90
    upright = Placement((0, 0, 0), (20, 90, 30), (-1, 1, 1)).matrix()  # where two axes are one
    found = placement_of(upright)
    assert found is not None
    np.testing.assert_allclose(found.matrix(), upright, atol=1e-9)
    quarter = Placement((0, 0, 0), (90, 0, 0), (1, 1, 1)).matrix()
    np.testing.assert_allclose(quarter @ [0, 1, 0, 1], [0, 0, 1, 1], atol=1e-12)
    slanted = np.eye(4)
    slanted[0, 1] = 0.1
    assert placement_of(slanted) is None


def test_directions_by_angles() -> None:
    frame = world_frame((0.0, 0.0, 1.0), 0.0)
    np.testing.assert_allclose(direction_of(frame, 0, 0), (0, 1, 0), atol=1e-12)
    np.testing.assert_allclose(direction_of(frame, 90, 0), (1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(direction_of(frame, 10, 90), (0, 0, 1), atol=1e-12)
    for turn, height in ((30.0, 20.0), (-170.0, -4.0)):
        assert angles_of(frame, direction_of(frame, turn, height)) == pytest.approx((turn, height))


def test_things_come_and_go() -> None:
    scene = cornell().scene
    count = len(things_of(scene))
    for kind in NEW:
        wider, number = added(scene, new_thing(kind, (1.0, 2.0, 3.0), 0.5))
        assert len(things_of(wider)) == count + 1
        assert title_of(wider, number).startswith(kind)
        np.testing.assert_allclose(world_of(things_of(wider)[number])[:3, 3], (1, 2, 3))
        assert with_thing(wider, number, None) == scene
    assert [title_of(scene, i) for i in (0, 1, 5, 7, 8)] == [
        "plane 1",
        "plane 2",
        "box 1",
        "rectangle light 1",
        "sphere light 1",
    ]
    named = replace(things_of(scene)[8], name="lamp")
    assert title_of(with_thing(scene, 8, named), 8) == "lamp"


def test_history() -> None:
    scenes = [SceneDescription(exposure=float(i)) for i in range(6)]
    history = History(scenes[0])
    assert not history.undo()
    history.change(scenes[1])
    history.change(scenes[2], "slider")
    history.change(scenes[3], "slider")  # one change with the one before
    history.settle()
    history.change(scenes[4], "slider")
    assert history.dirty
    back = []
    while history.undo():
        back.append(history.now)
    assert back == [scenes[3], scenes[1], scenes[0]]
    assert not history.dirty
    assert history.redo()
    assert history.now == scenes[1]
    history.change(scenes[5])
    assert not history.redo()
    history.change(scenes[5])  # none
    assert history.undo()
    assert history.now == scenes[1]


@pytest.mark.parametrize("projection", ["pinhole", "orthographic"])
@pytest.mark.parametrize("centre", [(0.5, 0.5), (0.3, 0.6)])
def test_handles_are_where_the_picture_has_them(projection: str, centre: tuple[float, float]) -> None:
    view: Camera = replace(camera(projection=projection, view_height=2.0), centre=centre)
    rect = Rect(100, 50, 80, 60)
    rays = camera_rays(view, 80, 60)
    points = rays.origins + 4 * rays.directions
    at = np.column_stack([points, np.ones(len(points))])
    clip = at @ (projection_matrix(view, rect, np.zeros(3)) @ view_matrix(view)).T
    seen = clip[:, :3] / clip[:, 3:]
    rows, columns = np.divmod(np.arange(80 * 60), 80)
    np.testing.assert_allclose((seen[:, 0] + 1) * 40, columns + 0.5, atol=1e-6)
    np.testing.assert_allclose((1 - seen[:, 1]) * 30, rows + 0.5, atol=1e-6)
    assert (np.abs(seen[:, 2]) < 1).all()


def test_the_extent_is_around_what_ends() -> None:
    stage = cornell()
    things = (Plane(), Sphere(0.5, transform=placed((2, 0, 0), scale=2)), Box((2, 2, 2), transform=placed((-2, 0, 0))))
    extent = stage_extent(replace(stage, scene=SceneDescription(things, up=(0.0, 2.0, 0.0))))
    assert extent.up.tolist() == [0, 1, 0]
    lowest, highest = -2 - np.sqrt(3), 3.0
    assert extent.radius == pytest.approx((highest - lowest) / 2)
    np.testing.assert_allclose(extent.centre, [(highest + lowest) / 2, 0, 0], atol=1e-12)
    assert stage_extent(replace(stage, scene=SceneDescription((Plane(),)))).radius == 1


def test_what_files_are_in_a_scene(tmp_path: Path) -> None:
    write_surface(tmp_path / "a.kilo", random_surface())
    write_ply(tmp_path / "gaussians.ply", random_gaussians(5, 0, 0))
    save_scene(tmp_path / "gaussians.glb", random_gaussians(5, 0, 0))
    body = trimesh.creation.icosphere(1)
    for name in ("mesh.ply", "mesh.glb", "mesh.obj", "mesh.stl"):
        body.export(tmp_path / name)
    kinds = {path.name: type(object_of(path)) for path in tmp_path.iterdir()}
    assert kinds == {
        "a.kilo": Surface,
        "gaussians.ply": GaussianScene,
        "gaussians.glb": GaussianScene,
        **dict.fromkeys(("mesh.ply", "mesh.glb", "mesh.obj", "mesh.stl"), MeshObject),
    }
    (tmp_path / "bad.glb").write_bytes(b"glTF")
    with pytest.raises(SceneFileError, match=r"bad\.glb: "):
        object_of(tmp_path / "bad.glb")


def polled(additions: Additions) -> tuple[FileObject, Stage]:
    """What comes next, as soon as it is there."""
    while (found := additions.poll()) is None:
        sleep(0.01)
    return found


def test_an_addition_is_read_beside_and_put_in_its_place(tmp_path: Path) -> None:
    trimesh.creation.icosphere(1, 0.5).apply_translation((3, 0, 0)).export(tmp_path / "mesh.ply")
    additions = Additions()
    for name in ("mesh.ply", "none.ply"):
        additions.ask(tmp_path / name)
    thing, stage = polled(additions)
    assert list(stage.meshes) == [tmp_path / "mesh.ply"]
    world = world_of(placed_at(stage, thing, np.array([0.0, 1.0, 2.0])))
    np.testing.assert_allclose(world[:3, 3], [-3, 1, 2], atol=1e-6)
    with pytest.raises(SceneFileError, match=r"none\.ply: "):
        polled(additions)
    assert not additions.busy
