"""Flythroughs: the film shows what the renderer draws, scenes take turns, figures add up, failures leave nothing."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import av
import numpy as np
import pytest
from cli_samples import kilofield
from gaussian_samples import cameras, random_gaussians, random_neural
from PIL import Image

from commands.fly import output_paths
from commands.process import began, peak_memory
from commands.scene_settings import depth_range
from renderer import video
from renderer.camera_paths import preset_path
from renderer.context import create_context
from renderer.fly_plot import plot_frames
from renderer.fly_report import FlyReport, statistics
from renderer.flythrough import flythrough, sheet_frames
from renderer.gaussian_renderer import GaussianRenderer
from renderer.images import to_8_bit
from renderer.settings import RenderSettings
from renderer.video import frame_sink
from scenes.bank import BankShape
from scenes.cameras import Camera, look_at
from scenes.errors import KilofieldError
from scenes.extent import Extent, scene_extent
from scenes.gaussians import Gaussians
from scenes.neural_gaussians import NeuralGaussians
from scenes.ply import write_ply

SIZE = 97, 75  # odd: 4:2:0 video is even
SCENE = random_gaussians(300, 0, 1)
BLUE = RenderSettings(background=(0, 0.5, 1))


def path(frames: int) -> list[Camera]:
    return preset_path("orbit", scene_extent(SCENE), frames, SIZE[0] / SIZE[1])


def fly(
    scene: Gaussians | NeuralGaussians,
    along: list[Camera],
    size: tuple[int, int],
    out: Path | None,
    warmup: int = 0,
    fps: float = 30.0,
    settings: RenderSettings = BLUE,
) -> FlyReport:
    """One scene alone."""
    with flythrough(size, settings) as flight:
        flight.load("scene", scene, (along or path(1))[0])
        (report,) = flight.fly(along, [out], warmup, fps)
    return report


def made_report(name: str, totals: list[float]) -> FlyReport:
    """Frames of which a fifth is `project` and the rest `blend`."""
    frames = [
        {"at": 50.0 * i, "project": 0.2 * ms, "blend": 0.7 * ms, "total": ms, "candidates": 9, "capped": 0}
        for i, ms in enumerate(totals)
    ]
    return FlyReport(name, None, None, 300, 1000, 500, "quads", "decoded", 1, 2, 3, 6, 9, frames)


def decode_video(file: Path) -> tuple[list[np.ndarray], av.VideoStream]:
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)], stream


def test_frames_are_the_renderers_pictures(tmp_path: Path) -> None:
    report = fly(SCENE, path(3), SIZE, tmp_path / "frames")
    renderer = GaussianRenderer(create_context())
    renderer.load(SCENE)
    names = [f"frame-{i:05d}.png" for i in range(3)]
    assert sorted(p.name for p in (tmp_path / "frames").iterdir()) == ["contact-sheet.png", *names]
    for name, camera in zip(names, path(3), strict=True):
        picture = np.asarray(Image.open(tmp_path / "frames" / name)).astype(int)
        expected = to_8_bit(renderer.render(camera, *SIZE, BLUE)).astype(int)
        assert np.ptp(expected[..., 0]) > 100  # something is in it
        assert np.abs(picture - expected).max() <= 1  # drawn into 8 bits, not rounded from floats
    assert report.sheet == str(tmp_path / "frames" / "contact-sheet.png")


def test_the_video_is_h264_and_shows_the_frames(tmp_path: Path) -> None:
    fly(SCENE, path(5), SIZE, tmp_path / "film.mp4", fps=12.5)
    frames, stream = decode_video(tmp_path / "film.mp4")
    assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    assert (stream.width, stream.height) == (98, 76)
    assert (len(frames), stream.average_rate) == (5, 12.5)
    renderer = GaussianRenderer(create_context())
    renderer.load(SCENE)
    for frame, camera in zip(frames, path(5), strict=True):
        picture = to_8_bit(renderer.render(camera, *SIZE, BLUE)).astype(float)
        error = frame[:75, :97] - picture
        assert np.abs(error.mean(axis=(0, 1))).max() < 2  # colours: a wrong matrix or range is off by more
        assert np.sqrt(np.mean(error**2)) < 12  # half the colour resolution
    assert sorted(p.name for p in tmp_path.iterdir()) == ["film-frames.png", "film.mp4"]


def test_scenes_take_turns() -> None:
    calls: list[tuple[int, int]] = []
    with flythrough(SIZE) as flight:
        for name, scene in (("a", SCENE), ("b", random_gaussians(50, 1, 0)), ("c", random_gaussians(20, 2, 0))):
            flight.load(name, scene, path(1)[0])
        reports = flight.fly(path(4), warmup=1, progress=lambda *done: calls.append(done))
    assert [(report.name, report.gaussians) for report in reports] == [("a", 300), ("b", 50), ("c", 20)]
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    starts = [report.frames[i]["at"] for i in range(4) for report in reports]  # frame 0 of each, then frame 1 of each
    ends = [report.frames[i]["at"] + report.frames[i]["total"] for i in range(4) for report in reports]
    assert starts[0] >= 0
    assert all(end <= start for end, start in zip(ends, starts[1:]))  # noqa: B905 - one shorter


def test_each_scene_has_its_own_pictures(tmp_path: Path) -> None:
    scenes = {"a": SCENE, "b": random_gaussians(50, 1, 0)}
    with flythrough(SIZE) as flight:
        for name, scene in scenes.items():
            flight.load(name, scene, path(1)[0])
        flight.fly(path(2), [tmp_path / "a", None])
    assert (tmp_path / "a" / "frame-00001.png").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    for name, scene in scenes.items():
        fly(scene, path(2), SIZE, tmp_path / f"{name}-alone", settings=RenderSettings())
    alone = (tmp_path / "a-alone" / "frame-00001.png").read_bytes()
    assert (tmp_path / "a" / "frame-00001.png").read_bytes() == alone
    assert (tmp_path / "b-alone" / "frame-00001.png").read_bytes() != alone


def test_the_report_adds_up() -> None:
    started = time.perf_counter()
    with flythrough(SIZE, began=started - 10) as flight:
        flight.load("scene", SCENE, path(1)[0], read_ms=5.0)
        (report,) = flight.fly(path(4))
    figures = json.loads(json.dumps(report.as_dict()))
    assert (figures["gaussians"], figures["name"], len(figures["frames"])) == (300, "scene", 4)
    stages = [stage for stage in figures["summary"] if stage != "total"]
    assert "blend" in stages
    for frame in figures["frames"]:
        assert 0 < sum(frame[stage] for stage in stages) <= frame["total"]
    parts = figures["read_ms"] + figures["load_ms"] + figures["first_frame_ms"]
    assert figures["first_frame_since_load_ms"] == pytest.approx(parts)
    since = figures["first_frame_since_command_ms"]
    assert 1e4 + parts - 5 <= since <= 1e4 + 1e3 * (time.perf_counter() - started)
    assert figures["video_memory"] > 300 * 12


def test_percentiles_are_numpys() -> None:
    values = np.random.default_rng(0).gamma(2.0, 5.0, 101).tolist()
    found = statistics(values)
    assert found["mean"] == pytest.approx(np.mean(values))
    assert found["median"] == sorted(values)[50]
    assert found["p95"] == sorted(values)[95]  # of 101 values, the percentiles are values themselves
    assert found["p99"] == sorted(values)[99]
    assert statistics([7.0]) == {"mean": 7.0, "median": 7.0, "p95": 7.0, "p99": 7.0}
    assert statistics([1.0, 2.0])["p95"] == pytest.approx(1.95)


def test_a_stage_some_frames_lack_counts_as_nothing_there() -> None:
    frames = [{"at": 0.0, "blend": 2.0, "total": 3.0}, {"at": 4.0, "decode": 1.0, "blend": 2.0, "total": 4.0}]
    report = FlyReport("a", None, None, 1, 1, 1, "quads", "resident", 0, 0, 0, 0, 0, frames)
    assert report.stages == ["blend", "decode", "total"]
    assert report.summary()["decode"]["mean"] == 0.5


def test_a_neural_scene_flies() -> None:
    scene = random_neural(BankShape((1.0,), 8, 16, 1, 10), 2, 100, 0, 0)
    report = fly(scene, cameras(), (64, 48), None)
    assert (report.gaussians, report.out, report.sheet) == (100, None, None)
    assert report.load_ms > 0


def test_the_plot_is_a_picture_of_the_times(tmp_path: Path) -> None:
    steady, rising = (
        made_report("steady.ply", [20.0] * 30),
        made_report("rising.kilo", [2.0 * i + 2 for i in range(30)]),
    )
    plot_frames(tmp_path / "one.png", [steady], "one")
    plot_frames(tmp_path / "two.png", [steady, rising], "two")
    one, two = (np.asarray(Image.open(tmp_path / name).convert("RGB")).astype(int) for name in ("one.png", "two.png"))
    assert one.shape[1] == two.shape[1] == 1152
    assert two.shape[0] > 1.7 * one.shape[0]
    blend = np.abs(two - (0xEE, 0x66, 0x77)).max(axis=2) < 4
    upper, lower = blend[: len(blend) // 2], blend[len(blend) // 2 :]
    assert upper.sum() > 5000
    left, right = (lower[:, columns].sum() for columns in (slice(100, 400), slice(400, 900)))
    assert right > 2 * left  # the times rise
    with pytest.raises(KilofieldError, match=r"cannot write: No such file or directory$"):
        plot_frames(tmp_path / "none" / "a.png", [steady], "one")


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
    with pytest.raises(KilofieldError, match=r"^flythrough: expected cameras and a frame rate above 0, found 0, 30$"):
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two scenes of one name, and a picture-sized path to them."""
    write_ply(tmp_path / "a.ply", SCENE)
    write_ply(tmp_path / "b.compressed.ply", random_gaussians(40, 3, 0))
    return tmp_path


