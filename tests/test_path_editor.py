"""The camera path editor and the cameras to step through, by their laws."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_colmap import write_binary

from renderer.camera_splines import Key
from scenes.camera_files import read_cameras, write_cameras
from scenes.cameras import PROJECTIONS, Camera, look_at
from scenes.errors import KilofieldError, SceneFileError
from ui.camera_reel import CameraReel
from ui.path_editor import SHORTEST, SPACING, PathEditor
from ui.path_preview import CameraGroup, frustum_lines, mark_at, polyline, screen_lines, spline_points, uncovered
from ui.screen import Rect, project_points


def camera(x: float, fov_y: float = 0.8) -> Camera:
    return look_at(np.array([x, 0.5, -4.0]), np.zeros(3), np.array([0.0, -1, 0]), fov_y)


def path_of(*times: float) -> PathEditor:
    """A path with a key at each time, its camera's x the time."""
    editor = PathEditor()
    editor.set_keys([Key(time, camera(time)) for time in times])
    return editor


def times(editor: PathEditor) -> list[float]:
    return [key.time for key in editor.keys]


def test_added_keys_follow_each_other_and_are_selected() -> None:
    editor = PathEditor()
    assert [editor.add(camera(i)) for i in range(3)] == [0, 1, 2]
    assert times(editor) == [0, SPACING, 2 * SPACING]
    assert editor.selected == 2
    assert editor.time == 2 * SPACING


def test_a_key_is_inserted_where_the_playhead_is() -> None:
    editor = path_of(0, 2, 5)
    assert editor.insert(camera(9), 3.5) == 2
    assert times(editor) == [0, 2, 3.5, 5]
    assert editor.insert(camera(9), 2) == 2
    assert times(editor) == pytest.approx([0, 2, 2 + SHORTEST, 3.5, 5])


def test_a_key_can_be_moved_past_others() -> None:
    editor = path_of(0, 2, 5)
    moved = editor.keys[0]
    assert editor.move(0, 4) == 1
    assert times(editor) == [2, 4, 5]
    assert editor.keys[1].camera is moved.camera
    assert editor.selected == 1


def test_a_copy_lies_half_way_to_the_next_key() -> None:
    editor = path_of(0, 2)
    assert editor.duplicate(0) == 1
    assert editor.duplicate(2) == 3
    assert times(editor) == [0, 1, 2, 2 + SPACING]
    assert editor.keys[1].camera is editor.keys[0].camera


def test_a_closed_path_goes_round_smoothly() -> None:
    editor = path_of(0, 1, 3)
    assert editor.close() == 3
    assert editor.keys[3].camera is editor.keys[0].camera
    assert editor.close() is None
    assert path_of(0).close() is None
    before, after = (editor.camera_at(time).position for time in (editor.end - 1e-4, 1e-4))
    here = editor.keys[0].camera.position
    np.testing.assert_allclose(here - before, after - here, atol=1e-6)


def test_removing_selects_the_next_key() -> None:
    editor = path_of(0, 2, 5)
    editor.remove(1)
    assert (times(editor), editor.selected) == ([0, 5], 1)
    editor.remove(1)
    assert (times(editor), editor.selected) == ([0], 0)
    editor.remove(0)
    assert (times(editor), editor.selected) == ([], None)


def test_a_key_takes_another_view_and_field_of_view() -> None:
    editor = path_of(0, 2)
    editor.update(1, camera(7))
    editor.set_fov(1, 1.1)
    assert editor.keys[1].time == 2
    np.testing.assert_array_equal(editor.keys[1].camera.camera_from_world, camera(7).camera_from_world)
    assert editor.keys[1].camera.fov_y == 1.1


def test_stretching_keeps_the_proportions() -> None:
    editor = path_of(1, 2, 5)
    editor.scrub(2)
    editor.stretch(8)
    assert times(editor) == pytest.approx([0, 2, 8])
    assert editor.time == pytest.approx(2)
    editor.stretch(0)
    assert np.diff(times(editor)).min() == pytest.approx(SHORTEST)


def test_a_path_goes_through_its_keys() -> None:
    editor = path_of(0, 1, 3)
    for key in editor.keys:
        found = editor.camera_at(key.time)
        np.testing.assert_allclose(found.camera_from_world, key.camera.camera_from_world, atol=1e-9)
    frames = editor.cameras(4)
    np.testing.assert_allclose(frames[1].camera_from_world, editor.keys[1].camera.camera_from_world, atol=1e-9)
    assert len(frames) == 4
    assert PathEditor().cameras(4) == []


