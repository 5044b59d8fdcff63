"""The rendering benchmarks: renderers take turns, see the same scene, and what is printed is what was measured."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import moderngl
import numpy as np
import pytest
from gaussian_samples import random_gaussians
from PIL import Image
from test_raster_gsplat import stand_in

from benchmarks import drawers, gpu, rendering
from benchmarks.drawers import GsplatDrawer, OurDrawer, PeerDrawer
from benchmarks.gpu import agreement, gpu_rows
from benchmarks.gpu_scenes import neural, read_sog, tiled
from benchmarks.readme_tables import NOTHING_YET, gpu_tables, rendering_table, speed_table
from benchmarks.render_worker import Worker
from renderer.camera_paths import preset_path
from renderer.context import create_context
from renderer.gaussian_renderer import GaussianRenderer
from renderer.metrics import psnr
from scenes.camera_files import write_cameras
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.extent import scene_extent
from scenes.gaussians import Gaussians
from scenes.ply import read_ply, write_ply
from scenes.procedural import sample_scene

SIZE = 80, 60
SCENE = random_gaussians(200, 0, 2)


def cameras(count: int) -> list[Camera]:
    return preset_path("spiral", scene_extent(SCENE), count, SIZE[0] / SIZE[1])


class StandIn:
    """The peer's interface over our own renderer: what must come out is our own picture."""

    def __init__(self, context: moderngl.Context) -> None:
        self.context, self.calls, self.renderer = context, [], GaussianRenderer(context)

    def modules(self) -> dict[str, ModuleType]:
        """Its files, and PyOpenGL, as far as the driver uses them."""
        gl = {"glClearColor": self._note, "glClear": self._note, "glFinish": self.context.finish}
        contents = {
            "util": {"Camera": lambda height, width: SimpleNamespace(w=width, h=height)},
            "util_gau": {"GaussianData": lambda *arrays: arrays},
            "renderer_ogl": {"OpenGLRenderer": lambda width, height: self, "_sort_gaussian": self._note},
            "OpenGL": {},
            "OpenGL.GL": gl | {"GL_COLOR_BUFFER_BIT": 1},
        }
        modules = {name: ModuleType(name) for name in contents}
        for name, content in contents.items():
            vars(modules[name]).update(content)
        return modules

    def _note(self, *arguments: Any) -> None:
        self.calls.append(arguments)

    def update_gaussian_data(self, arrays: tuple[np.ndarray, ...]) -> None:
        positions, rotations, scales, opacities, sh = arrays
        assert all(array.dtype == np.float32 for array in arrays)
        np.testing.assert_allclose(np.linalg.norm(rotations, axis=1), 1, atol=1e-6)
        logits = np.log(opacities / (1 - opacities))[:, 0]
        colours = sh.reshape(len(sh), -1, 3)
        self.renderer.load(Gaussians(positions, np.log(scales), rotations, logits, colours))

    def update_camera_pose(self, view: Any) -> None:
        forward = view.target - view.position
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, view.up)
        rotation = np.stack([right, np.cross(forward, right), forward])
        self.pose = np.eye(4)
        self.pose[:3, :3], self.pose[:3, 3] = rotation, -rotation @ view.position

    def draw(self) -> None:
        self.calls.append(("draw",))
        target = self.context.detect_framebuffer()
        # the picture goes into the framebuffer upright, as a window wants it
        self.renderer.draw(Camera(self.pose, self.view.fovy, near=0.01), target)

    def update_camera_intrin(self, view: Any) -> None:
        assert (view.w, view.h) == SIZE
        self.view = view

    def sort_and_update(self, view: Any) -> None:
        self.calls.append(("sort",))

    def __getattr__(self, name: str) -> Any:
        """`set_scale_modifier`, `set_render_mod`, `set_render_reso`."""
        return lambda *values: self.calls.append((name, *values))


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    context = create_context()
    peer = StandIn(context)
    monkeypatch.setattr(drawers, "create_context", lambda: context)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("torch", "cupy"):  # the driver hides them; afterwards they are what they were
        monkeypatch.setitem(sys.modules, name, sys.modules.get(name))  # type: ignore[arg-type]
    for name, module in peer.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    return peer


