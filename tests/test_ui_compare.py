"""Comparing two scenes on the device: figures against `renderer.metrics`, pictures against numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np
import pytest
from gaussian_samples import cameras, random_gaussians
from numpy.typing import NDArray

from renderer import picture_difference
from renderer.compare_screen import HEAT, MODES, CompareScreen, heat, split_column
from renderer.context import create_context
from renderer.gaussian_renderer import GaussianRenderer
from renderer.metrics import mean_squared_error, psnr, ssim
from renderer.picture_difference import PictureDifference, PictureScore
from renderer.settings import RenderSettings
from scenes.extent import scene_extent
from scenes.load import load_scene
from ui.orbit import Orbit
from ui.screen import Rect, halves

Picture = NDArray[np.float32]  # [H, W, 3]


@pytest.fixture(scope="module")
def context() -> moderngl.Context:
    return create_context()


@pytest.fixture(scope="module")
def difference(context: moderngl.Context) -> Iterator[PictureDifference]:
    difference = PictureDifference(context)
    yield difference
    difference.release()


@pytest.fixture(scope="module")
def screen(context: moderngl.Context) -> Iterator[CompareScreen]:
    screen = CompareScreen(context)
    yield screen
    screen.release()


@pytest.fixture(scope="module")
def views(context: moderngl.Context, data: Path) -> tuple[Picture, Picture]:
    """A real scene, and the same with smaller splats, [0, 1]."""
    scene = load_scene(data / "gaussians" / "hamburger.ply").gaussians
    camera = Orbit.around(scene_extent(scene), 0.8, 16 / 9).camera(0.8)
    renderer = GaussianRenderer(context)
    renderer.load(scene)
    settings = RenderSettings(background=(0.2, 0.3, 0.4))
    a, b = (renderer.render(camera, 321, 181, replace(settings, scale=scale)) for scale in (1.0, 0.8))
    renderer.release()
    return np.clip(a, 0, 1), np.clip(b, 0, 1)


def pair(height: int, width: int, seed: int = 0) -> tuple[Picture, Picture]:
    rng = np.random.default_rng(seed)
    a = rng.random((height, width, 3)).astype(np.float32)
    return a, (a + rng.normal(0, 0.1, a.shape)).astype(np.float32).clip(0, 1)


def texture(context: moderngl.Context, picture: Picture) -> moderngl.Texture:
    height, width = picture.shape[:2]
    rgba = np.concatenate([picture[::-1], np.ones((height, width, 1))], axis=2).astype(np.float32)
    return context.texture((width, height), 4, rgba.tobytes(), dtype="f4")


def measured(difference: PictureDifference, context: moderngl.Context, a: Picture, b: Picture) -> PictureScore:
    textures = [texture(context, picture) for picture in (a, b)]
    difference.start(*textures)
    for thing in textures:
        thing.release()  # what is measured is a copy
    for _ in range(1000):
        assert difference.busy
        score = difference.step(0.002)
        if score is not None:
            assert not difference.busy
            return score
    raise AssertionError("no end")


def assert_agrees(score: PictureScore, a: Picture, b: Picture) -> None:
    assert score.size == a.shape[1::-1]
    assert score.error == pytest.approx(mean_squared_error(a, b), rel=1e-5)
    assert score.psnr == pytest.approx(psnr(a, b), abs=1e-3)
    assert score.ssim == pytest.approx(ssim(a, b), abs=1e-5)


def test_figures_of_a_real_view(
    difference: PictureDifference, context: moderngl.Context, views: tuple[Picture, Picture]
) -> None:
    score = measured(difference, context, *views)
    assert 20 < score.psnr < 45, score  # neither alike nor two different things
    assert_agrees(score, *views)


@pytest.mark.parametrize("rows", [16, 128])
@pytest.mark.parametrize("size", [(11, 11), (12, 40), (26, 27), (130, 33), (47, 128), (139, 64)])
def test_figures_whatever_the_size_and_the_bands(
    size: tuple[int, int], rows: int, context: moderngl.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_difference, "SOFT_BAND", rows)
    monkeypatch.setattr(picture_difference, "BAND", rows)
    difference = PictureDifference(context)
    a, b = pair(*size)
    assert_agrees(measured(difference, context, a, b), a, b)
    difference.release()


def test_what_is_beyond_white_and_black_counts_as_shown(
    difference: PictureDifference, context: moderngl.Context
) -> None:
    a, b = pair(30, 40)
    a, b = 3 * a - 1, 3 * b - 1
    assert_agrees(measured(difference, context, a, b), a.clip(0, 1), b.clip(0, 1))


def test_equal_pictures_are_infinitely_alike(difference: PictureDifference, context: moderngl.Context) -> None:
    a, _ = pair(33, 50)
    score = measured(difference, context, a, a)
    assert (score.error, score.psnr) == (0, np.inf)
    assert score.ssim == pytest.approx(1, abs=1e-6)


def test_a_picture_under_the_window_has_no_ssim(difference: PictureDifference, context: moderngl.Context) -> None:
    a, b = pair(10, 40)
    score = measured(difference, context, a, b)
    assert score.ssim is None
    assert score.psnr == pytest.approx(psnr(a, b), abs=1e-3)


def test_a_new_start_replaces_what_was_under_way(difference: PictureDifference, context: moderngl.Context) -> None:
    first, second = pair(200, 100, 1), pair(150, 90, 2)
    difference.start(*(texture(context, picture) for picture in first))
    difference.step(0.0)
    assert_agrees(measured(difference, context, *second), *second)
    difference.start(*(texture(context, picture) for picture in first))
    difference.cancel()
    assert not difference.busy
    assert difference.step(1.0) is None


def test_pictures_of_two_sizes_are_refused(difference: PictureDifference, context: moderngl.Context) -> None:
    with pytest.raises(ValueError, match="one size"):
        difference.start(texture(context, pair(20, 20)[0]), texture(context, pair(20, 21)[0]))


# The screen


@pytest.fixture(scope="module")
def renderers(context: moderngl.Context) -> Iterator[tuple[GaussianRenderer, GaussianRenderer]]:
    both = GaussianRenderer(context), GaussianRenderer(context)
    for seed, renderer in enumerate(both):
        renderer.load(random_gaussians(400, seed))
    yield both
    for renderer in both:
        renderer.release()


SIZE = 120, 90
SETTINGS = RenderSettings(background=(0.1, 0.6, 0.3))


@pytest.fixture
def shown(
    context: moderngl.Context, screen: CompareScreen, renderers: tuple[GaussianRenderer, GaussianRenderer]
) -> Callable[..., NDArray[np.int64]]:
    """What `screen.draw` makes of two renderers' pictures of `room`, [H, W, 3] in 8 bits."""

    def draw(mode: str, split: float = 0.5, highest: float = 1.0, room: tuple[int, int] = SIZE) -> NDArray[np.int64]:
        target = context.simple_framebuffer(SIZE)
        a, b = ((lambda target, r=r: r.draw(cameras()[0], target, SETTINGS)) for r in renderers)
        screen.paint(room, a, b)
        screen.draw(target, mode, split, highest)
        pixels = np.frombuffer(target.read(), np.uint8).reshape(SIZE[1], SIZE[0], 3)[::-1]
        target.release()
        return pixels.astype(int)

    return draw


