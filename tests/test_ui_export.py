"""Pictures in parts, screenshots and exports: against the renderer's own pictures and `fly`'s frames."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np
import pytest
from gaussian_samples import cameras, random_gaussians
from numpy.typing import NDArray
from PIL import Image

from renderer import large_pictures
from renderer.camera_paths import preset_path
from renderer.context import create_context
from renderer.flythrough import flythrough
from renderer.gaussian_renderer import GaussianRenderer
from renderer.images import straight_alpha, to_8_bit
from renderer.large_pictures import Box, LargePicture, averaged, boxes, large_picture, part_camera
from renderer.reference import render_reference
from renderer.settings import RenderSettings
from renderer.video import FrameSink
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.extent import scene_extent
from ui import export
from ui.export import Job, PathJob, PictureJob, Writer, check_free

SETTINGS = RenderSettings(background=(0.1, 0.5, 0.8))
SCENE = random_gaussians(500, 3)


@pytest.fixture(scope="module")
def context() -> moderngl.Context:
    return create_context()


@pytest.fixture(scope="module")
def renderer(context: moderngl.Context) -> Iterator[GaussianRenderer]:
    renderer = GaussianRenderer(context)
    renderer.load(SCENE)
    yield renderer
    renderer.release()


def finish(job: Job, seconds: float = 20) -> None:
    end = time.perf_counter() + seconds
    while not job.step():
        assert time.perf_counter() < end, "no end"
        time.sleep(0.001)


# Parts


@pytest.mark.parametrize("size", [(100, 70), (1, 9), (33, 32), (64, 1)])
def test_boxes_fill_a_picture_once(size: tuple[int, int]) -> None:
    covered = np.zeros(size[::-1], int)
    for box in boxes(size, 32):
        assert max(box.width, box.height) <= 32
        covered[box.slices] += 1
    assert (covered == 1).all()


def wide() -> Camera:
    """Inside the cloud: many Gaussians are beside the picture, where their shape is held to the frustum's edge."""
    return replace(cameras()[1], fov_y=1.9)


@pytest.mark.parametrize(
    "camera", [*cameras(), wide(), replace(cameras()[0], projection="orthographic", view_height=3)]
)
def test_a_part_is_cut_out_of_the_whole_exactly(camera: Camera) -> None:
    """In the exact renderer: its part against its whole, up to rounding."""
    scene, size = SCENE.select(slice(0, 150)), (60, 44)
    whole = render_reference(scene, camera, *size)
    for box in (Box(0, 0, 20, 22), Box(37, 9, 23, 35)):
        part = render_reference(scene, part_camera(camera, size, box), box.width, box.height)
        np.testing.assert_allclose(part, whole[box.slices], atol=1e-9)


@pytest.mark.parametrize(
    "camera", [*cameras(), wide(), replace(cameras()[0], projection="orthographic", view_height=3)]
)
@pytest.mark.parametrize("part", [64, 37])
def test_parts_make_the_whole(camera: Camera, part: int, renderer: GaussianRenderer) -> None:
    size = 150, 101
    whole = to_8_bit(renderer.render(camera, *size, SETTINGS)).astype(int)
    assert whole.std() > 10
    found = large_picture(renderer, camera, size, SETTINGS, part=part)
    assert np.abs(found - whole).max() <= 1


def test_without_the_frustum_the_seams_would_show(renderer: GaussianRenderer) -> None:
    """Or the tests above would not see what `Camera.frustum` is for."""
    size, box = (150, 101), Box(75, 0, 75, 101)
    camera = replace(part_camera(wide(), size, box), frustum=None)
    part = renderer.render(camera, box.width, box.height, SETTINGS)
    assert np.abs(part - renderer.render(wide(), *size, SETTINGS)[box.slices]).max() > 4 / 255


