"""Textures of neural surfaces, mesh files, and the command that writes them."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from cli_samples import kilofield, sample_gaussians
from PIL import Image
from plyfile import PlyData

from scenes.kilo_surface import write_surface
from scenes.meshes import read_mesh
from scenes.ply import write_ply
from scenes.surface import NeuralSurface
from scenes.surface_mesh import MeshOptions, SurfaceMesh, surface_mesh
from scenes.surface_mesh_field import NearField
from scenes.surface_mesh_files import write_mesh
from scenes.surface_mesh_texture import Charts, baked, texels_of
from scenes.triangle_mesh import Mesh, sampled
from tests.surface_samples import fitted_surface, torus

FACES, SIDE = 400, 128
SHIFT = np.array([0.0, 2.0, 4.0])


def stripes(points: np.ndarray) -> np.ndarray:
    return 0.5 + 0.4 * np.sin(5 * points + SHIFT)


@pytest.fixture(scope="module")
def ring() -> NeuralSurface:
    return fitted_surface(torus, cells=8, width=32, colour=stripes)


@pytest.fixture(scope="module")
def painted(ring: NeuralSurface) -> SurfaceMesh:
    return surface_mesh(ring, MeshOptions(32, FACES), lambda done, stage: None)


@pytest.fixture(scope="module")
def textured(ring: NeuralSurface) -> SurfaceMesh:
    return surface_mesh(ring, MeshOptions(32, FACES, SIDE), lambda done, stage: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, ring: NeuralSurface) -> Path:
    made = tmp_path_factory.mktemp("meshes")
    write_surface(made / "ring.kilo", ring)
    write_surface(made / "plain.kilo", NeuralSurface(ring.grid, ring.cells, ring.overlap, ring.geometry))
    write_ply(made / "scene.ply", sample_gaussians())
    return made


# Textures


def test_charts_are_the_mesh_on_a_plane(textured: SurfaceMesh) -> None:
    assert textured.texture is not None
    charts, shape = textured.texture.charts, textured.shape
    np.testing.assert_array_equal(charts.vertex[charts.faces], shape.faces)
    np.testing.assert_allclose([charts.uv.min(), 1 - charts.uv.max()], 2 / SIDE, atol=1 / SIDE)  # a rim all around
    rows = np.concatenate([texels.row for texels, _ in texels_of(charts, SIDE)])
    assert len(np.unique(rows)) > 0.99 * len(rows)  # no two triangles are on top of each other
    assert textured.texture.covered == pytest.approx(len(np.unique(rows)) / SIDE**2)
    assert textured.texture.covered > 0.3


def test_a_texture_shows_the_surface_where_triangles_are_far_from_it(textured: SurfaceMesh) -> None:
    assert textured.texture is not None
    charts, rng = textured.texture.charts, np.random.default_rng(0)
    weights = rng.dirichlet((1, 1, 1), len(charts.faces))
    places = np.einsum("fc,fcd->fd", weights, textured.shape.corners)
    uv = np.einsum("fc,fcd->fd", weights, charts.uv[charts.faces])
    found = sampled((textured.texture.picture / 255).astype(np.float32), uv)
    axis = np.arctan2(places[:, 1], places[:, 0])
    middle = 0.6 * np.stack([np.cos(axis), np.sin(axis), np.zeros(len(axis))], axis=1)
    out = places - middle
    onto = middle + 0.25 * out / np.linalg.norm(out, axis=1, keepdims=True)
    assert np.abs(torus(places)).max() > 0.01
    assert np.abs(found - stripes(onto)).mean() < 0.02
    assert np.quantile(np.abs(found - stripes(onto)), 0.99) < 0.08


def test_texels_of_two_triangles_fill_their_square() -> None:
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
    charts = Charts(np.arange(4), np.array([[0, 1, 2], [0, 2, 3]]), uv)
    (texels, stop), *rest = texels_of(charts, 8)
    assert (stop, rest) == (2, [])
    assert len(texels.row) == 64 + 8  # those on the diagonal are in both
    middles = np.einsum("nc,ncd->nd", texels.barycentric, uv[charts.faces[texels.face]])
    x, y = texels.row % 8, texels.row // 8
    np.testing.assert_allclose(middles, np.stack([(x + 0.5) / 8, 1 - (y + 0.5) / 8], axis=1), atol=1e-12)


def test_texels_in_parts_are_those_in_one(textured: SurfaceMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    assert textured.texture is not None
    (whole, stop), *_ = texels_of(textured.texture.charts, SIDE)
    monkeypatch.setattr("scenes.surface_mesh_texture.CANDIDATES", 500)
    parts = list(texels_of(textured.texture.charts, SIDE))
    assert len(parts) > 10
    assert stop == parts[-1][1] == len(textured.shape.faces)
    np.testing.assert_array_equal(np.concatenate([texels.row for texels, _ in parts]), whole.row)


def test_rims_are_repeated_and_the_rest_is_the_mean(ring: NeuralSurface) -> None:
    shape = Mesh(np.array([[0.6, 0, 0.25], [0.65, 0, 0.245], [0.6, 0.05, 0.25]]), np.array([[0, 1, 2]]))
    charts = Charts(np.arange(3), shape.faces, np.array([[0.4, 0.4], [0.6, 0.4], [0.4, 0.6]]))
    texture = baked(NearField(ring), shape, charts, 64)
    filled = np.zeros((64, 64), bool)
    for texels, _ in texels_of(charts, 64):
        filled.flat[texels.row] = True
    rows, columns = np.nonzero(filled)
    left = columns[rows == rows.max()].min()
    np.testing.assert_array_equal(texture.picture[rows.max(), left - 8 : left], [texture.picture[rows.max(), left]] * 8)
    mean = np.rint(texture.picture[filled].mean(axis=0))
    np.testing.assert_array_equal(texture.picture[0, 0], mean)
    np.testing.assert_array_equal(texture.picture[-1, -1], mean)


# Files


@pytest.mark.parametrize("suffix", [".ply", ".glb", ".obj"])
def test_a_file_says_what_the_mesh_is(painted: SurfaceMesh, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ring{suffix}"
    size = write_mesh(path, painted)
    assert [(file, file.stat().st_size) for file in tmp_path.iterdir()] == [(path, size)]
    back = read_mesh(path)
    assert (back.notes, back.closed, back.components) == ((), True, 1)
    assert back.volume == pytest.approx(painted.shape.volume, rel=1e-5)
    # in whichever order the faces come back, the colours at their corners are those of the vertices there
    np.testing.assert_allclose(back.corners, painted.shape.corners, atol=1e-6)
    for corner in range(3):
        found = back.colour_at(np.arange(FACES), np.tile(np.eye(3)[corner], (FACES, 1)))
        assert found is not None
        assert painted.colours is not None
        np.testing.assert_allclose(found, painted.colours[painted.shape.faces[:, corner]], atol=0.51 / 255)


@pytest.mark.parametrize("suffix", [".ply", ".glb", ".obj"])
def test_trimesh_opens_it_watertight_and_normals_are_the_fields(
    painted: SurfaceMesh, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"ring{suffix}"
    write_mesh(path, painted)
    made = trimesh.load_mesh(path)
    assert isinstance(made, trimesh.Trimesh)
    assert made.is_watertight
    assert made.volume == pytest.approx(painted.shape.volume, rel=1e-5)
    np.testing.assert_allclose(normals_in(path), painted.normals, atol=1e-6)


def normals_in(path: Path) -> np.ndarray:
    """[V, 3] as they are in the file: trimesh makes its own."""
    if path.suffix == ".ply":
        vertex = PlyData.read(path)["vertex"]
        return np.stack([vertex[name] for name in ("nx", "ny", "nz")], axis=1)
    if path.suffix == ".obj":
        return np.array([line.split()[1:] for line in path.read_text().splitlines() if line[:3] == "vn "], np.float64)
    tree, buffer = glb(path)
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["NORMAL"]]
    start = tree["bufferViews"][accessor["bufferView"]]["byteOffset"]
    return np.frombuffer(buffer, "<f4", 3 * accessor["count"], start).reshape(-1, 3)


def glb(path: Path) -> tuple[dict[str, Any], bytes]:
    """The JSON and the buffer."""
    content = path.read_bytes()
    end = 20 + struct.unpack("<I", content[12:16])[0]
    return json.loads(content[20:end]), content[end + 8 :]


def test_dark_colours_survive_linear_light(painted: SurfaceMesh, tmp_path: Path) -> None:
    dark = SurfaceMesh(painted.shape, painted.normals, painted.normals * 0 + np.float32(6 / 255), 0.1, 0, 0)
    write_mesh(tmp_path / "dark.glb", dark)
    found = read_mesh(tmp_path / "dark.glb").colour_at(np.array([0]), np.array([[1.0, 0, 0]]))
    assert found is not None
    np.testing.assert_allclose(found, 6 / 255, atol=0.1 / 255)


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_a_textured_file(textured: SurfaceMesh, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"my ring{suffix}"
    size = write_mesh(path, textured)
    names = [path.name] if suffix == ".glb" else ["my ring.mtl", "my ring.obj", "my ring.png"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) == size
    back = read_mesh(path)
    assert (back.notes, back.closed, len(back.faces)) == ((), True, FACES)
    np.testing.assert_allclose(back.corners, textured.shape.corners, atol=1e-6)
    assert textured.texture is not None
    charts = textured.texture.charts
    middles = charts.uv[charts.faces].mean(axis=1)
    expected = sampled((textured.texture.picture / 255).astype(np.float32), middles)
    found = back.colour_at(np.arange(FACES), np.full((FACES, 3), 1 / 3))
    assert found is not None
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_a_glb_does_not_shine(painted: SurfaceMesh, textured: SurfaceMesh, tmp_path: Path) -> None:
    plain = SurfaceMesh(painted.shape, painted.normals, None, 0.1, 0, 0)
    for name, mesh in (("painted", painted), ("textured", textured), ("plain", plain)):
        write_mesh(tmp_path / f"{name}.glb", mesh)
        tree, _ = glb(tmp_path / f"{name}.glb")
        (material,), (part,) = tree["materials"], tree["meshes"][0]["primitives"]
        look = material["pbrMetallicRoughness"]
        assert (look["metallicFactor"], look["roughnessFactor"], part["material"]) == (0.0, 1.0, 0)
        assert ("NORMAL" in part["attributes"], "COLOR_0" in part["attributes"]) == (True, name == "painted")
        assert ("baseColorTexture" in look) == (name == "textured")


def test_small_things_keep_their_digits_in_text(painted: SurfaceMesh, tmp_path: Path) -> None:
    small = Mesh(painted.shape.vertices * 1e-5, painted.shape.faces)
    write_mesh(tmp_path / "small.obj", SurfaceMesh(small, painted.normals, None, 1e-6, 0, 0))
    found = read_mesh(tmp_path / "small.obj")
    np.testing.assert_allclose(found.corners, small.corners, atol=1e-11)


# The command


def test_the_command_writes_a_mesh_and_says_what_it_is(folder: Path) -> None:
    options = ["--resolution", "24", "--faces", "300", "--largest", "--json", folder / "ring.json"]
    done = kilofield("mesh", folder / "ring.kilo", folder / "ring.ply", *options)
    assert done.exit_code == 0, done.output
    assert "watertight, volume 0." in done.output
    found, back = json.loads((folder / "ring.json").read_text()), read_mesh(folder / "ring.ply")
    assert (found["faces"], found["vertices"]) == (len(back.faces), len(back.vertices)) == (300, 150)
    assert (found["watertight"], found["open_edges"], found["parts"], found["colours"]) == (True, 0, 1, "vertices")
    assert found["volume"] == pytest.approx(back.volume, rel=1e-5)
    assert (found["files"], found["notes"]) == ([str(folder / "ring.ply")], [])
    assert found["bytes"] == (folder / "ring.ply").stat().st_size


def test_the_command_makes_textures(folder: Path) -> None:
    options = ["--resolution", "24", "--faces", "300", "--texture", "64", "--json", "-"]
    done = kilofield("mesh", folder / "ring.kilo", folder / "t.obj", *options)
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["files"] == [str(folder / name) for name in ("t.obj", "t.mtl", "t.png")]
    assert (found["colours"], found["texture"]["pixels"]) == ("texture", 64)
    assert Image.open(folder / "t.png").size == (64, 64)
    done = kilofield("mesh", folder / "ring.kilo", folder / "u.glb", *options[:-2])
    assert "64 x 64 texture, " in done.output


def test_notes_are_told_even_when_quiet(folder: Path) -> None:
    options = ["--resolution", "8", "--faces", "100000", "--quiet"]
    done = kilofield("mesh", folder / "plain.kilo", folder / "n.ply", *options)
    assert done.exit_code == 0
    assert done.output.startswith(f"{folder / 'n.ply'}: --faces 100000: the mesh has only ")
    assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scene.ply", "out.ply"], "{0}/scene.ply: file: expected a .kilo that holds a surface, found no .kilo"),
        (["none.kilo", "out.ply"], "{0}/none.kilo: "),
        (["ring.kilo", "out.stl"], "{0}/out.stl: expected an output named *.ply, *.glb or *.obj"),
        (["ring.kilo", "no/out.ply"], "{0}/no/out.ply: cannot write: No such file or directory"),
        (
            ["ring.kilo", "out.ply", "--texture", "64"],
            "--texture: expected an output named *.glb or *.obj, found {0}/out.ply",
        ),
        (
            ["ring.kilo", "out.ply", "--resolution", "7"],
            "{0}/ring.kilo: --resolution: expected 8 (one a cell) to 2048, found 7",
        ),
        (["ring.kilo", "out.ply", "--faces", "3"], "{0}/ring.kilo: --faces: expected 4 or more, found 3"),
        (
            ["plain.kilo", "out.glb", "--texture", "64"],
            "{0}/plain.kilo: --texture: expected a surface with colours, found one without",
        ),
    ],
)
def test_what_is_refused(folder: Path, arguments: list[str], message: str) -> None:
    done = kilofield("mesh", folder / arguments[0], folder / arguments[1], *arguments[2:])
    assert done.exit_code == 1
    assert done.output.startswith(message.format(folder))
    assert len(done.output.splitlines()) == 1
    assert not (folder / arguments[1]).exists()


def test_gaussians_are_no_surface(folder: Path, tmp_path: Path) -> None:
    from cli_samples import sample_neural

    from scenes.kilo import write_kilo

    write_kilo(tmp_path / "g.kilo", sample_neural())
    done = kilofield("mesh", tmp_path / "g.kilo", tmp_path / "g.ply")
    assert done.output == f"{tmp_path / 'g.kilo'}: file: expected a .kilo that holds a surface, found Gaussians\n"


@pytest.mark.parametrize("name", ["kept.obj", "kept.mtl", "kept.png"])
def test_nothing_is_overwritten_unasked(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    options = ["--resolution", "8", "--faces", "100", "--texture", "64", "--quiet"]
    done = kilofield("mesh", folder / "ring.kilo", tmp_path / "kept.obj", *options)
    assert done.exit_code == 1
    assert done.output == f"{tmp_path / name}: exists already; --force replaces it\n"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
    done = kilofield("mesh", folder / "ring.kilo", tmp_path / "kept.obj", *options, "--force")
    assert (done.exit_code, done.output) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.mtl", "kept.obj", "kept.png"]
