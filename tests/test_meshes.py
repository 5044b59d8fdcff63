"""Mesh files of every kind: the same shape and colours from each, and facts that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from mesh_samples import TETRAHEDRON, ball, exported, message, save
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial

from scenes.errors import KilofieldError
from scenes.meshes import read_mesh, subdivided
from scenes.triangle_mesh import Mesh, linear_of_srgb, sampled, srgb_of_linear, welded

CENTRE = np.full((1, 3), 1 / 3)


def area(mesh: Mesh) -> float:
    a, b, c = np.moveaxis(mesh.corners, 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [(".obj", "obj"), (".ply", "ply"), (".stl", "stl"), (".stl", "stl_ascii"), (".glb", "glb"), (".mesh", "ply")],
)
def test_the_same_ball_from_every_format(tmp_path: Path, suffix: str, kind: str) -> None:
    expected = ball()
    content = exported(expected, kind)
    mesh = read_mesh(save(tmp_path / f"a{suffix}", content))
    assert (len(mesh.vertices), len(mesh.faces)) == (len(expected.vertices), len(expected.faces))
    assert (mesh.closed, mesh.manifold, mesh.components, mesh.notes) == (True, True, 1, ())
    assert mesh.volume == pytest.approx(expected.volume, rel=1e-5)
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), 1, atol=1e-6)
    assert not mesh.has_colour
    assert mesh.colour_at(np.array([0]), CENTRE) is None


@pytest.mark.parametrize("kind", ["obj", "ply", "glb"])
def test_colours_of_vertices(tmp_path: Path, kind: str) -> None:
    """Red falls with x; each face's middle has the mean of its corners, in light for glTF and as stored elsewhere."""
    made = ball()
    red = np.clip(255 * (0.5 + 0.5 * made.vertices[:, 0]), 0, 255).astype(np.uint8)
    made.visual = ColorVisuals(made, vertex_colors=np.stack([red, 0 * red, 255 - 0 * red], axis=1))
    mesh = read_mesh(save(tmp_path / f"a.{kind}", exported(made, kind)))
    faces = np.arange(len(mesh.faces))
    found = mesh.colour_at(faces, np.repeat(CENTRE, len(faces), axis=0))
    assert found is not None
    assert found.dtype == np.float32
    corners = 0.5 + 0.5 * mesh.corners[:, :, 0]
    expected = srgb_of_linear(corners.mean(axis=1)) if kind == "glb" else corners.mean(axis=1)
    # the level of a byte, where the curve from light to sRGB is 13 times as steep
    np.testing.assert_allclose(found[:, 0], expected, atol=13 / 255 if kind == "glb" else 1.01 / 255)
    np.testing.assert_allclose(found[:, 1:], np.broadcast_to([0, 1], (len(faces), 2)), atol=1e-6)


def test_colours_of_faces(tmp_path: Path) -> None:
    colours = ["255 0 0", "0 255 0", "0 0 255", "255 255 0"]
    faces = ["3 0 2 1", "3 0 1 3", "3 0 3 2", "3 1 2 3"]
    header = "ply\nformat ascii 1.0\ncomment caf\xe9\nelement vertex 4\n" + "".join(
        f"property float {x}\n" for x in "xyz"
    )
    header += "element face 4\nproperty list uchar int vertex_indices\n"
    header += "".join(f"property uchar {x}\n" for x in ("red", "green", "blue")) + "end_header\n"
    body = "0 0 0\n1 0 0\n0 1 0\n0 0 1\n" + "".join(f"{f} {c}\n" for f, c in zip(faces, colours, strict=True))
    mesh = read_mesh(save(tmp_path / "a.ply", (header + body).encode("latin-1")))
    weights = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]])
    found = mesh.colour_at(np.arange(4), weights)
    np.testing.assert_array_equal(found, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])


def textured_square(folder: Path, materials: str = "newmtl m\nmap_Kd t.png\n") -> Path:
    """A unit square of two triangles whose picture has red, green over blue, white."""
    pixels = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    Image.fromarray(pixels).save(folder / "t.png")
    save(folder / "m.mtl", materials)
    text = "mtllib m.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nusemtl m\n"
    return save(folder / "a.obj", text + "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\n")


def colours_at(mesh: Mesh, places: np.ndarray) -> np.ndarray:
    """RGB at places [N, 3] on the mesh, each within some triangle of a plane of constant z."""
    found = []
    for place in places:
        for face, corners in enumerate(mesh.corners):
            system = np.vstack([corners[:, :2].T, np.ones(3)])
            weights = np.asarray(np.linalg.solve(system, [*place[:2], 1]), np.float64)
            if (weights > -1e-9).all():
                colour = mesh.colour_at(np.array([face]), weights[None])
                assert colour is not None
                found.append(colour[0])
                break
    return np.array(found)


