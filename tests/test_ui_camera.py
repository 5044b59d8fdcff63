"""The camera in the window, by its laws."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ui_scenes import shell

from scenes.cameras import PROJECTIONS, Camera, look_at
from scenes.errors import SceneFileError
from scenes.extent import Extent
from ui.camera_text import camera_of_text, camera_text
from ui.fly import Fly
from ui.heading import STEEPEST, UP_AXES, Heading, ground_axes
from ui.navigation import FOV_LIMITS, GLIDE_SECONDS, HELD, SPEED_LIMITS, WHEEL_ZOOM, ZOOM_LIMITS, Navigator
from ui.orbit import Orbit
from ui.picking import pick, ray_through
from ui.screen import Rect, project_points

angle = st.floats(-3.1, 3.1)
pitch = st.floats(-STEEPEST, STEEPEST)
number = st.floats(-5, 5)
point = st.tuples(number, number, number).map(np.array)
axis = st.tuples(number, number, number).map(np.array).filter(lambda v: np.linalg.norm(v) > 0.1)
up_axis = axis.map(lambda v: v / np.linalg.norm(v))
headings = st.builds(Heading, up_axis, angle, pitch, angle)
orbits = st.builds(Orbit, headings, point, st.floats(0.1, 10))
EXTENT = Extent(np.array([1.0, -2.0, 0.5]), 2.0, np.array([0.0, -1.0, 0.0]))


@given(up_axis)
def test_ground_axes_are_a_right_handed_frame_with_east_at_the_right(up: np.ndarray) -> None:
    north, east = ground_axes(up)
    np.testing.assert_allclose(np.cross(north, up), east, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm([north, east], axis=1), 1, atol=1e-12)


@given(headings)
def test_a_heading_is_a_rotation_and_comes_back_from_it(heading: Heading) -> None:
    rotation = heading.rotation()
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(Heading.of(rotation, heading.up).rotation(), rotation, atol=1e-7)


@given(point, point, up_axis)
def test_a_level_orbit_is_look_at(eye: np.ndarray, target: np.ndarray, up: np.ndarray) -> None:
    distance = float(np.linalg.norm(target - eye))
    climb = abs((target - eye) @ up) / max(distance, 1e-9)
    if distance < 0.1 or climb > math.sin(STEEPEST):
        return
    camera = look_at(eye, target, up, 1.0)
    orbit = Orbit.of(camera, distance, up)
    np.testing.assert_allclose(orbit.pivot, target, atol=1e-6)
    assert orbit.heading.roll == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(orbit.camera(1.0).camera_from_world, camera.camera_from_world, atol=1e-6)


@pytest.mark.parametrize("climb", [-1.0, 1.0])
def test_looking_straight_up_or_down_keeps_the_picture_s_side(climb: float) -> None:
    camera = look_at(np.zeros(3), np.array([0, 0, climb]), np.array([0.3, 1, 0]), 1.0)
    held = Heading.of(camera.camera_from_world[:3, :3], np.array([0.0, 0, 1])).rotation()
    angles = np.degrees(np.arccos(np.clip(np.diag(held @ camera.camera_from_world[:3, :3].T), -1, 1)))
    assert angles.max() < 1.01  # only the degree the pitch is held back by


@given(orbits, number, number)
def test_orbiting_keeps_distance_and_pivot_in_the_middle(orbit: Orbit, right: float, upward: float) -> None:
    turned = orbit.turned(right, upward)
    assert np.linalg.norm(turned.eye - orbit.pivot) == pytest.approx(orbit.distance)
    pose = turned.camera(1.0).camera_from_world
    np.testing.assert_allclose(pose[:3, :3] @ orbit.pivot + pose[:3, 3], [0, 0, orbit.distance], atol=1e-9)


@settings(max_examples=50)
@given(st.builds(Orbit, st.builds(Heading, up_axis, angle, pitch), point, st.just(1.0)), st.lists(number, max_size=20))
def test_up_never_flips(orbit: Orbit, pushes: list[float]) -> None:
    for push in pushes:
        orbit = orbit.turned(push, push)
        rotation = orbit.heading.rotation()
        assert -rotation[1] @ orbit.heading.up > 0  # what is up points up in the picture
        assert rotation[0] @ orbit.heading.up == pytest.approx(0, abs=1e-9)  # and the horizon is level


@given(headings, st.floats(0.01, 1))
def test_yaw_turns_right_and_pitch_up(heading: Heading, turn: float) -> None:
    level = Heading(heading.up, heading.yaw)
    right, _, forward = level.rotation()
    assert level.turned(turn, 0).rotation()[2] @ right == pytest.approx(math.sin(turn))
    assert level.turned(0, turn).rotation()[2] @ heading.up == pytest.approx(math.sin(turn))
    assert level.turned(turn, 0).rotation()[2] @ forward == pytest.approx(math.cos(turn))


@given(orbits, number, number)
def test_panning_moves_across_the_view(orbit: Orbit, right: float, down: float) -> None:
    pose = orbit.camera(1.0).camera_from_world
    moved = orbit.panned(right, down)
    np.testing.assert_allclose(pose[:3, :3] @ (moved.eye - orbit.eye), [right, down, 0], atol=1e-9)
    assert moved.distance == orbit.distance


@given(orbits, st.floats(0.01, 100))
def test_zooming_stays_on_the_line_and_within_limits(orbit: Orbit, factor: float) -> None:
    zoomed = orbit.zoomed(factor, 0.5, 5.0)
    assert 0.5 <= zoomed.distance <= 5.0
    if 0.5 <= orbit.distance * factor <= 5.0:
        assert zoomed.distance == pytest.approx(orbit.distance * factor)
    np.testing.assert_array_equal(zoomed.pivot, orbit.pivot)


@given(st.builds(Fly, headings, point), point)
def test_flying_moves_along_the_camera_s_axes(fly: Fly, move: np.ndarray) -> None:
    pose = fly.camera(1.0).camera_from_world
    moved = fly.moved(*move)
    np.testing.assert_allclose(pose[:3, :3] @ (moved.eye - fly.eye), move, atol=1e-9)
    np.testing.assert_array_equal(moved.camera(1.0).camera_from_world[:3, :3], pose[:3, :3])


@given(st.builds(Fly, headings, point), number, number)
def test_looking_around_keeps_the_place(fly: Fly, right: float, upward: float) -> None:
    np.testing.assert_allclose(fly.turned(right, upward).camera(1.0).position, fly.eye, atol=1e-9)


@given(headings, point)
def test_a_camera_comes_back_from_both_states(heading: Heading, eye: np.ndarray) -> None:
    pose = heading.camera(eye, 1.0).camera_from_world
    for state in (
        Fly.of(heading.camera(eye, 1.0), heading.up),
        Orbit.of(heading.camera(eye, 1.0), 3.0, heading.up),
    ):
        np.testing.assert_allclose(state.camera(1.0).camera_from_world, pose, atol=1e-6)


@pytest.mark.parametrize("aspect", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("fov", [0.3, 1.0, 2.0])
def test_the_first_view_holds_the_whole_ball(aspect: float, fov: float) -> None:
    camera = Orbit.around(EXTENT, fov, aspect).camera(fov)
    distance = np.linalg.norm(camera.position - EXTENT.centre)
    widest = math.asin(EXTENT.radius / float(distance))  # half the angle the ball fills
    assert widest < min(fov / 2, math.atan(aspect * math.tan(fov / 2)))
    assert (camera.position - EXTENT.centre) @ EXTENT.up > 0


@given(orbits, angle, pitch, st.floats(0.1, 10), st.floats(0, 1))
def test_a_glide_ends_where_it_should_and_passes_between(
    orbit: Orbit, yaw: float, pitch: float, distance: float, t: float
) -> None:
    target = Orbit(Heading(orbit.heading.up, yaw, pitch), orbit.pivot + 1.0, distance)
    start = orbit.towards(target, 0.0)
    np.testing.assert_allclose(start.camera(1.0).camera_from_world, orbit.camera(1.0).camera_from_world, atol=1e-7)
    assert orbit.towards(target, 1.0) == target
    between = orbit.towards(target, t)
    low, high = sorted([orbit.distance, distance])
    assert low * (1 - 1e-9) <= between.distance <= high * (1 + 1e-9)
    assert -STEEPEST <= between.heading.pitch <= STEEPEST


def glide(navigator: Navigator) -> None:
    while navigator.step([], GLIDE_SECONDS / 7):
        pass


def pose(navigator: Navigator) -> np.ndarray:
    return navigator.camera().camera_from_world


def test_switching_modes_keeps_the_picture() -> None:
    navigator = Navigator(EXTENT, 1.5)
    navigator.drag("turn", 120, 40, 700)
    seen = pose(navigator)
    for mode in ("fly", "orbit", "fly"):
        navigator.set_mode(mode)
        np.testing.assert_allclose(pose(navigator), seen, atol=1e-9)


@pytest.mark.parametrize("mode", ["orbit", "fly"])
def test_reset_comes_home_from_anywhere(mode: str) -> None:
    navigator = Navigator(EXTENT, 1.5)
    home = pose(navigator)
    navigator.set_mode(mode)
    navigator.drag("turn", 300, -200, 700)
    navigator.drag("pan", 50, 80, 700)
    navigator.step(["forward", "roll clockwise"], 0.5, fast=True)
    navigator.set_up(UP_AXES["+z"])
    glide(navigator)
    navigator.set_fov(2.0)
    assert not np.allclose(pose(navigator), home, atol=0.1)
    navigator.reset()
    glide(navigator)
    np.testing.assert_allclose(pose(navigator), home, atol=1e-9)
    assert navigator.mode == mode


@pytest.mark.parametrize("name", UP_AXES)
def test_another_up_axis_levels_the_camera_on_it(name: str) -> None:
    navigator = Navigator(EXTENT)
    eye = navigator.camera().position
    navigator.step(["roll clockwise"], 0.7)
    navigator.set_up(UP_AXES[name])
    glide(navigator)
    assert navigator.camera().camera_from_world[0, :3] @ UP_AXES[name] == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(navigator.camera().position, eye, atol=1e-9)


def test_focus_brings_the_point_to_the_middle_at_its_depth() -> None:
    navigator = Navigator(EXTENT, 1.5)
    target = EXTENT.centre + np.array([0.5, 0.3, -0.4])
    depth = (pose(navigator) @ [*target, 1.0])[2]
    navigator.focus(target)
    glide(navigator)
    np.testing.assert_allclose((pose(navigator) @ [*target, 1.0])[:3], [0, 0, depth], atol=1e-9)
    navigator.drag("turn", 200, 100, 700)
    np.testing.assert_allclose((pose(navigator) @ [*target, 1.0])[:3], [0, 0, depth], atol=1e-9)


def test_a_pan_keeps_the_pivot_under_the_cursor() -> None:
    navigator = Navigator(EXTENT, 1.5)
    pivot, height = navigator.orbit.pivot, 700
    navigator.drag("pan", 33, -21, height)
    x, y, z = (pose(navigator) @ [*pivot, 1.0])[:3]
    _, fy, _, _ = navigator.camera().intrinsics(1050, height)
    assert (fy * x / z, fy * y / z) == pytest.approx((33, -21))


def test_wheel_and_keys_zoom_within_limits() -> None:
    navigator = Navigator(EXTENT)
    for _ in range(200):
        navigator.wheel(1)
    assert navigator.orbit.distance == pytest.approx(ZOOM_LIMITS[0] * EXTENT.radius)
    for _ in range(400):
        navigator.step(["back"], 0.1)
    assert navigator.orbit.distance == pytest.approx(ZOOM_LIMITS[1] * EXTENT.radius)


def test_flying_forward_covers_speed_times_time() -> None:
    navigator = Navigator(EXTENT)
    navigator.set_mode("fly")
    start, forward = navigator.camera().position, pose(navigator)[2, :3]
    for _ in range(10):
        assert navigator.step(["forward"], 0.1)
    step = navigator.speed * EXTENT.radius
    np.testing.assert_allclose(navigator.camera().position - start, step * forward, atol=1e-9)
    navigator.step(["forward"], 1.0, fast=True)
    navigator.step(["back"], 1.0, slow=True)
    np.testing.assert_allclose(navigator.camera().position - start, (1 + 4 - 0.25) * step * forward, atol=1e-9)


def test_the_wheel_changes_the_speed_of_flying_within_limits() -> None:
    navigator = Navigator(EXTENT)
    navigator.set_mode("fly")
    before = pose(navigator)
    for notches, limit in ((10, SPEED_LIMITS[1]), (-10, SPEED_LIMITS[0])):
        for _ in range(20):
            navigator.wheel(notches)
        assert navigator.speed == limit
    np.testing.assert_array_equal(pose(navigator), before)


@pytest.mark.parametrize("mode", ["orbit", "fly"])
@pytest.mark.parametrize("name", HELD)
def test_each_held_key_moves_and_its_opposite_brings_back(mode: str, name: str) -> None:
    opposite = next(other for other, push in HELD.items() if np.array_equal(push, -np.array(HELD[name])))
    navigator = Navigator(EXTENT)
    navigator.set_mode(mode)
    before = pose(navigator)
    navigator.step([name], 0.2)
    assert np.abs(pose(navigator) - before).max() > 1e-3
    navigator.step([opposite], 0.2)
    np.testing.assert_allclose(pose(navigator), before, atol=1e-9)
    assert not navigator.step([name, opposite], 0.2)
    np.testing.assert_allclose(pose(navigator), before, atol=1e-9)


def test_a_drag_stops_a_glide() -> None:
    navigator = Navigator(EXTENT)
    navigator.drag("turn", 500, 0, 700)
    navigator.reset()
    navigator.step([], GLIDE_SECONDS / 3)
    navigator.drag("turn", 1, 0, 700)
    assert not navigator.step([], GLIDE_SECONDS)


def test_the_near_plane_is_the_scene_s() -> None:
    assert Navigator(EXTENT).camera().near == EXTENT.near


# Projections


def place_in_picture(navigator: Navigator, points: np.ndarray) -> np.ndarray:
    """[n, 2] where points of the world are in the navigator's picture, 1050 x 700."""
    return project_points(points, navigator.camera(), Rect(0, 0, 1050, 700))[0]


