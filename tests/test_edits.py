"""Edits of scenes, alone and through `kilofield convert`: what is kept, where it goes, what is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_samples import kilofield

from scenes.detect import is_scene_name
from scenes.edits import AXES, Edits, edited, floaters, rotation_about_axes, turn_between
from scenes.extent import scene_extent
from scenes.gaussians import Gaussians
from scenes.load import load_scene
from scenes.merging import merged
from scenes.ordering import morton_order
from scenes.ply import write_ply
from tests.format_samples import assert_close, sample


def written(path: Path, scene: Gaussians) -> Path:
    write_ply(path, scene)
    return path


def test_no_edit_is_none() -> None:
    scene = sample()
    assert edited(scene, Edits()) is scene


def test_boxes_and_spheres_keep_what_is_inside() -> None:
    scene = sample(2000)
    inside = edited(scene, Edits(box=((-1, -2, 0), (1, 2, 3)))).positions
    within = (np.abs(scene.positions[:, :2]) <= [1, 2]).all(axis=1) & (scene.positions[:, 2] >= 0)
    within &= scene.positions[:, 2] <= 3
    np.testing.assert_array_equal(inside, scene.positions[within])
    near = edited(scene, Edits(sphere=((1, 0, 0), 1.5))).positions
    within = np.linalg.norm(scene.positions - [1, 0, 0], axis=1) <= 1.5
    np.testing.assert_array_equal(near, scene.positions[within])
    assert 100 < within.sum() < 1900


def test_bands_are_dropped_and_the_others_kept() -> None:
    scene = sample()
    for degree in range(4):
        found = edited(scene, Edits(sh_degree=degree))
        np.testing.assert_array_equal(found.sh, scene.sh[:, : (degree + 1) ** 2])
    assert edited(sample(sh_degree=1), Edits(sh_degree=3)).sh_degree == 1


def test_turns_about_the_axes() -> None:
    np.testing.assert_array_equal(rotation_about_axes((90, 0, 0)) @ [0, 1, 0], [0, 0, 1])
    np.testing.assert_array_equal(rotation_about_axes((0, 90, 0)) @ [0, 0, 1], [1, 0, 0])
    np.testing.assert_array_equal(rotation_about_axes((0, 0, 90)) @ [1, 0, 0], [0, 1, 0])
    np.testing.assert_array_equal(rotation_about_axes((90, 0, 90)) @ [0, 1, 0], [0, 0, 1])  # x first


@pytest.mark.parametrize("now", AXES)
@pytest.mark.parametrize("wanted", AXES)
def test_every_axis_turns_to_every_other(now: str, wanted: str) -> None:
    turn = turn_between(np.array(AXES[now]), np.array(AXES[wanted]))
    np.testing.assert_array_equal(turn @ AXES[now], AXES[wanted])
    np.testing.assert_array_equal(turn @ turn.T, np.eye(3))
    assert np.linalg.det(turn) == pytest.approx(1)


def test_the_up_axis_is_guessed_where_it_is_not_given() -> None:
    """A broad ground at z = 0 with a heap on it: z is up."""
    rng = np.random.default_rng(1)
    ground = np.concatenate([rng.uniform(-5, 5, (3000, 2)), rng.normal(0, 0.01, (3000, 1))], axis=1)
    heap = rng.uniform((-1, -1, 0.2), (1, 1, 2.2), (1000, 3))
    positions = np.concatenate([ground, heap]).astype(np.float32)
    scene = replace(sample(4000, 0), positions=positions, log_scales=np.full((4000, 3), -4, np.float32))
    found = edited(scene, Edits(up=(None, "-y")))
    np.testing.assert_allclose(-found.positions[:, 1], scene.positions[:, 2], atol=1e-6)


def test_what_stands_alone_is_a_floater() -> None:
    rng = np.random.default_rng(1)
    scene = replace(
        sample(3012, 0),
        positions=np.concatenate([rng.normal(0, 0.3, (3000, 3)), rng.uniform(5, 9, (12, 3))]).astype(np.float32),
        log_scales=np.full((3012, 3), -6, np.float32),
    )
    scene.positions[3011] = 1e9
    scene.log_scales[3000] = 2  # background
    scene.positions[3001:3004] = scene.positions[3001]  # a few together are still floaters
    found = floaters(scene)
    assert not found[3000]
    assert found[3001:].all()
    assert found[:3000].mean() < 0.2
    assert len(edited(scene, Edits(drop_floaters=True))) == 3012 - found.sum()


def test_floaters_against_counting_one_by_one() -> None:
    scene = replace(sample(600, 0), log_scales=np.full((600, 3), -9, np.float32))
    scene.positions[:400] *= np.float32(0.2)
    extent = scene_extent(scene)
    side = extent.radius / 200
    while True:
        cells = np.floor((scene.positions - extent.centre) / side)
        apart = np.abs(cells[:, None] - cells[None]).max(axis=2)
        if np.median((apart == 0).sum(axis=1)) >= 4:
            break
        side *= 1.5
    near = (apart <= 1).sum(axis=1)
    np.testing.assert_array_equal(floaters(scene), near < np.median(near) / 8)
    assert 0.05 < floaters(scene).mean() < 0.5


def test_edits_come_in_their_order() -> None:
    """The box is in the places of the file; turning comes before scaling, and that before shifting."""
    scene = sample()
    edits = Edits(box=((0, -9, -9), (9, 9, 9)), rotate=(0, 0, 90), scale=2, translate=(10, 0, 0), morton=True)
    found = edited(scene, edits)
    kept = scene.select(scene.positions[:, 0] >= 0)
    x, y, z = kept.positions.T
    wanted = np.stack([10 - 2 * y, 2 * x, 2 * z], axis=1)
    np.testing.assert_allclose(found.positions, wanted[morton_order(wanted.astype(np.float32))], atol=1e-5)


def test_convert_merges_and_edits(tmp_path: Path) -> None:
    parts = [sample(100, 1, 1), sample(50, 3, 2)]
    paths = [written(tmp_path / f"{i}.ply", part) for i, part in enumerate(parts)]
    result = kilofield("convert", *paths, tmp_path / "out.ply", "--scale", "2", "--sh", "2", "--json", "-")
    assert result.exit_code == 0
    figures = json.loads(result.stdout)
    assert (figures["gaussians"], figures["left_out"], figures["sources"]) == (150, 0, [str(path) for path in paths])
    assert_close(load_scene(tmp_path / "out.ply").gaussians, edited(merged(parts), Edits(scale=2, sh_degree=2)))


@pytest.mark.parametrize("suffix", ["ply", "compressed.ply", "splat", "spz", "sog", "glb"])
def test_convert_writes_every_format(tmp_path: Path, suffix: str) -> None:
    source = written(tmp_path / "a.ply", sample(sh_degree=0))
    assert kilofield("convert", source, tmp_path / f"b.{suffix}").exit_code == 0
    assert kilofield("convert", tmp_path / f"b.{suffix}", tmp_path / "c.ply").exit_code == 0
    assert (load_scene(tmp_path / f"b.{suffix}").format, len(load_scene(tmp_path / "c.ply").gaussians)) == (suffix, 300)
    info = json.loads(kilofield("info", tmp_path / f"b.{suffix}", "--json", "-").stdout)
    assert (info["format"], info["gaussians"]) == (suffix, 300)


def test_what_a_format_has_no_room_for_is_said(tmp_path: Path) -> None:
    source, target = written(tmp_path / "a.ply", sample(antialiased=True)), tmp_path / "b.splat"
    result = kilofield("convert", source, target, "--quiet")
    assert result.exit_code == 0
    assert result.stderr == (
        f"{target}: .splat has no room for SH above degree 0: they were left out\n"
        f"{target}: .splat has no word for the mip filter the scene was trained with: viewers may show it too soft\n"
    )
    source = written(tmp_path / "c.ply", sample(sh_degree=0))
    assert kilofield("convert", source, tmp_path / "d.splat", "--quiet").stderr == ""


def test_options_of_spz(tmp_path: Path) -> None:
    source = written(tmp_path / "a.ply", sample(2000))
    for name, options in (("a", ()), ("b", ("--sh-bits", "5,4")), ("c", ("--spz-version", "3"))):
        assert kilofield("convert", source, tmp_path / f"{name}.spz", *options).exit_code == 0
    a, b, c = ((tmp_path / f"{name}.spz").read_bytes() for name in "abc")
    assert (a[:4], c[:2]) == (b"NGSP", b"\x1f\x8b")
    assert len(b) < 0.75 * len(a)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--box", "1,2,3"), "--box: expected 6 numbers with commas between them, found '1,2,3'"),
        (("--box", "0,0,0,1,-1,1"), "--box: expected the lower corner and then the upper one, found 0,0,0,1,-1,1"),
        (("--sphere", "0,0,0,-1"), "--sphere: expected a radius above 0, found -1"),
        (("--sphere", "0,0,0,nan"), "--sphere: expected 4 numbers with commas between them, found '0,0,0,nan'"),
        (("--rotate", "a"), "--rotate: expected 3 numbers with commas between them, found 'a'"),
        (("--scale", "0"), "--scale: expected a factor above 0, found 0"),
        (("--sh", "4"), "--sh: expected a degree from 0 to 3, found 4"),
        (("--up", "w"), "--up: expected an axis, or two such as -y:z, of x, -x, y, -y, z, -z, found 'w'"),
        (("--spz-version", "2"), "--spz-version: expected 3 or 4, found 2"),
        (("--sh-bits", "9,1"), "--sh-bits: expected two numbers from 1 to 8, such as 5,4, found '9,1'"),
        (("--lod", "-1"), "--lod: expected 0 or more, found -1"),
        (("--max-gaussians", "0"), "--max-gaussians: expected 1 or more, found 0"),
        (
            ("--max-gaussians", "299"),
            "{source}: element vertex: expected at most 299 Gaussians (--max-gaussians), found 300",
        ),
        (("--box", "90,90,90,91,91,91"), "{target}: expected at least one Gaussian to write, found none"),
    ],
)
def test_options_that_are_refused(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    source, target = written(tmp_path / "a.ply", sample()), tmp_path / "b.spz"
    result = kilofield("convert", source, target, *options)
    assert (result.exit_code, result.stderr) == (1, message.format(source=source, target=target) + "\n")
    assert not target.exists()


def test_a_kilo_is_not_an_output(tmp_path: Path) -> None:
    result = kilofield("convert", written(tmp_path / "a.ply", sample()), tmp_path / "b.kilo")
    expected = f"{tmp_path / 'b.kilo'}: expected an output for other programs; kilofield compress makes a .kilo\n"
    assert (result.exit_code, result.stderr) == (1, expected)


def test_an_output_alone_is_refused(tmp_path: Path) -> None:
    result = kilofield("convert", tmp_path / "a.ply")
    assert result.exit_code == 1
    assert "expected one or more scenes and then the output" in result.stderr


def test_parts_of_a_sog_are_no_scene_files() -> None:
    names = {"meta.json": False, "a/lod-meta.json": False, "scene.json": True, "scene.JSON": True, "a.gltf": False}
    assert {name: is_scene_name(Path(name)) for name in names} == names
