"""Scenes fitted in chunks: every Gaussian in one, one file as if fitted whole, the same bytes however it came about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fitting import checkpoint as checkpoints
from fitting.neuralgs.chunk_views import FROM_AFAR, Surroundings, chunk_views
from fitting.neuralgs.chunks import RICHER, shares, split
from fitting.neuralgs.compress import compress
from fitting.neuralgs.compress_chunks import Chunks
from fitting.neuralgs.options import EFFORTS, CompressOptions, Effort, Progress
from fitting.neuralgs.views import FARTHEST, NEAREST
from scenes.cameras import look_at
from scenes.errors import KilofieldError
from scenes.extent import scene_extent
from scenes.kilo import read_kilo, read_manifest
from scenes.ply import write_ply
from tests.test_compress import OPTIONS, KilledError, ball, kill_at

FASTEST = Effort(steps=24, views=8, side=64, layers=1, width=8)
IN_THREE = replace(OPTIONS, chunk_gaussians=500, jobs=1)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(EFFORTS, "draft", FASTEST)
    write_ply(tmp_path / "ball.ply", ball())
    return tmp_path / "ball.ply"


@pytest.mark.parametrize("most", [1, 7, 100, 333, 999, 1000])
def test_every_gaussian_is_in_one_part_of_an_even_size(most: int) -> None:
    positions = np.random.default_rng(1).normal(size=(1000, 3)).astype(np.float32)
    parts = split(positions, most)
    assert sorted(np.concatenate(parts).tolist()) == list(range(1000))
    assert len(parts) == -(-1000 // most)
    assert max(map(len, parts)) <= most
    assert max(map(len, parts)) - min(map(len, parts)) <= np.ceil(np.log2(len(parts)))


def test_any_two_parts_are_on_two_sides_of_a_plane() -> None:
    """What lets their pictures be laid one over the other."""
    positions = np.random.default_rng(2).normal(size=(900, 3)).astype(np.float32) * np.array([5, 1, 2], np.float32)
    parts = [positions[part] for part in split(positions, 150)]
    for i, one in enumerate(parts):
        for other in parts[:i]:
            assert ((one.max(axis=0) <= other.min(axis=0)) | (other.max(axis=0) <= one.min(axis=0))).any()


def test_what_is_more_seen_gets_more() -> None:
    parts = [np.arange(0, 500), np.arange(500, 1000), np.arange(1000, 1500)]
    weight = np.repeat([1.0, 1.0, 1.44], 500)
    found = shares(weight, parts)
    assert found @ [500, 500, 500] == pytest.approx(1500)
    assert found[2] / found[0] == pytest.approx(1.2)
    extreme = shares(np.repeat([0.0, 1.0, 1e6], 500), parts)
    assert extreme.max() / extreme.min() <= RICHER[1] / RICHER[0]


def test_given_cameras_serve_the_chunks_they_look_at() -> None:
    chunk, up = ball(300), np.array([0.0, 0.0, 1.0])
    extent = scene_extent(chunk)
    there = [look_at(np.array([4.0, i / 40, 0.5]), np.zeros(3), up, 0.9, name="there") for i in range(40)]
    away = [replace(camera, camera_from_world=np.diag([-1.0, 1, -1, 1]) @ camera.camera_from_world) for camera in there]
    given = [camera for pair in zip(there, away, strict=True) for camera in pair]
    views = chunk_views(chunk, Surroundings(extent, None, None, tuple(given)), 20, 0)
    chosen = [*views.cameras, *views.held_out]
    assert len(chosen) == 28
    assert {id(camera) for camera in chosen} <= {id(camera) for camera in there}
    none = chunk_views(chunk, Surroundings(extent, None, None, tuple(away)), 20, 0)
    assert (len(none.cameras), len(none.held_out)) == (20, 8)  # its own, then


def test_a_chunk_is_looked_at_from_nearby_and_from_where_the_whole_is() -> None:
    chunk = ball(300)
    extent = scene_extent(chunk)
    whole = replace(extent, centre=extent.centre + 50, radius=20 * extent.radius)
    views = chunk_views(chunk, Surroundings(whole, None, None), 40, 0)
    away = np.array([np.linalg.norm(c.position - extent.centre) for c in views.cameras]) / extent.radius
    assert (away < FARTHEST).sum() == round((1 - FROM_AFAR) * 40)
    assert (away > 20 * NEAREST).sum() == round(FROM_AFAR * 40)


def test_three_chunks_in_as_many_bytes_are_about_as_good_as_the_whole(source: Path, tmp_path: Path) -> None:
    write_ply(source, ball(6000))
    budget = replace(OPTIONS, max_bytes=36_000)
    whole = compress(source, tmp_path / "whole.kilo", budget)
    result = compress(source, tmp_path / "three.kilo", replace(budget, chunk_gaussians=2000, jobs=1))
    manifest, scene = read_manifest(result.path), read_kilo(result.path)
    assert len(manifest["chunks"]) == 3
    assert result.bytes == result.path.stat().st_size == sum(result.streams.values()) <= 36_000
    assert result.bytes > 0.9 * 36_000
    assert result.gaussians == len(scene) == manifest["count"] < 6000
    assert result.psnr > whole.psnr - 1.5
    parts = [read_kilo(result.path, chunks=[i]) for i in range(3)]
    assert min(map(len, parts)) > 500
    assert np.array_equal(np.concatenate([part.positions for part in parts]), scene.positions)
    assert not [path for path in tmp_path.iterdir() if path.suffix not in (".ply", ".kilo")]


def test_a_scene_below_the_limit_is_fitted_as_ever(source: Path, tmp_path: Path) -> None:
    compress(source, tmp_path / "whole.kilo", OPTIONS)
    compress(source, tmp_path / "same.kilo", replace(OPTIONS, chunk_gaussians=1500, jobs=2))
    assert (tmp_path / "whole.kilo").read_bytes() == (tmp_path / "same.kilo").read_bytes()


def test_a_run_killed_again_and_again_resumes_to_the_same_bytes(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "INTERVAL", 0.0)
    whole, target = tmp_path / "whole.kilo", tmp_path / "cut.kilo"
    compress(source, whole, IN_THREE)
    for i, step in enumerate((30, 60)):
        with pytest.raises(KilledError):
            compress(source, target, replace(IN_THREE, resume=i > 0), kill_at("fitting chunks", step))
        assert not target.exists()
    done = {path: path.stat().st_mtime_ns for path in Chunks.of(target).folder.glob("chunk-*.kilo")}
    resumed: list[str] = []
    compress(source, target, replace(IN_THREE, resume=True), lambda p: resumed.append(p.detail))
    assert target.read_bytes() == whole.read_bytes()
    assert done
    for path in done:
        number = path.stem.removeprefix("chunk-")
        assert not any(detail.startswith(f"chunk {number} of") for detail in resumed), "fitted again"


def test_processes_of_their_own_write_the_same_bytes(source: Path, tmp_path: Path) -> None:
    """Also when Ctrl-C ends them: what reaches the program alone reaches every fit, and each keeps its state."""
    options = replace(OPTIONS, chunk_gaussians=500, jobs=2)
    compress(source, tmp_path / "one.kilo", IN_THREE)
    target = tmp_path / "two.kilo"

    def interrupt(progress: Progress) -> None:
        if "chunk 3 of 3 · tuning · step 3/" in progress.detail:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compress(source, target, options, interrupt)
    kept = {path.name for path in Chunks.of(target).folder.iterdir()}
    assert {"chunk-1.kilo", "chunk-2.kilo"} & kept
    assert {"chunk-3.checkpoint", "chunk-3.kilo"} & kept
    compress(source, target, replace(options, resume=True, jobs=1))
    assert target.read_bytes() == (tmp_path / "one.kilo").read_bytes()


def test_what_goes_wrong_in_a_chunk_is_told_in_one_line(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.kilo"
    Chunks.of(target).folder.write_text("mine")
    with pytest.raises(KilofieldError, match=r"out\.kilo\.chunks: expected a folder, found a file$"):
        compress(source, target, IN_THREE)
    Chunks.of(target).folder.unlink()
    with pytest.raises(KilofieldError) as caught:
        compress(source, target, replace(IN_THREE, max_bytes=5000))
    assert str(caught.value) == (
        "--max-mb: expected at least 0.006 MB for 3 chunks, found 0.005 MB; a larger --chunk-gaussians makes fewer"
    )
    with pytest.raises(
        KilofieldError, match=r"^--max-mb: expected at least 0\.\d+ MB for this scene, found 0\.00\d+ MB$"
    ):
        compress(source, target, replace(IN_THREE, max_bytes=6000))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chunk_gaussians": 499}, "--chunk-gaussians: expected at least 500, found 499"),
        ({"jobs": 0}, "--jobs: expected at least 1, found 0"),
        (
            {"chunk_gaussians": 1000, "preset": "paper"},
            "--chunk-gaussians: expected no --preset paper beside it, which fits a scene as a whole",
        ),
    ],
)
def test_options_are_checked(change: dict[str, object], message: str) -> None:
    with pytest.raises(KilofieldError) as caught:
        CompressOptions(**change)  # type: ignore[arg-type]
    assert str(caught.value) == message