def test_playing_ends_or_begins_again() -> None:
    editor = path_of(1, 2, 3)
    assert editor.play()
    assert editor.advance(1.5)
    assert editor.time == pytest.approx(2.5)
    assert editor.advance(1.0)
    assert editor.time == pytest.approx(1.5)
    editor.loop = False
    assert editor.advance(9)
    assert (editor.time, editor.playing) == (3, False)
    assert not editor.advance(1)
    assert editor.play()
    assert editor.time == 1
    editor.scrub(99)
    assert (editor.time, editor.playing) == (3, False)
    assert not path_of(1).play()
    assert not PathEditor().play()


def test_a_drag_is_undone_at_once() -> None:
    editor = path_of(0, 2, 5)
    for time in (2.1, 2.2, 6.0):
        editor.move(editor.selected or 1, time, gesture="drag")
    editor.end_gesture()
    editor.move(2, 7, gesture="drag")
    assert times(editor) == [0, 5, 7]
    assert editor.undo()
    assert times(editor) == [0, 5, 6]
    assert editor.undo()
    assert times(editor) == [0, 2, 5]


EDITS: dict[str, Callable[[PathEditor, int, float], object]] = {
    "add": lambda e, i, t: e.add(camera(t)),
    "insert": lambda e, i, t: e.insert(camera(t), t),
    "remove": lambda e, i, t: e.remove(i) if e.keys else None,
    "duplicate": lambda e, i, t: e.duplicate(i) if e.keys else None,
    "move": lambda e, i, t: e.move(i, t) if e.keys else None,
    "fov": lambda e, i, t: e.set_fov(i, 0.1 + 0.1 * t) if e.keys else None,
    "stretch": lambda e, i, t: e.stretch(t),
    "select": lambda e, i, t: e.select(i if e.keys else None),
    "play": lambda e, i, t: e.play(),
    "advance": lambda e, i, t: e.advance(t),
    "undo": lambda e, i, t: e.undo(),
    "redo": lambda e, i, t: e.redo(),
}
edits = st.lists(st.tuples(st.sampled_from(sorted(EDITS)), st.integers(0, 9), st.floats(0, 12)), max_size=30)


def run(editor: PathEditor, name: str, index: int, time: float) -> None:
    EDITS[name](editor, index % max(len(editor.keys), 1), time)


@settings(max_examples=60, deadline=None)
@given(edits)
def test_keys_stay_in_order_and_the_playhead_on_the_path(steps: list[tuple[str, int, float]]) -> None:
    editor = PathEditor()
    for step in steps:
        run(editor, *step)
        assert (np.diff(times(editor)) >= 0.5 * SHORTEST).all()
        assert editor.selected is None or 0 <= editor.selected < len(editor.keys)
        assert editor.start <= editor.time <= editor.end
        assert not editor.playing or editor.end > editor.start


@settings(max_examples=60, deadline=None)
@given(edits)
def test_undoing_everything_goes_back_and_redoing_forward_again(steps: list[tuple[str, int, float]]) -> None:
    editor = path_of(0, 1, 4)
    for step in steps:
        run(editor, *step)
    last = editor.keys
    undone = 0
    while editor.undo():
        undone += 1
    assert editor.keys == ()
    assert not editor.can_undo
    for _ in range(undone):
        assert editor.can_redo
        editor.redo()
    seen = [editor.keys]
    while editor.redo():
        seen.append(editor.keys)
    assert last in seen


def test_a_change_after_undoing_forgets_what_was_undone() -> None:
    editor = path_of(0, 1)
    editor.add(camera(3))
    editor.undo()
    editor.remove(0)
    assert not editor.redo()
    assert times(editor) == [1]


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    editor = path_of(0, 1.25, 3)
    editor.set_fov(1, 1.234)
    assert not editor.saved
    editor.save(tmp_path / "path.json")
    assert editor.saved
    other = PathEditor()
    other.load(tmp_path / "path.json")
    assert (other.saved, other.file) == (True, tmp_path / "path.json")
    for found, expected in zip(other.keys, editor.keys, strict=True):
        assert (found.time, found.camera.fov_y) == (expected.time, expected.camera.fov_y)
        np.testing.assert_array_equal(found.camera.camera_from_world, expected.camera.camera_from_world)
    other.undo()
    assert other.keys == ()


def test_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    editor = path_of(0, 1)
    keys = editor.keys
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(SceneFileError, match=r"expected a list of cameras or an object with frames, found \{\}$"):
        editor.load(tmp_path / "bad.json")
    with pytest.raises(KilofieldError, match="cannot write: No such file or directory"):
        editor.save(tmp_path / "none" / "path.json")
    assert editor.keys is keys


