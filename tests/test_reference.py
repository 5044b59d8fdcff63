"""The numpy reference renderer against gsplat's pictures and against answers known in closed form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gaussian_samples import cameras, one_gaussian, random_gaussians
from oracles import HEIGHT, NAMES, WIDTH, read_oracle

from renderer.reference import (
    POLE_SLOPE,
    image_points,
    jacobians,
    project_reference,
    render_reference,
    trace_reference,
)
from scenes.cameras import PROJECTIONS, Camera
from scenes.gaussians import SH_C0, Floats, Gaussians


def centred(colour: tuple[float, float, float], logit: float, log_scale: float, depth: float) -> Gaussians:
    """One round Gaussian on the optical axis of a camera at the origin."""
    return Gaussians(
        np.array([[0, 0, depth]], np.float32),
        np.full((1, 3), log_scale, np.float32),
        np.array([[0.3, 0.5, -0.2, 0.9]], np.float32),
        np.array([logit], np.float32),
        ((np.array(colour, np.float32) - 0.5) / SH_C0).astype(np.float32).reshape(1, 1, 3),
    )


def stack(*parts: Gaussians) -> Gaussians:
    def joined(name: str) -> Floats:
        return np.concatenate([getattr(part, name) for part in parts])

    attributes = (joined("positions"), joined("log_scales"), joined("rotations"), joined("opacity_logits"))
    return Gaussians(*attributes, joined("sh"))


CAMERA = Camera(np.eye(4), 2 * np.arctan(0.5))  # focal length = height in pixels
SIZE = 48, 36
BACKGROUND = (0.2, 0.5, 0.9)
FORWARD = Camera(np.eye(4), 0.9, view_height=3.0)


@pytest.mark.parametrize("name", NAMES)
def test_gsplat_pictures(data: Path, name: str) -> None:
    oracle = read_oracle(data, name)
    render = trace_reference(oracle.gaussians, oracle.camera, WIDTH, HEIGHT)
    assert np.abs(render.image - oracle.image[..., :3]).max() < 2e-6
    assert np.abs(1 - render.transmittance - oracle.image[..., 3]).max() < 2e-6


def test_one_gaussian_in_closed_form() -> None:
    """A sphere of standard deviation s at depth z covers f s / z pixels, plus the dilation."""
    size, depth, scale, opacity = 32, 4.0, 0.25, 0.8
    gaussian = centred((0.2, 0.7, 0.4), np.log(opacity / (1 - opacity)), np.log(scale), depth)
    background = np.array([0.9, 0.1, 0.3])
    image = render_reference(gaussian, CAMERA, size, size, tuple(background))
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    alpha = opacity * np.exp(-0.5 * (x * x + y * y) / ((size * scale / depth) ** 2 + 0.3))
    alpha = np.where(alpha < 1 / 255, 0, alpha)[..., None]
    assert 0 < (alpha == 0).mean() < 1
    np.testing.assert_allclose(image, alpha * [0.2, 0.7, 0.4] + (1 - alpha) * background, atol=1e-6)


def test_antialiasing_keeps_the_light_of_a_speck() -> None:
    """Far under a pixel, the compensated Gaussian adds up to opacity times its true area in pixels."""
    size, depth, scale, opacity = 33, 4.0, 0.02, 0.8
    gaussian = centred((1, 1, 1), np.log(opacity / (1 - opacity)), np.log(scale), depth)
    mip = Gaussians(**{**vars(gaussian), "antialiased": True})
    sigma = size * scale / depth
    area = 2 * np.pi * sigma**2 * opacity
    light = render_reference(mip, CAMERA, size, size)[..., 0].sum()
    blurred = render_reference(gaussian, CAMERA, size, size)[..., 0].sum()
    assert light == pytest.approx(area, rel=0.1)  # what falls under 1/255 is lost
    assert blurred > 5 * area


def test_alpha_is_capped_and_pixels_stop() -> None:
    """Of opaque layers the first gives 0.99, the second 0.0099, and the third would go under T = 1e-4."""
    layers = [centred((1, 0, 0), 20, 4, 4), centred((0, 1, 0), 20, 4, 5), centred((0, 0, 1), 20, 4, 6)]
    render = trace_reference(stack(*layers[::-1]), CAMERA, 8, 8)
    np.testing.assert_allclose(render.image[4, 4], [0.99, 0.0099, 0], atol=1e-7)
    np.testing.assert_allclose(render.transmittance[4, 4], 1e-4, atol=1e-9)
    np.testing.assert_allclose(render.importance, [0, 0.0099 * 64, 0.99 * 64], atol=1e-9)


def test_nearer_than_the_near_plane_is_not_drawn() -> None:
    gone = stack(centred((1, 1, 1), 2, -1, 0.199), centred((1, 1, 1), 2, -1, -3))
    image = render_reference(gone, CAMERA, 8, 8, (0.1, 0.2, 0.3))
    assert np.array_equal(image, np.broadcast_to([0.1, 0.2, 0.3], (8, 8, 3)))
    there = render_reference(centred((1, 1, 1), 2, -1, 0.201), CAMERA, 8, 8, (0.1, 0.2, 0.3))
    assert there[4, 4, 0] > 0.5


def test_light_is_shared_out() -> None:
    """Importance adds up to what the background has lost."""
    rng = np.random.default_rng(5)
    parts = [centred(tuple(rng.random(3)), rng.normal(), rng.uniform(-3, -1), rng.uniform(1, 6)) for _ in range(12)]
    scene = stack(*parts)
    scene.positions[:, :2] = rng.normal(0, 0.5, (12, 2))
    render = trace_reference(scene, CAMERA, 20, 15)
    assert render.importance.sum() == pytest.approx((1 - render.transmittance).sum(), rel=1e-12)
    assert render.importance.sum() > 10


def turned(camera: Camera, degrees: float) -> Camera:
    """The camera after it has turned right about its own y axis."""
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[np.ix_([0, 2], [0, 2])] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return replace(camera, camera_from_world=turn @ camera.camera_from_world)


def test_orthographic_gaussian_in_closed_form() -> None:
    """A sphere of standard deviation s covers s times the pixels of a world unit, however far away it is."""
    sphere = one_gaussian((0.4, -0.3, 7.0), 0.3, 0.8, 0.6)
    camera = replace(FORWARD, projection="orthographic", pixel_aspect=1.5)
    fx, fy = 1.5 * 12.0, 12.0  # 36 pixels for 3 world units
    y, x = np.mgrid[:36, :48] + 0.5
    dx, dy = x - (24 + 0.4 * fx), y - (18 - 0.3 * fy)
    alpha = 0.8 * np.exp(-0.5 * (dx**2 / ((0.3 * fx) ** 2 + 0.3) + dy**2 / ((0.3 * fy) ** 2 + 0.3)))
    found = render_reference(sphere, camera, *SIZE)[..., 0]
    np.testing.assert_allclose(found, 0.6 * np.where(alpha < 1 / 255, 0, alpha), atol=1e-6)
    assert found.max() > 0.4


def test_orthographic_colours_are_seen_along_the_axis() -> None:
    """Wherever in the picture, parallel rays meet the same lobe of light."""
    camera = replace(cameras()[0], projection="orthographic", view_height=2.5)
    lit = replace(
        one_gaussian((0, 0, 0), 0.2, 0.9, 0.5), sh=np.random.default_rng(1).normal(0, 1, (1, 16, 3)).astype("f4")
    )
    moved = replace(lit, positions=np.array([[0.4, -0.5, 0.7]], np.float32))
    colours = [project_reference(gaussian, camera, *SIZE).colours for gaussian in (lit, moved)]
    np.testing.assert_allclose(colours[0], colours[1], atol=1e-6)
    middle = project_reference(lit, replace(camera, projection="pinhole"), *SIZE).colours  # on the axis of both
    np.testing.assert_allclose(colours[0], middle, atol=1e-6)


def test_equirectangular_gaussian_in_closed_form() -> None:
    """A small sphere: s / distance radians high, as wide over the cosine of its latitude."""
    longitude, latitude, distance, sigma = -2.0, 0.9, 4.0, 0.2
    across = distance * np.cos(latitude)
    at = across * np.sin(longitude), distance * np.sin(latitude), across * np.cos(longitude)
    camera = replace(FORWARD, projection="equirectangular")
    width, height = 90, 45
    y, x = np.mgrid[:height, :width] + 0.5
    per_radian = width / (2 * np.pi)
    dx = x - (width / 2 + per_radian * longitude)
    dy = y - (height / 2 + per_radian * latitude)
    variance_x = (per_radian * sigma / across) ** 2 + 0.3
    variance_y = (per_radian * sigma / distance) ** 2 + 0.3
    alpha = 0.8 * np.exp(-0.5 * (dx**2 / variance_x + dy**2 / variance_y))
    found = render_reference(one_gaussian(at, sigma, 0.8, 0.6), camera, width, height)[..., 0]
    np.testing.assert_allclose(found, 0.6 * np.where(alpha < 1 / 255, 0, alpha), atol=1e-5)
    assert found.max() > 0.4


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_jacobians_are_the_derivatives(projection: str) -> None:
    rng = np.random.default_rng(0)
    camera = replace(FORWARD, projection=projection, pixel_aspect=1.2, centre=(0.4, 0.55))
    positions = np.column_stack([rng.uniform(-0.3, 0.3, (50, 2)), rng.uniform(1, 3, 50)])
    if projection == "equirectangular":
        positions = rng.normal(0, 2, (50, 3))
        positions[:, 0] += 0.01  # off the seam
    step = 1e-6
    numeric = [
        (image_points(positions + axis, camera, *SIZE) - image_points(positions - axis, camera, *SIZE)) / (2 * step)
        for axis in step * np.eye(3)
    ]
    found = jacobians(positions, camera, *SIZE)
    np.testing.assert_allclose(found, np.stack(numeric, axis=2), rtol=1e-5, atol=1e-5)
    assert np.abs(found).max() > 5


def test_jacobians_stay_finite_at_the_poles() -> None:
    camera = replace(FORWARD, projection="equirectangular")
    directions = np.array([[0.0, 1, 0], [0, -1, 0], [1e-9, 1, 1e-9], [0.01, -1, 0.005]])
    found = jacobians(directions, camera, *SIZE)
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= camera.intrinsics(*SIZE)[0] / POLE_SLOPE


def test_equirectangular_picture_has_no_seam() -> None:
    """A quarter turn of the camera rolls the picture by a quarter of its width."""
    gaussians = random_gaussians(150, 3, sh_degree=1)
    camera = replace(cameras()[1], projection="equirectangular")
    low = np.abs(gaussians.positions - camera.position)[:, 1] < 0.35  # what is wider than the picture meets itself
    gaussians = gaussians.select(low)
    picture = render_reference(gaussians, camera, 64, 32, BACKGROUND)
    for quarters in (1, 2, 3):
        rolled = render_reference(gaussians, turned(camera, 90 * quarters), 64, 32, BACKGROUND)
        np.testing.assert_allclose(np.roll(picture, -16 * quarters, axis=1), rolled, atol=2e-3)
    assert np.abs(np.roll(picture, 16, axis=1) - picture).max() > 0.5


def test_equirectangular_rows_are_latitudes_from_up() -> None:
    camera = replace(FORWARD, projection="equirectangular")
    for at, row, column in (((0, -3, 0.4), 2, 40), ((0, 3, 0.4), 38, 40), ((3, 0, 0), 20, 60), ((-0.02, 0, -3), 20, 0)):
        picture = render_reference(one_gaussian(at, 0.05, 0.9, 1.0), camera, 80, 40)[..., 0]
        found_row, found_column = np.unravel_index(picture.argmax(), picture.shape)
        assert abs(int(found_row) - row) <= 1
        assert min(abs(int(found_column) - column), 80 - abs(int(found_column) - column)) <= 1


def test_orthographic_is_a_pinhole_from_far_away() -> None:
    gaussians = random_gaussians(150, 4, sh_degree=2)
    near = replace(cameras()[0], projection="orthographic", view_height=2.5)
    distance = 1e6
    pose = near.camera_from_world.copy()
    pose[2, 3] += distance
    far = Camera(pose, float(2 * np.arctan(2.5 / 2 / distance)))
    pictures = [render_reference(gaussians, camera, *SIZE, BACKGROUND) for camera in (near, far)]
    np.testing.assert_allclose(pictures[0], pictures[1], atol=1e-4)
    assert pictures[0].std() > 0.1


def test_a_part_is_cut_out_of_the_whole() -> None:
    """Also where the whole's frustum bounds the Jacobian: the inner camera has Gaussians right beside it."""
    gaussians, camera = random_gaussians(150, 12), cameras()[1]
    whole = render_reference(gaussians, camera, 64, 48)
    _, fy, cx, cy = camera.intrinsics(64, 48)
    low, high = camera.slopes(64, 48)
    left, top, width, height = 30, 5, 20, 16
    part = replace(
        camera,
        fov_y=float(2 * np.arctan(height / 2 / fy)),
        centre=((cx - left) / width, (cy - top) / height),
        frustum=(*low.tolist(), *high.tolist()),
    )
    window = whole[top : top + height, left : left + width]
    np.testing.assert_allclose(render_reference(gaussians, part, width, height), window, atol=1e-9)
    alone = render_reference(gaussians, replace(part, frustum=None), width, height)
    assert np.abs(alone - window).max() > 0.01


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_near_is_the_depth_of_that_kind(projection: str) -> None:
    camera = replace(FORWARD, projection=projection, near=0.5)
    for depth, seen in ((0.499, False), (0.501, True)):
        assert render_reference(one_gaussian((0, 0, depth), 0.1, 0.9, 1.0), camera, *SIZE).any() == seen
    aside = one_gaussian((0.4, 0.0, 0.4), 0.1, 0.9, 1.0)  # z under 0.5, its distance over it
    assert render_reference(aside, camera, *SIZE).any() == (projection == "equirectangular")
    behind = one_gaussian((0.4, 0.0, -3.0), 0.1, 0.9, 1.0)
    assert render_reference(behind, camera, *SIZE).any() == (projection == "equirectangular")


def test_light_is_shared_out_around_the_seam() -> None:
    """Importance adds up the two copies of a Gaussian that the edge of the picture cuts."""
    camera = replace(FORWARD, projection="equirectangular")
    gaussian = one_gaussian((0.05, 0.1, -3.0), 0.3, 0.9, 1.0)
    render = trace_reference(gaussian, camera, *SIZE)
    covered = 1 - render.transmittance
    assert covered[:, 0].max() > 0.5
    assert covered[:, -1].max() > 0.5
    np.testing.assert_allclose(render.importance, [covered.sum()], rtol=1e-12)