def test_the_peer_gets_our_scene_and_our_cameras(peer: StandIn, tmp_path: Path) -> None:
    theirs = PeerDrawer(tmp_path, SCENE, SIZE)
    assert ("set_render_mod", 4) in peer.calls
    assert sys.modules["torch"] is None
    ours = OurDrawer(SCENE, SIZE, "quads", context=peer.context)
    for camera in cameras(3):
        picture, expected = theirs.picture(camera).astype(int), ours.picture(camera).astype(int)
        assert np.ptp(expected) > 100
        assert np.abs(picture - expected).max() <= 2  # its camera is float32
    peer.calls.clear()
    times = theirs.frame(cameras(1)[0])
    assert [call[0] for call in peer.calls if isinstance(call[0], str)] == ["sort", "draw"]
    parts = times["preparation"] + times["sort"] + times["draw"]
    assert times["total"] == pytest.approx(parts)


def test_the_peer_knows_plain_cameras_only(peer: StandIn, tmp_path: Path) -> None:
    theirs = PeerDrawer(tmp_path, SCENE, SIZE)
    camera = cameras(1)[0]
    for odd in (Camera(camera.camera_from_world, 1.0, 1.2), Camera(camera.camera_from_world, 1.0, 1.0, (0.4, 0.5))):
        with pytest.raises(ValueError, match="expected a centred pinhole with square pixels"):
            theirs.frame(odd)


def test_our_stages_are_those_of_a_frame() -> None:
    drawer = OurDrawer(SCENE, SIZE, "quads")
    drawer.frame(cameras(1)[0])
    times = drawer.frame(cameras(1)[0])
    assert set(times) == {"preparation", "sort", "draw", "total"}
    assert min(times.values()) > 0
    assert drawer.load_ms > 0
    drawer.release()


@pytest.mark.parametrize("antialiased", [False, True])
def test_gsplat_gets_our_scene_and_our_cameras(monkeypatch: pytest.MonkeyPatch, antialiased: bool) -> None:
    """By its documented signature, with a stand-in made of the torch twin; gsplat itself needs CUDA."""
    contents: dict[str, dict[str, Any]] = {
        "gsplat": {"rasterization": stand_in, "__version__": "1.5"},
        "gsplat.cuda": {},
        "gsplat.cuda._backend": {"_C": object()},
    }
    for name, content in contents.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    scene = random_gaussians(30, 4, 2, antialiased)
    theirs, ours = GsplatDrawer(scene, SIZE, "cpu"), OurDrawer(scene, SIZE, "quads")
    for camera in cameras(2):
        picture, expected = theirs.picture(camera).astype(int), ours.picture(camera).astype(int)
        assert np.ptp(expected) > 100
        assert np.abs(picture - expected).max() <= 2
    assert theirs.frame(cameras(1)[0])["total"] > 0
    sys.modules["gsplat.cuda._backend"]._C = None  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="found no CUDA compiler"):
        GsplatDrawer(scene, SIZE, "cpu")


class Recorder:
    """A worker that only remembers what it was asked."""

    def __init__(self, name: str, log: list[tuple[str, int]]) -> None:
        self.name, self.log = name, log

    def ask(self, frame: int) -> dict[str, float]:
        self.log.append((self.name, frame))
        return {"total": float(len(self.log))}


def test_renderers_take_turns_camera_by_camera() -> None:
    log: list[tuple[str, int]] = []
    workers: Any = {name: Recorder(name, log) for name in ("ours", "peer")}
    frames = rendering.take_turns(workers, cameras=3, warmup=1, rounds=2)
    order = [2, 0, 1, 2, 0, 1, 2]  # one to warm up, then two rounds
    assert log == [(name, camera) for camera in order for name in ("ours", "peer")]
    assert [frame["total"] for frame in frames["ours"]] == [3, 5, 7, 9, 11, 13]
    assert [frame["total"] for frame in frames["peer"]] == [4, 6, 8, 10, 12, 14]