def test_a_texture_is_upright_and_shown_at_its_texel_centres(tmp_path: Path) -> None:
    mesh = read_mesh(textured_square(tmp_path))
    places = np.array([[0.25, 0.75, 0], [0.75, 0.75, 0], [0.25, 0.25, 0], [0.75, 0.25, 0], [0.5, 0.75, 0]])
    expected = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0.5, 0.5, 0]]
    np.testing.assert_allclose(colours_at(mesh, places), expected, atol=1e-6)
    assert (mesh.closed, mesh.components) == (False, 1)
    assert mesh.notes == ()


def test_the_same_texture_in_a_glb_is_mirrored_by_nothing_and_multiplied_in_light(tmp_path: Path) -> None:
    scene = trimesh.load_scene(textured_square(tmp_path), process=False)
    (square,) = scene.geometry.values()
    picture = square.visual.material.image
    factor = np.array([0.5, 1, 1, 1])
    material = PBRMaterial(baseColorTexture=picture, baseColorFactor=factor)
    square.visual = TextureVisuals(uv=square.visual.uv, material=material)
    glb = exported(square, "glb")
    mesh = read_mesh(save(tmp_path / "b.glb", glb))
    places = np.array([[0.25, 0.75, 0], [0.75, 0.75, 0], [0.25, 0.25, 0]])
    expected = [[srgb_of_linear(np.array(128 / 255)), 0, 0], [0, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(colours_at(mesh, places), expected, atol=1e-6)


def test_a_material_without_a_picture(tmp_path: Path) -> None:
    mesh = read_mesh(textured_square(tmp_path, "newmtl m\nKd 0.2 0.4 0.6\n"))
    colour = mesh.colour_at(np.array([0, 1]), np.repeat(CENTRE, 2, axis=0))
    assert colour is not None
    np.testing.assert_allclose(colour, [[0.2, 0.4, 0.6]] * 2, atol=1e-6)


def test_what_is_not_there_is_noted(tmp_path: Path) -> None:
    path = textured_square(tmp_path)
    (tmp_path / "t.png").unlink()
    mesh = read_mesh(path)
    assert mesh.notes == ("left out: t.png, which is not there",)
    assert not mesh.has_colour
    (tmp_path / "m.mtl").unlink()
    assert read_mesh(path).notes == ("left out: m.mtl, which is not there",)


def test_a_damaged_picture(tmp_path: Path) -> None:
    path = textured_square(tmp_path)
    whole = (tmp_path / "t.png").read_bytes()
    save(tmp_path / "t.png", whole[:-30])
    assert message(path) == "texture t.png: expected a whole picture, found a damaged one"


def test_nodes_of_a_scene_are_where_they_belong(tmp_path: Path) -> None:
    """The same box twice, once moved, once mirrored and stretched; the mirrored one still faces outwards."""
    box = trimesh.creation.box()
    scene = trimesh.Scene()
    scene.add_geometry(box, geom_name="box", transform=trimesh.transformations.translation_matrix([3, 0, 0]))
    scene.graph.update(frame_to="other", geometry="box", matrix=np.diag([-2.0, 1, 1, 1]))
    mesh = read_mesh(save(tmp_path / "a.glb", exported(scene, "glb")))
    assert (len(mesh.vertices), len(mesh.faces), mesh.components, mesh.closed) == (16, 24, 2, True)
    assert mesh.volume == pytest.approx(3)
    np.testing.assert_allclose(mesh.box, [[-1, -0.5, -0.5], [3.5, 0.5, 0.5]], atol=1e-6)
    outwards = np.cross(mesh.corners[:, 1] - mesh.corners[:, 0], mesh.corners[:, 2] - mesh.corners[:, 0])
    middle = np.where(mesh.corners[:, :1, 0] > 1.5, [[3.0, 0, 0]], [[0.0, 0, 0]])
    assert (np.einsum("fd,fd->f", outwards, mesh.corners.mean(axis=1) - middle) > 0).all()


def test_a_gltf_beside_its_buffers(tmp_path: Path) -> None:
    files: object = trimesh.Scene(ball()).export(file_type="gltf")
    assert isinstance(files, dict)
    for name, content in files.items():
        save(tmp_path / name, content)
    mesh = read_mesh(tmp_path / "model.gltf")
    assert (mesh.closed, len(mesh.faces)) == (True, 320)
    buffer = next(tmp_path.glob("*.bin"))
    buffer.unlink()
    assert message(tmp_path / "model.gltf") == f"file: expected the files it names, found no {buffer.name} beside it"


def test_polygons_negative_indices_and_long_lines_of_an_obj(tmp_path: Path) -> None:
    text = "# caf\xe9\nv -1 -1 0\nv 1 -1 0\nf -2 \\\n-1 3\nv 0 1 0\nv 0 0 5\nv 1 0 5\nv 1 1 5\nv 0 1 5\nv -1 0.5 5\n"
    mesh = read_mesh(save(tmp_path / "a.obj", (text + "f -5 -4 -3 -2 -1\n").encode("latin-1")))
    assert len(mesh.faces) == 4
    assert area(mesh) == pytest.approx(2 + 1.5)
    assert mesh.components == 2


def test_open_meshes_and_components_are_facts(tmp_path: Path) -> None:
    scene = trimesh.Scene([ball(), ball(1).apply_translation([5, 0, 0])])
    made = scene.to_mesh()
    made.update_faces(np.arange(len(made.faces)) != 7)
    mesh = read_mesh(save(tmp_path / "a.stl", exported(made, "stl")))
    assert (mesh.closed, mesh.manifold, mesh.components) == (False, True, 2)


def test_triangles_that_face_inwards_have_a_volume_below_0(tmp_path: Path) -> None:
    inside_out = trimesh.Trimesh(ball().vertices, ball().faces[:, ::-1], process=False)
    mesh = read_mesh(save(tmp_path / "b.stl", exported(inside_out, "stl")))
    assert mesh.closed
    assert mesh.volume == pytest.approx(-ball().volume, rel=1e-5)


def test_one_flipped_triangle_is_not_closed(tmp_path: Path) -> None:
    assert read_mesh(save(tmp_path / "a.obj", TETRAHEDRON)).closed
    flipped = read_mesh(save(tmp_path / "b.obj", TETRAHEDRON.replace("f 1 3 2", "f 1 2 3")))
    assert not flipped.closed
    assert flipped.manifold


def test_welding_keeps_the_order_and_leaves_out_what_has_no_area() -> None:
    vertices = np.array([[9.0, 0, 0], [1, 0, 0], [0, 0, 0], [-0.0, 0, 0], [0, 1, 0], [7, 7, 7]])
    faces = np.array([[1, 4, 2], [3, 2, 1], [0, 3, 4]])
    places, found, proper = welded(vertices, faces)
    np.testing.assert_array_equal(places, [[9, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(found, [[1, 3, 2], [0, 2, 3]])
    assert proper.tolist() == [True, False, True]


def test_random_soups_agree_with_slow_counts() -> None:
    """Few places and many triangles, so that vertices, edges and parts meet in every way."""
    random = np.random.default_rng(10)
    for _ in range(30):
        vertices = random.integers(0, 3, (40, 3)).astype(np.float64)
        places, faces, proper = welded(vertices, random.integers(0, 40, (random.integers(1, 25), 3)))
        assert len(np.unique(places, axis=0)) == len(places)
        assert np.isin(np.arange(len(places)), faces).all()
        if not proper.any():
            continue
        mesh = Mesh(places, faces)
        walked = [(face[i], face[(i + 1) % 3]) for face in faces.tolist() for i in range(3)]
        assert mesh.closed == all(walked.count(edge) == walked.count(edge[::-1]) for edge in walked)
        assert mesh.manifold == all(walked.count(edge) + walked.count(edge[::-1]) <= 2 for edge in walked)
        parts = [{i} for i in range(len(places))]
        for edge in walked:
            joined = [part for part in parts if part & set(edge)]
            parts = [part for part in parts if not part & set(edge)] + [set().union(*joined)]
        assert mesh.components == len(parts)


def test_pictures_repeat_beyond_their_edges() -> None:
    picture = np.random.default_rng(3).random((3, 4, 3)).astype(np.float32)
    uv = np.random.default_rng(4).random((50, 2))
    np.testing.assert_allclose(sampled(picture, uv), sampled(picture, uv + np.array([2, -3])), atol=1e-9)
    rows, columns = np.mgrid[:3, :4]
    centres = np.stack([(columns + 0.5) / 4, 1 - (rows + 0.5) / 3], axis=-1).reshape(-1, 2)
    np.testing.assert_allclose(sampled(picture, centres).reshape(3, 4, 3), picture, atol=1e-6)


def test_light_and_srgb_undo_each_other() -> None:
    values = np.linspace(0, 1, 101)
    np.testing.assert_allclose(srgb_of_linear(linear_of_srgb(values)), values, atol=1e-6)
    assert linear_of_srgb(np.array(0.5)) == pytest.approx(0.2140, abs=1e-4)


def test_loop_subdivision_of_a_regular_octahedron(tmp_path: Path) -> None:
    """Of its ring and of what lies across an edge nothing is left: Loop's weights of the vertices alone."""
    corners = np.vstack([np.eye(3), -np.eye(3)])
    mesh = read_mesh(save(tmp_path / "a.obj", exported(trimesh.convex.convex_hull(corners), "obj")))
    assert len(mesh.faces) == 8
    once = subdivided(mesh, 1)
    beta = (5 / 8 - (3 / 8 + np.cos(np.pi / 2) / 4) ** 2) / 4
    lengths = np.sort(np.linalg.norm(once.vertices, axis=1))
    np.testing.assert_allclose(lengths[:6], 1 - 4 * beta, atol=1e-12)
    np.testing.assert_allclose(lengths[6:], np.sqrt(2) * 3 / 8, atol=1e-12)


def test_subdivision_carries_texture_coordinates_and_colours(tmp_path: Path) -> None:
    """Coordinates that are linear in each triangle stay so: each quarter's corners lie at halves of the old ones."""
    made = ball(1)
    uv = np.random.default_rng(5).random((len(made.vertices), 2))
    colours = np.random.default_rng(6).integers(0, 255, (len(made.vertices), 3)).astype(np.uint8)
    made.visual = ColorVisuals(made, vertex_colors=colours)
    mesh = read_mesh(save(tmp_path / "a.ply", exported(made, "ply")))
    mesh = Mesh(mesh.vertices, mesh.faces, uv[mesh.faces], mesh.corner_colours, mesh.paints, mesh.face_paint)
    fine = subdivided(mesh, 1)
    assert len(fine.faces) == 4 * len(mesh.faces)
    assert fine.corner_uv is not None
    assert fine.face_paint is not None
    assert mesh.corner_uv is not None
    for face in range(len(mesh.faces)):
        rows = slice(4 * face, 4 * face + 4)
        # the three quarters at corners share a vertex index with the old triangle at the same corner
        for corner in range(3):
            assert fine.faces[rows][corner, corner] == mesh.faces[face, corner]
            np.testing.assert_array_equal(fine.corner_uv[rows][corner, corner], mesh.corner_uv[face, corner])
        np.testing.assert_allclose(fine.corner_uv[rows][3].mean(axis=0), mesh.corner_uv[face].mean(axis=0), atol=1e-12)
    # neighbours agree wherever they share a vertex
    mean = np.zeros((len(fine.vertices), 2))
    mean[fine.faces.ravel()] = fine.corner_uv.reshape(-1, 2)
    np.testing.assert_allclose(mean[fine.faces], fine.corner_uv, atol=1e-12)


def test_open_meshes_are_not_subdivided(tmp_path: Path) -> None:
    mesh = read_mesh(textured_square(tmp_path))
    with pytest.raises(KilofieldError) as caught:
        subdivided(mesh, 1)
    assert str(caught.value) == "subdivision: expected a closed mesh of two triangles an edge, found another"


def test_spot(data: Path) -> None:
    mesh = read_mesh(data / "meshes" / "spot.obj")
    assert (len(mesh.vertices), len(mesh.faces)) == (2930, 5856)
    assert (mesh.closed, mesh.manifold, mesh.components, mesh.has_colour) == (True, True, 1, False)
    assert mesh.corner_uv is not None
    assert mesh.volume > 0
    smooth = subdivided(mesh, 2)
    assert (len(smooth.faces), smooth.closed, smooth.components) == (16 * 5856, True, 1)
    assert 0.98 * mesh.volume < smooth.volume < mesh.volume  # Loop's surface lies within convex parts of its mesh


def test_parts_of_a_gltf_that_are_no_triangles_are_noted(tmp_path: Path) -> None:
    cloud = trimesh.PointCloud(np.random.default_rng(9).random((5, 3)))
    path = save(tmp_path / "a.glb", exported(trimesh.Scene([ball(0), cloud]), "glb"))
    mesh = read_mesh(path)
    assert len(mesh.faces) == 20
    assert mesh.notes == ("left out: 1 parts that are points, lines or fans",)
    path = save(tmp_path / "b.glb", exported(trimesh.Scene([cloud]), "glb"))
    assert message(path) == "file: expected a mesh with faces, found none"
