"""The tiles path against slow blending in numpy, against pictures of gsplat, and against the quads path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import moderngl
import numpy as np
import pytest
from gaussian_samples import cameras, random_gaussians
from oracles import HEIGHT, NAMES, WIDTH, read_oracle
from record_samples import Records, blend_slowly, count_slowly, random_records, records_of

from renderer.accumulation import Accumulation
from renderer.context import create_context
from renderer.gaussian_renderer import GaussianRenderer
from renderer.layouts import PROFILES
from renderer.tiles import INSTANCE_BYTES, TILE, Tiles
from scenes.camera_files import read_cameras
from scenes.cameras import Camera
from scenes.gaussians import Floats
from scenes.ply import read_ply

BAND = 1 / 255
SIZE = 123, 82  # of which the last tiles are not full, either way
GAUSSIAN = PROFILES["PROFILE_GAUSSIAN"]
Draw = Callable[..., Floats]


@pytest.fixture(scope="module")
def context() -> moderngl.Context:
    return create_context()


@pytest.fixture
def tiles(context: moderngl.Context) -> Iterator[Tiles]:
    tiles = Tiles(context)
    tiles.reserve(400_000)
    yield tiles
    tiles.release()


@pytest.fixture
def draw(context: moderngl.Context, tiles: Tiles) -> Iterator[Draw]:
    """A frame as a function: records in, [H, W, 4] out. The picture is full of NaN before."""
    target = Accumulation(context)

    def draw_records(
        records: Records,
        size: tuple[int, int] = SIZE,
        profile: int = GAUSSIAN,
        additive: bool = False,
        order: np.ndarray | None = None,
        count: int | None = None,
    ) -> Floats:
        order = np.arange(len(records)) if order is None else order
        numbers = np.array([len(order) if count is None else count, 7, 7, 7], np.uint32)
        buffers = [context.buffer(array) for array in (records, order.astype(np.uint32), numbers)]
        target.begin(*size)
        target.colour.write(np.full((size[1], size[0], 4), np.nan, np.float32))
        tiles.draw(buffers[0], buffers[1], buffers[2], target, size, profile, additive)
        picture = target.read()
        for buffer in buffers:
            buffer.release()
        return picture

    yield draw_records
    target.release()


def assert_same(found: Floats, expected: np.ndarray, few: int) -> None:
    """To rounding, but at `few` pixels, where rounding decides whether a Gaussian is drawn."""
    difference = np.abs(found - expected).max(axis=2)
    assert np.isfinite(difference).all()
    assert (difference > 1e-4).sum() <= few, np.sort(difference.ravel())[-few - 5 :]


def psnr_8_bit(a: np.ndarray, b: np.ndarray) -> float:
    eight = [np.rint(np.clip(x, 0, 1) * 255) for x in (a, b)]
    error = np.mean((eight[0] - eight[1]) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


@pytest.mark.parametrize("size", [SIZE, (160, 48), (16, 16), (17, 1), (1, 1)], ids=str)
def test_blends_as_numpy_does(draw: Draw, size: tuple[int, int]) -> None:
    records = random_records(1200, 1, size, 60.0)
    opaque = records["centre"][:, 0] < 0.2 * size[0]
    records["log_opacity"][opaque] = np.log2(0.98)
    expected = blend_slowly(records, size, GAUSSIAN)
    assert_same(draw(records, size), expected, few=size[0] * size[1] // 1000)
    if size == SIZE:
        assert (expected[..., 3] > 0.999).sum() > 500  # many pixels are finished before the end
        assert (expected[..., 3] < 0.9).sum() > 500


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles(draw: Draw, profile: str) -> None:
    records = random_records(100, 2, SIZE)
    number = PROFILES[profile]
    assert_same(draw(records, profile=number), blend_slowly(records, SIZE, number), few=5)


def test_discs_are_opaque_and_the_nearest_is_seen(draw: Draw) -> None:
    centre, axis = np.full((2, 2), 20.0), np.array([[5.0, 0], [8.0, 0]])
    records = records_of(centre, axis, axis[:, 0], np.full(2, 0.5), np.eye(3)[:2])
    picture = draw(records, (40, 40), PROFILES["PROFILE_DISC"])
    np.testing.assert_array_equal(picture[20, 20], [1, 0, 0, 1])
    np.testing.assert_array_equal(picture[20, 26], [0, 1, 0, 1])
    np.testing.assert_array_equal(picture[20, 30], [0, 0, 0, 0])


def test_the_order_decides(draw: Draw) -> None:
    records = random_records(200, 3, SIZE)
    order = np.random.default_rng(3).permutation(200)[:150]  # and what is not in it is not drawn
    found = draw(records, order=order)
    assert_same(found, blend_slowly(records[order], SIZE, GAUSSIAN), few=10)
    assert np.abs(found - draw(records, order=np.sort(order))).max() > 0.1


def test_frames_repeat_to_the_bit(draw: Draw) -> None:
    records = random_records(3000, 4, SIZE)
    np.testing.assert_array_equal(draw(records), draw(records))


def test_one_gaussian_then_many_then_another_size(draw: Draw) -> None:
    records = random_records(500, 11, SIZE)
    first = np.array([np.hypot(*(records["centre"] - np.array(SIZE) / 2).T).argmin()])
    for order, size in ((first, SIZE), (np.arange(500), SIZE), (np.arange(500), (300, 20)), (first, (20, 300))):
        found = draw(records, size, order=order)
        assert_same(found, blend_slowly(records[order], size, GAUSSIAN), few=10)


def test_nothing_to_draw(draw: Draw, tiles: Tiles) -> None:
    records = random_records(10, 5, SIZE)
    np.testing.assert_array_equal(draw(records, count=0), 0)
    assert tiles.wanted() == (0, 0)
    records["axis"] = 0  # as those that the projection does not draw
    np.testing.assert_array_equal(draw(records), 0)


@pytest.mark.parametrize("field", ["centre", "axis", "minor"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_what_overflowed_spoils_nothing(draw: Draw, field: str, value: float) -> None:
    records = random_records(60, 6, SIZE)
    broken = records.copy()
    broken[field][::3] = value
    healthy = np.flatnonzero(np.arange(60) % 3)
    np.testing.assert_array_equal(draw(broken), draw(records, order=healthy))


@pytest.mark.parametrize(("size", "largest"), [((203, 130), 100.0), ((70, 333), 2e4)])
def test_touched_tiles_exactly(draw: Draw, tiles: Tiles, size: tuple[int, int], largest: float) -> None:
    """Against every pixel by itself: none is missed, none is counted twice, and few tiles are listed for nothing."""
    records = random_records(500, 7, size, largest)
    counts, pairs = count_slowly(records, size, TILE)
    white = records.copy()
    white["red_green"], white["blue"] = 0x3C003C00, 0x3C00  # ones
    picture = draw(white, size, additive=True)
    assert (picture[..., 3] == 1).all()
    assert (picture[..., 0] != counts).sum() <= 2  # where the edge passes a pixel centre within a rounding
    wanted, drawn = tiles.wanted()
    assert wanted == drawn
    assert pairs <= wanted + 1
    assert wanted <= 1.01 * pairs


def test_adding_up_is_of_colours_whatever_their_alpha(draw: Draw) -> None:
    records = records_of(
        np.full((40, 2), 8.0), np.full((40, 2), 20.0), np.full(40, 9.0), np.full(40, 0.9), np.ones((40, 3))
    )
    np.testing.assert_array_equal(draw(records, (16, 16), additive=True)[8, 8], [40, 40, 40, 1])


def test_what_does_not_fit_is_left_out_from_the_far_end(draw: Draw, tiles: Tiles) -> None:
    records = random_records(800, 8, SIZE, 100.0)
    wanted = []
    for nearest in (300, 301, 800):
        draw(records, count=nearest)
        wanted.append(tiles.wanted()[0])
    assert wanted[0] < wanted[1] < wanted[2]
    expected = draw(records, count=300)
    tiles.reserve(wanted[1] - 1)  # the 301st would fit but for one of its tiles
    np.testing.assert_array_equal(draw(records), expected)
    assert tiles.wanted() == (wanted[2], wanted[0])
    tiles.reserve(wanted[2])
    draw(records)
    assert tiles.wanted() == (wanted[2], wanted[2])


def test_more_instances_than_32_bits_count(draw: Draw, tiles: Tiles) -> None:
    """A million Gaussians that touch 4400 tiles each: the sums wrap, what fits is still the nearest."""
    size = 550 * TILE, 8 * TILE
    many = 1_000_000
    full = records_of(np.array([[0.0, 0]]), np.array([[1e6, 0.0]]), np.array([1e6]), np.array([0.5]), np.ones((1, 3)))
    assert many * 4400 > 2**32
    tiles.reserve(3 * 4400 + 11)
    picture = draw(full, size, order=np.zeros(many))
    assert tiles.wanted() == (many * 4400, 3 * 4400)
    np.testing.assert_allclose(picture, 1 - 0.5**3, atol=1e-3)


def test_capacity_is_what_the_device_can_bind(
    context: moderngl.Context, tiles: Tiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(context.info, "GL_MAX_SHADER_STORAGE_BLOCK_SIZE", 4 * 100_000)
    tiles.reserve(10**9)
    assert tiles.capacity == 100_000
    assert tiles.bytes == pytest.approx(100_000 * INSTANCE_BYTES, rel=0.05)


def test_the_state_of_an_earlier_frame_can_be_read(draw: Draw, tiles: Tiles) -> None:
    records = random_records(90, 9, SIZE)
    seen = []
    for nearest in (30, 60, 90):
        draw(records, count=nearest)
        seen.append(tiles.wanted())
    assert tiles.wanted(finished=False) == seen[0]
    assert len(set(seen)) == 3


def test_long_lists_are_drawn_to_their_end(draw: Draw) -> None:
    """llvmpipe ends loops after 65,535 iterations, in silence."""
    many = 130_000
    one = records_of(np.array([[8.0, 8]]), np.array([[99.0, 0]]), np.array([99.0]), np.array([0.004]), np.ones((1, 3)))
    np.testing.assert_array_equal(draw(one, (9, 3), additive=True, order=np.zeros(many))[1, 4], [many] * 3 + [1])


def test_pixels_stay_finished_between_slices(draw: Draw, tiles: Tiles, monkeypatch: pytest.MonkeyPatch) -> None:
    records = random_records(900, 10, SIZE)
    whole = draw(records)
    monkeypatch.setattr(tiles, "_slice", 7)
    np.testing.assert_allclose(draw(records), whole, atol=1e-6)


@pytest.fixture
def both(context: moderngl.Context) -> Iterator[list[GaussianRenderer]]:
    renderers = [GaussianRenderer(context, pipeline=pipeline) for pipeline in ("tiles", "quads")]
    yield renderers
    for renderer in renderers:
        renderer.release()


@pytest.mark.parametrize("name", NAMES)
def test_oracles(both: list[GaussianRenderer], data: Path, name: str) -> None:
    oracle = read_oracle(data, name)
    pictures = []
    for renderer in both:
        renderer.load(oracle.gaussians)
        pictures.append(renderer.render_rgba(oracle.camera, WIDTH, HEIGHT))
    assert np.abs(pictures[0] - oracle.image).max() < 1.1 * BAND  # at the edge of a footprint
    assert psnr_8_bit(pictures[0], oracle.image) > 60
    assert psnr_8_bit(*pictures) > 50


@pytest.mark.parametrize("camera", cameras(), ids=["outside", "inside"])
def test_the_picture_of_quads(both: list[GaussianRenderer], camera: Camera) -> None:
    pictures = []
    for renderer in both:
        renderer.load(random_gaussians(2000, 5))
        pictures.append(renderer.render_rgba(camera, 160, 120))
    assert psnr_8_bit(*pictures) > 50


def test_the_picture_of_quads_on_a_real_scene(both: list[GaussianRenderer], data: Path) -> None:
    scene = read_ply(data / "gaussians" / "playbot-125k.ply").gaussians
    camera = read_cameras(data / "cameras" / "playbot-125k.json")[0]
    pictures = []
    for renderer in both:
        renderer.load(scene)
        pictures.append(renderer.render_rgba(camera, 640, 360))
    assert pictures[0][..., 3].mean() > 0.1
    assert psnr_8_bit(*pictures) > 50