def test_a_renderer_that_draws_something_else_is_not_timed() -> None:
    pictures = [np.full((4, 4, 3), value, np.uint8) for value in (100, 120)]
    found = rendering.compare(pictures, [pictures[0], pictures[0]])
    assert found["least"] == pytest.approx(psnr(pictures[0] / 255, pictures[1] / 255))
    assert found["all"] == pytest.approx((found["least"] or 0) + 10 * np.log10(2))
    assert rendering.compare(pictures, pictures) == {"all": None, "least": None}
    rendering.check_same("garden", {"peer": {"all": None, "least": None}, "gsplat": {"all": 40.0, "least": 25.0}})
    with pytest.raises(
        KilofieldError, match=r"^garden: expected pictures of peer to agree with ours to 25 dB, found 22\.1 dB$"
    ):
        rendering.check_same("garden", {"peer": found})


def test_the_benchmark_measures_in_processes_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("gaussians", "cameras"):
        (tmp_path / folder).mkdir()
    write_ply(tmp_path / "gaussians" / "ball.ply", SCENE)
    write_cameras(tmp_path / "cameras" / "ball.json", cameras(2))
    folders = ["--data", str(tmp_path), "--out", str(tmp_path), "--pictures", str(tmp_path / "pictures")]
    rendering.main([*folders, "--scenes", "ball", "--size", "64", "48", "--rounds", "2", "--warmup", "1"])
    run = json.loads((tmp_path / "rendering.json").read_text())
    (scene,) = run["scenes"]
    assert (run["size"], run["peer"], scene["gaussians"], scene["cameras"]) == ([64, 48], None, 200, 2)
    ours = scene["renderers"]["ours"]
    assert len(ours["frames"]) == 4
    medians = [np.median([frame[stage] for frame in ours["frames"]]) for stage in rendering.STAGES]
    assert [ours["summary"][stage]["median"] for stage in rendering.STAGES] == pytest.approx(medians)
    if "gsplat" not in scene["renderers"]:
        assert scene["missing"]["gsplat"]
    out = capsys.readouterr().out
    assert f"{medians[3]:.1f}" in out.splitlines()[1]
    assert Image.open(tmp_path / "pictures" / "rendering-ball.png").width > 64


def test_a_worker_that_dies_ends_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        Worker(renderer="ours", scene=str(tmp_path / "none.ply"), cameras="", size=SIZE)


def sog_file(path: Path) -> dict[str, np.ndarray]:
    """Four Gaussians as a .sog, written straight from the format's description; what they must be read as."""
    rng = np.random.default_rng(0)
    low, high = (rng.integers(0, 256, (2, 2, 4), np.uint8) for _ in range(2))
    quats, scales, colours = (rng.integers(60, 200, (2, 2, 4), np.uint8) for _ in range(3))
    quats[..., 3] = [[252, 253], [254, 255]]
    labels = np.zeros((2, 2, 4), np.uint8)
    labels[..., :2] = [[[0, 0], [5, 0]], [[63, 0], [64, 0]]]  # the last is in the second row of the palette
    centroids = rng.integers(0, 256, (2, 64 * 3, 3), np.uint8)
    book = np.sort(rng.normal(0, 1, 256)).tolist()
    pictures = {"l": low, "u": high, "q": quats, "s": scales, "c": colours, "p": centroids, "n": labels}
    meta = {
        "version": 2,
        "count": 4,
        "means": {"mins": [-1.0, -2.0, 0.0], "maxs": [1.0, 0.5, 3.0], "files": ["l", "u"]},
        "quats": {"files": ["q"]},
        "scales": {"codebook": book, "files": ["s"]},
        "sh0": {"codebook": book, "files": ["c"]},
        "shN": {"codebook": book, "bands": 1, "files": ["p", "n"]},
    }
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("meta.json", json.dumps(meta))
        for name, picture in pictures.items():
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, format="WEBP", lossless=True, exact=True)
            file.writestr(name, buffer.getvalue())
    flat = {name: picture.reshape(-1, picture.shape[2]).astype(float) for name, picture in pictures.items()}
    share = (flat["l"][:, :3] + 256 * flat["u"][:, :3]) / 65535
    log = np.array([-1.0, -2.0, 0.0]) + np.array([2.0, 2.5, 3.0]) * share
    return {
        "positions": np.sign(log) * (np.exp(np.abs(log)) - 1),
        "log_scales": np.take(book, scales.reshape(4, 4)[:, :3]),
        "opacity": flat["c"][:, 3] / 255,
        "base": np.take(book, colours.reshape(4, 4)[:, :3]),
        "last band": np.take(book, centroids[1, :3]),
        "smaller": (flat["q"][:, :3] / 127.5 - 1) / np.sqrt(2),
    }


