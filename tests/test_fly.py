"""Flythroughs: the film shows what the renderer draws, the figures add up, and failures leave nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from gaussian_samples import cameras, random_gaussians, random_neural
from PIL import Image

from renderer import video
from renderer.camera_paths import preset_path
from renderer.context import create_context
from renderer.flythrough import fly, sheet_frames
from renderer.gaussian_renderer import GaussianRenderer
from renderer.images import difference_image, frame_sheet, straight_alpha, to_8_bit, write_png
from renderer.settings import RenderSettings
from renderer.video import frame_sink
from scenes.bank import BankShape
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.extent import scene_extent

SIZE = 97, 75  # odd: 4:2:0 video is even
SCENE = random_gaussians(300, 0, 1)


def path(frames: int) -> list[Camera]:
    return preset_path("orbit", scene_extent(SCENE), frames, SIZE[0] / SIZE[1])


def decode_video(file: Path) -> tuple[list[np.ndarray], av.VideoStream]:
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)], stream


def test_frames_are_the_renderers_pictures(tmp_path: Path) -> None:
    report = fly(SCENE, path(3), SIZE, tmp_path / "frames", settings=RenderSettings(background=(0, 0.5, 1)))
    renderer = GaussianRenderer(create_context())
    renderer.load(SCENE)
    names = [f"frame-{i:05d}.png" for i in range(3)]
    assert sorted(p.name for p in (tmp_path / "frames").iterdir()) == ["contact-sheet.png", *names]
    for name, camera in zip(names, path(3), strict=True):
        picture = np.asarray(Image.open(tmp_path / "frames" / name))
        np.testing.assert_array_equal(
            picture,
            to_8_bit(renderer.render(camera, *SIZE, RenderSettings(background=(0, 0.5, 1)))),
        )
    assert report.sheet == str(tmp_path / "frames" / "contact-sheet.png")


def test_the_video_is_h264_and_shows_the_frames(tmp_path: Path) -> None:
    fly(SCENE, path(5), SIZE, tmp_path / "film.mp4", fps=12.5, settings=RenderSettings(background=(0.2, 0.3, 0.4)))
    frames, stream = decode_video(tmp_path / "film.mp4")
    assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    assert (stream.width, stream.height) == (98, 76)
    assert (len(frames), stream.average_rate) == (5, 12.5)
    renderer = GaussianRenderer(create_context())
    renderer.load(SCENE)
    for frame, camera in zip(frames, path(5), strict=True):
        picture = to_8_bit(renderer.render(camera, *SIZE, RenderSettings(background=(0.2, 0.3, 0.4)))).astype(float)
        error = frame[:75, :97] - picture
        assert np.abs(error.mean(axis=(0, 1))).max() < 2  # colours: a wrong matrix or range is off by more
        assert np.sqrt(np.mean(error**2)) < 12  # half the colour resolution
    assert sorted(p.name for p in tmp_path.iterdir()) == ["film-frames.png", "film.mp4"]


def test_the_report_adds_up(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    report = fly(SCENE, path(4), SIZE, tmp_path / "out", progress=lambda *done: calls.append(done))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    figures = json.loads(json.dumps(report.as_dict()))
    assert (figures["gaussians"], figures["size"], len(figures["frames"])) == (300, list(SIZE), 4)
    for frame in figures["frames"]:
        parts = frame["project"] + frame["sort"] + frame["blend"]
        assert 0 < parts <= frame["total"]
    totals = sorted(frame["total"] for frame in figures["frames"])
    summary = figures["summary"]["total"]
    assert summary["mean"] == pytest.approx(np.mean(totals))
    assert summary["median"] == pytest.approx((totals[1] + totals[2]) / 2)
    assert summary["median"] <= summary["p95"] <= summary["p99"] <= totals[-1]
    assert figures["video_memory"] == 300 * (48 + 4 * 12)


def test_a_neural_scene_flies(tmp_path: Path) -> None:
    scene = random_neural(BankShape((1.0,), 8, 16, 1, 10), 2, 100, 0, 0)
    report = fly(scene, cameras(), (64, 48), tmp_path / "out", warmup=0)
    assert report.gaussians == 100
    assert report.load_ms > 0


def test_existing_frames_are_replaced_and_other_files_kept(tmp_path: Path) -> None:
    (tmp_path / "frame-00000.png").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    fly(SCENE, path(1), SIZE, tmp_path)
    assert Image.open(tmp_path / "frame-00000.png").size == SIZE
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["film.mp4", "frames"])
def test_a_failure_half_way_leaves_what_was_there(tmp_path: Path, name: str) -> None:
    def fail_half_way() -> None:
        with frame_sink(tmp_path / name, SIZE, 30) as sink:
            sink(np.zeros((75, 97, 3), np.uint8))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["film.mp4", "frames"])
def test_no_folder_to_write_to(tmp_path: Path, name: str) -> None:
    out = tmp_path / "missing" / name
    with pytest.raises(KilofieldError) as caught:
        fly(SCENE, path(2), SIZE, out)
    assert str(caught.value) == f"{out}: cannot write: No such file or directory"
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    out = tmp_path / "frames"
    out.write_text("mine")
    with pytest.raises(KilofieldError) as caught:
        fly(SCENE, path(2), SIZE, out)
    assert str(caught.value) == f"{out}: expected a folder or a name ending in .mp4, found a file"
    assert out.read_text() == "mine"


def test_an_impossible_size_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KilofieldError, match=r"^resolution: expected 1 to \d+ pixels each way, found 0x75$"):
        fly(SCENE, path(2), (0, 75), tmp_path / "film.mp4")
    assert list(tmp_path.iterdir()) == []


def test_no_cameras(tmp_path: Path) -> None:
    with pytest.raises(
        KilofieldError, match=r"^flythrough: expected cameras and a frame rate above 0, found 0 and 30$"
    ):
        fly(SCENE, [], SIZE, tmp_path / "film.mp4")


def test_without_an_h264_encoder_another_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "ENCODERS", ("nonsense", "mpeg4"))
    fly(SCENE, path(2), SIZE, tmp_path / "film.mp4")
    frames, stream = decode_video(tmp_path / "film.mp4")
    assert (len(frames), stream.codec_context.name) == (2, "mpeg4")
    monkeypatch.setattr(video, "ENCODERS", ("nonsense",))
    with pytest.raises(KilofieldError, match=r"^video: expected an encoder of nonsense in PyAV, found none$"):
        fly(SCENE, path(2), SIZE, tmp_path / "other.mp4")
    assert not (tmp_path / "other.mp4").exists()


def test_which_frames_are_on_the_sheet() -> None:
    assert sheet_frames(1) == [0]
    assert sheet_frames(5) == [0, 1, 2, 3, 4]
    frames = sheet_frames(100)
    assert (len(frames), frames[0], frames[-1]) == (12, 0, 99)


def test_8_bit_rounds_and_clips() -> None:
    picture = np.array([[[-1.0, 0.0, 0.49 / 255], [0.51 / 255, 1.0, 7.0], [np.nan, np.inf, 0.5]]])
    np.testing.assert_array_equal(to_8_bit(picture), [[[0, 0, 0], [1, 255, 255], [0, 255, 128]]])


def test_png_keeps_every_value(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
    write_png(tmp_path / "a.png", picture / 255)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), picture)
    with pytest.raises(KilofieldError, match=r"cannot write: No such file or directory$"):
        write_png(tmp_path / "none" / "a.png", picture)


def test_straight_alpha_is_the_inverse_of_premultiplying() -> None:
    rng = np.random.default_rng(1)
    colour, alpha = rng.random((4, 5, 3)), rng.random((4, 5, 1))
    alpha[0, 0] = 0
    straight = straight_alpha(np.concatenate([colour * alpha, alpha], axis=2))
    np.testing.assert_allclose(straight[..., :3] * alpha, colour * alpha, atol=1e-12)
    np.testing.assert_array_equal(straight[0, 0], 0)


def test_difference_is_the_gain_times_the_distance() -> None:
    a, b = np.full((2, 2, 3), 0.5), np.full((2, 2, 3), 0.6)
    np.testing.assert_allclose(difference_image(a, b, 4), 0.4)
    np.testing.assert_allclose(difference_image(b, a, 40), 1.0)


def test_a_sheet_holds_every_picture(tmp_path: Path) -> None:
    pictures = [np.full((10, 20, 3), i / 10) for i in range(5)]
    sheet = frame_sheet(pictures, [str(i) for i in range(5)], columns=3)
    for i in range(5):
        assert (sheet == round(i / 10 * 255)).all(axis=2).sum() >= 200
