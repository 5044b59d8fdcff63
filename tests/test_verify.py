"""`kilofield verify`: whole files of every format pass; of a damaged .kilo every damaged stream is named."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_samples import kilofield, sample_gaussians

from scenes.kilo import pack_kilo
from scenes.kilo_container import build
from scenes.kilo_surface import pack_surface
from scenes.ply import write_ply
from scenes.save import save_scene
from scenes.verify import Verdict, files_in, verify
from tests.kilo_damage import parts, put
from tests.kilo_scenes import random_scene
from tests.kilo_surface_samples import sample
from tests.mesh_samples import TETRAHEDRON, ball
from tests.test_sog import levels

SCENE = pack_kilo(random_scene(count=90, networks=3), chunks=[1, 2], tiers=np.arange(90) % 2)
SURFACE = pack_surface(sample(uneven=True), chunks=[20, 4])


def streams_by_place(value: Any, way: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Every stream of a manifest, by what messages call it."""
    if isinstance(value, dict) and "crc" in value:
        return {" ".join({"chunks": "chunk", "tiers": "tier"}.get(step, step) for step in way): value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {
        place: stream for key, inner in items for place, stream in streams_by_place(inner, (*way, str(key))).items()
    }


def checked(tmp_path: Path, data: bytes | bytearray) -> Verdict:
    (tmp_path / "a.kilo").write_bytes(data)
    return verify(tmp_path / "a.kilo")


def start_of(data: bytes) -> int:
    return -(-(20 + int.from_bytes(data[8:12], "little")) // 4) * 4


@pytest.mark.parametrize("whole", [SCENE, SURFACE], ids=["gaussians", "surface"])
def test_every_damaged_stream_is_named_and_no_other(tmp_path: Path, whole: bytes) -> None:
    streams = streams_by_place(parts(whole)[0])
    rng = random.Random(0)
    assert checked(tmp_path, whole).problems == ()
    for count in (1, 2, 3, 5, len(streams)):
        damaged, data = rng.sample(sorted(streams), count), bytearray(whole)
        for place in damaged:
            stream = streams[place]
            data[start_of(whole) + stream["offset"] + rng.randrange(stream["stored"])] ^= 1 << rng.randrange(8)
        found = checked(tmp_path, data)
        assert sorted(problem.place for problem in found.problems) == sorted(damaged)
        assert all(problem.found.endswith(", damaged") for problem in found.problems)
        assert found.checksums == len(streams) + 1


@pytest.mark.parametrize("whole", [SCENE, SURFACE], ids=["gaussians", "surface"])
def test_of_a_cut_file_every_stream_that_is_not_there_is_named(tmp_path: Path, whole: bytes) -> None:
    streams, start = streams_by_place(parts(whole)[0]), start_of(whole)
    for length in range(start, len(whole), 211):
        found = checked(tmp_path, whole[:length])
        cut = {place for place, stream in streams.items() if start + stream["offset"] + stream["stored"] > length}
        assert {problem.place for problem in found.problems} == cut | {"file"}
        assert str(found.problems[0]).endswith(f"file: expected {len(whole)} bytes, found {length}, cut short")


def test_what_a_checksum_does_not_see(tmp_path: Path) -> None:
    manifest, streams = parts(SCENE)
    put("chunks.1.bounds", [[0, 0, 0], [0.1, 0.1, 0.1]])(manifest)
    (problem,) = checked(tmp_path, build(manifest, streams)).problems
    assert problem.place == "chunk 1 bounds"
    assert problem.found.endswith(" points outside")
    (problem,) = checked(tmp_path, SCENE + b"\0").problems
    assert str(problem).endswith(f"file: expected {len(SCENE)} bytes, found {len(SCENE) + 1}")
    large = replace(random_scene(count=30, networks=1), output_scale=np.full(19, 3e38, np.float32))
    (problem,) = checked(tmp_path, pack_kilo(large)).problems
    assert (problem.place, problem.expected) == ("Gaussians", "finite attributes, decoded")
    manifest, streams = parts(SURFACE)
    put("chunks.0.bounds", [[0, 0, 0], [0.1, 0.1, 0.1]])(manifest)
    (problem,) = checked(tmp_path, build(manifest, streams)).problems
    assert problem.place == "chunk 0 bounds"


def test_the_command_names_all_and_says_what_could_be_salvaged(tmp_path: Path) -> None:
    streams, data = streams_by_place(parts(SCENE)[0]), bytearray(SCENE)
    places = ("chunk 0 tier 1 codes", "chunk 1 boxes")
    for place in places:
        data[start_of(SCENE) + streams[place]["offset"]] ^= 1
    path = tmp_path / "bad.kilo"
    path.write_bytes(data)
    result = kilofield("verify", path)
    assert (result.exit_code, result.stdout) == (1, "")
    first, second, last = result.stderr.splitlines()
    assert first.startswith(f"{path}: {places[0]}: expected checksum {streams[places[0]]['crc']:08x}, found ")
    assert second.startswith(f"{path}: {places[1]}: expected checksum {streams[places[1]]['crc']:08x}, found ")
    kept = sum(parts(SCENE)[0]["chunks"][0]["tiers"][0]["counts"])
    assert last == f"{path}: --salvage reads {kept} of 90 Gaussians"
    figures = json.loads(kilofield("verify", path, "--json", "-").stdout)
    (file,) = figures["files"]
    assert [problem["place"] for problem in file["problems"]] == list(places)
    assert (file["whole"], file["salvage"], figures["with_problems"]) == (
        False,
        {"count": kept, "without_colour": 0},
        1,
    )
    assert file["holds"] == {"count": 90, "unit": "Gaussians", "levels": 1}


def test_streams_behind_the_end_share_a_line(tmp_path: Path) -> None:
    path, streams = tmp_path / "cut.kilo", streams_by_place(parts(SCENE)[0])
    end = streams["chunk 0 tier 1 positions"]["offset"] + 5
    path.write_bytes(SCENE[: start_of(SCENE) + end])
    size, cut, behind, salvage = kilofield("verify", path).stderr.splitlines()
    assert size == f"{path}: file: expected {len(SCENE)} bytes, found {start_of(SCENE) + end}, cut short"
    assert ": chunk 0 tier 1 positions: expected " in cut
    assert behind == (
        f"{path}: 3 streams are behind the end of the file: tier 1 codes of chunks 0 and 1, tier 1 positions of chunk 1"
    )
    assert salvage == f"{path}: --salvage reads 45 of 90 Gaussians"


def test_whole_files_of_every_format(tmp_path: Path) -> None:
    scene, expected = sample_gaussians(40), {}
    for suffix, name in (
        (".ply", "ply"),
        (".compressed.ply", "compressed.ply"),
        (".splat", "splat"),
        (".spz", "spz"),
        (".sog", "sog"),
        (".glb", "glb"),
    ):
        save_scene(tmp_path / f"a{suffix}", scene)
        expected[f"a{suffix}"] = (name, 40, "Gaussian")
    (tmp_path / "a.kilo").write_bytes(SCENE)
    (tmp_path / "b.kilo").write_bytes(SURFACE)
    (tmp_path / "a.obj").write_text(TETRAHEDRON)
    ball().export(tmp_path / "b.glb")
    ball().export(tmp_path / "b.ply")
    expected |= {
        "b.glb": ("glb mesh", 320, "triangle"),
        "b.ply": ("ply mesh", 320, "triangle"),
        "a.kilo": ("kilo", 90, "Gaussian"),
        "b.kilo": ("kilo", 24, "cell"),
        "a.obj": ("obj mesh", 4, "triangle"),
    }
    found = {path.name: verify(path) for path in files_in([tmp_path])}
    assert {name: (v.format, v.count, v.unit) for name, v in found.items()} == expected
    assert not any(verdict.problems for verdict in found.values())
    result = kilofield("verify", tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    text = " ".join(result.stdout.split())
    assert "11 files, none with problems" in text
    (tmp_path / "lit.json").write_text(json.dumps({"objects": [{"kind": "gaussians", "file": "a.ply"}]}))
    lit = verify(tmp_path / "lit.json")
    assert (lit.format, lit.holds, lit.problems) == ("scene file", "1 thing", ())
    assert f"kilo 90 Gaussians {len(SCENE) / 1000:.2f} KB whole, {found['a.kilo'].checksums} checksums" in text


def test_what_cannot_be_drawn_is_counted_and_no_damage(tmp_path: Path) -> None:
    path, scene = tmp_path / "a.ply", sample_gaussians(40)
    positions = scene.positions.copy()
    positions[:3] = np.nan
    write_ply(path, replace(scene, positions=positions))
    result = kilofield("verify", path)
    assert (result.exit_code, result.stderr) == (0, f"{path}: 3 more left out: NaN, infinite or without a rotation\n")
    assert result.stdout == f"{path}: ply, 37 Gaussians, {path.stat().st_size / 1000:.2f} KB, readable\n"


def test_folders_are_searched_and_scenes_in_folders_are_one(tmp_path: Path) -> None:
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "deep" / "deeper" / "a.KILO").write_bytes(SCENE)
    (tmp_path / "notes.txt").write_text("no scene")
    (tmp_path / "streamed").mkdir()
    levels(tmp_path / "streamed")
    write_ply(tmp_path / "b.ply", sample_gaussians(9))
    assert list(files_in([tmp_path])) == [
        tmp_path / "b.ply",
        tmp_path / "deep" / "deeper" / "a.KILO",
        tmp_path / "streamed",
    ]
    whole = verify(tmp_path / "streamed")
    assert (whole.count, whole.levels, whole.problems) == (80 + 60 + 9 + 30 + 9, 2, ())
    assert whole.holds == "188 Gaussians in 2 levels"
    (tmp_path / "streamed" / "1_0" / "meta.json").unlink()  # of level 1 alone
    broken = verify(tmp_path / "streamed")
    assert (broken.count, [problem.found for problem in broken.problems]) == (149, ["nothing at this path"])
    result = kilofield("verify", tmp_path, tmp_path / "gone.ply")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "2 of 4 files have problems"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert kilofield("verify", empty).stderr == (
        f"{empty}: expected scene files in this folder or below it, found none\n"
    )


def test_links_that_lead_back_are_followed_once(tmp_path: Path) -> None:
    (tmp_path / "a.kilo").write_bytes(SCENE)
    (tmp_path / "back").symlink_to(tmp_path, target_is_directory=True)
    elsewhere = tmp_path.with_name(f"{tmp_path.name}-elsewhere")
    elsewhere.mkdir()
    (elsewhere / "b.kilo").write_bytes(SCENE)
    (tmp_path / "linked").symlink_to(elsewhere, target_is_directory=True)
    assert [path.name for path in files_in([tmp_path])] == ["a.kilo", "b.kilo"]


def test_whatever_is_in_a_file_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    scene, rng = sample_gaussians(20), random.Random(4)
    for name in ("a.ply", "a.compressed.ply", "a.splat", "a.spz", "a.sog", "a.glb"):
        save_scene(tmp_path / name, scene)
        whole = (tmp_path / name).read_bytes()
        for _ in range(12):
            data = bytearray(whole[: rng.randrange(len(whole))] if rng.random() < 0.5 else whole)
            for _ in range(3):
                at = rng.randrange(len(data) + 1)
                data[at : at + 1] = bytes([rng.randrange(256)])
            (tmp_path / name).write_bytes(data)
            found = verify(tmp_path / name)
            assert bool(found.problems) != bool(found.count)


def test_progress_covers_every_file(tmp_path: Path) -> None:
    for whole in (SCENE, SURFACE):
        (tmp_path / "a.kilo").write_bytes(whole)
        shares: list[float] = []
        verify(tmp_path / "a.kilo", progress=shares.append)
        assert shares == sorted(shares)
        assert shares[-1] == 1
        assert len(shares) > 5


def test_quiet_prints_nothing_of_whole_files(tmp_path: Path) -> None:
    (tmp_path / "a.kilo").write_bytes(SCENE)
    result = kilofield("verify", tmp_path / "a.kilo", "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