def test_a_sog_is_read_as_its_description_says(tmp_path: Path) -> None:
    expected = sog_file(tmp_path / "a.sog")
    found = read_sog(tmp_path / "a.sog")
    np.testing.assert_allclose(found.positions, expected["positions"], rtol=1e-5)
    np.testing.assert_allclose(found.log_scales, expected["log_scales"], rtol=1e-6)
    np.testing.assert_allclose(1 / (1 + np.exp(-found.opacity_logits)), expected["opacity"], rtol=1e-5)
    np.testing.assert_allclose(found.sh[:, 0], expected["base"], rtol=1e-6)
    np.testing.assert_allclose(found.sh[3, 1:], expected["last band"], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found.rotations, axis=1), 1, atol=1e-6)
    for i in range(4):  # Gaussian i leaves out component i
        np.testing.assert_allclose(np.delete(found.rotations[i], i), expected["smaller"][i], atol=1e-6)


def test_the_sog_of_playbot_is_playbot(data: Path) -> None:
    found = read_sog(data / "gaussians" / "playbot-500k.sog")
    assert (len(found), found.sh_degree) == (500_000, 2)
    assert found.finite().all()
    trained = read_ply(data / "gaussians" / "playbot-125k.ply").gaussians
    ground = [0, 2]  # trained apart, the two agree about that
    spread = [np.quantile(scene.positions[:, ground], (0.05, 0.5, 0.95), axis=0) for scene in (found, trained)]
    np.testing.assert_allclose(spread[0], spread[1], atol=0.1)
    np.testing.assert_allclose(found.sh[:, 0].mean(axis=0), trained.sh[:, 0].mean(axis=0), atol=0.35)


def test_copies_lie_side_by_side_on_the_ground() -> None:
    scene = sample_scene(500)
    up = int(np.argmax(np.abs(scene_extent(scene).up)))
    many, extent = tiled(scene, 6)
    assert len(many) == 6 * 500
    offsets = many.positions.reshape(6, 500, 3) - scene.positions
    np.testing.assert_allclose(offsets, np.broadcast_to(offsets[:, :1], offsets.shape), atol=1e-5)
    centres = offsets[:, 0]
    assert len(np.unique(centres.round(4), axis=0)) == 6
    assert np.ptp(centres[:, up]) == 0
    width = np.ptp(np.quantile(scene.positions, (0.01, 0.99), axis=0), axis=0)
    apart = np.abs(centres[:, None] - centres)[~np.eye(6, dtype=bool)]
    assert ((apart >= 0.99 * width) | (apart < 1e-4)).all()
    inside = np.linalg.norm(many.positions - extent.centre, axis=1) <= extent.radius
    assert inside.mean() > 0.9


def test_a_quick_neural_form_shows_the_scene() -> None:
    scene = sample_scene(1500)
    form = neural(scene, networks=4, width=8, layers=1)
    assert len(form) == 1500
    (camera,) = preset_path("orbit", scene_extent(scene), 1, SIZE[0] / SIZE[1])
    pictures = [OurDrawer(thing, SIZE, "quads").picture(camera) / 255 for thing in (scene, form)]
    assert psnr(*pictures) > 25