def test_a_parallel_view_keeps_the_size_of_what_is_at_the_pivot() -> None:
    navigator = Navigator(EXTENT, 1.5)
    navigator.drag("turn", 130, 60, 700)
    right, down, _ = pose(navigator)[:3, :3]
    points = navigator.orbit.pivot + np.array([right, down, 0.3 * right - 0.8 * down])
    before = place_in_picture(navigator, points)
    navigator.set_projection("orthographic")
    assert navigator.camera().projection == "orthographic"
    np.testing.assert_allclose(place_in_picture(navigator, points), before, atol=1e-6)
    navigator.set_projection("pinhole")
    np.testing.assert_allclose(place_in_picture(navigator, points), before, atol=1e-6)


@pytest.mark.parametrize("mode", ["orbit", "fly"])
def test_the_wheel_zooms_a_parallel_view(mode: str) -> None:
    navigator = Navigator(EXTENT, 1.5)
    navigator.set_mode(mode)
    navigator.set_projection("orthographic")
    before, height = pose(navigator), navigator.camera().view_height
    navigator.wheel(2.0)
    assert navigator.camera().view_height == pytest.approx(WHEEL_ZOOM**2 * height)
    np.testing.assert_allclose(pose(navigator)[:2], before[:2], atol=1e-9)  # nothing moves across