def test_a_picture_larger_than_a_framebuffer(renderer: GaussianRenderer) -> None:
    limit = int(renderer.context.info["GL_MAX_TEXTURE_SIZE"])
    size = limit + 600, 20
    camera = replace(cameras()[0], fov_y=0.02)
    with pytest.raises(KilofieldError, match="resolution"):
        renderer.render(camera, *size, SETTINGS)
    found = large_picture(renderer, camera, size, SETTINGS, part=4096)
    small = to_8_bit(renderer.render(replace(camera, pixel_aspect=1 / 64), size[0] // 64, 20, SETTINGS))
    assert found.shape == (20, size[0], 3)
    columns = np.arange(size[0] // 64) * 64 + 32
    assert np.abs(found[:, columns].astype(int) - small).mean() < 6


def test_an_equirectangular_picture_is_drawn_whole(renderer: GaussianRenderer) -> None:
    camera = replace(cameras()[1], projection="equirectangular")
    assert LargePicture(renderer, camera, (200, 100), SETTINGS, part=50).parts == 1
    with pytest.raises(ValueError, match="whole"):
        part_camera(camera, (200, 100), Box(0, 0, 100, 100))


def test_supersampling_averages_samples(renderer: GaussianRenderer) -> None:
    fine = renderer.render(cameras()[0], 120, 90, SETTINGS).clip(0, 1)
    wanted = np.array([[fine[y : y + 3, x : x + 3].mean((0, 1)) for x in range(0, 120, 3)] for y in range(0, 90, 3)])
    found = large_picture(renderer, cameras()[0], (40, 30), SETTINGS, supersampling=3, part=50)
    assert np.abs(found - wanted * 255).max() <= 1.5
    np.testing.assert_allclose(averaged(np.array([[[0.0], [4.0]], [[1.0], [0.5]]], np.float32), 2), [[[0.625]]])


def test_alpha_is_straight(renderer: GaussianRenderer) -> None:
    rgba = renderer.render_rgba(cameras()[0], 90, 60, SETTINGS)
    found = large_picture(renderer, cameras()[0], (90, 60), SETTINGS, alpha=True, part=40)
    wanted = to_8_bit(straight_alpha(rgba)).astype(int)
    assert found.shape == (60, 90, 4)
    assert 0.1 < (found[..., 3] == 0).mean() < 0.9  # there is an outside
    clear = wanted[..., 3] > 16  # a faint colour divided by its alpha is mostly rounding
    assert np.abs(found - wanted)[clear].max() <= 1 + 255 / 16
    assert np.abs(found[..., 3] - wanted[..., 3]).max() <= 1


@pytest.mark.parametrize(("size", "samples"), [((0, 5), 1), ((2**15, 2**14), 1), ((8, 8), 5)])
def test_what_no_picture_can_be(size: tuple[int, int], samples: int, renderer: GaussianRenderer) -> None:
    with pytest.raises(KilofieldError) as caught:
        LargePicture(renderer, cameras()[0], size, SETTINGS, supersampling=samples)
    assert str(caught.value) == (
        f"picture: expected 1 to 268,435,456 pixels and 1 to 4 samples each way, "
        f"found {size[0]}x{size[1]} and {samples}"
    )


# Jobs


def path(frames: int) -> list[Camera]:
    return preset_path("orbit", scene_extent(SCENE), frames, 16 / 9)


def frames_of(folder: Path) -> dict[str, NDArray[np.uint8]]:
    return {file.name: np.array(Image.open(file)) for file in sorted(folder.glob("frame-*.png"))}


@pytest.mark.parametrize("part", [1000, 40])
def test_an_export_is_what_fly_makes(
    part: int, tmp_path: Path, renderer: GaussianRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_pictures, "SOFT_PART", part)
    monkeypatch.setattr(large_pictures, "PART", part)
    with flythrough((96, 54), SETTINGS) as flight:
        flight.load("scene", SCENE, path(5)[0])
        flight.fly(path(5), [tmp_path / "flown"])
    renderer.context.__enter__()  # current again
    job = PathJob(renderer, path(5), (96, 54), SETTINGS, tmp_path / "exported")
    finish(job)
    flown, exported = frames_of(tmp_path / "flown"), frames_of(tmp_path / "exported")
    assert list(exported) == list(flown) == [f"frame-{i:05d}.png" for i in range(5)]
    for name, frame in exported.items():
        assert np.abs(frame.astype(int) - flown[name]).max() <= (1 if part < 96 else 0)
    assert job.progress == 1


def test_a_video_has_all_frames(tmp_path: Path, renderer: GaussianRenderer) -> None:
    av = pytest.importorskip("av")
    out = tmp_path / "orbit.mp4"
    finish(PathJob(renderer, path(7), (97, 54), SETTINGS, out, fps=12))
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (98, 54, 12)
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(decoded) == 7
    first = to_8_bit(renderer.render(path(7)[0], 97, 54, SETTINGS))
    assert np.abs(decoded[0][:, :97].astype(int) - first).mean() < 6
    assert [file.name for file in tmp_path.iterdir()] == ["orbit.mp4"]


def test_frames_with_alpha(tmp_path: Path, renderer: GaussianRenderer) -> None:
    finish(PathJob(renderer, path(2), (48, 27), SETTINGS, tmp_path / "out", alpha=True))
    for frame in frames_of(tmp_path / "out").values():
        assert frame.shape == (27, 48, 4)
        assert frame[..., 3].min() == 0
        assert frame[..., 3].max() > 200
    with pytest.raises(
        KilofieldError, match=r"o\.mp4: expected a folder of PNGs for pictures with alpha, found a video"
    ):
        PathJob(renderer, path(2), (48, 27), SETTINGS, tmp_path / "o.mp4", alpha=True)


@pytest.mark.parametrize("name", ["out", "out.mp4"])
@pytest.mark.parametrize("after", [0, 5])
def test_cancelling_leaves_nothing(name: str, after: int, tmp_path: Path, renderer: GaussianRenderer) -> None:
    job = PathJob(renderer, path(60), (96, 54), SETTINGS, tmp_path / name)
    for _ in range(after):
        assert not job.step()
    assert job.progress < 1
    job.cancel()
    assert list(tmp_path.iterdir()) == []


def test_cancelling_keeps_what_was_there(tmp_path: Path, renderer: GaussianRenderer) -> None:
    (tmp_path / "out.mp4").write_bytes(b"somebody's")
    job = PathJob(renderer, path(60), (96, 54), SETTINGS, tmp_path / "out.mp4")
    job.step()
    job.cancel()
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("out.mp4", b"somebody's")]


def test_a_slow_encoder_never_holds_up_a_step(
    tmp_path: Path, renderer: GaussianRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[NDArray[np.uint8]] = []

    def slow(picture: NDArray[np.uint8]) -> None:
        time.sleep(0.05)
        taken.append(picture)

    monkeypatch.setattr(export, "frame_sink", lambda *_: sink(slow))
    job = PathJob(renderer, path(12), (48, 27), SETTINGS, tmp_path / "out")
    waiting = []
    done = False
    while not done:
        full, start = job._writer.full, time.perf_counter()
        done = job.step()
        if full:
            waiting.append(time.perf_counter() - start)
        time.sleep(0.001)
    assert len(waiting) > 10
    assert np.median(waiting) < 0.01
    assert len(taken) == 12


class sink:  # noqa: N801 - a context manager in the place of a function
    """A sink that is a function."""

    def __init__(self, take: FrameSink) -> None:
        self._take = take

    def __enter__(self) -> FrameSink:
        return self._take

    def __exit__(self, *_: object) -> None:
        pass


def test_an_output_that_cannot_be_written_is_told(tmp_path: Path, renderer: GaussianRenderer) -> None:
    job = PathJob(renderer, path(3), (48, 27), SETTINGS, tmp_path / "gone" / "out.mp4")
    with pytest.raises(KilofieldError, match=r"gone/out\.mp4: cannot write: No such file or directory"):
        finish(job)
    assert list(tmp_path.iterdir()) == []


def test_errors_of_the_sink_are_raised_in_the_frame_loop() -> None:
    def broken(picture: NDArray[np.uint8]) -> None:
        raise KilofieldError("disk: full")

    writer = Writer(lambda: sink(broken))
    writer.put(np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(KilofieldError, match="disk: full"):
        wait(lambda: writer.done)


def wait(done: Callable[[], bool]) -> None:
    end = time.perf_counter() + 10
    while not done():
        assert time.perf_counter() < end
        time.sleep(0.001)


def test_no_cameras_and_no_rate_are_refused(tmp_path: Path, renderer: GaussianRenderer) -> None:
    for few, fps in ((path(2), 0.0), ([], 30.0)):
        with pytest.raises(KilofieldError, match="export: expected cameras and a frame rate above 0, found"):
            PathJob(renderer, few, (48, 27), SETTINGS, tmp_path / "out", fps)


def test_a_large_screenshot_is_written_whole(tmp_path: Path, renderer: GaussianRenderer) -> None:
    picture = LargePicture(renderer, cameras()[0], (130, 90), SETTINGS, part=50)
    job = PictureJob(picture, tmp_path / "large.png")
    seen = [job.progress]
    while not job.step(0.0):
        seen.append(job.progress)
        time.sleep(0.001)
    assert len(set(seen)) == picture.parts + 1  # one part a step, when there is no time for more
    wanted = to_8_bit(renderer.render(cameras()[0], 130, 90, SETTINGS)).astype(int)
    assert np.abs(np.array(Image.open(tmp_path / "large.png")) - wanted).max() <= 1
    assert [file.name for file in tmp_path.iterdir()] == ["large.png"]


def test_what_is_there_is_asked_about(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for free in ("new.mp4", "new", "empty"):
        check_free(tmp_path / free)
    (tmp_path / "full").mkdir()
    for taken in ("full/video.mp4", "picture.png"):
        (tmp_path / taken).touch()
        with pytest.raises(KilofieldError, match="this file is there already"):
            check_free(tmp_path / taken)
    with pytest.raises(KilofieldError, match="this folder is not empty"):
        check_free(tmp_path / "full")