def test_agreement_is_the_worst_pair() -> None:
    a = np.zeros((10, 10, 3), np.uint8)
    b = a.copy()
    b[0, 0, 0] = 255  # one of 300 values: 24.8 dB
    assert agreement([a, a], [a, b]) == {"psnr": pytest.approx(10 * np.log10(300)), "passed": False}
    assert agreement([a, a], [a, b], required=False)["passed"]
    assert agreement([a], [a]) == {"psnr": None, "passed": True}


def test_the_gpu_script_works_without_a_gpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main(["--quick", "--copies", "2", "--data", str(tmp_path / "none"), "--out", str(tmp_path)])
    (path,) = tmp_path.glob("gpu-*.json")
    run = json.loads(path.read_text())
    assert [scene["gaussians"] for scene in run["scenes"]] == [800, 1600, 800]
    for scene in run["scenes"][:2]:
        assert [row["what"] for row in scene["rows"]] == ["tiles", "quads", "gsplat"]
    rows = {row["what"]: row for row in run["scenes"][2]["rows"]}
    assert rows["decode all"]["total"]["median"] > 0
    assert rows["tiles, resident"]["memory"] < rows["tiles, decoded"]["memory"]
    assert all(check["passed"] for check in run["checks"].values())
    assert run["checks"]["tiles, reference"]["psnr"] > 50
    printed = capsys.readouterr().out
    assert "gsplat" in printed
    assert all(cells[1] in printed for cells in gpu_rows(run))
    assert f"| {run['device']} | sample x 2, 1,600 | quads |" in gpu_tables([run])


def test_a_failed_check_is_the_exit_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "AGREE", 1e9)
    for part in ("measure_plain", "measure_many", "measure_neural"):
        monkeypatch.setattr(gpu, part, lambda *_: None)
        getattr(gpu, part).__name__ = part
    with pytest.raises(SystemExit, match="failed: tiles, reference, quads, reference"):
        gpu.main(["--quick", "--out", str(tmp_path)])


STATISTICS = {"mean": 3.0, "median": 2.0, "p95": 5.0, "p99": 6.0}


def test_the_readme_tells_frame_times_beside_the_peer() -> None:
    stages = dict.fromkeys(rendering.STAGES, STATISTICS)
    slower = {stage: {name: 2.5 * value for name, value in STATISTICS.items()} for stage in rendering.STAGES}
    scene = {
        "scene": "garden",
        "gaussians": 1000,
        "psnr": {"peer": {"all": 47.44, "least": 40.0}},
        "missing": {"gsplat": "no CUDA"},
        "renderers": {
            "ours": {"facts": {"renderer": "llvmpipe"}, "summary": stages},
            "peer": {"facts": {}, "summary": slower},
        },
    }
    run = {"size": [640, 360], "peer": {"name": "limacv/GaussianSplattingViewer"}, "scenes": [scene]}
    lines = rendering_table([run]).splitlines()
    assert lines[2] == "| garden, 1,000, 640x360 | Kilofield | 2.0 | 2.0 | 2.0 | 2.0 | 1.00 | - | llvmpipe |"
    peer = "limacv/GaussianSplattingViewer"
    assert lines[3] == f"| garden, 1,000, 640x360 | {peer} | 5.0 | 5.0 | 5.0 | 5.0 | 2.50 | 47.4 dB | llvmpipe |"
    assert rendering_table([]) == gpu_tables([]) == NOTHING_YET
    assert rendering.table([scene]).splitlines()[-1] == "garden, gsplat: not measured: no CUDA"


def test_the_readme_tells_flights_by_scene() -> None:
    scenes = [{"name": name, "gaussians": 1000, "summary": {"total": STATISTICS}} for name in ("a.ply", "b.kilo")]
    flight = {"size": [64, 48], "device": {"renderer": "llvmpipe"}, "scenes": scenes}
    assert speed_table([], [flight]).splitlines()[2:] == [
        "| fly: a.ply, 1,000 Gaussians, 64x48 | 2 ms | llvmpipe |",
        "| fly: b.kilo, 1,000 Gaussians, 64x48 | 2 ms | llvmpipe |",
    ]
