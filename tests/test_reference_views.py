"""The exact renderer's switches and views against closed forms, laws and brute force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from gaussian_samples import camera_of_kind, cameras, one_gaussian, random_gaussians

from renderer.reference import Doubles, project_reference, render_reference, trace_reference
from renderer.reference_views import normals, overdraw, render_view_reference
from renderer.settings import (
    POINT_RADIUS,
    RING_ALPHA,
    RING_FILL,
    RING_INNER,
    VIEWS,
    CropBox,
    RenderSettings,
    cluster_colour,
)
from scenes.cameras import PROJECTIONS, Camera
from scenes.gaussians import Gaussians

FORWARD = Camera(np.eye(4), 0.9, view_height=3.0)
BACKGROUND = (0.2, 0.5, 0.9)
SIZE = 48, 36


Change = Callable[[Gaussians], Gaussians]


def without_faint(gaussians: Gaussians) -> Gaussians:
    return gaussians.select(1 / (1 + np.exp(-gaussians.opacity_logits.astype(np.float64))) >= 0.3)


def within_box(gaussians: Gaussians) -> Gaussians:
    inside = (gaussians.positions >= [-0.2, -0.5, -0.3]) & (gaussians.positions <= 0.4)
    return gaussians.select(np.flatnonzero(inside.all(axis=1)))


def without_bands(gaussians: Gaussians) -> Gaussians:
    return replace(gaussians, sh=gaussians.sh[:, :4].copy())


SWITCHES: dict[str, tuple[RenderSettings, Change]] = {
    "min_opacity": (RenderSettings(min_opacity=0.3), without_faint),
    "crop": (RenderSettings(crop=CropBox((-0.2, -0.5, -0.3), (0.4, 0.4, 0.4))), within_box),
    "sh_degree": (RenderSettings(sh_degree=1), without_bands),
    "more bands than there are": (RenderSettings(sh_degree=3), without_bands),
    "scale": (RenderSettings(scale=1.5), lambda g: replace(g, log_scales=g.log_scales + np.float32(np.log(1.5)))),
    "antialiased": (RenderSettings(antialiased=True), lambda g: replace(g, antialiased=True)),
}


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("projection", PROJECTIONS)
def test_switches_are_changes_of_the_scene(projection: str, name: str) -> None:
    settings, change = SWITCHES[name]
    gaussians = random_gaussians(80, 5, sh_degree=2)
    if name == "more bands than there are":
        gaussians = change(gaussians)
    camera = camera_of_kind(projection)
    settings = replace(settings, background=BACKGROUND)
    found = render_view_reference(gaussians, camera, *SIZE, settings)
    np.testing.assert_allclose(found, render_reference(change(gaussians), camera, *SIZE, BACKGROUND), atol=2e-5)
    unchanged = np.array_equal(found, render_reference(gaussians, camera, *SIZE, BACKGROUND))
    assert unchanged == (name == "more bands than there are")


def test_classic_can_be_forced() -> None:
    classic, mip = random_gaussians(80, 5), random_gaussians(80, 5, antialiased=True)
    found = render_view_reference(mip, cameras()[0], *SIZE, RenderSettings(antialiased=False))
    np.testing.assert_array_equal(found, render_reference(classic, cameras()[0], *SIZE))


def test_opacity_threshold_is_before_the_compensation() -> None:
    """A speck keeps its place in the scene however small it is drawn."""
    speck = one_gaussian((0, 0, 4), 0.03, 0.5, 1.0)
    picture = render_view_reference(speck, FORWARD, 33, 33, RenderSettings(antialiased=True, min_opacity=0.4))
    assert 0.01 < picture.max() < 0.4


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_depth_of_one_opaque_gaussian(projection: str) -> None:
    """Its own depth wherever it is, faint edges too, and the background elsewhere."""
    camera = replace(FORWARD, projection=projection)
    picture = render_view_reference(
        one_gaussian((0.3, 0.2, 2.0), 0.2, 0.9, 1.0),
        camera,
        *SIZE,
        RenderSettings(view="depth", depth_range=(1.0, 5.0), background=BACKGROUND),
    )
    depth = np.linalg.norm([0.3, 0.2, 2.0]) if projection == "equirectangular" else 2.0
    grey = (picture == picture[..., :1]).all(axis=2)
    assert 20 < grey.sum() < grey.size
    np.testing.assert_allclose(picture[grey], (depth - 1) / 4, rtol=1e-6)
    np.testing.assert_array_equal(picture[~grey], np.tile(BACKGROUND, ((~grey).sum(), 1)))


def test_depth_is_the_mean_by_weight() -> None:
    """Two in a line: weights a and (1 - a) b; what is out of the range is black or white."""
    scene = one_gaussian((0, 0, 2), 0.5, 0.4, 1.0).select(np.zeros(2, int))
    scene.positions[1, 2] = 6
    scene.opacity_logits[1] = np.log(0.7 / 0.3)
    mean = (0.4 * 2 + 0.6 * 0.7 * 6) / (0.4 + 0.6 * 0.7)
    for low, high in ((0.0, 10.0), (0.0, 1.0), (8.0, 9.0)):
        settings = RenderSettings(view="depth", depth_range=(low, high))
        found = render_view_reference(scene, FORWARD, 33, 33, settings)[16, 16]
        np.testing.assert_allclose(found, np.clip((mean - low) / (high - low), 0, 1), atol=1e-6)
    empty = RenderSettings(view="depth", depth_range=(3.0, 3.0), background=BACKGROUND)
    np.testing.assert_array_equal(render_view_reference(scene, FORWARD, 33, 33, empty)[16, 16], 0)


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_overdraw_by_brute_force(projection: str) -> None:
    """Every pixel asks every splat whether its alpha there is 1/255."""
    splats = project_reference(random_gaussians(120, 6, sh_degree=0), camera_of_kind(projection), *SIZE)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    offset = np.stack([x, y], axis=-1)[:, :, None] - splats.means  # [H, W, M, 2]
    square = np.einsum("hwmi,mij,hwmj->hwm", offset, np.linalg.inv(splats.covariances), offset)
    expected = (splats.opacities * np.exp(-0.5 * square) >= 1 / 255).sum(axis=2)
    np.testing.assert_array_equal(overdraw(splats, *SIZE), expected)
    assert expected.max() > 10


def test_overdraw_goes_on_behind_opaque_layers() -> None:
    """Grey by the range, over black, white at its end."""
    layers = one_gaussian((0, 0, 2), 50, 0.9999, 1.0)
    layers = layers.select(np.zeros(40, int))
    settings = RenderSettings(view="overdraw", overdraw_range=64, background=BACKGROUND)
    np.testing.assert_array_equal(render_view_reference(layers, FORWARD, *SIZE, settings), 40 / 64)
    np.testing.assert_array_equal(
        render_view_reference(layers, FORWARD, *SIZE, replace(settings, overdraw_range=30)), 1.0
    )
    np.testing.assert_array_equal(render_view_reference(layers.select(slice(0, 0)), FORWARD, *SIZE, settings), 0.0)


def test_alpha_is_what_the_background_loses() -> None:
    gaussians = random_gaussians(100, 7)
    render = trace_reference(gaussians, cameras()[0], *SIZE)
    found = render_view_reference(gaussians, cameras()[0], *SIZE, RenderSettings(view="alpha", background=BACKGROUND))
    np.testing.assert_allclose(found, np.repeat(1 - render.transmittance[..., None], 3, axis=2), atol=1e-12)


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_normals_are_the_shortest_axis_and_face_the_camera(projection: str) -> None:
    gaussians = random_gaussians(200, 8)
    camera = camera_of_kind(projection)
    found = normals(gaussians, camera)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    sight = gaussians.positions - camera.position
    if projection == "orthographic":
        sight = np.tile(np.linalg.inv(camera.camera_from_world)[:3, 2], (200, 1))
    assert ((found * sight).sum(axis=1) < 0).all()
    for normal, rotation, log_scale in zip(found, gaussians.rotations, gaussians.log_scales, strict=True):
        assert abs(normal @ turn_by(rotation, np.eye(3)[log_scale.argmin()])) == pytest.approx(1)


def turn_by(quaternion: np.ndarray, vector: Doubles) -> Doubles:
    """Rodrigues' form of a rotation by w, x, y, z."""
    w, *imaginary = quaternion.astype(np.float64) / np.linalg.norm(quaternion.astype(np.float64))
    twice = 2 * np.cross(imaginary, vector)
    return vector + w * twice + np.cross(imaginary, twice)