def test_a_parallel_view_cuts_nothing_of_the_scene_however_near() -> None:
    navigator = Navigator(EXTENT, 1.5)
    navigator.set_projection("orthographic")
    navigator.wheel(30.0)
    nearest = EXTENT.centre - pose(navigator)[2, :3] * EXTENT.radius
    assert (pose(navigator) @ [*nearest, 1.0])[2] > navigator.camera().near
    navigator.near = 0.5  # unless that is what is wanted
    assert navigator.camera().near == 0.5
    pivot = navigator.orbit.pivot
    assert (pose(navigator) @ [*pivot, 1.0])[2] == pytest.approx(navigator.orbit.distance)


@pytest.mark.parametrize("projection", ["pinhole", "orthographic"])
def test_a_pan_keeps_what_is_at_the_pivot_under_the_cursor(projection: str) -> None:
    navigator = Navigator(EXTENT, 1.5)
    navigator.set_projection(projection)
    pivot = navigator.orbit.pivot[None]
    before = place_in_picture(navigator, pivot)
    navigator.drag("pan", 33, -21, 700)
    np.testing.assert_allclose(place_in_picture(navigator, pivot) - before, [[33, -21]], atol=1e-6)


def test_turning_in_a_panorama_keeps_the_horizon_under_the_cursor() -> None:
    navigator = Navigator(EXTENT, 2.0)
    navigator.set_mode("fly")
    navigator.set_projection("equirectangular")
    navigator.drag("turn", 0, 700 * Orbit.around(EXTENT, 1.0, 1.0).heading.pitch / math.pi, 700)  # level
    level = navigator.camera()
    ahead = (level.position + level.camera_from_world[2, :3])[None]
    rect = Rect(0, 0, 1400, 700)
    before = project_points(ahead, level, rect)[0]
    navigator.drag("turn", 50, 0, 700)
    after = project_points(ahead, navigator.camera(), rect)[0]
    np.testing.assert_allclose(np.abs(after - before), [[50, 0]], atol=1e-6)


