"""`--preview`: every picture in its place, refused early where it cannot be written, and never half a file."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cli_samples import kilofield, sample_gaussians
from PIL import Image, ImageFont

from commands import console
from commands import preview as preview_file
from commands.preview import HEADLINE, LEAST_WIDTH, headline, sheet
from fitting.neuralgs.compress import compress
from fitting.neuralgs.looks import picture_pairs
from fitting.neuralgs.options import EFFORTS, CompressOptions, Look, Picture
from fitting.neuralgs.targets import Target, rendered_target
from fitting.neuralgs.tune import judge
from fitting.tensors import GaussianTensors
from renderer.contact_sheet import CAPTION, GAP
from renderer.images import write_png
from renderer.metrics import psnr
from scenes.cameras import look_at
from scenes.errors import KilofieldError
from scenes.kilo import read_kilo
from scenes.ply import write_ply

LOOK = Look("", 350, 700, 42.0, 44_321, 33.1, 0.97)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small scene, and a draft of three looks."""
    path = tmp_path / "scene.ply"
    write_ply(path, sample_gaussians(100))
    monkeypatch.setattr(console, "SECONDS_BETWEEN_LINES", math.inf)  # compiling may take longer
    monkeypatch.setitem(EFFORTS, "draft", replace(EFFORTS["draft"], steps=24, views=4, side=32))
    return path


def views(count: int, sizes: tuple[tuple[int, int], ...] = ((48, 32),)) -> list[Target]:
    tensors = GaussianTensors.of(sample_gaussians(100))
    eyes = [np.array([3 * np.cos(a), -0.5, 3 * np.sin(a)]) for a in np.arange(count)]
    cameras = [look_at(eye, np.zeros(3), np.array([0.0, -1.0, 0.0]), 0.8, "") for eye in eyes]
    return [rendered_target(tensors, c, *sizes[i % len(sizes)], False) for i, c in enumerate(cameras)]


def test_the_headline_says_which_fit_is_how_far() -> None:
    longest = headline(Look("probe 3", 23_976, 24_000, 1.0, 999_400, 33.1, 0.97))
    assert ImageFont.load_default(HEADLINE).getlength(longest) < LEAST_WIDTH - 2 * GAP
    assert headline(LOOK) == "step 350 of 700 · 44.3 KB · 33.10 dB"
    assert headline(replace(LOOK, fit="run 1", step=7)) == "run 1 · step 7 of 700 · 44.3 KB · 33.10 dB"
    assert headline(replace(LOOK, step=None)) == "written · 44.3 KB · 33.10 dB"


@pytest.mark.parametrize("width", [20, 400])
def test_original_now_and_difference_are_in_their_places(width: int) -> None:
    random = np.random.default_rng(0)
    original = random.integers(0, 200, (30, width, 3)).astype(np.uint8)
    now = (original + random.integers(0, 12, original.shape)).astype(np.uint8)
    page = sheet(LOOK, [(original, now)] * 2)
    blank = sheet(replace(LOOK, psnr=33.2), [(original, now)] * 2)
    assert page.shape[1] == max(3 * width + 4 * GAP, LEAST_WIDTH)
    top = HEADLINE + 2 * GAP + GAP + CAPTION
    for i in range(2):
        for j, expected in enumerate((original, now, 4 * (now - original))):
            at = top + i * (30 + CAPTION + GAP), GAP + j * (width + GAP)
            np.testing.assert_array_equal(page[at[0] : at[0] + 30, at[1] : at[1] + width], expected)
    changed = np.flatnonzero((page != blank).any(axis=(1, 2)))
    assert 0 < changed.min() <= changed.max() < HEADLINE + 2 * GAP  # the figures are written there


def test_the_pictures_are_those_that_are_judged() -> None:
    tensors = GaussianTensors.of(sample_gaussians(100, seed=1))
    targets = views(8)
    pairs = picture_pairs(tensors, targets, False)
    assert len(pairs) == 3
    mean = np.mean([psnr(a / 255, b / 255) for a, b in pairs])
    assert mean == pytest.approx(judge(tensors, targets[::3], False)[0], abs=0.02)
    same = picture_pairs(GaussianTensors.of(sample_gaussians(100)), targets, False)
    assert max(np.abs(a.astype(int) - b).max() for a, b in same) <= 1  # half floats


