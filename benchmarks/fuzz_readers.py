"""The readers that are fuzzed, by format, and what has to hold of whatever they accept."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz_more_seeds import FINGERPRINT, STATE, other_seeds
from benchmarks.fuzz_seeds import SCENE, Files, gaussian_seeds
from scenes.camera_files import read_cameras, read_poses
from scenes.cameras import Camera
from scenes.captures import read_capture
from scenes.content import ReadOptions
from scenes.errors import KilofieldError, SceneFileError
from scenes.gaussians import Gaussians
from scenes.images import read_rgba
from scenes.light_images import read_light
from scenes.neural_gaussians import NeuralGaussians
from scenes.open_scene import SurfaceFile, open_scene
from scenes.photo_sets import read_photographs
from scenes.photographs import Photograph
from scenes.stage import read_stage
from scenes.surface import NeuralSurface
from scenes.verify import verify

# Of the inputs, against each other: what is slow to read has fewer
SLOW, MIDDLE, QUICK = 2, 3, 6
SHARES = {
    **dict.fromkeys(
        ("sog", "sog folder", "streamed sog", "colmap text", "colmap binary", "transforms.json", "idr"), SLOW
    ),
    **dict.fromkeys(("kilo", "kilo surface", "salvage", "glb", "gltf", "scene file", "checkpoint", "spz 1-3"), MIDDLE),
}


class UnsafeError(Exception):
    """A reader accepted what it promises never to return."""


@dataclass(frozen=True)
class Format:
    """A reader, and the files to begin with."""

    name: str
    main: str  # what it is given, in the folder of the input; "" for the folder itself
    seeds: tuple[Files, ...]
    read: Callable[[Path], object]
    share: int = 2  # of the inputs, against the others


def formats(data: Path | None) -> list[Format]:
    """Every reader with its seeds; `data` is the folder of the real scenes, None if there is none."""
    scenes, others = gaussian_seeds(data), other_seeds(data)
    described = {"sog folder": "meta.json", "streamed sog": "lod-meta.json"}
    found = [
        Format(name, described.get(name, SCENE), tuple(seeds), _read_scene, SHARES.get(name, QUICK))
        for name, seeds in scenes.items()
    ]
    kilos = (*scenes["kilo"], *scenes["kilo surface"])
    found.append(Format("salvage", SCENE, kilos, _salvage, SHARES["salvage"]))
    found.append(
        Format("verify", SCENE, (*kilos, *(seeds[0] for seeds in scenes.values() if SCENE in seeds[0])), _verify)
    )
    for name, (main, read) in OTHERS.items():
        found.append(Format(name, main, tuple(others[name]), read, SHARES.get(name, QUICK)))
    return found


def _expect(holds: bool | np.bool_, what: str) -> None:
    if not holds:
        raise UnsafeError(what)


def _finite(values: object, what: str) -> None:
    _expect(np.isfinite(np.asarray(values, np.float64)).all(), f"{what} that is not finite")


# Scenes


def _read_scene(path: Path) -> None:
    file = open_scene(path)
    if isinstance(file, SurfaceFile):
        _check_surface(file.surface)
    elif isinstance(file.scene, NeuralGaussians):
        _check_neural(file.scene)
    else:
        _check_gaussians(file.scene)
        _expect(file.dropped >= 0 and file.bytes > 0, "a file without bytes")


def _salvage(path: Path) -> None:
    """What is left of a .kilo."""
    file = open_scene(path, options=ReadOptions(salvage=True))
    if isinstance(file, SurfaceFile):
        _check_surface(file.surface)
    elif isinstance(file.scene, NeuralGaussians):
        _check_neural(file.scene)


def _verify(path: Path) -> None:
    """All that is wrong is said, and nothing raised."""
    verdict = verify(path)
    for problem in verdict.problems:
        raise problem
    _expect(verdict.count > 0, "a sound file with nothing in it")


def _check_gaussians(gaussians: Gaussians) -> None:
    """The shapes are checked where they are made."""
    _expect(len(gaussians) > 0, "no Gaussians")
    _expect(gaussians.finite().all(), "Gaussians that are not finite")
    _expect((np.abs(gaussians.rotations).max(axis=1) > 0).all(), "rotations of length 0")


def _check_neural(scene: NeuralGaussians) -> None:
    for name in ("positions", "boxes", "output_offset", "output_scale"):
        _finite(getattr(scene, name), name)
    _finite(scene.bank.weights, "weights")
    _expect((scene.counts >= 0).all(), "clusters of less than nothing")
    with np.errstate(all="ignore"):  # networks may overflow: that is in the picture, and nowhere else
        scene.decode()


def _check_surface(surface: NeuralSurface) -> None:
    _finite(surface.geometry.weights, "weights of the geometry")
    _expect(surface.grid.edge > 0, "cells without a size")
    if surface.appearance is not None:
        _finite(surface.appearance.weights, "weights of the appearance")
    with np.errstate(all="ignore"):
        middles = (np.asarray(surface.grid.origin) + surface.grid.edge * (surface.cells[:4] + 0.5)).astype(np.float32)
        surface.sample(middles)


def _read_scene_file(path: Path) -> None:
    scene = read_stage(path).scene
    view = scene.view()
    if view is not None:
        _check_camera(view)
    for thing in (*scene.objects, *scene.lights):
        _finite(getattr(thing, "transform", 0.0), "a transform")


# Cameras and photographs


def _check_camera(camera: Camera) -> None:
    _expect(camera.camera_from_world.shape == (4, 4), "a pose that is no matrix")
    rotation = camera.camera_from_world[:3, :3]
    _finite(camera.camera_from_world, "a pose")
    _expect(np.abs(rotation @ rotation.T - np.eye(3)).max() < 0.01, "a pose that is not rigid")
    _expect(0 < camera.fov_y < math.pi, "a field of view beyond half a turn")
    _finite((*camera.centre, camera.pixel_aspect, camera.view_height), "a camera")
    _expect(camera.pixel_aspect > 0 and camera.view_height > 0, "a camera without a size")
    _expect(camera.aspect is None or 0 < camera.aspect < math.inf, "a picture without a size")
    _finite(camera.intrinsics(640, 480), "the intrinsics")
    _finite(camera.position, "a camera's place")


def _check_cameras(cameras: Iterable[Camera]) -> None:
    found = list(cameras)
    _expect(len(found) > 0, "no cameras")
    for camera in found:
        _check_camera(camera)


def _read_cameras(path: Path) -> None:
    _check_cameras(read_poses(path)[0])
    _check_cameras(read_cameras(path))


def _check_photographs(photographs: Iterable[Photograph]) -> None:
    for photograph in photographs:
        _check_camera(photograph.camera)
        _expect(photograph.width > 0 and photograph.height > 0, "a photograph without pixels")
        rays = photograph.rays(4, 3)
        _finite(rays.directions, "a ray")
        _finite(rays.origin, "where a ray begins")


def _read_folder(path: Path) -> None:
    """As surfaces are learned from it, with the pictures themselves."""
    found = read_photographs(path)
    _check_photographs(found.photographs)
    if found.sphere is not None:
        _finite((*found.sphere.centre, found.sphere.radius), "a sphere")
        _expect(found.sphere.radius > 0, "a sphere without a size")
    for photograph in found.photographs[:2]:
        _finite(photograph.image(), "a picture")


def _read_transforms(path: Path) -> None:
    """As surfaces and as Gaussians are learned from it; one may do where the other does not."""
    try:
        _read_folder(path)
    except SceneFileError:
        capture = read_capture(path)
        _check_photographs(capture.train + capture.test)
        raise
    _check_cameras(read_poses(path / "transforms.json")[0])


def _read_picture(path: Path) -> None:
    pixels = read_rgba(path)
    _expect(pixels.ndim == 3 and pixels.shape[2] == 4 and pixels.dtype == np.float32, "a picture of another shape")
    _expect(((pixels >= 0) & (pixels <= 1)).all(), "pixels beyond 0 to 1")


def _read_light(path: Path) -> None:
    light = read_light(path)
    _expect(light.ndim == 3 and light.shape[2] == 3 and light.dtype == np.float32, "light of another shape")
    _finite(light, "light")


# The rest


def _read_mesh(path: Path) -> None:
    from scenes.meshes import read_mesh  # trimesh is slow to import

    mesh = read_mesh(path)
    _finite(mesh.vertices, "vertices")
    _expect(len(mesh.faces) > 0 and mesh.faces.min() >= 0 and mesh.faces.max() < len(mesh.vertices), "faces of nothing")
    for values in (mesh.corner_uv, mesh.corner_colours):
        _expect(values is None or len(values) == len(mesh.faces), "colours of other faces")
        _finite(() if values is None else values, "colours")
    _expect(mesh.face_paint is None or mesh.face_paint.max() < max(len(mesh.paints), 1), "paint there is none of")
    for paint in mesh.paints:
        _finite(paint.colour, "paint")


def _read_settings(path: Path) -> None:
    """Whatever it holds, the window opens: a bad field is as in a first run, and named."""
    from ui import stored

    os.environ[stored.FOLDER_VARIABLE] = os.fspath(path.parent)
    found, said = stored.read_stored()
    _finite((*found.window, found.text_size, found.look.scale), "a setting")
    if said:
        raise KilofieldError(said)  # counted as refused


def _read_checkpoint(path: Path) -> None:
    from fitting.checkpoint import Checkpoint  # torch is slow to import

    state: Any = Checkpoint(path, FINGERPRINT).load()
    _expect(state is not None, "a file that is not there")


OTHERS: Mapping[str, tuple[str, Callable[[Path], object]]] = {
    "cameras": ("cameras.json", _read_cameras),
    "transforms.json": ("", _read_transforms),
    "colmap text": ("", _read_folder),
    "colmap binary": ("", _read_folder),
    "idr": ("", _read_folder),
    "scene file": ("scene.json", _read_scene_file),
    "obj": ("mesh.obj", _read_mesh),
    "mesh ply": ("mesh.ply", _read_mesh),
    "stl": ("mesh.stl", _read_mesh),
    "mesh glb": ("mesh.glb", _read_mesh),
    "mesh gltf": ("mesh.gltf", _read_mesh),
    "hdr": ("light.hdr", _read_light),
    "exr": ("light.exr", _read_light),
    "pictures": ("picture", _read_picture),
    "settings": ("settings.json", _read_settings),
    "checkpoint": (STATE, _read_checkpoint),
}