# Looking through other cameras

OTHER = replace(
    look_at(np.array([3.0, -3.5, 2.0]), np.array([0.8, -1.6, 0.4]), np.array([0.1, -1.0, 0.2]), 0.6),
    pixel_aspect=1.1,
    centre=(0.45, 0.52),
    name="IMG_7.jpg",
)


def same_but_near(found: Camera, expected: Camera) -> bool:
    lens = replace(found, near=expected.near, camera_from_world=expected.camera_from_world) == expected
    return lens and np.array_equal(found.camera_from_world, expected.camera_from_world)


@pytest.mark.parametrize("mode", ["orbit", "fly"])
def test_a_camera_is_looked_through_exactly_until_somebody_moves(mode: str) -> None:
    navigator = Navigator(EXTENT, 1.5)
    navigator.set_mode(mode)
    navigator.look_through(OTHER)
    assert same_but_near(navigator.camera(), OTHER)
    assert navigator.camera().near == EXTENT.near
    assert not navigator.step([], 0.1)
    assert same_but_near(navigator.camera(), OTHER)
    navigator.drag("turn", 0, 0, 700)
    assert navigator.through is None
    np.testing.assert_allclose(pose(navigator), OTHER.camera_from_world, atol=1e-7)
    assert navigator.camera().fov_y == pytest.approx(OTHER.fov_y)


