"""`--quality lossless`: every visible Gaussian kept, 50 dB in views nobody prepared for, and what that rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fitting.neuralgs import lossless
from fitting.neuralgs.compress import compress
from fitting.neuralgs.job import Job, prepare
from fitting.neuralgs.options import EFFORTS, CompressOptions, Effort
from fitting.neuralgs.targets import rendered_target
from fitting.neuralgs.tune import judge
from fitting.neuralgs.views import virtual_cameras
from fitting.tensors import GaussianTensors
from scenes.errors import KilofieldError
from scenes.extent import scene_extent
from scenes.gaussians import Gaussians
from scenes.kilo import read_kilo
from scenes.load import load_scene
from scenes.ply import write_ply
from tests.test_compress import ball

FEW = Effort(steps=0, views=24, side=128, layers=0, width=0)
OPTIONS = CompressOptions(quality="lossless", seed=3)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(EFFORTS, "lossless", FEW)
    write_ply(tmp_path / "ball.ply", ball())
    return tmp_path / "ball.ply"


def job_of(path: Path) -> Job:
    gaussians = load_scene(path).gaussians
    cpu = torch.device("cpu")
    return prepare(path, gaussians, FEW, images=None, seed=1, device=cpu, progress=lambda _share, _stage: None)


def quality_elsewhere(before: Gaussians, after: Gaussians) -> float:
    """Mean PSNR (dB) in twelve views of another seed."""
    cameras = virtual_cameras(before, scene_extent(before), 12, seed=99)
    tensors = GaussianTensors.of(before)
    views = [rendered_target(tensors, c, 192, 128, before.antialiased) for c in cameras]
    return judge(GaussianTensors.of(after), views, after.antialiased)[0]


def test_every_gaussian_is_kept_at_50_db(source: Path, tmp_path: Path) -> None:
    result = compress(source, tmp_path / "out.kilo", OPTIONS)
    scene = read_kilo(result.path)
    assert len(scene) == result.gaussians == result.source_gaussians == 1500
    assert result.bytes == result.path.stat().st_size < result.source_bytes / 4
    assert result.psnr >= 50
    assert quality_elsewhere(load_scene(source).gaussians, scene.decode()) >= 50


def test_a_file_short_of_50_db_says_so(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lossless, "VISUALLY_LOSSLESS", 30.0)
    result = compress(source, tmp_path / "out.kilo", OPTIONS)
    assert result.psnr < 50
    assert f"lossless: expected 50 dB, found {result.psnr:.2f} dB at best" in result.notes


def test_the_same_bytes_every_time_and_for_every_preset(source: Path, tmp_path: Path) -> None:
    compress(source, tmp_path / "a.kilo", OPTIONS)
    compress(source, tmp_path / "b.kilo", replace(OPTIONS, preset="draft"))
    a, b = (read_kilo(tmp_path / name) for name in ("a.kilo", "b.kilo"))
    assert np.array_equal(a.codes, b.codes)
    assert np.array_equal(a.positions, b.positions)
    compress(source, tmp_path / "c.kilo", OPTIONS)
    assert (tmp_path / "a.kilo").read_bytes() == (tmp_path / "c.kilo").read_bytes()


def test_a_real_object_of_several_classes(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A corner of a real scene, SH 2, with so few Gaussians a class that there are several."""
    monkeypatch.setitem(EFFORTS, "lossless", FEW)
    monkeypatch.setattr(lossless, "CLASS_GAUSSIANS", 500)
    whole = load_scene(data / "gaussians/playbot-31k.ply").gaussians
    write_ply(tmp_path / "part.ply", whole.select(np.argsort(whole.positions[:, 1], kind="stable")[:3000]))
    part = load_scene(tmp_path / "part.ply").gaussians
    result = compress(tmp_path / "part.ply", tmp_path / "out.kilo", OPTIONS)
    scene = read_kilo(result.path)
    assert len(scene.bank) > 1
    assert 0.9 * len(part) < len(scene) == result.gaussians <= len(part)  # some are hidden in every view
    assert quality_elsewhere(part, scene.decode()) >= 50


def test_probes_measure_what_errors_do(source: Path) -> None:
    """The squared error of small random errors is what the class's matrix says, the law all steps rest on."""
    job = job_of(source)
    attributes = lossless._attributes(job)
    found = lossless._sensitivity(job, attributes, 0, lambda _share: None)
    rng = np.random.default_rng(2)
    errors = 1e-3 * rng.standard_normal(attributes.shape)
    said = sum(
        float(np.einsum("nd,de,ne->", errors[mine], matrix, errors[mine]))
        for k, matrix in enumerate(found.matrices)
        for mine in [found.classes == k]
    )
    pair = []
    for values in (attributes, attributes + errors):
        by = torch.from_numpy(values.astype(np.float32))
        tensors = lossless.attributes_to_tensors(torch.from_numpy(job.gaussians.positions), by, 1)
        pair.append([lossless.rasterize(*tensors, t.view((0.0, 0.0, 0.0), False)) for t in job.targets])
    shown = np.mean([float(((a - b).double() ** 2).sum()) for a, b in zip(*pair, strict=True)])
    assert shown == pytest.approx(said, rel=0.25)


def test_the_search_ends_with_the_coarsest_that_reaches_the_target() -> None:
    """On a quality that falls by 6 dB for twice the step, and one that never reaches it."""
    tried: list[float] = []

    def quantise(harm: float) -> float:
        tried.append(harm)
        return harm

    def run(quality: Callable[[float], float]) -> float:
        return lossless._search(quantise, quality, 0.02, 51.0, lambda _turn, _psnr: None)  # type: ignore[arg-type,return-value]

    assert run(lambda h: 10 - 20 * np.log10(h)) == pytest.approx(10 ** (-41 / 20), rel=0.02)
    assert len(tried) <= 3
    tried.clear()
    assert run(lambda h: 40 - h) == min(tried)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_bytes": 5000}, "--max-mb: expected another --quality; lossless keeps the scene as it is, in one go"),
        (
            {"target_psnr": 40.0},
            "--target-psnr: expected another --quality; lossless keeps the scene as it is, in one go",
        ),
        ({"images": Path("x")}, "--images: expected another --quality; lossless keeps the scene as it is, in one go"),
        ({"resume": True}, "--resume: expected another --quality; lossless keeps the scene as it is, in one go"),
        ({"preset": "paper"}, "--quality: expected another preset for lossless, found paper, which prunes"),
    ],
)
def test_options_that_contradict_it(change: dict[str, object], message: str) -> None:
    with pytest.raises(KilofieldError) as error:
        replace(OPTIONS, **change)  # type: ignore[arg-type]
    assert str(error.value) == message
