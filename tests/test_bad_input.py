"""What the command line says about wrong files and options: one exact line, exit code 1, nothing overwritten."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_samples import kilofield, sample_gaussians, sample_neural

from scenes.kilo import write_kilo
from scenes.ply import write_ply

KEPT = b"what was there before"


def _kilo(folder: Path) -> tuple[Path, bytes]:
    path = folder / "scene.kilo"
    write_kilo(path, sample_neural())
    return path, path.read_bytes()


@pytest.mark.parametrize("at", [0.1, 0.4, 0.7, 0.95])
def test_a_kilo_cut_anywhere_is_one_line(at: float, tmp_path: Path) -> None:
    path, data = _kilo(tmp_path)
    path.write_bytes(data[: int(at * len(data))])
    _assert_refused(path, tmp_path, "cut short")


@pytest.mark.parametrize("at", [0.1, 0.4, 0.7, 0.95])
def test_a_flipped_byte_in_a_kilo_is_one_line(at: float, tmp_path: Path) -> None:
    path, data = _kilo(tmp_path)
    flipped = bytearray(data)
    flipped[int(at * len(data))] ^= 0x10
    path.write_bytes(flipped)
    _assert_refused(path, tmp_path, "damaged")


def test_the_exact_line_about_a_flipped_byte(tmp_path: Path) -> None:
    path, data = _kilo(tmp_path)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    result = kilofield("info", path)
    start = f"{path}: chunk 0 tier 0 codes: expected checksum "
    assert result.stderr.startswith(start)
    stored, found = result.stderr[len(start) :].strip().removesuffix(", damaged").split(", found ")
    assert int(stored, 16) != int(found, 16)


def _assert_refused(path: Path, folder: Path, ending: str) -> None:
    out = folder / "out.ply"
    out.write_bytes(KEPT)
    result = kilofield("convert", path, out, "--force")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{path}: ")
    assert result.stderr.endswith(f"{ending}\n")
    assert result.stderr.count("\n") == 1
    assert out.read_bytes() == KEPT


def test_nan_and_infinite_rows_are_dropped_counted_and_reported(tmp_path: Path) -> None:
    gaussians = sample_gaussians(60)
    gaussians.positions[3] = np.nan
    gaussians.opacity_logits[5] = -np.inf
    gaussians.sh[7, 1, 2] = -np.inf
    scene, out = tmp_path / "scene.ply", tmp_path / "out.ply"
    write_ply(scene, gaussians)
    result = kilofield("convert", scene, out, "--quiet")
    assert result.exit_code == 0
    assert result.stderr == f"{scene}: dropped 3 of 60 Gaussians (NaN, infinite or without a rotation)\n"
    assert "57" in kilofield("info", out).stdout


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere/out.ply", "cannot write: No such file or directory"),
        ("scene.ply/out.ply", "cannot write: Not a directory"),
        ("folder.ply", "expected a file to write, found a folder"),
        ("out.obj", "expected an output named *.compressed.ply, *.glb, *.ply, *.sog, *.splat, *.spz"),
        ("scene.ply", "expected an output other than the input"),
    ],
)
def test_an_output_that_cannot_be(target: str, message: str, tmp_path: Path) -> None:
    write_ply(tmp_path / "scene.ply", sample_gaussians())
    before = (tmp_path / "scene.ply").read_bytes()
    (tmp_path / "folder.ply").mkdir()
    result = kilofield("convert", tmp_path / "scene.ply", tmp_path / target, "--force")
    assert result.stderr == f"{tmp_path / target}: {message}\n"
    assert result.exit_code == 1
    assert (tmp_path / "scene.ply").read_bytes() == before


def test_an_existing_output_is_kept_without_force(tmp_path: Path) -> None:
    scene, out = tmp_path / "scene.ply", tmp_path / "out.ply"
    write_ply(scene, sample_gaussians())
    out.write_bytes(KEPT)
    result = kilofield("convert", scene, out)
    assert result.stderr == f"{out}: exists already; --force replaces it\n"
    assert result.exit_code == 1
    assert out.read_bytes() == KEPT
    assert kilofield("convert", scene, out, "--force").exit_code == 0
    assert out.read_bytes() == scene.read_bytes()


@pytest.mark.parametrize("size", ["0x360", "640x0", "-4x3", "640", "640x360x3", "20000x10", "axb"])
def test_a_resolution_of_zero_or_nonsense(size: str, tmp_path: Path) -> None:
    scene, out = tmp_path / "scene.ply", tmp_path / "frames"
    write_ply(scene, sample_gaussians())
    expected = f"--size: expected WIDTHxHEIGHT of 1 to 16384 pixels each, such as 640x360, found '{size}'\n"
    for command in (["render", scene, "--cameras", tmp_path / "c.json"], ["fly", scene]):
        result = kilofield(*command, "--out", out, f"--size={size}")
        assert result.stderr == expected
        assert result.exit_code == 1
        assert not out.exists()
    assert kilofield("compare", scene, scene, f"--size={size}").stderr == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--preset=fast", "--preset: expected one of draft, balanced, best, paper, found fast"),
        ("--quality=huge", "--quality: expected one of small, medium, high, lossless, found huge"),
        ("--device=tpu", "--device: expected one of auto, cpu, cuda, found tpu"),
        ("--max-mb=0", "--max-mb: expected a size above 0 MB, found 0"),
        ("--max-mb=nan", "--max-mb: expected a size above 0 MB, found nan"),
        (
            "--preset=paper --max-mb=1",
            "--max-mb: expected another preset; paper's size follows from its networks and pruning",
        ),
        ("--images=nowhere", "nowhere: expected a capture, found nothing at this path"),
        ("--seed=-1", "--seed: expected 0 or more, found -1"),
    ],
)
def test_values_compress_cannot_have(options: str, message: str, tmp_path: Path) -> None:
    scene, out = tmp_path / "scene.ply", tmp_path / "out.kilo"
    write_ply(scene, sample_gaussians())
    result = kilofield("compress", scene, out, *options.split())
    assert result.stderr == f"{message}\n"
    assert result.exit_code == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "file: expected at least one camera, found 0"),
        ("3", "file: expected a list of cameras or an object with frames, found 3"),
    ],
)
def test_a_camera_file_that_is_not_one(content: str, message: str, tmp_path: Path) -> None:
    scene, cameras, out = tmp_path / "scene.ply", tmp_path / "cameras.json", tmp_path / "frames"
    write_ply(scene, sample_gaussians())
    cameras.write_text(content)
    result = kilofield("render", scene, "--cameras", cameras, "--out", out)
    assert result.stderr == f"{cameras}: {message}\n"
    assert result.exit_code == 1
    assert not out.exists()


def test_a_scene_given_as_cameras_is_one_line(tmp_path: Path) -> None:
    scene = tmp_path / "scene.ply"
    write_ply(scene, sample_gaussians())
    result = kilofield("render", scene, "--cameras", scene, "--out", tmp_path / "frames")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{scene}: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["convert"], "Missing argument"),
        (["shrink"], "No such command 'shrink'."),
        (["info", "x.ply", "--fast"], "No such option: --fast"),
    ],
)
def test_wrong_usage_is_one_line_too(arguments: list[str], message: str) -> None:
    result = kilofield(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(message)
    assert result.stderr.endswith("(kilofield --help lists the commands)\n")
    assert result.stderr.count("\n") == 1


def test_a_real_process_says_one_line_and_exits_with_1(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "cli", "info", str(tmp_path / "none.ply")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert done.stderr == f"{tmp_path / 'none.ply'}: file: expected a file, found nothing at this path\n"
    assert done.returncode == 1
    assert done.stdout == ""


def test_view_names_a_missing_file_before_it_opens_a_window(tmp_path: Path) -> None:
    result = kilofield("view", tmp_path / "none.kilo")
    assert result.stderr == f"{tmp_path / 'none.kilo'}: file: expected a file, found nothing at this path\n"
    assert result.exit_code == 1
