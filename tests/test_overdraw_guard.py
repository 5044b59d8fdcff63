"""A frame that would cost more than its budget is drawn nearest first until the budget is spent, and says so."""

from __future__ import annotations

from collections.abc import Iterator

import moderngl
import numpy as np
import pytest
from gaussian_samples import cameras, random_gaussians

from renderer.context import create_context
from renderer.depth_order import DepthSorter
from renderer.gaussian_renderer import GaussianRenderer
from renderer.gpu_gaussians import radii_and_areas
from renderer.layouts import COST_PIXELS
from renderer.pipeline_trial import RUNS, PipelineTrial
from renderer.reference import project_reference
from scenes.cameras import Camera
from scenes.gaussians import Gaussians

SIZE = 320, 240
PICTURE = 320 * 240


@pytest.fixture(scope="module")
def context() -> moderngl.Context:
    return create_context()


def walls(count: int) -> Gaussians:
    """Faint Gaussians that each fill the picture, one behind the other, mixed with small ones."""
    scene = random_gaussians(count, 5, 0)
    log_scales = scene.log_scales.copy()
    log_scales[::2] = 4.0
    positions = np.column_stack([np.zeros(count), np.zeros(count), np.linspace(2, 9, count)]).astype(np.float32)
    return Gaussians(positions, log_scales, scene.rotations, np.full(count, -3.0, np.float32), scene.sh)


@pytest.fixture(params=["cpu", "gpu"])
def renderer(request: pytest.FixtureRequest, context: moderngl.Context) -> Iterator[GaussianRenderer]:
    renderer = GaussianRenderer(context, "quads", sort=request.param)
    yield renderer
    renderer.release()


def test_a_frame_within_its_budget_is_whole(renderer: GaussianRenderer) -> None:
    renderer.load(random_gaussians(500, 1))
    renderer.render(cameras()[0], *SIZE)
    assert renderer.facts.capped == 0
    assert 490 <= renderer.facts.candidates <= 500  # numpy keeps what may touch the picture, the GPU what does


def test_what_is_left_out_is_the_farthest(renderer: GaussianRenderer) -> None:
    scene = walls(400)
    renderer.load(scene)
    camera = Camera(np.eye(4), 0.9)
    renderer.overdraw_budget = 60.0 * PICTURE
    capped = renderer.render(camera, *SIZE)
    drawn = renderer.facts.candidates - renderer.facts.capped
    assert 60 <= drawn <= 160  # every other one fills the picture, the rest is small
    renderer.load(scene.select(slice(0, drawn)))
    renderer.overdraw_budget = 1e12
    np.testing.assert_array_equal(capped, renderer.render(camera, *SIZE))


def test_the_gpu_spends_the_budget(context: moderngl.Context) -> None:
    """Against the areas of the exact projection, summed nearest first."""
    renderer = GaussianRenderer(context, "quads", sort="gpu")
    scene = random_gaussians(20000, 3, 0)
    renderer.load(scene)
    budget = 300 * COST_PIXELS
    renderer.overdraw_budget = budget
    renderer.render(cameras()[0], *SIZE)
    drawn = renderer.facts.candidates - renderer.facts.capped
    splats = project_reference(scene, cameras()[0], *SIZE)
    reach = np.sqrt(2 * np.log(np.maximum(255 * splats.opacities, 1)))
    extent = reach[:, None] * np.sqrt(np.diagonal(splats.covariances, axis1=1, axis2=2))
    low, high = splats.means - extent, splats.means + extent
    inside = np.clip(np.minimum(high, SIZE) - np.maximum(low, 0), 0, None).prod(axis=1)
    quads = 4 * reach**2 * np.sqrt(np.linalg.det(splats.covariances))
    spent = np.cumsum(np.minimum(inside, quads))
    assert 0 < renderer.facts.capped < renderer.facts.candidates
    assert 0.8 * budget < spent[drawn] < 1.2 * budget
    renderer.release()


def test_tiles_are_capped_as_well(context: moderngl.Context) -> None:
    renderer = GaussianRenderer(context, "tiles")
    quads = GaussianRenderer(context, "quads", sort="cpu")
    for each in (renderer, quads):
        each.load(walls(400))
        each.overdraw_budget = 60.0 * PICTURE
    camera = Camera(np.eye(4), 0.9)
    picture = renderer.render(camera, *SIZE)
    assert renderer.facts.capped > 0
    assert np.abs(picture - quads.render(camera, *SIZE)).max() < 0.2  # not the same cut, about the same picture


def test_the_cpu_never_underestimates() -> None:
    """What numpy thinks a footprint covers is not less than what it does, up to the clamp of the frustum."""
    scene = random_gaussians(2000, 4, 0)
    radii, areas = radii_and_areas(scene.log_scales)
    camera = cameras()[0]
    order = DepthSorter(scene.positions, radii, areas).order(camera, *SIZE)
    splats = project_reference(scene, camera, *SIZE)
    reach = np.sqrt(2 * np.log(np.maximum(255 * splats.opacities, 1)))
    quads = dict(zip(splats.index.tolist(), 4 * reach**2 * np.sqrt(np.linalg.det(splats.covariances)), strict=True))
    for budget in (1e4, 1e5, 1e6):
        count = order.affordable(budget)
        assert sum(min(quads[int(i)], PICTURE) for i in order.records[:count]) <= 1.1 * budget


def test_the_faster_pipeline_is_kept(context: moderngl.Context, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    slow = {"tiles": 1, "quads": 3}
    trial = PipelineTrial(context)
    now = [0.0]
    monkeypatch.setattr("renderer.pipeline_trial.perf_counter", lambda: now[0])
    used = []
    while not trial.over:
        pipeline = trial.choice()
        used.append(pipeline)
        with trial.timed(pipeline, True):
            now[0] += slow[pipeline] + 0.01 * next(clock)
    assert sorted(used) == sorted(["tiles", "quads"] * RUNS)
    assert trial.choice() == "tiles"
    trial.restart()
    assert not trial.over
    with trial.timed("quads", False):
        now[0] += 1
    assert not trial.over


def test_auto_takes_quads_in_software(context: moderngl.Context) -> None:
    renderer = GaussianRenderer(context)
    renderer.load(random_gaussians(10, 0))
    renderer.render(cameras()[0], 32, 32)
    assert renderer.facts.pipeline == "quads"
    renderer.release()


def test_auto_measures_on_hardware(context: moderngl.Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("renderer.gaussian_renderer.is_software", lambda _: False)
    renderer = GaussianRenderer(context)
    renderer.load(random_gaussians(50, 0))
    pipelines = []
    for _ in range(2 * RUNS + 2):
        renderer.render(cameras()[0], 32, 32)
        pipelines.append(renderer.facts.pipeline)
    assert set(pipelines[: 2 * RUNS]) == {"tiles", "quads"}
    assert len(set(pipelines[2 * RUNS :])) == 1
    renderer.release()