def test_cameras_are_stepped_through_round_and_round(tmp_path: Path) -> None:
    cameras = [replace(camera(i), name=f"{i}.png") for i in range(3)]
    write_cameras(tmp_path / "cameras.json", cameras)
    reel = CameraReel()
    assert reel.step(1) is None
    assert reel.load(tmp_path / "cameras.json") == "3 cameras"
    names = [shown.name for shown in map(reel.step, (1, 1, 1, 1, -1, -1)) if shown]
    assert names == ["0.png", "1.png", "2.png", "0.png", "2.png", "1.png"]
    reel.index = None
    assert reel.step(-1) is reel.cameras[2]
    keys = reel.keys(0.5)
    assert [key.time for key in keys] == [0, 0.5, 1]
    assert keys[2].camera is reel.cameras[2]


def test_lens_distortion_is_told(tmp_path: Path) -> None:
    write_binary(tmp_path)
    assert CameraReel().load(tmp_path) == "3 cameras, 1 of them shown without their lens's distortion"


def test_distorted_frames_of_nerf_studio_are_looked_through_too(tmp_path: Path) -> None:
    file = tmp_path / "transforms.json"
    frames = [{"file_path": f"{i}.png", "transform_matrix": np.eye(4).tolist()} for i in range(2)]
    lens = {"camera_model": "OPENCV", "fl_x": 500.0, "fl_y": 500.0, "w": 640, "h": 480, "k1": 0.05}
    file.write_text(json.dumps({**lens, "frames": frames}))
    reel = CameraReel()
    assert reel.load(file) == "2 cameras, 2 of them shown without their lens's distortion"
    assert reel.cameras[0].fov_y == pytest.approx(2 * np.arctan(240 / 500))
    with pytest.raises(SceneFileError, match="no lens distortion"):
        read_cameras(file)
    write_binary(tmp_path)
    with pytest.raises(SceneFileError, match=r"no lens distortion .undistort the images first., found 1 cameras"):
        read_cameras(tmp_path)


def test_a_file_without_cameras_keeps_those_that_are_there(tmp_path: Path) -> None:
    reel = CameraReel((camera(0),))
    with pytest.raises(SceneFileError, match="expected a file, found nothing at this path"):
        reel.load(tmp_path / "none.json")
    assert len(reel.cameras) == 1


# What of a path is seen in the scene

RECT = Rect(40, 30, 300, 200)
VIEWER = look_at(np.array([0.3, -0.5, -4.0]), np.zeros(3), np.array([0.0, -1, 0]), 0.8, near=0.1)


def sampled(line: np.ndarray, camera: Camera) -> np.ndarray:
    """[m, 2] screen coordinates of the points of a world line [2, 3] that the camera sees: the slow twin of cutting."""
    points = line[0] + np.linspace(0, 1, 4001)[:, None] * (line[1] - line[0])
    places, depths = project_points(points, camera, RECT)
    return places[depths > camera.near * (1 + 1e-6)]


@settings(deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["pinhole", "orthographic"]))
def test_lines_are_cut_at_the_near_plane(seed: int, projection: str) -> None:
    camera = replace(VIEWER, projection=projection, view_height=3.0)
    line = np.random.default_rng(seed).normal(0, 3, (2, 3))
    seen = sampled(line, camera)
    found = screen_lines(line[None], camera, RECT)
    if len(seen) < 2:
        assert len(found) <= 1
        return
    (start, end) = found[0]
    scale = np.abs(found).max()
    direction = (end - start) / np.linalg.norm(end - start)
    offset = seen - start
    along = offset @ direction
    assert np.abs(offset - along[:, None] * direction).max() < 1e-6 * scale  # on one line on the screen too
    assert along.min() > -1e-6 * scale
    assert along.max() < np.linalg.norm(end - start) + 1e-6 * scale


def test_what_is_behind_the_camera_is_not_drawn() -> None:
    behind = VIEWER.position - VIEWER.camera_from_world[2, :3] * np.array([[1.0], [2.0]])
    assert screen_lines(behind[None], VIEWER, RECT).shape == (0, 2, 2)
    assert screen_lines(np.zeros((0, 2, 3)), VIEWER, RECT).shape == (0, 2, 2)