def test_a_parallel_camera_is_taken_over_with_its_height() -> None:
    navigator = Navigator(EXTENT, 1.5)
    navigator.set_projection("orthographic")
    navigator.wheel(3.0)
    navigator.drag("turn", 90, 40, 700)
    shown = navigator.camera()
    navigator.set_projection("pinhole")
    navigator.reset()
    glide(navigator)
    navigator.look_through(shown)
    navigator.drag("turn", 0, 0, 700)
    points = EXTENT.centre + np.random.default_rng(0).normal(size=(5, 3))
    found = place_in_picture(navigator, points)
    np.testing.assert_allclose(found, project_points(points, shown, Rect(0, 0, 1050, 700))[0], atol=1e-6)


def test_a_flight_to_a_camera_ends_in_it() -> None:
    navigator = Navigator(EXTENT, 1.5)
    navigator.fly_to(OTHER)
    start = pose(navigator)
    assert navigator.step([], GLIDE_SECONDS / 2)
    assert not np.allclose(pose(navigator), start, atol=1e-3)
    assert navigator.through is None
    glide(navigator)
    assert same_but_near(navigator.camera(), OTHER)


def test_the_view_that_was_kept_is_the_first_view() -> None:
    navigator = Navigator(EXTENT, 1.5)
    navigator.go_home(EXTENT, OTHER)
    assert navigator.at_home
    assert same_but_near(navigator.camera(), OTHER)
    navigator.drag("turn", 80, 10, 700)
    assert not navigator.at_home
    navigator.reset()
    glide(navigator)
    assert same_but_near(navigator.camera(), OTHER)


