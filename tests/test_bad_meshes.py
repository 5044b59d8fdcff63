"""Mesh files that are damaged, or something else: exact words, and no other error."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from mesh_samples import TETRAHEDRON, ball, exported, message, save

from scenes.errors import SceneFileError
from scenes.meshes import read_mesh

PLY = """ply
format ascii 1.0
element vertex 3
property float x
property float y
property float z
element face 1
property list uchar int vertex_indices
end_header
0 0 0
1 0 0
0 1 0
3 0 1 2
"""
POINTS = PLY.replace("element face 1\nproperty list uchar int vertex_indices\n", "").replace("3 0 1 2\n", "")
BAD_TEXTS = [
    ("a.obj", "", "file: expected some bytes, found an empty file"),
    ("a.obj", "hello\n", "file: expected a mesh with faces, found neither vertices nor faces"),
    ("a.obj", "v 0 0 0\nv 1 0 0\n", "file: expected a mesh with faces, found a point cloud of 2 vertices"),
    ("a.obj", "v 0 0\n" + TETRAHEDRON, "line 1: expected v and 3 finite numbers, found v 0 0"),
    ("a.obj", TETRAHEDRON.replace("v 0 1", "v nan 1"), "line 3: expected v and 3 finite numbers, found v nan 1 0"),
    ("a.obj", TETRAHEDRON.replace("v 0 1", "v inf 1"), "line 3: expected v and 3 finite numbers, found v inf 1 0"),
    ("a.obj", TETRAHEDRON + "f 1 2 9\n", "line 9: expected at most 4, as there are v lines, found 9"),
    ("a.obj", TETRAHEDRON + "f 1/5 2/1 3/1\n", "line 9: expected at most 0, as there are vt lines, found 5"),
    (
        "a.obj",
        TETRAHEDRON + "f 0 1 2\n",
        "line 9: expected f and vertices as a, a/b, a//c or a/b/c, counted from 1, found f 0 1 2",
    ),
    ("a.obj", TETRAHEDRON + "f 1 2\n", "line 9: expected f and at least 3 vertices, found f 1 2"),
    ("a.obj", "v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "faces: expected triangles with an area, found 1 in a line"),
    (
        "a.obj",
        "v 0 0 0\nv 0 0 0\nv 2 0 0\nf 1 2 3\n",
        "faces: expected triangles with an area, found each with a vertex twice",
    ),
    ("a.obj", TETRAHEDRON.replace("v 1", "v 1e20"), "vertices: expected a size from 1e-12 to 1e+12, found 1e+20"),
    ("a.ply", PLY.replace("0 1 0", "0 nan 0"), "vertex 2: expected 3 finite numbers, found 0, nan, 0"),
    ("a.ply", PLY.replace("3 0 1 2", "3 0 1 7"), "face 0: expected vertices 0 to 2, found 0, 1, 7"),
    ("a.ply", POINTS, "header: expected a mesh with faces, found a point cloud of 3 vertices"),
    (
        "a.ply",
        POINTS.replace("float z", "float z\nproperty float f_dc_0"),
        "header: expected a mesh with faces, found 3 Gaussians",
    ),
    ("a.ply", PLY.replace("face 1", "face 0"), "header: expected a mesh with faces, found a point cloud of 3 vertices"),
    ("a.ply", PLY.replace("vertex 3", "vertex 300"), "file: expected at least 1808 bytes after the header, found 26"),
    ("a.ply", PLY.replace("float y", "float q"), "element vertex: expected properties x, y, z, found no y"),
    ("a.ply", "plain text\n", "line 1: expected the word ply, found plain text"),
    ("a.stl", "solid a\nendsolid\n", "file: expected a mesh with faces, found 0 facets"),
    ("a.stl", "solid a\nfacet\nvertex 0 0 x\n", "line 3: expected vertex and 3 finite numbers, found vertex 0 0 x"),
    (
        "a.stl",
        "solid a\nfacet\nvertex 0 0 1\n",
        "file: expected 1 whole facets and endsolid, found 1 vertex, 0 endfacet, 0 endsolid",
    ),
    ("a.stl", "not one", "file: expected at least 84 bytes or the word solid, found 7 bytes"),
    ("a.gltf", "{}", "file: expected a glTF object with an asset, found {}"),
    ("a.gltf", '{"asset": {}}', "file: expected a mesh with faces, found no meshes"),
    ("a.gltf", "{", "line 1: expected JSON, found expecting property name enclosed in double quotes"),
    ("a.glb", "nothing of the sort", "file: expected the header of a .glb, found 19 bytes of something else"),
    ("a.fbx", "Kaydara", "file: expected a mesh (.obj, .ply, .stl, .glb, .gltf), found .fbx"),
    ("a", "Kaydara", "file: expected a mesh (.obj, .ply, .stl, .glb, .gltf), found a name without a suffix"),
]


@pytest.mark.parametrize(("name", "content", "said"), BAD_TEXTS)
def test_what_is_wrong_with_a_text(tmp_path: Path, name: str, content: str, said: str) -> None:
    assert message(save(tmp_path / name, content)) == said


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    assert message(tmp_path / "none.obj") == "file: expected a file, found nothing at this path"
    assert message(tmp_path) == "file: expected a file, found a folder"


def test_a_mesh_far_from_the_origin(tmp_path: Path) -> None:
    """A building in a country's coordinates: float32 would not resolve it."""
    path = save(tmp_path / "a.ply", ball().apply_translation([4e6, 0, 0]).export(file_type="ply", encoding="ascii"))
    expected = "expected a size of at least 0.001 of the distance from the origin (move it there), found"
    assert message(path).startswith(f"vertices: {expected} 3.")


