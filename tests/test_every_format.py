"""Every format through the commands: the same picture within its loss, the same options, the same notes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_samples import kilofield, sample_cameras, sample_gaussians, sample_neural
from every_format import WRITTEN, write_levels
from kilo_surface_samples import sample as sample_surface
from PIL import Image

from renderer.metrics import psnr
from scenes.camera_files import write_cameras
from scenes.content import ReadOptions
from scenes.gaussians import Gaussians
from scenes.kilo import write_kilo
from scenes.kilo_surface import write_surface
from scenes.load import load_scene
from scenes.ply import write_ply

SCENE = sample_gaussians(sh_degree=1)
LOSSLESS = 55.0  # dB
LOSSES = {"compressed.ply": 50.0, "spz 3": 50.0, "spz 4": 50.0}  # of few bits of rotation, and of scale
READERS: dict[str, Callable[[Path], tuple[str | Path, ...]]] = {  # commands, given a folder to write to
    "info": lambda out: (),
    "convert": lambda out: (out / "a.spz",),
    "compare": lambda out: (out / "scene.ply", "--size", "16x16"),
    "render": lambda out: ("--cameras", out / "cameras.json", "--out", out / "pictures", "--size", "16x16"),
    "fly": lambda out: ("--frames", "1", "--warmup", "0", "--size", "16x16"),
    "compress": lambda out: (out / "a.kilo", "--preset", "draft"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scene and two cameras."""
    write_ply(tmp_path / "scene.ply", SCENE)
    write_cameras(tmp_path / "cameras.json", sample_cameras())
    return tmp_path


def rendered(path: Path, folder: Path, *options: str) -> np.ndarray:
    """[2, H, W, 3] what `kilofield render` makes of a file."""
    out = folder / f"pictures of {path.name}"
    result = kilofield(
        *("render", path, "--cameras", folder / "cameras.json", "--size", "64x48", "--out", out, *options)
    )
    assert (result.exit_code, result.stderr) == (0, "")
    return np.stack([np.asarray(Image.open(picture)) for picture in sorted(out.iterdir())]) / np.float32(255)


@pytest.mark.parametrize("name", [name for name in WRITTEN if name != "ply"])
def test_every_format_is_drawn_as_its_ply(name: str, folder: Path) -> None:
    kept = replace(SCENE, sh=SCENE.sh[:, :1]) if name == "splat" else SCENE  # it has no room for more
    write_ply(folder / "scene.ply", kept)
    path = WRITTEN[name](folder / "other", kept)
    difference = psnr(rendered(path, folder), rendered(folder / "scene.ply", folder))
    assert LOSSES.get(name, LOSSLESS) <= difference


def test_a_kilo_is_drawn_as_its_ply(folder: Path) -> None:
    write_kilo(folder / "a.kilo", sample_neural())
    assert kilofield("convert", folder / "a.kilo", folder / "a.ply").exit_code == 0
    assert psnr(rendered(folder / "a.kilo", folder), rendered(folder / "a.ply", folder)) >= LOSSLESS


@pytest.mark.parametrize("name", WRITTEN)
def test_info_says_the_format(name: str, tmp_path: Path) -> None:
    path = WRITTEN[name](tmp_path / "a", SCENE)
    found = json.loads(kilofield("info", path, "--json", "-").stdout)
    assert (found["format"], found["gaussians"]) == (name.rstrip(" 01234") if name[-1].isdigit() else name, 60)


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("suffix", ["ply", "kilo"])
def test_a_file_that_claims_too_many_is_refused_by_every_command(command: str, suffix: str, folder: Path) -> None:
    write_kilo(folder / "scene.kilo", sample_neural())
    source = folder / f"scene.{suffix}"
    result = kilofield(command, source, *READERS[command](folder), "--max-gaussians", "9")
    place, count = ("element vertex", 60) if suffix == "ply" else ("manifest count", 48)
    message = f"{source}: {place}: expected at most 9 Gaussians (--max-gaussians), found {count}\n"
    assert (result.exit_code, result.stderr) == (1, message)


@pytest.mark.parametrize("command", READERS)
def test_options_of_reading_are_checked_by_every_command(command: str, folder: Path) -> None:
    for option, value, least in (("--max-gaussians", "0", 1), ("--lod", "-1", 0)):
        result = kilofield(command, folder / "scene.ply", *READERS[command](folder), option, value)
        assert (result.exit_code, result.stderr) == (1, f"{option}: expected {least} or more, found {value}\n")


