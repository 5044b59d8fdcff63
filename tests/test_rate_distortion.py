"""The rate-distortion benchmark: BD-rate by its laws, splat-transform's driver with a stand-in for it, the plot."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks import compression
from benchmarks.peer_sog import (
    PeerPoint,
    PeerScene,
    Variant,
    decode_command,
    encode_command,
    program,
    read_peers,
    tool_version,
    variants,
    write_peers,
)
from benchmarks.rate_distortion import bd_rate, our_curves, plot, points_table, rate_table
from scenes.camera_files import write_cameras
from scenes.errors import KilofieldError, SceneFileError
from scenes.ply import write_ply
from tests.gaussian_samples import cameras, random_gaussians

ROOT = Path(__file__).resolve().parents[1]
CURVE = [(56_000.0, 28.7), (99_000.0, 30.9), (193_000.0, 34.4), (363_000.0, 39.9), (600_000.0, 64.5)]
VIEWS = (0, -3.0, 3.0)  # dB beside the mean

# It keeps the first share of the Gaussians, in a .ply whatever the suffix, and notes how it was called.
STAND_IN = f"""#!{sys.executable}
import json, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
arguments = sys.argv[1:]
if arguments == ["--version"]:
    print("splat-transform v0.0.0 (stand-in)")
    raise SystemExit
with Path(__file__).with_suffix(".log").open("a") as log:
    log.write(json.dumps(arguments) + "\\n")
