"""Scene files: what is read, written, and refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from scenes.errors import SceneFileError
from scenes.kilo_surface import write_surface
from scenes.scene_file import (
    Box,
    Captured,
    ConstantSky,
    Diffuse,
    EnvironmentImage,
    GaussianScene,
    Glass,
    MeshObject,
    Metal,
    Plane,
    RectangleLight,
    SceneCamera,
    SceneDescription,
    Sky,
    Sphere,
    SphereLight,
    Surface,
    matrix_of,
    placed,
)
from scenes.scene_file_read import read_scene_file
from scenes.scene_file_write import write_scene_file
from scenes.stage import open_stage, read_stage
from tests.surface_samples import fitted_surface, sphere

GREEN = {"kind": "diffuse", "albedo": [0.1, 0.6, 0.1]}


def written(folder: Path, text: str) -> Path:
    (folder / "scene.json").write_text(text)
    return folder / "scene.json"


def scene_of(folder: Path, **keys: object) -> SceneDescription:
    return read_scene_file(written(folder, json.dumps(keys)))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("a.kilo", "b.ply", "c.obj", "d.exr"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_an_empty_scene_is_all_defaults(tmp_path: Path) -> None:
    assert scene_of(tmp_path) == SceneDescription()


def test_everything_is_read(files: Path) -> None:
    found = scene_of(
        files,
        materials={"grass": GREEN, "mirror": {"kind": "metal", "roughness": 0, "colour": 0.5}},
        objects=[
            {"kind": "surface", "file": "a.kilo", "name": "spot", "transform": {"scale": 2, "translate": [1, 2, 3]}},
            {"kind": "surface", "file": "a.kilo", "material": {"kind": "diffuse", "albedo": "captured"}},
            {"kind": "gaussians", "file": "b.ply"},
            {"kind": "plane", "normal": [0, 1, 0], "offset": -1, "material": "grass"},
            {"kind": "sphere", "radius": 0.5, "material": "mirror"},
            {"kind": "box", "size": [1, 2, 3], "material": {"kind": "glass", "ior": 1.33}},
            {"kind": "mesh", "file": "c.obj", "material": "glass"},
        ],
        lights=[
            {
                "kind": "rectangle",
                "size": [2, 1],
                "radiance": 3,
                "transform": {"rotate": {"axis": [1, 0, 0], "degrees": 180}},
            },
            {"kind": "sphere", "radius": 0.5, "power": [np.pi**2, 0, 0], "position": [0, 0, 9]},
        ],
        environment={"kind": "image", "file": "d.exr", "turn_degrees": 90},
        camera={"position": [0, -4, 1], "target": [0, 0, 0], "fov_y_degrees": 30},
        up=[0, 1, 0],
        exposure=-1.5,
        tone_mapping="aces",
        bounces=3,
        clamp=8,
    )
    assert found.objects == (
        Surface(files / "a.kilo", Captured(), placed((1, 2, 3), scale=2), "spot"),
        Surface(files / "a.kilo", Diffuse(None)),
        GaussianScene(files / "b.ply"),
        Plane((0, 1, 0), -1, Diffuse((0.1, 0.6, 0.1))),
        Sphere(0.5, Metal((0.5, 0.5, 0.5), 0)),
        Box((1, 2, 3), Glass(1.33)),
        MeshObject(files / "c.obj", Glass()),
    )
    assert found.lights[0] == RectangleLight((3, 3, 3), (2, 1), placed(axis=(1, 0, 0), degrees=180))
    assert isinstance(found.lights[1], SphereLight)
    # pi A L = power: L = pi^2 / (pi * 4 pi r^2) = 1 for a radius of a half
    assert found.lights[1].radiance == pytest.approx((1, 0, 0))
    assert found.environment == EnvironmentImage(files / "d.exr", 1, 90)
    assert found.camera == SceneCamera((0, -4, 1), (0, 0, 0), fov_y_degrees=30)
    camera = found.view()
    assert camera is not None
    np.testing.assert_allclose(camera.position, (0, -4, 1))
    assert (found.up, found.exposure, found.tone_mapping, found.bounces, found.clamp) == ((0, 1, 0), -1.5, "aces", 3, 8)


def test_transforms(tmp_path: Path) -> None:
    parts = {"translate": [1, 0, 0], "rotate": {"axis": [0, 0, 2], "degrees": 90}, "scale": [2, 3, 4]}
    (thing,) = scene_of(tmp_path, objects=[{"kind": "sphere", "transform": parts}]).objects
    # scaled: (2, 3, 4); a quarter turn about z: (-3, 2, 4); moved: (-2, 2, 4)
    np.testing.assert_allclose(matrix_of(thing.transform) @ (1, 1, 1, 1), (-2, 2, 4, 1), atol=1e-12)
    matrix = {"matrix": np.asarray(thing.transform).tolist()}
    assert scene_of(tmp_path, objects=[{"kind": "sphere", "transform": matrix}]).objects == (thing,)


def test_what_is_written_is_read(files: Path) -> None:
    (files / "sub").mkdir()
    turned = placed((1, 2, 3), (1, 1, 0), 30, (1, 2, 0.5))
    scene = SceneDescription(
        objects=(
            Surface(files / "a.kilo", Diffuse(None), turned, "spot"),
            GaussianScene(files / "b.ply", placed((0, 0, 1))),
            Plane((0, 1, 0), 2.5, Glass(1.4, (0.9, 1.0, 0.9))),
            Sphere(0.25, Metal((0.9, 0.6, 0.1), 0.35), turned),
            Box((1, 2, 3)),
            MeshObject(files / "c.obj", Diffuse((0.1, 0.2, 0.3))),
        ),
        lights=(RectangleLight((1, 2, 3), (0.5, 2), turned, "lamp"), SphereLight((4, 4, 4), 0.2, (1, 2, 3))),
        environment=Sky((1, 1, 0.5), sun=0.5, ground=(0, 0.1, 0)),
        camera=SceneCamera((1, 2, 3), (0, 0, 0), (0, 1, 0), near=0.1),
        exposure=1.25,
        tone_mapping="linear",
        clamp=10.0,
    )
    for path in (files / "out.json", files / "sub" / "out.json"):
        for environment in (scene.environment, ConstantSky((0, 0, 0)), EnvironmentImage(files / "d.exr", 2.0)):
            wanted = replace(scene, environment=environment)
            write_scene_file(path, wanted)
            assert str(files) not in path.read_text()
            found = read_scene_file(path)
            resolved = [
                replace(o, file=o.file.resolve()) if isinstance(o, Surface | GaussianScene | MeshObject) else o
                for o in found.objects
            ]
            assert tuple(resolved) == wanted.objects
            assert replace(found, objects=(), environment=Sky()) == replace(wanted, objects=(), environment=Sky())
            if not isinstance(environment, EnvironmentImage):
                assert found.environment == environment


HEAD = '{\n "objects": [\n  '
BAD = {
    "not JSON": ('{\n "up": [0, 0 1]}', "line 2: expected JSON, found expecting ',' delimiter"),
    "NaN": ('{"exposure": NaN}', "file: expected JSON, found NaN, which is no number in JSON"),
    "a key twice": (
        '{"up": [0, 0, 1],\n\n "up": [0, 1, 0]}',
        "line 3, file: expected each key once, found up twice",
    ),
    "a list": ("[]", "line 1, file: expected an object, found []"),
    "unknown key": (
        '{\n "camera": {"position": [0, 0, 1],\n  "target": [0, 0, 0],\n  "fov": 40}}',
        "line 4, camera: expected one of position, target, up, fov_y_degrees, projection, view_height, near, found fov",
    ),
    "unknown kind": (
        HEAD + '{"kind": "cone"}]}',
        'line 3, objects 0, kind: expected one of surface, gaussians, plane, sphere, box, mesh, found "cone"',
    ),
    "no kind": (HEAD + '{"radius": 1}]}', "line 3, objects 0: expected the key kind, found radius"),
    "a key of another kind": (
        HEAD + '{"kind": "sphere",\n   "size": 1}]}',
        "line 4, objects 0: expected one of kind, name, transform, material, radius, found size",
    ),
    "wrong type": (
        HEAD + '{"kind": "sphere", "radius": "1"}]}',
        'line 3, objects 0, radius: expected a number above 0 to 1e+12, found "1"',
    ),
    "true is no number": (
        '{"exposure": true}',
        "line 1, exposure: expected a number from -100 to 100, found true",
    ),
    "too few numbers": ('{"up":\n [0, 1]}', "line 1, up: expected 3 numbers, found [0, 1]"),
    "no direction": ('{"up": [0, 0, 0]}', "line 1, up: expected a direction, not 0, found [0, 0, 0]"),
    "missing file": (
        HEAD + '{"kind": "mesh",\n   "file": "gone.obj"}]}',
        "line 4, objects 0, file: expected a file, found nothing at FOLDER/gone.obj",
    ),
    "a name nobody can print": (
        HEAD + '{"kind": "mesh", "file": "\\u0007\\n.obj"}]}',
        "line 3, objects 0, file: expected a file, found nothing at FOLDER/??.obj",
    ),
    "half a character": (
        HEAD + '{"kind": "mesh", "file": "\\ud800.obj"}]}',
        "file: expected JSON, found half of a character, \\ud800 without the other",
    ),
    "a number beyond all numbers": (
        '{"exposure": 1' + 400 * "0" + "}",
        "line 1, exposure: expected a number from -100 to 100, found 1" + 56 * "0" + "...",
    ),
    "singular": (
        HEAD + '{"kind": "box", "transform": {\n   "scale": [1, 0, 1]}}]}',
        "line 4, objects 0, transform, scale: expected a transform that can be undone, found a singular one, [1, 0, 1]",
    ),
    "singular matrix": (
        HEAD + '{"kind": "box", "transform": {"matrix":\n [[1, 2, 0, 0], [2, 4, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]}}]}',
        "line 3, objects 0, transform, matrix: expected a transform that can be undone, found a singular one, "
        "[[1, 2, 0, 0], [2, 4, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]",
    ),
    "a last row": (
        HEAD + '{"kind": "box", "transform": {"matrix": [[1,0,0,0],[0,1,0,0],[0,0,1,0],\n[0,0,1,1]]}}]}',
        "line 4, objects 0, transform, matrix 3: expected the row 0, 0, 0, 1, found [0, 0, 1, 1]",
    ),
    "a matrix and more": (
        HEAD + '{"kind": "box", "transform": {"matrix": [], "scale": 2}}]}',
        "line 3, objects 0, transform: expected either matrix, or translate, rotate and scale, found matrix, scale",
    ),
    "skewed Gaussians": (
        HEAD + '{"kind": "gaussians", "file": "b.ply", "transform": {"scale": [1, 2, 1]}}]}',
        "line 3, objects 0, transform: expected one scale along all axes and no mirror, for Gaussians, "
        'found {"scale": [1, 2, 1]}',
    ),
    "a light without power": (
        '{"lights": [\n{"kind": "sphere"}]}',
        "line 2, lights 0: expected power or radiance, found neither",
    ),
    "a dark light": (
        '{"lights": [\n{"kind": "rectangle",\n "power": 0}]}',
        "line 3, lights 0, power: expected light: a number above 0 among three, found 0",
    ),
    "two measures of light": (
        '{"lights": [{"kind": "rectangle", "power": 1, "radiance": 1}]}',
        "line 1, lights 0: expected power or radiance, found radiance and power",
    ),
    "negative light": (
        '{"lights": [{"kind": "sphere", "power": [1, -1, 0]}]}',
        "line 1, lights 0, power 1: expected a number from 0 to 1e+12, found -1",
    ),
    "a bright albedo": (
        '{"materials": {"snow":\n {"kind": "diffuse", "albedo": [1, 1, 1.5]}}}',
        "line 2, materials, snow, albedo 2: expected a number from 0 to 1, found 1.5",
    ),
    "unknown material": (
        HEAD + '{"kind": "box", "material": "wood"}]}',
        'line 3, objects 0, material: expected a material: captured, diffuse, metal, glass, or an object, found "wood"',
    ),
    "captured colours of a box": (
        HEAD + '{"kind": "box", "material": "captured"}]}',
        "line 3, objects 0, material: expected a material with a colour: only a surface has captured ones, "
        'found "captured"',
    ),
    "a camera in its target": (
        '{"camera": {"position": [0, 0, 1], "target": [0, 0, 1]}}',
        "line 1, camera, target: expected a place other than the position, found [0, 0, 1]",
    ),
    "too many bounces": ('{"bounces": 1.5}', "line 1, bounces: expected a whole number from 1 to 64, found 1.5"),
    "unknown tone mapping": (
        '{"tone_mapping": "filmic"}',
        'line 1, tone_mapping: expected one of linear, aces, agx, found "filmic"',
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named_with_its_line(files: Path, name: str) -> None:
    text, message = BAD[name]
    path = written(files, text)
    with pytest.raises(SceneFileError) as caught:
        read_scene_file(path)
    assert str(caught.value) == f"{path}: {message.replace('FOLDER', str(files))}"


def test_lines_survive_strings_with_brackets_and_line_ends(tmp_path: Path) -> None:
    text = '{\r\n "objects": [{"kind": "box", "name": "a \\" } ] [ { \\u00e9"},\r\n\r\n {"kind": "box", "sise": 1}]}'
    with pytest.raises(SceneFileError, match="line 4, objects 1: "):
        read_scene_file(written(tmp_path, text))


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneFileError, match="expected"):
        read_scene_file(written(tmp_path, "[" * 100_000 + "]" * 100_000))
    with pytest.raises(SceneFileError, match="expected"):
        read_scene_file(written(tmp_path, '{"up": ' + "[" * 900 + "]" * 900 + "}"))


def test_names_too_long_are_not_there(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps({"objects": [{"kind": "mesh", "file": 5000 * "a"}]}))
    with pytest.raises(SceneFileError, match="objects 0, file: expected a file, found nothing at"):
        read_scene_file(path)


def test_files_are_opened_once(tmp_path: Path) -> None:
    write_surface(tmp_path / "ball.kilo", fitted_surface(sphere, cells=4))
    trimesh.creation.box().export(tmp_path / "box.ply")
    ball = {"kind": "surface", "file": "ball.kilo", "material": "metal"}
    entries = [ball, ball | {"transform": {"scale": 2}}, {"kind": "mesh", "file": "box.ply"}]
    stage = read_stage(written(tmp_path, json.dumps({"objects": entries})))
    assert list(stage.surfaces) == [tmp_path / "ball.kilo"]
    assert len(stage.meshes[tmp_path / "box.ply"].faces) == 12
    assert stage.environment is None


def test_a_file_of_the_wrong_kind_or_without_colours(tmp_path: Path) -> None:
    write_surface(tmp_path / "ball.kilo", fitted_surface(sphere, cells=4))
    with pytest.raises(SceneFileError, match=r"expected appearance networks, .* found a surface without"):
        open_stage(SceneDescription((Surface(tmp_path / "ball.kilo"),)))
    with pytest.raises(SceneFileError, match="expected Gaussians, found surface"):
        open_stage(SceneDescription((GaussianScene(tmp_path / "ball.kilo"),)))