def test_normal_view_of_a_plate() -> None:
    """A disc across the view axis: its normal points at the camera, along -z."""
    plate = replace(one_gaussian((0, 0, 3), 2.0, 0.9, 1.0), log_scales=np.array([[1, 1, -3]], np.float32))
    found = render_view_reference(plate, FORWARD, 33, 33, RenderSettings(view="normal"))
    np.testing.assert_allclose(found[16, 16], 0.9 * np.array([0.5, 0.5, 0.0]), atol=1e-6)


def test_equal_scales_have_the_first_axis_for_normal() -> None:
    ball = one_gaussian((0.5, 0, 3), 1.0, 0.9, 1.0)
    np.testing.assert_allclose(normals(ball, FORWARD), [[-1, 0, 0]])


def test_clusters_are_their_colour_under_the_scenes_light() -> None:
    for grey, light in ((0.0, 0.35), (0.5, 0.675), (3.0, 1.0)):
        settings = RenderSettings(view="clusters")
        found = render_view_reference(one_gaussian((0, 0, 3), 1, 0.9, grey), FORWARD, 33, 33, settings, np.array([7]))
        np.testing.assert_allclose(found[16, 16], 0.9 * light * np.array(cluster_colour(7)), atol=1e-6)


def test_scenes_without_clusters_are_one_cluster() -> None:
    gaussians, settings = random_gaussians(60, 9), RenderSettings(view="clusters")
    given = render_view_reference(gaussians, cameras()[0], *SIZE, settings, np.zeros(60, np.int32))
    np.testing.assert_array_equal(render_view_reference(gaussians, cameras()[0], *SIZE, settings), given)
    many = render_view_reference(gaussians, cameras()[0], *SIZE, settings, np.arange(60))
    assert np.abs(many - given).max() > 0.2


