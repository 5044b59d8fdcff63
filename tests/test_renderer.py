"""The OpenGL renderer against closed forms, gsplat's pictures and the exact numpy renderer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import moderngl
import numpy as np
import pytest
from gaussian_samples import cameras, one_gaussian, random_gaussians, random_neural
from oracles import HEIGHT, NAMES, WIDTH, read_oracle

from renderer import gpu_gaussians
from renderer.accumulation import picture_texture
from renderer.context import create_context, device_facts
from renderer.depth_order import DepthSorter
from renderer.gaussian_renderer import GaussianRenderer
from renderer.reference import project_reference, render_reference
from renderer.settings import RenderSettings
from scenes.bank import BankShape
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.gaussians import Gaussians

SIZE = 160, 120
BAND = 1 / 255
SIXTEEN_BITS = 4e-4  # what half a step of log scale and opacity logit makes of alpha, at most


@pytest.fixture(scope="module")
def context() -> moderngl.Context:
    return create_context()


@pytest.fixture
def renderer(context: moderngl.Context) -> Iterator[GaussianRenderer]:
    renderer = GaussianRenderer(context)
    yield renderer
    renderer.release()


def psnr_8_bit(a: np.ndarray, b: np.ndarray) -> float:
    eight = [np.rint(np.clip(x, 0, 1) * 255) for x in (a, b)]
    error = np.mean((eight[0] - eight[1]) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def assert_close(found: np.ndarray, expected: np.ndarray, few: int = 0) -> None:
    """Within 1/255 everywhere but at `few` pixels, and the mean far below."""
    difference = np.abs(found - expected).max(axis=2)
    assert (difference > BAND).sum() <= few, difference.max() * 255
    assert difference.mean() < 0.05 * BAND


@pytest.mark.parametrize("name", NAMES)
def test_oracles(renderer: GaussianRenderer, data: Path, name: str) -> None:
    oracle = read_oracle(data, name)
    renderer.load(oracle.gaussians)
    difference = np.abs(renderer.render_rgba(oracle.camera, WIDTH, HEIGHT) - oracle.image)
    assert difference.max() < 1.01 * BAND  # a footprint's edge, where alpha falls from 1/255 to nothing
    assert np.quantile(difference, 0.999) < BAND / 4
    assert difference.mean() < BAND / 50


def test_one_gaussian_has_its_closed_form(renderer: GaussianRenderer) -> None:
    sigma, depth, opacity, grey = 0.2, 4.0, 0.8, 0.7
    renderer.load(one_gaussian((0, 0, depth), sigma, opacity, grey))
    camera = Camera(np.eye(4), 0.9)
    picture = renderer.render_rgba(camera, 101, 81)
    focal = camera.intrinsics(101, 81)[1]
    variance = (focal * sigma / depth) ** 2 + 0.3
    y, x = np.mgrid[:81, :101]
    alpha = opacity * np.exp(-0.5 * ((x - 50) ** 2 + (y - 40) ** 2) / variance)
    alpha[alpha < BAND] = 0
    edge = np.abs(alpha - BAND) < 1e-4  # where one more rounding decides
    assert np.abs(picture[..., 3] - alpha)[~edge].max() < SIXTEEN_BITS
    half = 2**-12  # rounding of a colour between 0.5 and 1 to a half float
    assert np.abs(picture[..., :3] - grey * alpha[..., None])[~edge].max() < half * opacity + SIXTEEN_BITS


def test_opacity_is_capped(renderer: GaussianRenderer) -> None:
    renderer.load(one_gaussian((0, 0, 2), 0.5, 0.9999, 1.0))
    assert renderer.render_rgba(Camera(np.eye(4), 0.9), 33, 33)[16, 16, 3] == pytest.approx(0.99, abs=1e-6)


@pytest.mark.parametrize("camera", cameras(), ids=["outside", "inside"])
@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_agrees_with_the_exact_renderer(
    renderer: GaussianRenderer, camera: Camera, antialiased: bool, degree: int
) -> None:
    gaussians = random_gaussians(400, 7 + degree, degree, antialiased)
    renderer.load(gaussians)
    background = (0.2, 0.5, 0.9)
    found = renderer.render(camera, *SIZE, RenderSettings(background=background))
    expected = render_reference(gaussians, camera, *SIZE, background)
    # at saturated pixels 3DGS drops the last Gaussian, here it is drawn
    assert_close(found, expected, few=SIZE[0] * SIZE[1] // 500)
    assert psnr_8_bit(found, expected) > 50


def test_antialiasing_can_be_forced(renderer: GaussianRenderer) -> None:
    classic, mip = (random_gaussians(200, 3, 0, antialiased) for antialiased in (False, True))
    pictures = {}
    for name, scene in (("classic", classic), ("mip", mip)):
        renderer.load(scene)
        for forced in (None, False, True):
            settings = RenderSettings(antialiased=forced)
            pictures[name, forced] = renderer.render_rgba(cameras()[0], *SIZE, settings)
    for forced, name in ((None, "classic"), (False, "classic"), (True, "mip")):
        np.testing.assert_array_equal(pictures["classic", forced], pictures[name, None])
        np.testing.assert_array_equal(pictures["mip", forced], pictures["mip" if forced is None else name, None])


def test_order_in_the_file_does_not_matter(renderer: GaussianRenderer) -> None:
    gaussians = random_gaussians(500, 1)
    shuffled = gaussians.select(np.random.default_rng(1).permutation(500))
    pictures = []
    for scene in (gaussians, shuffled):
        renderer.load(scene)
        pictures.append(renderer.render_rgba(cameras()[0], *SIZE))
    np.testing.assert_array_equal(*pictures)


def test_a_neural_scene_looks_like_what_it_decodes_to(renderer: GaussianRenderer) -> None:
    scene = random_neural(BankShape((1.0, 2.0), 8, 32, 2, 34), 5, 600, 2, 0)
    pictures = []
    for loaded in (scene, scene.decode()):
        renderer.load(loaded)
        pictures.append(renderer.render(cameras()[0], *SIZE, RenderSettings(background=(1, 1, 1))))
    assert psnr_8_bit(*pictures) >= 60
    assert pictures[0].std() > 0.05


def test_chunks_do_not_show(renderer: GaussianRenderer) -> None:
    renderer.load(random_gaussians(700, 2))
    whole = renderer.render_rgba(cameras()[1], *SIZE)
    assert isinstance(renderer.scene, gpu_gaussians.GpuGaussians)
    renderer.scene.chunk = 256
    np.testing.assert_array_equal(renderer.render_rgba(cameras()[1], *SIZE), whole)


def test_background_shows_through(renderer: GaussianRenderer) -> None:
    renderer.load(random_gaussians(100, 4))
    rgba = renderer.render_rgba(cameras()[0], *SIZE)
    background = (0.1, 0.6, 1.0)
    picture = renderer.render(cameras()[0], *SIZE, RenderSettings(background=background))
    assert picture.dtype == np.float32
    np.testing.assert_allclose(picture, rgba[..., :3] + (1 - rgba[..., 3:]) * np.array(background), atol=1e-6)
    assert rgba[..., 3].min() >= 0
    assert rgba[..., 3].max() <= 1


def test_scale_is_that_of_every_deviation(renderer: GaussianRenderer) -> None:
    gaussians = random_gaussians(100, 5)
    renderer.load(gaussians)
    scaled = renderer.render(cameras()[0], *SIZE, RenderSettings(scale=1.7))
    renderer.load(replace(gaussians, log_scales=gaussians.log_scales + np.float32(np.log(1.7))))
    assert_close(scaled, renderer.render(cameras()[0], *SIZE), few=20)


def test_lower_sh_degree_is_the_scene_cut_short(renderer: GaussianRenderer) -> None:
    gaussians = random_gaussians(100, 6)
    for degree in range(4):
        renderer.load(gaussians)
        found = renderer.render(cameras()[0], *SIZE, RenderSettings(sh_degree=degree))
        renderer.load(replace(gaussians, sh=gaussians.sh[:, : (degree + 1) ** 2].copy()))
        np.testing.assert_array_equal(found, renderer.render(cameras()[0], *SIZE))


def test_drawing_into_a_window_is_upright(renderer: GaussianRenderer, context: moderngl.Context) -> None:
    renderer.load(random_gaussians(200, 8))
    framebuffer = context.framebuffer([context.texture((200, 150), 4, dtype="f4")])
    framebuffer.clear(0.5, 0.5, 0.5, 0.5)
    framebuffer.viewport = 20, 10, *SIZE
    renderer.draw(cameras()[0], framebuffer, RenderSettings(background=(0, 0, 1)))
    drawn = np.frombuffer(framebuffer.read((0, 0, 200, 150), 3, dtype="f4"), np.float32).reshape(150, 200, 3)[::-1]
    expected = np.full((150, 200, 3), 0.5, np.float32)
    expected[150 - 10 - 120 : 150 - 10, 20:180] = renderer.render(
        cameras()[0], *SIZE, RenderSettings(background=(0, 0, 1))
    )
    np.testing.assert_allclose(drawn, expected, atol=1e-6)


STRANGE = {
    "behind": ((0.0, 0.0, -3.0), 0.1),
    "at the eye": ((0.0, 0.0, 0.0), 0.1),
    "nearer than the near plane": ((0.0, 0.0, 0.19), 0.1),
    "far to the side": ((1e6, 0.0, 1.0), 0.1),
    "far away": ((0.0, 0.0, 1e30), 0.1),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_cannot_be_seen_leaves_no_trace(renderer: GaussianRenderer, name: str) -> None:
    renderer.load(one_gaussian(*STRANGE[name], opacity=0.9, grey=1.0))
    picture = renderer.render_rgba(Camera(np.eye(4), 0.9), *SIZE)
    if name == "far away":  # one dilated pixel in the middle
        assert picture[..., 3].sum() < 4
        assert np.isfinite(picture).all()
    else:
        assert not picture.any()


@pytest.mark.parametrize("sigma", [1e-30, 1e3, 1e10, 1e18, 3e38])
def test_sizes_beyond_reason_stay_finite(renderer: GaussianRenderer, sigma: float) -> None:
    gaussians = random_gaussians(50, 9)
    log_scales = gaussians.log_scales.copy()
    log_scales[::2] = math.log(sigma)
    renderer.load(replace(gaussians, log_scales=log_scales))
    for camera in cameras():
        assert np.isfinite(renderer.render_rgba(camera, *SIZE)).all()


def test_a_huge_gaussian_covers_the_picture(renderer: GaussianRenderer) -> None:
    renderer.load(one_gaussian((0, 0, 50), 1e3, 0.6, 0.5))
    picture = renderer.render_rgba(Camera(np.eye(4), 0.9), *SIZE)
    np.testing.assert_allclose(picture[..., 3], 0.6, atol=0.01)


def test_nothing_to_draw(renderer: GaussianRenderer) -> None:
    renderer.load(random_gaussians(5, 0).select(slice(0, 0)))
    picture = renderer.render(cameras()[0], 17, 9, RenderSettings(background=(0.25, 0.5, 0.75)))
    np.testing.assert_array_equal(picture, np.broadcast_to(np.array([0.25, 0.5, 0.75], np.float32), (9, 17, 3)))


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (-1, 5), (10**6, 10)])
def test_impossible_sizes_are_refused(renderer: GaussianRenderer, size: tuple[int, int]) -> None:
    renderer.load(random_gaussians(5, 0))
    with pytest.raises(
        KilofieldError, match=rf"^resolution: expected 1 to \d+ pixels each way, found {size[0]}x{size[1]}$"
    ):
        renderer.render(cameras()[0], *size)


def test_no_room_for_a_picture_is_told(context: moderngl.Context) -> None:
    class Full:
        info = context.info

        def texture(self, *_: object, **__: object) -> None:
            raise moderngl.Error("cannot create texture")

    with pytest.raises(KilofieldError, match=r"^video memory: expected 33.2 MB for a picture of 1920x1080, found too "):
        picture_texture(cast(moderngl.Context, Full()), (1920, 1080), "f4")


def test_rendering_before_loading_is_refused(renderer: GaussianRenderer) -> None:
    with pytest.raises(KilofieldError, match=r"^renderer: expected a loaded scene, found none$"):
        renderer.render(cameras()[0], 8, 8)


def test_more_gaussians_than_the_device_binds_are_refused(
    renderer: GaussianRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = random_gaussians(50, 0)
    renderer.load(kept)
    before = renderer.render(cameras()[0], *SIZE)
    monkeypatch.setattr(gpu_gaussians, "max_gaussians", lambda _: 99)
    with pytest.raises(KilofieldError, match=r"^scene: expected at most 99 Gaussians on this device, found 100$"):
        renderer.load(random_gaussians(100, 0))
    np.testing.assert_array_equal(renderer.render(cameras()[0], *SIZE), before)  # the old scene is still there


def test_facts(renderer: GaussianRenderer, context: moderngl.Context) -> None:
    gaussians = random_gaussians(100, 0)
    renderer.load(gaussians)
    renderer.times.synchronised = True
    renderer.render(cameras()[1], *SIZE)
    assert renderer.facts.gaussians == 100
    assert 0 < renderer.facts.candidates < 100  # some are behind the inner camera
    assert set(renderer.facts.wall_ms) == {"project", "sort", "blend", "total"}
    assert (renderer.facts.pipeline, renderer.facts.residency) == ("quads", "decoded")
    parts = sum(renderer.facts.wall_ms[stage] for stage in ("project", "sort", "blend"))
    assert parts <= renderer.facts.wall_ms["total"]
    assert set(device_facts(context)) == {"renderer", "vendor", "version", "software"}


@pytest.mark.parametrize("camera", cameras(), ids=["outside", "inside"])
def test_culling_drops_nothing_that_touches_the_picture(camera: Camera) -> None:
    """Against the exact projection: every ellipse whose box reaches the picture is kept, nearest first."""
    gaussians = random_gaussians(3000, 11)
    radii = np.exp(gaussians.log_scales.max(axis=1))
    order = DepthSorter(gaussians.positions, radii, radii**2).order(camera, *SIZE).records
    splats = project_reference(gaussians, camera, *SIZE)
    reach = np.sqrt(2 * np.log(np.maximum(255 * splats.opacities, 1)))
    extent = reach[:, None] * np.sqrt(np.diagonal(splats.covariances, axis1=1, axis2=2))
    touches = ((splats.means + extent > 0) & (splats.means - extent < SIZE)).all(axis=1) & (reach > 0)
    assert set(splats.index[touches]) <= set(order.tolist())
    assert len(order) < len(splats.index)  # and it does cull
    kept = np.isin(splats.index, order)
    np.testing.assert_array_equal(order, splats.index[kept])


def test_equal_depths_stay_in_file_order() -> None:
    positions = np.zeros((50, 3), np.float32)
    positions[:, 2] = np.repeat([3.0, 2.0], 25)
    radii = np.full(50, 0.1, np.float32)
    order = DepthSorter(positions, radii, radii**2).order(Camera(np.eye(4), 1.0), 10, 10)
    np.testing.assert_array_equal(order.records, [*range(25, 50), *range(25)])


def test_two_scenes_on_one_device(context: moderngl.Context, renderer: GaussianRenderer) -> None:
    """Renderers share binding points; drawing by turns must not mix their scenes."""
    other = GaussianRenderer(context)
    scenes: list[tuple[GaussianRenderer, Gaussians]] = [
        (renderer, random_gaussians(60, 1)),
        (other, random_gaussians(90, 2)),
    ]
    for each, scene in scenes:
        each.load(scene)
    for each, scene in scenes * 2:
        assert_close(each.render(cameras()[0], *SIZE), render_reference(scene, cameras()[0], *SIZE), few=10)
    other.release()