def test_pictures_of_other_sizes_are_left_out() -> None:
    pairs = picture_pairs(GaussianTensors.of(sample_gaussians(100)), views(7, ((48, 32), (32, 48))), False)
    assert [a.shape for a, _ in pairs] == [(32, 48, 3)] * len(pairs)
    assert 1 < len(pairs) <= 3


def test_the_library_gives_a_preview_at_every_look_and_of_the_file(scene: Path) -> None:
    seen: list[tuple[Look, list[tuple[Picture, Picture]]]] = []
    result = compress(
        scene,
        scene.with_name("out.kilo"),
        CompressOptions(preset="draft"),
        preview=lambda look, pairs: seen.append((look, list(pairs))),
    )
    assert tuple(look for look, _ in seen) == result.looks
    assert [look.step for look, _ in seen] == [8, 16, 24, None]
    originals = [[original for original, _ in pairs] for _, pairs in seen]
    assert all(np.array_equal(a, b) for a, b in zip(originals[0], originals[-1], strict=True))
    # what is shown last is what a reader of the file sees
    whole = compress(scene, scene.with_name("again.kilo"), CompressOptions(preset="draft"))
    assert whole.path.read_bytes() == result.path.read_bytes()  # looking changes nothing
    assert seen[-1][0].bytes == result.path.stat().st_size
    assert seen[-1][0].psnr == result.psnr


def test_the_command_replaces_the_picture_at_every_look(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, picture = scene.with_name("out.kilo"), scene.with_name("preview.png")
    pages: list[np.ndarray[Any, Any]] = []

    def spy(path: Path, page: np.ndarray[Any, Any]) -> None:
        write_png(path, page)
        pages.append(np.asarray(Image.open(path)))

    monkeypatch.setattr(preview_file, "write_png", spy)
    result = kilofield("compress", scene, out, "--preset", "draft", "--preview", picture)
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(pages) == 4
    assert all((a != b).any() for a, b in pairwise(pages))
    assert sorted(p.name for p in scene.parent.iterdir()) == ["out.kilo", "preview.png", "scene.ply"]


def test_a_picture_that_cannot_be_written_is_refused_before_the_fit(
    scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        pytest.fail("the fit started")

    monkeypatch.setattr("fitting.neuralgs.compress.compress", never)
    there = scene.with_name("there.png")
    there.write_bytes(b"kept")
    for name, message in (
        ("preview.jpg", "{path}: expected an output named *.png"),
        ("preview", "{path}: expected an output named *.png"),
        ("nowhere/preview.png", "{path}: cannot write: No such file or directory"),
        ("there.png", "{path}: exists already; --force replaces it"),
    ):
        path = scene.with_name(name) if "/" not in name else scene.parent / name
        result = kilofield("compress", scene, scene.with_name("out.kilo"), "--preview", path)
        assert (result.exit_code, result.stderr) == (1, message.format(path=path) + "\n")
    assert there.read_bytes() == b"kept"
    assert sorted(p.name for p in scene.parent.iterdir()) == ["scene.ply", "there.png"]


def test_a_disk_that_fills_up_does_not_end_the_fit(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, picture = scene.with_name("out.kilo"), scene.with_name("preview.png")

    def full(path: Path, _: object) -> None:
        raise KilofieldError(f"{path}: cannot write: No space left on device")

    monkeypatch.setattr(preview_file, "write_png", full)
    result = kilofield("compress", scene, out, "--preset", "draft", "--preview", picture)
    assert (result.exit_code, result.stderr) == (0, f"--preview: {picture}: cannot write: No space left on device\n")
    assert len(read_kilo(out)) > 0


def test_pictures_are_clipped_not_wrapped() -> None:
    bright = sample_gaussians(40)
    bright.sh[:, 0] = 9.0
    bright.opacity_logits[:] = 6.0
    with torch.no_grad():
        pairs = picture_pairs(GaussianTensors.of(bright), views(1), False)
    assert pairs[0][1].max() == 255
    assert pairs[0][1][16, 24].min() == 255  # the middle is white, not what is left of it modulo 256