def test_points_are_opaque_discs_nearest_first() -> None:
    gaussians = random_gaussians(40, 10, sh_degree=0)
    splats = project_reference(gaussians, cameras()[0], *SIZE)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    expected = np.broadcast_to(BACKGROUND, (*SIZE[::-1], 3)).copy()
    for i in reversed(range(len(splats.index))):
        if splats.opacities[i] > 1 / 255:
            inside = np.hypot(x - splats.means[i, 0], y - splats.means[i, 1]) <= POINT_RADIUS
            expected[inside] = splats.colours[i]
    settings = RenderSettings(view="points", background=BACKGROUND)
    np.testing.assert_allclose(render_view_reference(gaussians, cameras()[0], *SIZE, settings), expected, atol=1e-12)
    assert 100 < (expected != BACKGROUND).any(axis=2).sum() < x.size


@pytest.mark.parametrize("view", ["points", "rings", "overdraw", "depth"])
def test_what_is_too_faint_to_draw_is_in_no_view(view: str) -> None:
    faint = one_gaussian((0, 0, 3), 0.3, 0.0039, 1.0)
    settings = RenderSettings(view=view)
    assert not render_view_reference(faint, FORWARD, 33, 33, settings).any()
    visible = one_gaussian((0, 0, 3), 0.3, 0.1, 1.0)
    assert render_view_reference(visible, FORWARD, 33, 33, settings).any()
    if view == "points":  # a speck that the compensation takes under 1/255
        speck = one_gaussian((0, 0, 3), 0.001, 0.1, 1.0)
        assert render_view_reference(speck, FORWARD, 33, 33, settings).any()
        assert not render_view_reference(speck, FORWARD, 33, 33, replace(settings, antialiased=True)).any()


def test_ring_of_a_sphere() -> None:
    """Between 0.85 of and the full radius at which alpha is 1/255."""
    opacity, sigma = 0.5, 0.5
    variance = (FORWARD.intrinsics(65, 65)[1] * sigma / 4) ** 2 + 0.3
    radius = np.sqrt(2 * np.log(255 * opacity) * variance)
    y, x = np.mgrid[:65, :65] - 32.0
    distance = np.hypot(x, y)
    expected = np.where(distance >= RING_INNER * radius, RING_ALPHA, RING_FILL)
    expected[distance > radius] = 0
    settings = RenderSettings(view="rings")
    found = render_view_reference(one_gaussian((0, 0, 4), sigma, opacity, 1.0), FORWARD, 65, 65, settings)
    np.testing.assert_allclose(found[..., 0], expected, atol=1e-6)
    assert len(np.unique(expected)) == 3


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_nothing(view: str) -> None:
    nothing = random_gaussians(3, 0).select(slice(0, 0))
    settings = RenderSettings(view=view, background=BACKGROUND)
    expected = (0.0, 0.0, 0.0) if view in ("alpha", "overdraw") else BACKGROUND
    for projection in PROJECTIONS:
        found = render_view_reference(nothing, camera_of_kind(projection), 5, 4, settings)
        np.testing.assert_array_equal(found, np.broadcast_to(expected, (4, 5, 3)))
