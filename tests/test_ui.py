"""The parts of the window that need no window."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kilo_scenes import random_scene
from PIL import Image
from ui_scenes import shell

from renderer.reference import project_reference
from scenes.cameras import Camera, look_at
from scenes.content import ReadOptions
from scenes.errors import KilofieldError
from scenes.extent import scene_extent
from scenes.framing import framing
from scenes.gaussians import Gaussians
from scenes.kilo import write_kilo
from scenes.kilo_surface import write_surface
from scenes.load import load_scene
from scenes.open_scene import SurfaceFile, open_scene
from scenes.ply import write_ply
from scenes.progress import Progress
from scenes.sizes import readable_bytes
from scenes.surface_extent import surface_extent
from tests.surface_samples import random_surface
from ui import loading
from ui.facts import scene_facts
from ui.loading import LoadedScene, SceneLoader
from ui.messages import NOTE_SECONDS, Messages
from ui.picking import pick, ray_through
from ui.resolution import BUDGET_MS, LADDER, MovingScale
from ui.screenshots import save_screenshot

WIDTH, HEIGHT = 200, 120
CAMERA = look_at(np.array([0.3, -0.5, -4.0]), np.zeros(3), np.array([0.0, -1, 0]), 0.8)


def median_depth(gaussians: Gaussians, camera: Camera, pixel: tuple[float, float]) -> float:
    """The slow twin of `pick`, by the splats of the reference renderer: the depth where half the light is lost."""
    splats = project_reference(gaussians, camera, WIDTH, HEIGHT)
    offset = np.array(pixel) - splats.means
    power = np.einsum("mi,mij,mj->m", offset, np.linalg.inv(splats.covariances), offset)
    alpha = np.minimum(splats.opacities * np.exp(-0.5 * power), 0.99)
    left = np.cumprod(1 - alpha)
    centres = gaussians.positions[splats.index[np.argmax(left <= 0.5)]]
    return float((camera.camera_from_world @ [*centres, 1.0])[2])


@pytest.mark.parametrize("pixel", [(100.0, 60.0), (85.5, 50.5), (118.0, 71.0)])
def test_a_pick_lies_on_the_ray_at_the_median_depth(pixel: tuple[float, float]) -> None:
    gaussians = shell()
    point = pick(gaussians, CAMERA, pixel, WIDTH, HEIGHT)
    assert point is not None
    seen = (CAMERA.camera_from_world @ [*point, 1.0])[:3]
    fx, fy, cx, cy = CAMERA.intrinsics(WIDTH, HEIGHT)
    assert (fx * seen[0] / seen[2] + cx, fy * seen[1] / seen[2] + cy) == pytest.approx(pixel, abs=1e-6)
    assert seen[2] == pytest.approx(median_depth(gaussians, CAMERA, pixel), abs=0.1)
    assert np.linalg.norm(point) == pytest.approx(1, abs=0.05)  # on the shell's near side
    assert seen[2] < np.linalg.norm(CAMERA.position)


def joined(*parts: Gaussians) -> Gaussians:
    names = ("positions", "log_scales", "rotations", "opacity_logits", "sh")
    arrays = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
    return Gaussians(arrays[0], arrays[1], arrays[2], arrays[3], arrays[4])


def test_the_first_view_holds_thin_parts_but_not_floaters_or_surroundings() -> None:
    ball = shell()
    along = np.linspace([0, 1, 0], [0, 2, 0], 300).astype(np.float32)
    pole = replace(ball.select(slice(0, 300)), positions=along, log_scales=np.full((300, 3), -6, np.float32))
    with_pole = joined(ball, pole)
    frame = framing(with_pole, scene_extent(with_pole))
    distances = np.linalg.norm(with_pole.positions - frame.centre, axis=1)
    assert distances.max() < 1.1 * frame.radius
    assert frame.radius == pytest.approx(1.5, abs=0.1)
    floaters = replace(ball.select(slice(0, 20)), positions=50 + ball.positions[:20])
    frame = framing(joined(ball, floaters), scene_extent(ball))
    assert frame.radius == pytest.approx(1, abs=0.05)
    sky = replace(ball, positions=30 * ball.positions)
    near = scene_extent(ball)
    assert framing(joined(ball, sky), near) is near
    assert framing(ball.select(slice(0, 0)), near) is near


def test_empty_space_is_not_picked() -> None:
    assert pick(shell(), CAMERA, (3.0, 3.0), WIDTH, HEIGHT) is None
    assert pick(shell().select(slice(0, 0)), CAMERA, (100.0, 60.0), WIDTH, HEIGHT) is None


def test_what_is_behind_the_camera_or_before_the_near_plane_is_not_picked() -> None:
    inside = Camera(np.eye(4), 0.8)
    point = pick(shell(), inside, (100.0, 60.0), WIDTH, HEIGHT)
    assert point is not None
    np.testing.assert_allclose(point, [0, 0, 1], atol=0.05)
    assert pick(shell(), Camera(np.eye(4), 0.8, near=2.0), (100.0, 60.0), WIDTH, HEIGHT) is None


def test_a_ray_through_a_pixel_projects_to_it() -> None:
    origin, direction = ray_through(CAMERA, (31.0, 97.5), WIDTH, HEIGHT)
    x, y, z = (CAMERA.camera_from_world @ [*(origin + 2.5 * direction), 1.0])[:3]
    fx, fy, cx, cy = CAMERA.intrinsics(WIDTH, HEIGHT)
    assert (fx * x / z + cx, fy * y / z + cy) == pytest.approx((31.0, 97.5))


def settle(scale: MovingScale, fixed: float, blend: float, stage: str = "blend") -> float:
    """The scale after a while on a device with these times, ms: `blend` of a whole picture."""
    for _ in range(10):
        now = blend * scale.value**2
        scale.measured(scale.value, {stage: now, "total": fixed + now})
    return scale.value


def test_a_fast_device_draws_whole_pictures_and_a_slow_one_keeps_the_budget() -> None:
    assert settle(MovingScale(0.5), 1.0, 5.0) == 1.0
    for blend in (60.0, 120.0, 300.0):
        value = settle(MovingScale(), 5.0, blend)
        assert 5.0 + blend * value**2 <= BUDGET_MS
        larger = LADDER[LADDER.index(value) - 1]
        assert 5.0 + blend * larger**2 > 0.8 * BUDGET_MS
    assert settle(MovingScale(), 5.0, 1e6) == LADDER[-1]


def test_the_scale_does_not_shrink_for_what_size_cannot_help() -> None:
    assert settle(MovingScale(), 200.0, 100.0) == 1.0
    assert settle(MovingScale(), 5.0, 1e6, "filter") == LADDER[-1]  # which has fewer pixels, too


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (81_234, "81.2 KB"), (4_712_951, "4.71 MB")]
)
def test_sizes_are_short(count: int, text: str) -> None:
    assert readable_bytes(count) == text


def test_facts_of_a_ply(tmp_path: Path) -> None:
    write_ply(tmp_path / "shell.ply", shell())
    file = load_scene(tmp_path / "shell.ply")
    assert scene_facts(file, 48_000) == [
        ("Format", ".ply"),
        ("Gaussians", "3,000, SH degree 0"),
        ("File", readable_bytes(file.bytes)),
        ("Video memory", "48.0 KB"),
    ]


def test_facts_of_a_kilo(tmp_path: Path) -> None:
    write_kilo(tmp_path / "scene.kilo", random_scene(count=400, networks=3, code=4, degree=1))
    file = load_scene(tmp_path / "scene.kilo")
    facts = dict(scene_facts(file, 0))
    plain = 400 * 4 * (14 + 12)
    assert facts["Clusters"] == "3, of 407 weights"  # 19 inputs x 8 + 8, 8 x 19 outputs, 19 biases, 4 x 19 linear
    assert facts["Network"] == "1 x 8 tanh + linear path"
    assert facts["Code"] == "4 numbers a Gaussian"
    assert facts["As .ply"] == f"41.6 KB, {plain / file.bytes:.1f} times the file"


@pytest.mark.parametrize("appearance", [None, 6])
def test_facts_of_a_surface(tmp_path: Path, appearance: int | None) -> None:
    write_surface(tmp_path / "scene.kilo", random_surface(missing=3, appearance=appearance))
    file = open_scene(tmp_path / "scene.kilo")
    assert isinstance(file, SurfaceFile)
    assert scene_facts(file, 48_000) == [
        ("Format", ".kilo, a surface"),
        ("Cells", "24 of 3 x 3 x 3"),
        ("Cell edge", "0.5, overlap 20 %"),
        ("Geometry", f"2 x 8 sine, {file.surface.geometry.shape.parameters:,} weights a cell"),
        ("Colour", "none: lit from the camera" if appearance is None else "1 x 8 sine, 155 weights a cell"),
        ("File", readable_bytes(file.bytes)),
        ("Video memory", "48.0 KB"),
    ]


def test_a_surface_is_loaded_with_where_it_is(tmp_path: Path) -> None:
    surface = random_surface()
    write_surface(tmp_path / "scene.kilo", surface)
    loader = SceneLoader()
    loader.start(tmp_path / "scene.kilo")
    loaded = wait(loader)
    assert isinstance(loaded.file, SurfaceFile)
    assert loaded.gaussians is None
    assert loaded.prepared is None
    np.testing.assert_array_equal(loaded.extent.centre, surface_extent(surface).centre)


def test_a_slow_surface_is_drawn_smaller_while_it_moves() -> None:
    scale = MovingScale()
    for _ in range(10):
        stages = {"trace": 150.0, "normal": 40.0, "shade": 10.0, "total": 210.0}
        scale.measured(scale.value, {stage: scale.value**2 * time for stage, time in stages.items()})
    assert 200 * scale.value**2 <= BUDGET_MS
    assert scale.value > LADDER[-1]


def wait(loader: SceneLoader) -> LoadedScene:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        loaded = loader.poll()
        if loaded is not None:
            return loaded
        time.sleep(0.005)
    raise AssertionError("nothing was loaded")


def test_loading_reads_and_measures(tmp_path: Path) -> None:
    write_ply(tmp_path / "shell.ply", shell())
    loader = SceneLoader()
    assert loader.path is None
    loader.start(tmp_path / "shell.ply")
    assert loader.path == tmp_path / "shell.ply"
    loaded = wait(loader)
    assert loaded.gaussians is not None
    np.testing.assert_array_equal(loaded.gaussians.positions, shell().positions)
    assert loaded.extent.radius == pytest.approx(1, abs=0.1)
    assert loader.path is None
    assert loader.poll() is None


def test_an_error_of_the_file_is_raised_once(tmp_path: Path) -> None:
    loader = SceneLoader()
    loader.start(tmp_path / "none.ply")
    with pytest.raises(KilofieldError, match=r"none\.ply: file: expected a file, found nothing at this path"):
        wait(loader)
    assert loader.path is None
    assert loader.poll() is None


def test_a_mistake_of_ours_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path, progress: Progress, options: ReadOptions) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(loading, "open_scene", broken)
    loader = SceneLoader()
    loader.start(Path("any.ply"))
    with pytest.raises(ZeroDivisionError):
        wait(loader)


def test_the_newest_request_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ply(tmp_path / "slow.ply", shell())
    write_ply(tmp_path / "quick.ply", shell().select(slice(0, 100)))
    release = threading.Event()

    def load(path: Path, progress: Progress, options: ReadOptions) -> object:
        if path.name == "slow.ply":
            release.wait(20)
        return load_scene(path)

    monkeypatch.setattr(loading, "open_scene", load)
    loader = SceneLoader()
    loader.start(tmp_path / "slow.ply")
    assert loader.status().stage == "reading"
    loader.start(tmp_path / "quick.ply")
    assert wait(loader).file.path.name == "quick.ply"
    release.set()
    time.sleep(0.2)
    assert loader.poll() is None


def test_screenshots_never_replace_a_file(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    (tmp_path / "garden-001.png").write_bytes(b"somebody's")
    first = save_screenshot(picture, Path("/elsewhere/garden.compressed.ply"), tmp_path)
    second = save_screenshot(255 - picture, Path("garden.KILO"), tmp_path)
    assert [first.name, second.name] == ["garden-002.png", "garden-003.png"]
    assert (tmp_path / "garden-001.png").read_bytes() == b"somebody's"
    np.testing.assert_array_equal(np.array(Image.open(first)), picture)
    np.testing.assert_array_equal(np.array(Image.open(second)), 255 - picture)


def test_a_screenshot_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    with pytest.raises(KilofieldError, match=r"gone/scene-001.png: cannot write: No such file or directory"):
        save_screenshot(np.zeros((2, 2, 3), np.uint8), Path("scene.ply"), folder)
    assert not folder.exists()


def test_notes_fade_and_errors_stay() -> None:
    messages = Messages()
    messages.note("saved", 10.0)
    messages.error("broken")
    assert [m.text for m in messages.shown(10.0)] == ["broken", "saved"]
    assert [m.text for m in messages.shown(10.0 + NOTE_SECONDS)] == ["broken"]
    messages.error("broken too")
    assert [m.text for m in messages.shown(1e9)] == ["broken too"]
    assert messages.dismiss()
    assert not messages.dismiss()
    assert messages.shown(10.0) == messages.shown(11.0) != []