def own(renderer: GaussianRenderer, size: tuple[int, int] = SIZE) -> NDArray[np.int64]:
    """The renderer's own picture, 0 to 255."""
    return np.rint(renderer.render(cameras()[0], *size, SETTINGS).clip(0, 1) * 255).astype(int)


def assert_same(found: NDArray[np.int64], wanted: NDArray[np.int64]) -> None:
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max(initial=0) <= 1


@pytest.mark.parametrize("split", [0.0, 0.25, 0.613, 1.0, 1.7])
def test_a_split_shows_a_left_and_b_right(
    split: float, shown: Callable[..., NDArray[np.int64]], renderers: tuple[GaussianRenderer, GaussianRenderer]
) -> None:
    a, b = (own(renderer) for renderer in renderers)
    assert np.abs(a - b).max() > 60
    column = split_column(split, SIZE[0])
    picture = shown("split", split)
    assert_same(picture[:, :column], a[:, :column])
    assert_same(picture[:, column:], b[:, column:])


def test_one_of_them_and_side_by_side(
    shown: Callable[..., NDArray[np.int64]], renderers: tuple[GaussianRenderer, GaussianRenderer]
) -> None:
    for mode, renderer in zip(MODES[:2], renderers, strict=True):
        assert_same(shown(mode), own(renderer))
    half = SIZE[0] // 2, SIZE[1]
    picture = shown("sides", room=half)
    assert_same(picture[:, : half[0]], own(renderers[0], half))
    assert_same(picture[:, half[0] :], own(renderers[1], half))


@pytest.mark.parametrize("highest", [1.0, 0.2])
def test_the_heat_map_is_the_largest_difference_of_a_channel(
    highest: float, shown: Callable[..., NDArray[np.int64]], renderers: tuple[GaussianRenderer, GaussianRenderer]
) -> None:
    a, b = (renderer.render(cameras()[0], *SIZE, SETTINGS).clip(0, 1) for renderer in renderers)
    wanted = heat(np.abs(a - b).max(axis=2) / highest)
    assert_same(shown("difference", highest=highest), np.rint(wanted * 255).astype(int))


def test_smaller_pictures_fill_the_screen(shown: Callable[..., NDArray[np.int64]]) -> None:
    small = shown("a", room=(SIZE[0] // 2, SIZE[1] // 2))
    assert np.abs(small - shown("a")).mean() < 4


def test_the_map_is_dark_where_nothing_differs_and_ever_lighter() -> None:
    ends = heat(np.array([-1.0, 0.0, 1.0, 2.0]))
    np.testing.assert_allclose(ends, [HEAT[0], HEAT[0], HEAT[-1], HEAT[-1]])
    lightness = heat(np.linspace(0, 1, 200)) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 0).all()


def test_side_by_side_is_the_middle_of_a_whole_picture() -> None:
    rect = Rect(100, 20, 80, 50)
    (left, left_whole), (right, right_whole) = halves(rect)
    assert (left.x, left.right, right.right) == (rect.x, right.x, rect.right)
    for seen, whole in ((left, left_whole), (right, right_whole)):
        assert seen.middle == whole.middle
        assert (whole.width, whole.height, seen.height) == (rect.width, rect.height, rect.height)
