"""Photographs: the visual hull, the small trainer, and that `--images` brings a file nearer to photographs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmarks.photographs import draw, judge, main, premultiplied
from benchmarks.train_gaussians import Plan, Trainer, start, train
from benchmarks.visual_hull import visual_hull
from fitting.neuralgs import options
from fitting.neuralgs.targets import photograph_target, photograph_windows, rendered_target, window
from fitting.tensors import GaussianTensors
from renderer.images import write_png
from scenes.cameras import look_at
from scenes.captures import Capture, Frame, read_capture
from scenes.errors import KilofieldError
from scenes.gaussians import Floats, Gaussians, rotation_matrices
from scenes.ply import write_ply

SIDE = 64  # pixels
FOV = 0.8
BLUR = 3.0  # pixels: outlines one pixel wide say nothing of shifts beyond it


def sphere_frames(folder: Path, count: int = 24) -> list[Frame]:
    """Photographs of a red unit ball at (1, 2, 3): exact silhouettes."""
    rng = np.random.default_rng(0)
    centre, distance = np.array([1.0, 2.0, 3.0]), 4.0
    rays = (np.arange(SIDE) + 0.5 - SIDE / 2) * 2 / SIDE * np.tan(FOV / 2)
    off_axis = np.sqrt(rays[None] ** 2 + rays[:, None] ** 2)
    rgba = np.zeros((SIDE, SIDE, 4))
    rgba[np.arctan(off_axis) <= np.arcsin(1 / distance)] = (1, 0, 0, 1)
    write_png(folder / "ball.png", rgba)
    eyes = rng.normal(size=(count, 3))
    eyes = centre + distance * eyes / np.linalg.norm(eyes, axis=1, keepdims=True)
    cameras = [look_at(eye, centre, np.array([0.0, 0, 1]), FOV) for eye in eyes]
    return [Frame(camera, folder / "ball.png", SIDE, SIDE) for camera in cameras]


def test_the_hull_of_a_balls_photographs_is_the_ball(tmp_path: Path) -> None:
    hull = visual_hull(sphere_frames(tmp_path), 24)
    radii = np.linalg.norm(hull.centres - (1, 2, 3), axis=1)
    pixel = 2 * np.tan(FOV / 2) / SIDE * 4
    assert abs(hull.centres.mean(axis=0) - (1, 2, 3)).max() < 0.05
    assert radii.min() > 1 - pixel - 2 * hull.voxel  # a shell: nothing from inside
    assert np.quantile(radii, 0.9) < 1 + 2 * pixel
    assert 2 / hull.voxel == pytest.approx(24, rel=0.2)
    np.testing.assert_allclose(hull.colours, np.tile([1, 0, 0], (len(radii), 1)), atol=1e-6)


def test_photographs_without_a_common_object_are_refused(tmp_path: Path) -> None:
    frames = sphere_frames(tmp_path)
    write_png(tmp_path / "ball.png", np.zeros((SIDE, SIDE, 4)))
    with pytest.raises(KilofieldError, match="expected alpha masks around one object, found none in common"):
        visual_hull(frames, 24)


def test_densifying_splits_along_the_longest_axis_and_drops_the_faint() -> None:
    random = torch.Generator().manual_seed(0)
    parameters = {
        "positions": torch.randn(8, 3, generator=random),
        "log_scales": torch.randn(8, 3, generator=random),
        "rotations": torch.randn(8, 4, generator=random),
        "opacity_logits": torch.tensor([0.0, 0, 0, 0, 0, 0, 0, -9]),
        "dc": torch.rand(8, 1, 3, generator=random),
        "rest": torch.zeros(8, 3, 3),
    }
    before = {name: t.clone().numpy() for name, t in parameters.items()}
    trainer = Trainer(parameters, 1.0, Plan(growth=0.3))
    sum(t.square().sum() for t in trainer.parameters.values()).backward()  # type: ignore[union-attr]
    trainer.optimiser.step()
    trainer.seen[:] = torch.tensor([1.0, 1, 2, 1, 1, 1, 0, 1])  # the seventh is hidden
    trainer.pull[:] = torch.tensor([1.0, 5, 12, 2, 3, 1, 0, 99])
    trainer.densify()
    after = {name: t.detach().numpy() for name, t in trainer.parameters.items()}
    assert len(after["positions"]) == 6 + 1  # a third of six, rounded down
    np.testing.assert_allclose(after["positions"][[0, 1, 3, 4, 5]], before["positions"][[0, 1, 3, 4, 5]])
    apart = after["positions"][2] - after["positions"][6]
    axis = before["log_scales"][2].argmax()
    direction = rotation_matrices(before["rotations"][2:3])[0, :, axis]
    assert abs(apart @ direction) == pytest.approx(np.linalg.norm(apart), rel=1e-5)
    np.testing.assert_allclose((after["positions"][2] + after["positions"][6]) / 2, before["positions"][2], atol=1e-6)
    assert (after["log_scales"][[2, 6], axis] < before["log_scales"][2, axis]).all()
    for group in trainer.optimiser.param_groups:
        known = trainer.optimiser.state[group["params"][0]]
        assert known["exp_avg"].shape == group["params"][0].shape
        torch.testing.assert_close(known["exp_avg"][2], known["exp_avg"][6])


@pytest.fixture(scope="module")
def chair(data: Path) -> Capture:
    return read_capture(data / "captures" / "chair")


@pytest.fixture(scope="module")
def few(chair: Capture) -> list[Frame]:
    """Photographs from all around."""
    return chair.train[::10]


@pytest.fixture(scope="module")
def solid(few: list[Frame]) -> Gaussians:
    """The chair's hull, opaque and grey."""
    tensors = start(visual_hull(few, 32), 0)
    tensors["opacity_logits"] += 5
    tensors["log_scales"] += 0.3
    tensors["dc"] *= 0
    return Trainer(tensors, 1.0, Plan()).gaussians()