@given(angle, pitch, angle)
def test_what_is_up_in_the_picture_can_be_made_up(yaw: float, climb: float, roll: float) -> None:
    navigator = Navigator(EXTENT)
    camera = Heading(EXTENT.up, yaw, climb, roll).camera(np.zeros(3), 1.0)
    navigator.look_through(camera)
    up = navigator.up_in_picture()
    navigator.set_up(up)
    glide(navigator)
    np.testing.assert_allclose(pose(navigator)[:3, :3], camera.camera_from_world[:3, :3], atol=1e-6)
    assert navigator.orbit.heading.roll == pytest.approx(0, abs=1e-6)
    assert navigator.orbit.heading.pitch == pytest.approx(0, abs=1e-6)


def test_a_field_of_view_beyond_the_limits_is_shown_but_not_kept() -> None:
    navigator = Navigator(EXTENT)
    narrow = replace(OTHER, fov_y=0.01)
    navigator.look_through(narrow)
    assert navigator.camera().fov_y == 0.01
    navigator.wheel(1.0)
    assert navigator.camera().fov_y == FOV_LIMITS[0]


# By numbers


@pytest.mark.parametrize("mode", ["orbit", "fly"])
def test_a_camera_can_be_put_somewhere(mode: str) -> None:
    navigator = Navigator(EXTENT, 1.5)
    navigator.set_mode(mode)
    rotation, eye = pose(navigator)[:3, :3], np.array([3.0, 1.0, -2.0])
    navigator.move_to(eye)
    np.testing.assert_allclose(navigator.camera().position, eye, atol=1e-9)
    np.testing.assert_allclose(pose(navigator)[:3, :3], rotation, atol=1e-9)


@pytest.mark.parametrize("mode", ["orbit", "fly"])
def test_a_camera_can_be_pointed_at_something(mode: str) -> None:
    navigator = Navigator(EXTENT, 1.5)
    navigator.set_mode(mode)
    navigator.step(["roll clockwise"], 0.3)
    eye, target = navigator.camera().position, np.array([1.5, -1.0, 1.0])
    navigator.look_at(target)
    np.testing.assert_allclose(navigator.camera().position, eye, atol=1e-9)
    x, y, z = (pose(navigator) @ [*target, 1.0])[:3]
    np.testing.assert_allclose([x, y, z], [0, 0, float(np.linalg.norm(target - eye))], atol=1e-9)
    assert pose(navigator)[0, :3] @ navigator.up == pytest.approx(0, abs=1e-9)  # level
    navigator.look_at(navigator.camera().position)  # nowhere: nothing happens
    assert (pose(navigator) @ [*target, 1.0])[2] == pytest.approx(z)


