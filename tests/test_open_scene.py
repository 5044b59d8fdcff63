"""Files of both kinds: recognised by what is in them, told apart by name, described by `kilofield info`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_samples import kilofield, sample_gaussians, sample_neural

from scenes.errors import SceneFileError
from scenes.kilo import pack_kilo, unpack_kilo, write_kilo
from scenes.kilo_container import build
from scenes.kilo_surface import pack_surface, unpack_surface, write_surface
from scenes.load import SceneFile, load_scene
from scenes.open_scene import SurfaceFile, kind_of, open_scene
from scenes.ply import write_ply
from tests.kilo_surface_samples import assert_same, sample

WHOLE = pack_surface(sample())


def test_each_kind_is_opened_as_itself(tmp_path: Path) -> None:
    names = ("a.ply", "b.ply", "c.ply")  # a name says nothing
    gaussians, neural, surface = (tmp_path / name for name in names)
    write_ply(gaussians, sample_gaussians())
    write_kilo(neural, sample_neural())
    write_surface(surface, sample())
    assert [kind_of(path) for path in (gaussians, neural, surface)] == ["gaussians", "gaussians", "surface"]
    opened = [open_scene(path) for path in (gaussians, neural)]
    assert [(type(file), getattr(file, "format", "")) for file in opened] == [(SceneFile, "ply"), (SceneFile, "kilo")]
    found = open_scene(str(surface))
    assert isinstance(found, SurfaceFile)
    assert (found.path, found.bytes) == (surface, surface.stat().st_size)
    assert_same(found.surface, sample())


def test_progress_of_both_kinds_reaches_the_end(tmp_path: Path) -> None:
    write_kilo(tmp_path / "a.kilo", sample_neural())
    write_surface(tmp_path / "b.kilo", sample())
    for name in ("a.kilo", "b.kilo"):
        shares: list[float] = []
        open_scene(tmp_path / name, shares.append)
        assert shares[-1] == pytest.approx(1, abs=0.01)


def test_a_reader_of_the_other_kind_says_so(tmp_path: Path) -> None:
    write_surface(tmp_path / "a.kilo", sample())
    message = "manifest kind: expected one of gaussians, found 'surface'"
    with pytest.raises(SceneFileError) as caught:
        unpack_kilo(pack_surface(sample()))
    assert str(caught.value) == f"memory: {message}"
    with pytest.raises(SceneFileError) as caught:
        load_scene(tmp_path / "a.kilo")
    told = "file: expected Gaussians, found a neural surface (kilofield mesh makes triangles of it)"
    assert str(caught.value) == f"{tmp_path / 'a.kilo'}: {told}"
    result = kilofield("convert", tmp_path / "a.kilo", tmp_path / "a.ply")
    assert (result.exit_code, result.stderr) == (1, f"{tmp_path / 'a.kilo'}: {told}\n")
    with pytest.raises(SceneFileError) as caught:
        unpack_surface(pack_kilo(sample_neural()))
    assert str(caught.value) == "memory: manifest kind: expected one of surface, found 'gaussians'"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file: expected some bytes, found an empty file"),
        (None, "file: expected a file, found nothing at this path"),
        (b"PK\x03\x04", "file: expected a whole zip, found one that is cut short or damaged"),
        (b"KILO", "header: expected 20 bytes, found 4, cut short"),
        (build({"kind": "mesh"}, []), "manifest kind: expected one of gaussians, surface, found 'mesh'"),
        (build({}, []), "manifest kind: expected one of gaussians, surface, found None"),
        (build({"kind": ["surface"]}, []), "manifest kind: expected one of gaussians, surface, found ['surface']"),
        (
            WHOLE[:-1],
            f"chunk 0 appearance: expected a file of {len(WHOLE)} bytes or more, found {len(WHOLE) - 1}, cut short "
            "(--salvage reads 24 of 24 cells, 24 of them without colour)",
        ),
    ],
)
def test_what_is_neither(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "scene.kilo"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SceneFileError) as caught:
        open_scene(path)
    assert str(caught.value) == f"{path}: {message}"


def test_info_of_a_surface_adds_up(tmp_path: Path) -> None:
    surface, path = sample("modulated"), tmp_path / "a.kilo"
    report = write_surface(path, surface, tool={"preset": "draft"}, chunks=[20, 4])
    found = json.loads(kilofield("info", path, "--json", "-").stdout)
    assert (found["kind"], found["cells"], found["chunks"], found["tool"]) == ("surface", 24, 2, {"preset": "draft"})
    assert found["grid"] == {"origin": [-0.4, 0.1, 0.3], "edge": 0.5, "size": [3, 3, 3]}
    assert found["bounds"] == [pytest.approx([-0.4, 0.1, 0.3]), pytest.approx([1.1, 1.6, 1.8])]
    assert found["geometry"]["parameters"] == surface.geometry.shape.parameters
    assert found["geometry"]["modulation"] == [3, 1, 2]
    assert found["geometry"]["quantised"]
    assert sum(found["streams"].values()) == found["bytes"] == report.total == path.stat().st_size
    assert found["streams"]["coordinates"] == report.cells
    text = " ".join(kilofield("info", path).stdout.split())
    assert "24 of 3 x 3 x 3 in 2 chunks; edge 0.5, overlap 0.2" in text
    assert "1 frequency, 2 x 8 sine, modulated; 185 integer weights each" in text
    assert "1 frequency, 1 x 8 sine, normal and direction; 155 integer weights each" in text
    assert "preset draft" in text


def test_info_of_a_surface_without_colour(tmp_path: Path) -> None:
    write_surface(tmp_path / "a.kilo", sample("no appearance", stepped=False))
    found = json.loads(kilofield("info", tmp_path / "a.kilo", "--json", "-").stdout)
    assert (found["appearance"], found["geometry"]["quantised"], found["tool"]) == (None, False, None)
    text = " ".join(kilofield("info", tmp_path / "a.kilo").stdout.split())
    assert "appearance none" in text
    assert "161 half-float weights each" in text