def test_photographs_are_registered_with_their_cameras(solid: Gaussians, few: list[Frame]) -> None:
    """The hull, carved from the photographs at full size, drawn small has the outlines of the small photographs."""
    tensors, shifts = GaussianTensors.of(solid), []
    for frame in few:
        target = photograph_target(frame, 200, torch.device("cpu"))
        drawn = rendered_target(tensors, target.camera, 200, 200, antialiased=False)
        pictures = [t.rgba[..., 3].float().numpy() for t in (drawn, target)]
        shifts.append([shift(*pictures), shift(pictures[0], np.roll(pictures[1], 1, axis=1))])
    well, off = np.mean(shifts, axis=0)
    assert np.abs(well).max() < 0.15
    assert off[0] < -0.5  # so half a pixel would show


def shift(a: Floats, b: Floats) -> NDArray[np.float64]:
    """[2] about how many pixels `a` is to the right of and below `b` (Lucas and Kanade 1981)."""
    first, second = (gaussian_filter(x.astype(np.float64), BLUR) for x in (a, b))
    slopes = np.stack([slope.ravel() for slope in reversed(np.gradient(second))])
    return -np.linalg.solve(slopes @ slopes.T, slopes @ (first - second).ravel())


def test_a_windows_camera_draws_that_part_of_the_picture(solid: Gaussians, few: list[Frame]) -> None:
    tensors = GaussianTensors.of(solid)
    whole = rendered_target(tensors, few[3].camera, 400, 400, antialiased=False).rgba
    camera = window(few[3].camera, (120 / 400, 90 / 400), (140 / 400, 100 / 400))
    part = rendered_target(tensors, camera, 140, 100, antialiased=False).rgba
    assert part[..., 3].float().mean() > 0.3
    torch.testing.assert_close(part, whole[90:190, 120:260], atol=0.01, rtol=0)


def test_windows_are_parts_of_the_photograph(few: list[Frame]) -> None:
    device, rng = torch.device("cpu"), np.random.default_rng(0)
    assert photograph_windows(few[0], 320, 3, rng, device) == []  # as large as the whole
    truth = premultiplied(few[0].image())
    found = photograph_windows(few[0], 150, 3, rng, device)
    for target in found:
        left, top = (round(200 - c * 150) for c in target.camera.centre)
        assert target.camera.intrinsics(150, 150)[:2] == pytest.approx(few[0].camera.intrinsics(400, 400)[:2])
        np.testing.assert_allclose(target.rgba.float(), truth[top : top + 150, left : left + 150], atol=1e-3)
        assert target.rgba[..., 3].float().mean() > 0.05
    assert len({target.camera.centre for target in found}) == 3


def test_photographs_beat_renders_on_other_photographs(
    solid: Gaussians, few: list[Frame], chair: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = tmp_path / "captures" / "few"
    capture.mkdir(parents=True)
    for name, frames in (("train", few), ("test", chair.test[::6])):
        (capture / f"transforms_{name}.json").write_text(json.dumps(only(chair.path, name, frames)))
    write_ply(tmp_path / "solid.ply", solid)
    monkeypatch.setitem(options.EFFORTS, "draft", replace(options.EFFORTS["draft"], steps=80, views=10, side=200))
    arguments = ["--data", tmp_path, "--capture", "few", "--out", tmp_path, "--ply", tmp_path / "solid.ply"]
    main([*map(str, arguments), "--preset", "draft", "--max-mb", "0.02", "--sheet", str(tmp_path / "sheet.png")])
    figures = json.loads((tmp_path / "photographs.json").read_text())
    for background in ("black", "white"):
        source, renders, photographs = (figures[n][background] for n in ("source", "renders", "photographs"))
        assert abs(source["psnr"] - renders["psnr"]) < 0.3
        assert photographs["psnr"] > renders["psnr"] + 0.15
        assert photographs["ssim"] > renders["ssim"]
    assert max(figures[name]["bytes"] for name in ("renders", "photographs")) <= 20_000
    assert (tmp_path / "sheet.png").stat().st_size > 10_000


def only(capture: Path, name: str, frames: Sequence[Frame]) -> dict[str, object]:
    """A transforms file of a capture with some of its frames alone."""
    content = json.loads((capture / f"transforms_{name}.json").read_text())
    paths = {frame.path.stem: str(frame.path) for frame in frames}
    shown = [f for f in content["frames"] if Path(f["file_path"]).name in paths]
    return {**content, "frames": [{**f, "file_path": paths[Path(f["file_path"]).name]} for f in shown]}


def test_training_brings_the_pictures_nearer_to_other_photographs(few: list[Frame], chair: Capture) -> None:
    judged = chair.test[::6]
    truths = [premultiplied(frame.image()) for frame in judged]
    plans = [Plan(steps=steps, voxels=32, degree=0, rounds=1, half_size=1.0) for steps in (1, 40)]
    barely, longer = (judge(draw(train(few, plan), judged), truths, 1.0).psnr for plan in plans)
    assert longer > barely + 0.3


def test_a_photograph_a_little_too_large_keeps_its_pixels(few: list[Frame]) -> None:
    sizes = {side: photograph_target(few[0], side, torch.device("cpu")).rgba.shape[0] for side in (448, 320, 200, 50)}
    assert sizes == {448: 400, 320: 400, 200: 200, 50: 50}