def test_a_level_of_detail_is_drawn(folder: Path) -> None:
    coarse = SCENE.select(slice(0, None, 2))
    write_ply(folder / "coarse.ply", coarse)
    levels = write_levels(folder / "levels", SCENE)
    assert psnr(rendered(levels, folder, "--lod", "1"), rendered(folder / "coarse.ply", folder)) >= LOSSLESS


def broken(scene: Gaussians) -> Gaussians:
    """With one that cannot be drawn."""
    positions = scene.positions.copy()
    positions[3] = np.nan
    return replace(scene, positions=positions)


@pytest.mark.parametrize("command", ["info", "convert", "compare", "render", "fly"])
def test_what_is_left_out_is_told_once(command: str, folder: Path) -> None:
    write_ply(folder / "nan.ply", broken(SCENE))
    result = kilofield(command, folder / "nan.ply", *READERS[command](folder), "--quiet")
    assert (result.exit_code, result.stderr) == (
        0,
        f"{folder / 'nan.ply'}: dropped 1 of 60 Gaussians (NaN, infinite or without a rotation)\n",
    )


def test_files_of_a_scene_file_keep_to_the_options(folder: Path) -> None:
    write_ply(folder / "nan.ply", broken(SCENE))
    write_surface(folder / "surface.kilo", sample_surface())
    whole = (folder / "surface.kilo").read_bytes()
    (folder / "surface.kilo").write_bytes(whole[:-1])
    camera = {"position": [0, 0, -4], "target": [0, 0, 0], "up": [0, -1, 0], "fov_y_degrees": 40}
    objects = [
        {"kind": "gaussians", "file": "nan.ply"},
        {"kind": "surface", "file": "surface.kilo", "material": "diffuse"},
    ]
    (folder / "room.json").write_text(json.dumps({"objects": objects, "camera": camera}))
    command = ("render", folder / "room.json", "--out", folder / "a.png", "--size", "8x8", "--spp", "1")
    result = kilofield(*command, "--max-gaussians", "9")
    expected = "element vertex: expected at most 9 Gaussians (--max-gaussians), found 60"
    assert (result.exit_code, result.stderr) == (1, f"{folder / 'nan.ply'}: {expected}\n")
    result = kilofield(*command, "--salvage")
    first, *rest = result.stderr.splitlines()
    assert (result.exit_code, first) == (
        0,
        f"{folder / 'nan.ply'}: dropped 1 of 60 Gaussians (NaN, infinite or without a rotation)",
    )
    assert all(line.startswith(f"{folder / 'surface.kilo'}: ") for line in rest)
    assert "cut short: 1 of " in result.stderr


def test_a_folder_is_as_good_as_the_description_in_it(folder: Path) -> None:
    path = write_levels(folder / "levels", SCENE)
    a, b = load_scene(path), load_scene(path / "lod-meta.json")
    assert (a.path, a.format) == (b.path, b.format) == (path / "lod-meta.json", "streamed sog")
    np.testing.assert_array_equal(a.gaussians.positions, b.gaussians.positions)


def test_the_size_of_a_scene_is_that_of_what_is_read(tmp_path: Path) -> None:
    levels, gltf = write_levels(tmp_path / "levels", SCENE), WRITTEN["gltf"](tmp_path / "a", SCENE)
    (levels / "unrelated.txt").write_text("of other things")
    parts = [sum(file.stat().st_size for file in (levels / f"{level}_0").iterdir()) for level in range(2)]
    meta = (levels / "lod-meta.json").stat().st_size
    for level in range(2):
        assert load_scene(levels, options=ReadOptions(lod=level)).bytes == meta + parts[level]
    assert load_scene(levels / "1_0").bytes == parts[1]
    assert load_scene(gltf).bytes == gltf.stat().st_size + gltf.with_suffix(".bin").stat().st_size


def test_a_checkpoint_serves_no_scene_of_other_parts(tmp_path: Path) -> None:
    from fitting.neuralgs.checkpoint import fingerprint  # torch

    levels = write_levels(tmp_path / "levels", SCENE)
    made = [_fingerprint(fingerprint, levels, lod) for lod in (0, 1)]
    assert made[0] != made[1]
    texture = levels / "0_0" / "sh0.webp"
    texture.write_bytes(texture.read_bytes() + b"\0")
    again = [_fingerprint(fingerprint, levels, lod) for lod in (0, 1)]
    assert (again[0] == made[0], again[1] == made[1]) == (False, True)


def _fingerprint(fingerprint: Callable[..., str], path: Path, lod: int) -> str:
    from fitting.neuralgs.options import CompressOptions

    options = CompressOptions(reading=ReadOptions(lod=lod))
    file = load_scene(path, options=options.reading)
    return fingerprint((file.path, *file.others), options, "cpu")