def test_in_a_panorama_no_line_crosses_the_picture() -> None:
    around = np.linspace(0, 2 * np.pi, 60)
    circle = VIEWER.position + np.stack([np.sin(around), 0 * around, np.cos(around)], axis=1)
    lines = screen_lines(polyline(circle), replace(VIEWER, projection="equirectangular"), RECT)
    assert 57 <= len(lines) <= 58  # all but the one over the seam
    assert np.abs(np.diff(lines[..., 0], axis=1)).max() < RECT.width / 10


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_a_frustum_s_picture_is_the_camera_s_picture(projection: str) -> None:
    """Seen through the camera itself, a frustum's rim is the edge of its picture; a parallel one's a smaller copy."""
    camera = replace(VIEWER, projection=projection, view_height=2.0, pixel_aspect=1.2, centre=(0.4, 0.6), near=1e-6)
    lines = frustum_lines(camera, 0.5, RECT.width / RECT.height)
    if projection == "equirectangular":
        middle = lines.mean(axis=1)
        np.testing.assert_allclose(middle[:2], [camera.position] * 2, atol=1e-9)
        assert (lines[2, 1] - camera.position) @ camera.camera_from_world[2, :3] == pytest.approx(0.5)
        return
    rim = screen_lines(lines[4:8], camera, RECT)
    assert len(rim) == 4
    corners = np.array([[RECT.x, RECT.y], [RECT.right, RECT.y], [RECT.right, RECT.bottom], [RECT.x, RECT.bottom]])
    principal = np.array([RECT.x + 0.4 * RECT.width, RECT.y + 0.6 * RECT.height])
    if projection == "orthographic":
        share = (rim[1, 0, 0] - rim[0, 0, 0]) / RECT.width
        assert 0.01 < share < 1
        corners = principal + share * (corners - principal)
    np.testing.assert_allclose(rim[:, 0], corners, atol=1e-6)
    np.testing.assert_allclose(rim[:, 1], np.roll(corners, -1, axis=0), atol=1e-6)
    (mark,) = project_points(lines[8, 1][None], camera, RECT)[0]
    assert mark[1] < corners[0, 1]  # over the upper edge
    far = np.linalg.norm(lines - camera.position, axis=2).max(initial=0, where=np.arange(10)[:, None] < 8)
    assert far >= 0.5 * (1 - 1e-9)


def test_the_camera_s_own_aspect_goes_first() -> None:
    own = replace(VIEWER, aspect=2.0)
    np.testing.assert_array_equal(frustum_lines(own, 1.0, 1.0), frustum_lines(own, 1.0, 3.0))
    assert not np.allclose(frustum_lines(VIEWER, 1.0, 1.0), frustum_lines(VIEWER, 1.0, 3.0))


def test_a_spline_passes_its_keys_closely() -> None:
    editor = path_of(0, 1, 4)
    points = spline_points(editor.keys)
    for key in editor.keys:
        assert np.linalg.norm(points - key.camera.position, axis=1).min() < 1e-9
    assert np.linalg.norm(np.diff(points, axis=0), axis=1).max() < 0.3
    assert spline_points(editor.keys[:1]).shape == (0, 3)


def test_the_nearest_of_several_marks_is_hit() -> None:
    ahead = VIEWER.camera_from_world[2, :3]
    group = CameraGroup([replace(VIEWER, camera_from_world=moved(VIEWER, d * ahead)) for d in (5.0, 2.0, -1.0)])
    places, depths = group.marks(VIEWER, RECT)
    middle = RECT.middle
    np.testing.assert_allclose(places[:2], [middle] * 2, atol=1e-6)
    assert np.isnan(places[2]).all()
    assert mark_at(places, depths, middle[0] + 3, middle[1], 5.0) == 1
    assert mark_at(places, depths, middle[0] + 9, middle[1], 5.0) is None
    assert mark_at(*group.marks(VIEWER, RECT, too_near=3.0), middle[0], middle[1], 5.0) == 0
    assert mark_at(*CameraGroup([]).marks(VIEWER, RECT), 0, 0, 5.0) is None


def test_the_frusta_of_a_group_are_those_of_its_cameras() -> None:
    group = CameraGroup([camera(0), replace(camera(1), projection="equirectangular"), camera(2)])
    for size in (0.5, 0.7):
        expected = [frustum_lines(group.cameras[i], size, 1.5) for i in (2, 1)]
        np.testing.assert_array_equal(group.frusta([2, 1], size, 1.5), np.concatenate(expected))
    assert group.frusta([], 0.5, 1.5).shape == (0, 2, 3)


def test_numbers_do_not_cover_each_other() -> None:
    places = list(np.random.default_rng(3).uniform(0, 100, (60, 2)))
    free = uncovered(places, 12.0)
    kept = np.array([place for place, keeps in zip(places, free, strict=True) if keeps])
    apart = np.linalg.norm(kept[:, None] - kept, axis=2) + 1e9 * np.eye(len(kept))
    assert apart.min() >= 12
    assert free[-1]  # the last, which is the nearest, is always there
    for place, keeps in zip(places, free, strict=True):
        assert keeps or np.linalg.norm(kept - place, axis=1).min() < 12
    assert uncovered([], 1.0) == []


def moved(camera: Camera, by: np.ndarray) -> np.ndarray:
    """[4, 4] the pose of the camera moved in the world."""
    pose = camera.camera_from_world.copy()
    pose[:3, 3] -= pose[:3, :3] @ by
    return pose
