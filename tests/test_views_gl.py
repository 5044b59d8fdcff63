"""Every view, camera and switch of the OpenGL renderer, by every path, against the exact numpy renderer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import moderngl
import numpy as np
import pytest
from gaussian_samples import camera_of_kind, random_gaussians, random_neural
from numpy.typing import NDArray
from oracles import HEIGHT, NAMES, WIDTH, read_oracle

from renderer.context import create_context
from renderer.gaussian_renderer import GaussianRenderer
from renderer.packed_geometry import pack_geometry, pack_harmonics, unpack_geometry, unpack_harmonics
from renderer.reference import Doubles
from renderer.reference_views import render_view_reference
from renderer.settings import VIEWS, CropBox, RenderSettings
from scenes.bank import BankShape, MlpBank
from scenes.cameras import PROJECTIONS, Camera, look_at
from scenes.extent import scene_extent
from scenes.gaussians import Floats, Gaussians
from scenes.load import load_scene
from scenes.neural_gaussians import NeuralGaussians

BACKGROUND = (0.2, 0.5, 0.9)
ENOUGH = 50.0  # dB in 8 bit
SHARP = ("depth", "overdraw", "rings")


@dataclass(frozen=True)
class Scene:
    """What one test looks at."""

    scene: Gaussians | NeuralGaussians
    cameras: dict[str, Camera]  # by projection
    size: tuple[int, int]
    deepest: float  # world units, white in the depth view

    @property
    def gaussians(self) -> Gaussians:
        return self.scene.decode() if isinstance(self.scene, NeuralGaussians) else self.scene

    @property
    def clusters(self) -> NDArray[np.integer] | None:
        return self.scene.clusters if isinstance(self.scene, NeuralGaussians) else None

    def settings(self, view: str) -> RenderSettings:
        return RenderSettings(view, background=BACKGROUND, depth_range=(0.2, self.deepest), overdraw_range=32)


@cache
def random_scene() -> Scene:
    return Scene(random_gaussians(300, 21), {kind: camera_of_kind(kind) for kind in PROJECTIONS}, (96, 72), 4.0)


@cache
def neural_scene() -> Scene:
    scene = random_neural(BankShape((1.0, 2.0), 8, 32, 2, 34), 5, 300, 2, 3)
    bank = MlpBank(scene.bank.shape, as_in_files(scene.bank.weights))
    return replace(random_scene(), scene=replace(scene, positions=as_in_files(scene.positions), bank=bank))


def as_in_files(numbers: Floats) -> Floats:
    """Rounded to half floats: what a resident scene is made of."""
    return numbers.astype(np.float16).astype(np.float32)


@cache
def oracle_scene(data: Path, name: str) -> Scene:
    oracle = read_oracle(data, name)
    return Scene(oracle.gaussians, {"pinhole": oracle.camera}, (WIDTH, HEIGHT), 12.0)


@cache
def real_scene(data: Path) -> Scene:
    """A part of hamburger, seen from outside, for the equirectangular camera from within."""
    whole = load_scene(data / "gaussians" / "hamburger.ply").gaussians
    gaussians = whole.select(np.random.default_rng(0).permutation(len(whole))[:3000])
    extent = scene_extent(gaussians)
    distance = 2.2 * extent.radius
    up = np.array([0.0, 1.0, 0.0])
    outside = look_at(extent.centre + distance * np.array([0.5, 0.4, 0.8]), extent.centre, up, 0.8)
    inside = look_at(extent.centre, extent.centre + np.array([1.0, 0.2, 0.0]), up, 0.8, near=0.02 * extent.radius)
    cameras = {
        "pinhole": outside,
        "orthographic": replace(outside, projection="orthographic", view_height=1.5 * extent.radius),
        "equirectangular": replace(inside, projection="equirectangular"),
    }
    return Scene(gaussians, cameras, (160, 120), 2 * distance)


def stored(gaussians: Gaussians) -> Gaussians:
    """As video memory holds them, in 16-bit numbers."""
    sh = unpack_harmonics(pack_harmonics(gaussians.sh), gaussians.sh.shape[1])
    return unpack_geometry(pack_geometry(gaussians), sh, gaussians.antialiased)


_expected: dict[tuple[int, str, RenderSettings, str], Doubles] = {}  # scenes are cached: their ids stay theirs


def expected_picture(scene: Scene, projection: str, settings: RenderSettings, residency: str = "decoded") -> Doubles:
    """The numpy twin's, computed once for all the paths held to it.

    Rings, counts and the outline of the depths have sharp edges, so there the twin starts from what is stored: half a
    step of rounding in a Gaussian's size moves them over the middles of some pixels. Resident scenes are not rounded.
    """
    key = id(scene), projection, settings, residency
    if key not in _expected:
        rounded = settings.view in SHARP and residency == "decoded"
        gaussians = stored(scene.gaussians) if rounded else scene.gaussians
        camera = scene.cameras[projection]
        _expected[key] = render_view_reference(gaussians, camera, *scene.size, settings, scene.clusters)
    return _expected[key]


def assert_like_the_twin(renderer: GaussianRenderer, scene: Scene, projection: str, settings: RenderSettings) -> None:
    found = renderer.render(scene.cameras[projection], *scene.size, settings)
    expected = expected_picture(scene, projection, settings, renderer.facts.residency)
    assert np.ptp(expected) > 0.02  # something is seen
    eight = [np.rint(np.clip(picture, 0, 1) * 255) for picture in (found, expected)]
    error = np.mean((eight[0] - eight[1]) ** 2)
    assert error <= 255**2 / 10 ** (ENOUGH / 10), f"{10 * np.log10(255**2 / error):.1f} dB"


@pytest.fixture(scope="module")
def context() -> moderngl.Context:
    return create_context()


@pytest.fixture(scope="module", params=["quads", "tiles"])
def pipeline(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def renderer(context: moderngl.Context, pipeline: str) -> Iterator[GaussianRenderer]:
    renderer = GaussianRenderer(context, pipeline=pipeline)
    yield renderer
    renderer.release()


@pytest.fixture(scope="module", params=["decoded", "resident"])
def neural_renderer(
    request: pytest.FixtureRequest, context: moderngl.Context, pipeline: str
) -> Iterator[GaussianRenderer]:
    renderer = GaussianRenderer(context, pipeline=pipeline, residency=request.param)
    renderer.load(neural_scene().scene)
    yield renderer
    renderer.release()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("projection", PROJECTIONS)
def test_random_gaussians(renderer: GaussianRenderer, projection: str, view: str) -> None:
    scene = random_scene()
    renderer.load(scene.scene)
    assert_like_the_twin(renderer, scene, projection, scene.settings(view))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("projection", PROJECTIONS)
def test_neural_gaussians(neural_renderer: GaussianRenderer, projection: str, view: str) -> None:
    assert_like_the_twin(neural_renderer, neural_scene(), projection, neural_scene().settings(view))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", NAMES)
def test_oracles(renderer: GaussianRenderer, data: Path, name: str, view: str) -> None:
    scene = oracle_scene(data, name)
    renderer.load(scene.scene)
    assert_like_the_twin(renderer, scene, "pinhole", scene.settings(view))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("projection", PROJECTIONS)
def test_a_part_of_a_real_scene(renderer: GaussianRenderer, data: Path, projection: str, view: str) -> None:
    scene = real_scene(data)
    renderer.load(scene.scene)
    assert_like_the_twin(renderer, scene, projection, scene.settings(view))


BOX = CropBox((-0.4, -0.5, -0.6), (0.5, 0.3, 0.6))
SWITCHES = {
    "no harmonics": {"sh_degree": 0},
    "some harmonics": {"sh_degree": 2},
    "antialiased": {"antialiased": True},
    "larger": {"scale": 1.6},
    "smaller": {"scale": 0.3, "antialiased": True},
    "opaque": {"min_opacity": 0.4},
    "cropped": {"crop": BOX},
    "white": {"background": (1.0, 1.0, 1.0)},
    "all at once": {"sh_degree": 1, "antialiased": True, "scale": 1.3, "min_opacity": 0.2, "crop": BOX},
}


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("projection", PROJECTIONS)
def test_switches(renderer: GaussianRenderer, projection: str, name: str) -> None:
    scene = random_scene()
    renderer.load(scene.scene)
    assert_like_the_twin(renderer, scene, projection, replace(scene.settings("colour"), **SWITCHES[name]))


@pytest.mark.parametrize("name", SWITCHES)
def test_switches_of_neural_scenes(neural_renderer: GaussianRenderer, name: str) -> None:
    settings = replace(neural_scene().settings("colour"), **SWITCHES[name])
    assert_like_the_twin(neural_renderer, neural_scene(), "pinhole", settings)


@pytest.mark.parametrize("view", VIEWS)
def test_switches_in_every_view(renderer: GaussianRenderer, view: str) -> None:
    scene = random_scene()
    renderer.load(scene.scene)
    assert_like_the_twin(renderer, scene, "pinhole", replace(scene.settings(view), **SWITCHES["all at once"]))


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_near(renderer: GaussianRenderer, projection: str) -> None:
    """A plane through the middle of the cloud."""
    scene = random_scene()
    camera = scene.cameras[projection]
    depth = float(np.linalg.norm(camera.position)) if projection != "equirectangular" else 0.6
    cut = replace(scene, cameras={projection: replace(camera, near=depth)})
    renderer.load(scene.scene)
    found = renderer.render(cut.cameras[projection], *scene.size, scene.settings("colour"))
    whole = expected_picture(scene, projection, scene.settings("colour"))
    assert np.abs(found - whole).max() > 0.3
    assert_like_the_twin(renderer, cut, projection, scene.settings("colour"))


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_sorting_on_either_processor(context: moderngl.Context, pipeline: str, projection: str) -> None:
    """The same order, in pictures with one record a Gaussian and with two; triangles and quads round differently."""
    scene = random_scene()
    pictures = []
    for sort in ("cpu", "gpu"):
        renderer = GaussianRenderer(context, pipeline=pipeline, sort=sort)
        renderer.load(scene.scene)
        pictures.append(renderer.render_rgba(scene.cameras[projection], *scene.size, scene.settings("colour")))
        renderer.release()
    difference = np.abs(pictures[0] - pictures[1])
    assert difference.max() < 1.5 / 255  # where a footprint ends, alpha falls from 1/255 to nothing
    assert difference.mean() < 1e-6
    assert pictures[0].std() > 0.1


@pytest.mark.parametrize("view", VIEWS)
def test_a_window_shows_the_same(renderer: GaussianRenderer, context: moderngl.Context, view: str) -> None:
    """The picture is put together by a shader there, by numpy in `render`."""
    scene = random_scene()
    renderer.load(scene.scene)
    width, height = scene.size
    framebuffer = context.framebuffer([context.texture(scene.size, 4, dtype="f4")])
    settings = scene.settings(view)
    renderer.draw(scene.cameras["pinhole"], framebuffer, settings)
    drawn = np.frombuffer(framebuffer.read(components=3, dtype="f4"), np.float32).reshape(height, width, 3)[::-1]
    np.testing.assert_allclose(drawn, renderer.render(scene.cameras["pinhole"], *scene.size, settings), atol=1e-5)
    framebuffer.release()