QUICK = ("--size", "48x32", "--frames", "3", "--warmup", "1")


def test_the_json_tells_what_ran_on_what(folder: Path) -> None:
    out = folder / "times.json"
    files = folder / "a.ply", folder / "b.compressed.ply"
    result = kilofield("fly", *files, *QUICK, "--pipeline", "quads", "--json", out, "--plot", folder / "times.png")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(out.read_text())
    common = ("path", "size", "frames", "warmup", "fps", "view", "device", "peak_memory", "scenes")
    assert tuple(found) == common
    assert (found["path"], found["size"], found["frames"], found["warmup"]) == ("orbit", [48, 32], 3, 1)
    assert set(found["device"]) >= {"renderer", "vendor", "version", "software"}
    assert 5e6 < found["peak_memory"] < 1e11
    for scene, file, count in zip(found["scenes"], files, (300, 40), strict=True):
        assert scene["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert (scene["source"], scene["name"], scene["gaussians"]) == (str(file), file.name, count)
        assert (scene["bytes"], scene["pipeline"], scene["residency"]) == (file.stat().st_size, "quads", "decoded")
        assert len(scene["frames"]) == 3
        assert scene["summary"]["total"]["median"] == np.median([frame["total"] for frame in scene["frames"]])
        assert scene["first_frame_since_command_ms"] > scene["first_frame_since_load_ms"] > scene["load_ms"]
        assert scene["out"] is None
    assert Image.open(folder / "times.png").width == 1152
    assert result.stdout.count("a.ply") == result.stdout.count("b.compressed.ply") == 2
    assert "1.00x" in result.stdout


def test_several_files_make_a_folder_or_a_video_each(folder: Path) -> None:
    files = folder / "a.ply", folder / "b.compressed.ply"
    assert kilofield("fly", *files, *QUICK, "--out", folder / "frames").exit_code == 0
    assert sorted(p.name for p in (folder / "frames").iterdir()) == ["a", "b"]
    assert (folder / "frames" / "b" / "frame-00002.png").exists()
    assert kilofield("fly", *files, *QUICK, "--out", folder / "film.mp4").exit_code == 0
    assert {p.name for p in folder.glob("film*")} == {f"film-{n}{e}" for n in "ab" for e in (".mp4", "-frames.png")}


@pytest.mark.parametrize(
    ("out", "sources", "expected"),
    [
        ("x", ["garden.ply"], ["x"]),
        ("x", ["garden.ply", "hall.ply"], ["x/garden", "x/hall"]),
        ("x", ["garden.ply", "y/garden.kilo"], ["x/garden-ply", "x/garden-kilo"]),
        ("x.mp4", ["a/garden.ply", "b/garden.ply"], ["x-garden-ply-1.mp4", "x-garden-ply-2.mp4"]),
    ],
)
def test_where_pictures_of_several_files_go(out: str, sources: list[str], expected: list[str]) -> None:
    assert output_paths(Path(out), [Path(s) for s in sources]) == [Path(e) for e in expected]
    assert output_paths(None, [Path(s) for s in sources]) == [None] * len(sources)


PATH_FILES = {
    "text.json": ("not json", "text.json"),
    "keys.json": ('{"keys": []}', "keys.json: keys: expected a list of at least one key, found []"),
    "cameras.json": ('[{"fov_y": 1}]', "cameras.json: camera 0: expected camera_from_world, or position and rotation"),
}


@pytest.mark.parametrize("name", PATH_FILES)
def test_an_unreadable_path_file_writes_nothing(name: str, folder: Path) -> None:
    content, message = PATH_FILES[name]
    (folder / name).write_text(content)
    before = sorted(folder.iterdir())
    outputs = ("--out", folder / "f", "--json", folder / "f.json", "--plot", folder / "f.png")
    result = kilofield("fly", folder / "a.ply", *QUICK, "--path", folder / name, *outputs)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert message in result.stderr
    assert sorted(folder.iterdir()) == before


def test_an_unreadable_second_scene_writes_nothing(folder: Path) -> None:
    (folder / "b.compressed.ply").write_bytes(b"ply\nformat ascii 1.0\n")
    before = sorted(folder.iterdir())
    files = folder / "a.ply", folder / "b.compressed.ply"
    result = kilofield("fly", *files, *QUICK, "--out", folder / "f", "--json", folder / "f.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"{folder / 'b.compressed.ply'}: ")
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--view=x-ray", "--view: expected one of colour, depth, normal, alpha, clusters, overdraw, points, rings"),
        ("--pipeline=fast", "--pipeline: expected one of auto, tiles, quads, found fast"),
        ("--residency=gone", "--residency: expected one of decoded, resident, found gone"),
        ("--plot=times.pdf", "times.pdf: expected an output named *.png"),
    ],
)
def test_options_that_are_none_of_the_choices(option: str, message: str, folder: Path) -> None:
    result = kilofield("fly", folder / "a.ply", option)
    assert result.exit_code == 1
    assert result.stderr.startswith(message)


def test_depths_span_the_scene_from_every_camera() -> None:
    ball = Extent(np.array([0.0, 0.0, 5.0]), 2.0, np.array([0.0, -1.0, 0.0]))
    along = [look_at(np.array([0.0, 0.0, z]), ball.centre, ball.up, 1.0) for z in (-5.0, 0.0)]
    assert depth_range(along, ball) == pytest.approx((3.0, 12.0))
    assert depth_range([look_at(np.array([0.0, 0.0, 4.0]), ball.centre, ball.up, 1.0)], ball)[0] == 0


def test_the_process_knows_its_age_and_its_memory() -> None:
    age = time.perf_counter() - began()
    assert 0 < age < 86_400
    assert time.perf_counter() - began() >= age - 0.02
    held = np.ones(30_000_000)  # 240 MB
    peak = peak_memory()
    assert peak is not None
    assert peak >= held.nbytes
