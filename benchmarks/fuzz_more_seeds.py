"""Files of everything but Gaussians that fuzzing begins with: cameras, photographs, meshes, light, scenes, states."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import trimesh
from PIL import Image
from trimesh.exchange.gltf import export_gltf
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial, SimpleMaterial

from benchmarks.fuzz_layers import files_made
from scenes.kilo_surface import pack_surface
from scenes.ply import write_ply
from scenes.scene_file import (
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
    Sphere,
    SphereLight,
    Surface,
)
from scenes.scene_file_write import write_scene_file
from tests.format_samples import sample
from tests.kilo_surface_samples import tiny
from tests.mesh_samples import TETRAHEDRON, exported
from tests.photo_samples import Pose, poses, quaternion, write_colmap, write_idr, write_transforms
from tests.test_light_images import radiance_file

Files = Mapping[str, bytes]

STATE = "out.kilo.checkpoint"
FINGERPRINT = "the run that is fuzzed"
COMPRESSIONS = ("NO_COMPRESSION", "RLE_COMPRESSION", "ZIPS_COMPRESSION", "ZIP_COMPRESSION", "PIZ_COMPRESSION")
COMPRESSIONS += ("PXR24_COMPRESSION", "B44_COMPRESSION", "DWAA_COMPRESSION")
VIEWS = 5
FACES = 60


def other_seeds(data: Path | None) -> dict[str, list[Files]]:
    """Seeds by format; `data` is the folder of the real scenes, None if there is none."""
    return {
        "cameras": _cameras(data),
        "transforms.json": _transforms(data),
        "colmap text": [
            _colmap("PINHOLE", (70.0, 72.0, 33.0, 22.5)),
            _colmap("OPENCV", (70, 72, 33, 22, 0.1, 0, 0, 0)),
        ],
        "colmap binary": [_binary_colmap()],
        "idr": [files_made(lambda folder: write_idr(folder, poses(VIEWS)))],
        "scene file": _scene_files(),
        "obj": _objs(data),
        "mesh ply": _mesh_plys(),
        "stl": [{"mesh.stl": exported(_ball(), kind)} for kind in ("stl", "stl_ascii")],
        "mesh glb": [{"mesh.glb": exported(scene, "glb")} for scene in _painted()],
        "mesh gltf": [_gltf(scene) for scene in _painted()],
        "hdr": [
            _made(lambda path, runs=runs: radiance_file(path, _light(), runs), "light.hdr") for runs in (True, False)
        ],
        "exr": _exrs(),
        "pictures": _pictures(data),
        "settings": [{"settings.json": json.dumps(_settings()).encode()}],
        "checkpoint": [_made(_write_state, STATE)],
    }


def _made(make: Callable[[Path], object], name: str) -> Files:
    return files_made(lambda folder: make(folder / name))


# Cameras and photographs


def _cameras(data: Path | None) -> list[Files]:
    pose = np.eye(4).tolist()
    ours = [
        {"camera_from_world": pose, "fov_y": 0.9, "pixel_aspect": 1.2, "centre": [0.4, 0.6], "name": "a"},
        {"camera_from_world": pose, "fov_y": 0.9, "projection": "orthographic", "view_height": 3.5},
    ]
    inria = {"id": 0, "img_name": "a", "width": 640, "height": 480, "position": [1, 2, 3], "rotation": pose[:3]}
    inria |= {"rotation": np.eye(3).tolist(), "fx": 500.0, "fy": 510.0}
    seeds: list[Any] = [ours, [inria, inria]]
    names = sorted((data / "cameras").glob("*.json"))[:2] if data else []
    seeds += [json.loads(name.read_text()) for name in names]
    return [{"cameras.json": json.dumps(seed).encode()} for seed in seeds]


def _transforms(data: Path | None) -> list[Files]:
    lens: dict[str, Any] = {"camera_model": "OPENCV", "k1": 0.05, "p1": 0.001, "test_filenames": ["images/f001.png"]}
    seeds: list[Files] = [
        files_made(lambda folder: write_transforms(folder, poses(VIEWS))),
        files_made(lambda folder: write_transforms(folder, poses(VIEWS), **lens)),
    ]
    return seeds + ([_chair(data / "captures" / "chair")] if data else [])


def _chair(capture: Path) -> Files:
    """A few frames of the real capture, their pictures made small."""
    content = json.loads((capture / "transforms_train.json").read_text())
    content["frames"] = content["frames"][:VIEWS]
    files = {}
    for frame in content["frames"]:
        picture = io.BytesIO()
        with Image.open(capture / f"{frame['file_path']}.png") as image:
            image.resize((16, 16)).save(picture, "PNG")
        files[f"{frame['file_path'].removeprefix('./')}.png"] = picture.getvalue()
    return {"transforms.json": json.dumps(content).encode(), **files}


def _colmap(model: str, numbers: tuple[float, ...]) -> Files:
    return files_made(lambda folder: write_colmap(folder, poses(VIEWS), model, numbers))


def _binary_colmap() -> Files:
    files = dict(_colmap("PINHOLE", (70.0, 72.0, 33.0, 22.5)))
    images = b"".join(_binary_image(number, pose) for number, pose in enumerate(poses(VIEWS)))
    camera = struct.pack("<QiiQQ4d", 1, 1, 1, 64, 48, 70, 72, 33, 22.5)
    content = {"sparse/0/images.bin": struct.pack("<Q", VIEWS) + images, "sparse/0/cameras.bin": camera}
    return content | {name: picture for name, picture in files.items() if name.endswith(".png")}


def _binary_image(number: int, pose: Pose) -> bytes:
    numbers = struct.pack("<i7di", number + 1, *quaternion(pose.rotation), *pose.translation, 1)
    points = struct.pack("<Q", 2) + bytes(2 * 24)
    return numbers + f"f{number:03}.png".encode() + b"\0" + points


# Scenes


def _scene_files() -> list[Files]:
    def write(folder: Path) -> None:
        write_ply(folder / "cloud.ply", sample(20, 0))
        (folder / "field.kilo").write_bytes(pack_surface(tiny()))
        (folder / "mesh.obj").write_text(TETRAHEDRON)
        radiance_file(folder / "light.hdr", _light(), runs=False)
        write_scene_file(folder / "scene.json", _description(folder))

    return [files_made(write), {"scene.json": _TEXT.encode()}]


def _description(folder: Path) -> SceneDescription:
    return SceneDescription(
        objects=(
            Surface(folder / "field.kilo", Glass()),
            GaussianScene(folder / "cloud.ply"),
            MeshObject(folder / "mesh.obj", Metal((0.9, 0.8, 0.7), 0.2)),
            Sphere(0.5, Diffuse((0.1, 0.2, 0.3))),
            Plane((0.0, 0.0, 1.0), -1.0),
        ),
        lights=(SphereLight((3.0, 3.0, 3.0), 0.2), RectangleLight((1.0, 2.0, 3.0), (2.0, 1.0))),
        environment=EnvironmentImage(folder / "light.hdr", 1.5, 30.0),
        camera=SceneCamera((3.0, 0.0, 1.0), (0.0, 0.0, 0.0)),
        clamp=10.0,
    )


_TEXT = """{
  "materials": {"gold": {"kind": "metal", "colour": [1, 0.8, 0.3], "roughness": 0.1}},
  "objects": [
    {"kind": "box", "size": [1, 2, 3], "material": "gold",
     "transform": {"translate": [1, 0, 0], "rotate": {"axis": [0, 0, 1], "degrees": 30}, "scale": 2}},
    {"kind": "sphere", "radius": 0.25, "material": {"kind": "glass", "ior": 1.5}}
  ],
  "lights": [{"kind": "sphere", "power": 40, "radius": 0.1, "position": [0, 0, 3]}],
  "environment": {"kind": "sky", "sun_direction": [1, 1, 1], "ground": 0.4},
  "camera": {"position": [4, 4, 2], "target": [0, 0, 0], "fov_y_degrees": 50},
  "up": [0, 0, 1], "exposure": 0.5, "tone_mapping": "agx", "bounces": 4
}
"""


# Meshes


def _ball() -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=1)


def _picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(2).integers(0, 256, (8, 8, 3), dtype=np.uint8))


def _painted() -> list[Any]:
    """With a picture, with colours of vertices, and two in one scene, one of them mirrored."""
    pictured, coloured, mirrored = _ball(), _ball(), _ball()
    uv = np.abs(np.asarray(pictured.vertices)[:, :2])
    pictured.visual = TextureVisuals(uv, material=PBRMaterial(baseColorTexture=_picture(), name="p"))
    colours = np.random.default_rng(3).integers(0, 256, (len(coloured.vertices), 4))
    coloured.visual = ColorVisuals(coloured, vertex_colors=colours)
    both = trimesh.Scene()
    both.add_geometry(pictured, transform=np.diag([1.0, 1.0, 2.0, 1.0]))
    both.add_geometry(mirrored, transform=np.diag([-1.0, 1.0, 1.0, 1.0]))
    return [pictured, coloured, both]


def _objs(data: Path | None) -> list[Files]:
    painted = _ball()
    material = SimpleMaterial(image=_picture(), name="m")
    painted.visual = TextureVisuals(np.abs(np.asarray(painted.vertices)[:, :2]), material=material)
    seeds: list[Files] = [
        {"mesh.obj": TETRAHEDRON.encode()},
        {"mesh.obj": b"v 0 0 0 1 0 0\nv 1 0 0 0 1 0\nv 0 1 0 0 0 1\nvn 0 0 1\nvt 0 0\nf -3/1/1 -2/1/1 -1/1/1\n"},
        files_made(lambda folder: painted.export(str(folder / "mesh.obj"), mtl_name="mesh.mtl")),
    ]
    return [*seeds, *([_part_of_spot(data / "meshes" / "spot.obj")] if data else [])]


def _part_of_spot(path: Path) -> Files:
    """The first faces of a real mesh, and their vertices."""
    lines = path.read_text().splitlines()
    faces = [[word.partition("/")[0] for word in line.split()[1:]] for line in lines if line.startswith("f ")][:FACES]
    vertices = [line for line in lines if line.startswith("v ")]
    used = {corner: number for number, corner in enumerate(dict.fromkeys(c for face in faces for c in face), 1)}
    rows = [vertices[int(corner) - 1] for corner in used]
    rows += [f"f {' '.join(str(used[corner]) for corner in face)}" for face in faces]
    return {"mesh.obj": "\n".join(rows).encode()}


def _mesh_plys() -> list[Files]:
    ball, coloured = _ball(), _painted()[1]
    contents = [exported(ball, "ply"), exported(coloured, "ply"), exported(coloured, "ply", encoding="ascii")]
    return [{"mesh.ply": content} for content in contents]


def _gltf(scene: Any) -> Files:
    made: dict[str, bytes] = export_gltf(scene if hasattr(scene, "graph") else scene.scene())
    return {"mesh.gltf" if name == "model.gltf" else name: content for name, content in made.items()}


# Pictures


def _light() -> np.ndarray:
    light = (10 ** np.random.default_rng(3).uniform(-3, 2, (6, 12, 3))).astype(np.float32)
    light[1] = light[1, 0]
    return light


def _exrs() -> list[Files]:
    def write(path: Path, compression: str, channels: dict[str, np.ndarray], kind: Any = OpenEXR.scanlineimage) -> None:
        with OpenEXR.File({"compression": getattr(OpenEXR, compression), "type": kind}, channels) as file:
            file.write(str(path))

    seeds = [_made(lambda path, name=name: write(path, name, {"RGB": _light()}), "light.exr") for name in COMPRESSIONS]
    halves = {"Y": _light()[..., 0].astype(np.float16)}
    return [*seeds, _made(lambda path: write(path, "ZIP_COMPRESSION", halves), "light.exr")]


def _pictures(data: Path | None) -> list[Files]:
    """Of every kind; the name says nothing."""
    colours = _picture().resize((24, 16))
    kinds = [("PNG", "RGBA"), ("PNG", "P"), ("PNG", "L"), ("PNG", "I;16"), ("PNG", "1"), ("JPEG", "RGB"), ("JPEG", "L")]
    kinds += [("WEBP", "RGBA"), ("WEBP", "RGB"), ("TIFF", "RGB"), ("TIFF", "L"), ("BMP", "RGB"), ("BMP", "P")]
    contents = [_encoded(_in_mode(colours, mode), kind) for kind, mode in kinds]
    contents += [_encoded(colours, "TIFF", compression=method) for method in ("tiff_lzw", "tiff_deflate", "packbits")]
    contents += [_encoded(colours, "JPEG", progressive=True), _encoded(colours, "WEBP", lossless=True)]
    if data:
        with Image.open(data / "captures" / "chair" / "train" / "r_0.png") as image:
            contents.append(_encoded(image.resize((40, 40)), "PNG"))
    return [{"picture": content} for content in contents]


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.arange(24 * 16, dtype=np.uint16).reshape(16, 24) * 170)
    return image.convert(mode)


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


# What this program keeps


def _settings() -> dict[str, Any]:
    look = {"scale": 1.0, "background": [0, 0.5, 1], "min_opacity": 0.1, "sh_degree": 2, "view": "colour"}
    return {"window": [1280, 720], "text_size": 1.0, "vsync": True, "panels": ["a"], "recent": ["/a/b"], "look": look}


def _write_state(path: Path) -> None:
    import torch

    from fitting.checkpoint import Checkpoint

    numbers = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = {"step": 7, "weights": numbers, "half": numbers[:2].half(), "names": ["a", "b"], "loss": 0.25}
    Checkpoint(path, FINGERPRINT).save(state | {"optimiser": {"exp_avg": numbers.clone(), "lr": 1e-3}})