def test_binary_files_that_are_cut_or_of_another_length(tmp_path: Path) -> None:
    stl = save(tmp_path / "a.stl", exported(ball(0), "stl")[:-1])
    assert message(stl) == "file: expected 1084 bytes (20 facets of 50), found 1083"
    glb = save(tmp_path / "a.glb", exported(ball(0), "glb")[:-1])
    size = glb.stat().st_size
    assert message(glb) == f"header: expected {size + 1} bytes, found {size}"
    nan = bytearray(exported(ball(0), "stl"))
    nan[84 + 12 : 84 + 16] = struct.pack("<f", np.nan)
    assert message(save(tmp_path / "n.stl", bytes(nan))).startswith("vertex 0: expected 3 finite numbers, found nan, ")


@pytest.mark.parametrize("kind", ["ply", "stl", "glb"])
def test_no_cut_of_a_binary_file_is_read_and_none_ends_in_another_error(tmp_path: Path, kind: str) -> None:
    whole = exported(ball(0), kind)
    for size in range(1, len(whole), 37):
        with pytest.raises(SceneFileError):
            read_mesh(save(tmp_path / f"a.{kind}", whole[:size]))


@pytest.mark.parametrize("kind", ["obj", "ply", "stl", "stl_ascii", "glb"])
def test_damaged_files_are_read_or_refused(tmp_path: Path, kind: str) -> None:
    whole = exported(ball(0), kind)
    path, random, refused = tmp_path / f"a.{kind.partition('_')[0]}", np.random.default_rng(8), 0
    for _ in range(60):
        content = bytearray(whole)
        for position in random.integers(0, len(content), 2):
            content[position] ^= 1 << random.integers(8)
        try:
            mesh = read_mesh(save(path, bytes(content)))
            assert np.isfinite(mesh.vertices).all()
            assert mesh.faces.max() < len(mesh.vertices)
        except SceneFileError:
            refused += 1
    assert 0 < refused < 60


def test_a_compressed_gltf_is_refused_by_name(tmp_path: Path) -> None:
    content = {"asset": {"version": "2.0"}, "meshes": [{}], "extensionsRequired": ["KHR_draco_mesh_compression"]}
    path = save(tmp_path / "a.gltf", json.dumps(content))
    assert message(path) == "extensionsRequired: expected an uncompressed mesh, found KHR_draco_mesh_compression"