from scenes.ply import read_ply, write_ply
files = [a for a in arguments if a.endswith((".ply", ".sog", ".spz"))]
scene = read_ply(files[0]).gaussians
share = float(arguments[arguments.index("-F") + 1].rstrip("%")) / 100 if "-F" in arguments else 1
write_ply(files[1], scene.select(slice(round(len(scene) * share))))
"""


def scaled(curve: list[tuple[float, float]], factor: float) -> list[tuple[float, float]]:
    return [(size * factor, decibels) for size, decibels in curve]


def result(size: int, decibels: float, preset: str = "balanced") -> dict[str, Any]:
    return {
        "scene": "donut",
        "preset": preset,
        "bytes": size,
        "psnr": decibels,
        "psnr_views": [decibels + difference for difference in VIEWS],
        "ssim": 0.95,
        "seconds": 100.0,
        "decode_seconds": 1.5,
    }


def peer_scene() -> PeerScene:
    sog = [
        PeerPoint("sog", percent, int(size), decibels, 0.9, (decibels - 1, decibels + 1), 3.0, 0.5, 10**8)
        for percent, (size, decibels) in zip((6, 12, 25, 50, 100), CURVE, strict=True)
    ]
    return PeerScene("splat-transform v0", 1000, (*sog, PeerPoint("spz", 100, 716_000, 60.5)))


def test_equal_curves_have_a_bd_rate_of_zero_and_half_the_bytes_one_of_minus_50() -> None:
    assert bd_rate(CURVE, CURVE) == pytest.approx(0, abs=1e-9)
    assert bd_rate(scaled(CURVE, 0.5), CURVE) == pytest.approx(-50)
    assert bd_rate(scaled(CURVE, 3), CURVE) == pytest.approx(200)
    assert bd_rate(CURVE[::-1], scaled(CURVE, 0.5)) == pytest.approx(100)  # the order of the points does not matter


def test_bd_rate_of_straight_lines_by_hand() -> None:
    """Log bytes that rise linearly in dB; over 30..40 dB the ratio goes from 1 to 4, in logs by a straight line."""
    ours = [(100.0, 30.0), (1600.0, 40.0)]
    theirs = [(50.0, 20.0), (100.0, 30.0), (400.0, 50.0), (200.0, 40.0)]
    middle = np.log(1600 / 200) / 2
    assert bd_rate(ours, theirs) == pytest.approx((np.exp(middle) - 1) * 100)


def test_bd_rate_is_of_the_common_range_only() -> None:
    beyond = [*scaled(CURVE, 0.5), (1.0, 10.0)]
    inside = bd_rate(scaled(CURVE[1:4], 0.5), CURVE)
    assert inside == pytest.approx(-50, abs=3)  # pchip's slopes at the ends of a shorter curve differ a little
    assert bd_rate(beyond, CURVE) == pytest.approx(-50, abs=3)


@pytest.mark.parametrize(
    "curve",
    [[], [(1000.0, 33.0)], [(1000.0, 33.0), (900.0, 33.0)], [(1000.0, 10.0), (2000.0, 20.0)]],
    ids=["none", "one", "one PSNR", "another range"],
)
def test_without_a_common_range_there_is_no_bd_rate(curve: list[tuple[float, float]]) -> None:
    assert bd_rate(curve, CURVE) is None
    assert bd_rate(CURVE, curve) is None


def test_of_files_with_the_same_psnr_the_smallest_counts() -> None:
    assert bd_rate([*CURVE, (900_000.0, 34.4)], CURVE) == pytest.approx(0, abs=1e-9)


def test_rate_table_has_the_worst_views_of_both() -> None:
    table = rate_table([result(int(size / 2), decibels) for size, decibels in CURVE], {"donut": peer_scene()})
    cells = [cell.strip() for cell in table.splitlines()[2].strip("|").split("|")]
    assert cells == ["donut", "balanced", "5", "28.7 to 64.5 dB", "-50 %", "3.0 dB", "1.0 dB"]
    assert rate_table([result(1, 30.0)], {}) == ""


def test_what_was_not_measured_is_a_dash() -> None:
    old = {**result(50_000, 30.0)}
    del old["psnr_views"]
    peer = PeerScene("v0", None, (PeerPoint("sog", 6, 56_000, 28.7),))
    assert [c.strip() for c in rate_table([old], {"donut": peer}).splitlines()[2].strip("|").split("|")] == [
        "donut",
        "balanced",
        "1",
        "30.0 dB",
        "-",
        "-",
        "-",
    ]
    last = points_table([old], {"donut": peer}).splitlines()[-1]
    assert last == "| donut | 6 % + sog | 56 KB | 28.70 dB | - | - | - | - |"


def test_our_points_are_sorted_and_numbers() -> None:
    curves = our_curves([result(2000, 31.0), result(1000, 30.0), {**result(9000, 0.0), "psnr": None}])
    assert [point.bytes for point in curves["donut"]["balanced"]] == [1000, 2000]


def test_plot_shows_every_curve(tmp_path: Path) -> None:
    """Each curve has its colour somewhere, and a scene has its panel: without it the picture is another."""
    ours = [result(int(size / 4), decibels) for size, decibels in CURVE]
    plot(tmp_path / "both.png", ours, {"donut": peer_scene(), "guitar": peer_scene()})
    plot(tmp_path / "peer.png", [], {"donut": peer_scene(), "guitar": peer_scene()})
    both, peer = (np.asarray(Image.open(tmp_path / name).convert("RGB")) for name in ("both.png", "peer.png"))
    assert both.shape == peer.shape
    blue, vermilion = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)
    assert pixels(both, blue) > 200
    assert pixels(peer, blue) == 0
    left, right = np.array_split(both, 2, axis=1)
    assert min(pixels(left, vermilion), pixels(right, vermilion)) > 200
    with pytest.raises(KilofieldError, match="expected figures to draw, found none"):
        plot(tmp_path / "none.png", [], {})


def pixels(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(picture.astype(int) - colour).max(-1) <= 2).sum())


def test_cache_keeps_what_was_written(tmp_path: Path) -> None:
    scenes = {"donut": peer_scene(), "guitar": replace(peer_scene(), machine={"cores": 2}, source_bytes=None)}
    write_peers(scenes, tmp_path / "peers.json")
    assert read_peers(tmp_path / "peers.json") == scenes
    assert read_peers(tmp_path / "none.json") == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"curves": {}}', '{"scenes": {"donut": {"tool": "x"}}}'])
def test_another_cache_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "peers.json"
    path.write_text(text)
    with pytest.raises(SceneFileError, match=r"figures: expected what peer_sog\.py writes, found"):
        read_peers(path)


def test_a_scene_knows_what_it_lacks_and_replaces_what_it_has() -> None:
    wanted = variants(("sog", "compressed.ply"), (100, 50))
    assert wanted == [Variant("sog"), Variant("sog", 50), Variant("compressed.ply")]
    assert peer_scene().without(wanted) == [Variant("compressed.ply")]
    again = peer_scene().with_point(PeerPoint("sog", 50, 1, 2.0), {})
    assert len(again.points) == len(peer_scene().points)
    assert again.curve[0] == (1, 2.0)


def test_commands_are_those_of_the_tool() -> None:
    tool, start = Path("/st"), ["/st", "--quiet", "--overwrite", "--gpu", "cpu"]
    assert encode_command(tool, Path("a.ply"), Path("b.sog"), 100) == [*start, "a.ply", "b.sog"]
    assert encode_command(tool, Path("a.ply"), Path("b.sog"), 12) == [*start, "a.ply", "-F", "12%", "b.sog"]
    assert decode_command(tool, Path("b.sog"), Path("c.ply")) == [*start, "b.sog", "c.ply"]


def test_a_missing_tool_is_said(tmp_path: Path) -> None:
    with pytest.raises(KilofieldError, match="expected the splat-transform program, found none"):
        program(str(tmp_path / "nothing"))
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(KilofieldError, match=r"found none that runs: .*exit status 3"):
        tool_version(program(str(broken)))


@pytest.fixture
def bench(tmp_path: Path) -> list[str]:
    """Options for one small scene, the stand-in, and folders of their own."""
    tool = tmp_path / "splat-transform"
    tool.write_text(STAND_IN)
    tool.chmod(0o755)
    for folder in ("gaussians", "cameras"):
        (tmp_path / folder).mkdir()
    write_ply(tmp_path / "gaussians" / "cloud.ply", random_gaussians(200, seed=1, sh_degree=0))
    write_cameras(tmp_path / "cameras" / "cloud.json", cameras()[:2])
    where = ["--data", tmp_path, "--out", tmp_path / "out", "--peers", tmp_path / "peers.json"]
    return ["--scenes", "cloud", "--peer", str(tool), "--presets", *map(str, where)]


def calls(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "splat-transform.log").read_text().splitlines()]


def test_peer_is_measured_once_and_judged_on_the_cameras(tmp_path: Path, bench: list[str]) -> None:
    compression.main([*bench, "--percents", "100", "50", "10"])
    scene = read_peers(tmp_path / "peers.json")["cloud"]
    assert scene.tool == "splat-transform v0.0.0 (stand-in)"
    assert [point.variant.name for point in scene.points] == [
        "sog",
        "50 % + sog",
        "10 % + sog",
        "spz",
        "compressed.ply",
    ]
    whole, half, tenth = scene.points[:3]
    assert whole.psnr is None  # identical pictures
    assert whole.bytes == (tmp_path / "gaussians" / "cloud.ply").stat().st_size
    assert half.psnr is not None
    assert tenth.psnr is not None
    assert half.psnr > tenth.psnr > 5
    assert half.psnr_views is not None
    assert np.mean(np.array(half.psnr_views, float)) == pytest.approx(half.psnr)
    assert half.encode_seconds is not None
    assert 0 < half.encode_seconds < 60
    assert (tmp_path / "out" / "rate-distortion.png").stat().st_size > 10_000
    assert len(calls(tmp_path)) == 10
    assert sum("-F" in call for call in calls(tmp_path)) == 2

    compression.main([*bench, "--percents", "50", "25"])  # the cache holds all but one
    assert len(calls(tmp_path)) == 12
    compression.main([*bench, "--codecs", "spz", "--again"])
    assert [point.codec for point in read_peers(tmp_path / "peers.json")["cloud"].points] == ["spz"]


def test_opaque_gaussians_of_the_peer_are_kept(tmp_path: Path) -> None:
    """An opacity of 1 has an infinite logit in its .ply; what has no colour is no scene to judge."""
    path, scene = tmp_path / "back.ply", random_gaussians(5, seed=2, sh_degree=0)
    scene.opacity_logits[1] = np.inf
    write_ply(path, scene)
    opacities = 1 / (1 + np.exp(-compression.peer_scene(path).opacity_logits))
    assert opacities[1] == pytest.approx(254.5 / 255, abs=1e-6)
    np.testing.assert_allclose(np.delete(opacities, 1), 1 / (1 + np.exp(-np.delete(scene.opacity_logits, 1))), 1e-5)
    scene.opacity_logits[0] = -np.inf  # an opacity of 0: nothing to draw
    write_ply(path, scene)
    assert len(compression.peer_scene(path)) == 4
    scene.sh[3] = np.nan
    write_ply(path, scene)
    with pytest.raises(KilofieldError, match="expected Gaussians that can be drawn, found 1 that cannot"):
        compression.peer_scene(path)


def test_a_sog_source_goes_through_the_peer(tmp_path: Path, bench: list[str]) -> None:
    shutil.move(tmp_path / "gaussians" / "cloud.ply", tmp_path / "gaussians" / "cloud.sog")
    compression.main([*bench, "--codecs", "compressed.ply"])
    assert [point.psnr for point in read_peers(tmp_path / "peers.json")["cloud"].points] == [None]
    with pytest.raises(KilofieldError, match=r"splat-transform alone reads \.sog; found none"):
        compression.main(["--scenes", "cloud", "--data", str(tmp_path), "--out", str(tmp_path)])


def test_scenes_from_elsewhere_bring_their_cameras(tmp_path: Path, bench: list[str]) -> None:
    for folder, name in (("gaussians", "cloud.ply"), ("cameras", "cloud.json")):
        shutil.move(tmp_path / folder / name, tmp_path / name)
    given = f"cloud={tmp_path / 'cloud.ply'}:{tmp_path / 'cloud.json'}"
    compression.main([option if option != "cloud" else given for option in bench] + ["--codecs", "spz"])
    assert [point.codec for point in read_peers(tmp_path / "peers.json")["cloud"].points] == ["spz"]


@pytest.mark.parametrize("text", ["cloud=a.ply", "=a.ply:b.json", "cloud=:b.json", "cloud=a.ply:"])
def test_scenes_from_elsewhere_need_a_name_a_file_and_cameras(text: str) -> None:
    with pytest.raises(KilofieldError, match="--scenes: expected NAME or NAME=FILE:CAMERAS, found " + text):
        compression.Scene.parse(text)


def test_budgets_are_of_every_scene_or_of_one(tmp_path: Path) -> None:
    parser = compression._parser()
    wanted = parser.parse_args(["--presets", "draft", "best", "--budgets", "0.1", "donut=0.2"])
    sizes = {scene: [(run.preset, run.max_mb) for run in compression.runs(scene, wanted)] for scene in ("donut", "x")}
    assert sizes["x"] == [("draft", 0.1), ("best", 0.1)]
    assert sizes["donut"] == [("draft", 0.1), ("draft", 0.2), ("best", 0.1), ("best", 0.2)]
    assert [run.max_mb for run in compression.runs("donut", parser.parse_args(["--max-mb", "3"]))] == [3]
    with pytest.raises(KilofieldError, match="--budgets: expected scenes of --scenes, found nowhere"):
        compression.main(["--scenes", "donut", "--budgets", "nowhere=1", "--out", str(tmp_path)])
    (tmp_path / "gaussians").mkdir()
    with pytest.raises(KilofieldError, match="expected a file of the scene gone, found none"):
        compression.readable_source(compression.Scene("gone"), tmp_path, None).__enter__()