@given(angle, pitch, angle)
def test_a_camera_can_be_turned_to_angles(yaw: float, climb: float, roll: float) -> None:
    navigator = Navigator(EXTENT, 1.5)
    eye = navigator.camera().position
    navigator.turn_to(yaw, climb, roll)
    expected = Heading(EXTENT.up, yaw, climb, roll).rotation()
    np.testing.assert_allclose(pose(navigator)[:3, :3], expected, atol=1e-9)
    np.testing.assert_allclose(navigator.camera().position, eye, atol=1e-9)


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_a_camera_is_text_and_back(projection: str) -> None:
    camera = replace(OTHER, projection=projection, view_height=2.5 if projection == "orthographic" else 1.0)
    found = camera_of_text(camera_text(camera))
    assert same_but_near(replace(found, near=camera.near), camera)
    assert same_but_near(replace(camera_of_text(f"[{camera_text(camera)}, 3]"), near=camera.near), camera)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "clipboard: text: expected a camera in JSON, found nothing"),
        ("two\nlines", "clipboard: text: expected a camera in JSON, found two lines"),
        ("[]", "clipboard: camera: expected an object, found []"),
        ('{"fov_y": 1}', "clipboard: camera: expected camera_from_world, or position and rotation, found fov_y"),
    ],
)
def test_what_is_no_camera(text: str, message: str) -> None:
    with pytest.raises(SceneFileError) as caught:
        camera_of_text(text)
    assert str(caught.value) == message


def test_another_scene_has_a_near_plane_of_its_own() -> None:
    navigator = Navigator(EXTENT)
    navigator.near = 1.0
    navigator.go_home(replace(EXTENT, radius=0.5))
    assert navigator.camera().near == pytest.approx(0.01)


# Touchpads


@given(st.lists(st.floats(-0.4, 0.4), min_size=1, max_size=12))
def test_fractions_of_a_notch_add_up(fractions: list[float]) -> None:
    one, many = Navigator(EXTENT), Navigator(EXTENT)
    one.wheel(math.fsum(fractions))
    for fraction in fractions:
        many.wheel(fraction)
    assert many.orbit.distance == pytest.approx(one.orbit.distance)


def test_a_sudden_hundred_notches_are_ten() -> None:
    one, many = Navigator(EXTENT), Navigator(EXTENT)
    one.wheel(10.0)
    many.wheel(-10.0)
    many.wheel(10.0)
    many.wheel(100.0)
    assert many.orbit.distance == pytest.approx(one.orbit.distance)


# Picking through every projection


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_a_ray_through_a_pixel_projects_to_it(projection: str) -> None:
    camera = replace(OTHER, projection=projection, view_height=2.5)
    origin, direction = ray_through(camera, (31.0, 97.5), 300, 200)
    along = origin + np.array([[0.7], [2.5]]) * direction
    places, _ = project_points(along, camera, Rect(0, 0, 300, 200))
    np.testing.assert_allclose(places, [[31.0, 97.5]] * 2, atol=1e-6)


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_a_pick_finds_the_shell_through_every_projection(projection: str) -> None:
    camera = replace(
        look_at(np.array([0.3, -0.5, -4.0]), np.zeros(3), np.array([0.0, -1, 0]), 0.8), projection=projection
    )
    camera = replace(camera, view_height=3.0)
    target = np.array([[0.2, 0.1, -0.97]])
    x, y = project_points(target, camera, Rect(0, 0, 400, 200))[0][0]
    point = pick(shell(), camera, (x, y), 400, 200)
    assert point is not None
    assert np.linalg.norm(point) == pytest.approx(1, abs=0.05)
    assert np.linalg.norm(point - target[0]) < 0.15
