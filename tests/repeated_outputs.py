"""Writes a file of every kind this program writes; processes of their own have to write the same bytes.

    python -m tests.repeated_outputs FOLDER

Efforts are cut down, not ways: each file is written by its command.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import trimesh

from fitting.kiloneus import options as surface_options
from fitting.neuralgs import options as gaussian_options
from scenes.camera_files import write_cameras
from scenes.cameras import Camera
from scenes.ply import write_ply
from tests.cli_samples import kilofield, sample_cameras, sample_gaussians

SHORT = gaussian_options.Effort(steps=5, views=6, side=48, layers=1, width=8)
COARSE = surface_options.Effort(4, 16, 8, 2, 1, 2, 96, 64, 2e-3)
LIT = {
    "camera": {"position": [0.5, -3, 1], "target": [0, 0, 0]},
    "objects": [{"kind": "plane", "offset": -0.7}, {"kind": "gaussians", "file": "scene.ply"}],
}
SIZE = ("--size", "48x32")


def write_all(folder: Path) -> None:
    """Everything, into `folder`, which is made."""
    folder.mkdir()
    gaussian_options.EFFORTS["draft"] = SHORT
    surface_options.EFFORTS["draft"] = COARSE
    write_formats(folder)
    write_pictures(folder)
    write_fits(folder)


def write_formats(folder: Path) -> None:
    """A scene in each format."""
    write_ply(folder / "scene.ply", sample_gaussians(200, sh_degree=2))
    for name in ("a.ply", "a.compressed.ply", "a.splat", "a.spz", "a.sog", "a.glb"):
        _run("convert", folder / "scene.ply", folder / name)
    _run("convert", folder / "scene.ply", folder / "old.spz", "--spz-version", "3")


def write_pictures(folder: Path) -> None:
    """Rendered and path-traced, and a capture of the rendered ones."""
    cameras = sample_cameras([f"{i}" for i in range(6)])
    write_cameras(folder / "cameras.json", cameras)
    out = ("--out", folder / "pictures")
    _run("render", folder / "scene.ply", "--cameras", folder / "cameras.json", *SIZE, *out)
    frames = [_frame(camera) for camera in cameras]
    (folder / "transforms.json").write_text(json.dumps({"camera_angle_x": 0.9, "frames": frames}))
    (folder / "lit.json").write_text(json.dumps(LIT))
    for name in ("lit.png", "lit.exr"):
        _run("render", folder / "lit.json", "--spp", "2", *SIZE, "--out", folder / name)


def _frame(camera: Camera) -> dict[str, object]:
    pose = np.linalg.inv(camera.camera_from_world) @ np.diag([1, -1, -1, 1])
    return {"file_path": f"pictures/{camera.name}.png", "transform_matrix": pose.tolist()}


def write_fits(folder: Path) -> None:
    """Gaussians and a surface as .kilo, and meshes of that."""
    _run("compress", folder / "scene.ply", folder / "a.kilo", "--preset", "draft")
    _run("compress", folder / "scene.ply", folder / "photos.kilo", "--preset", "draft", "--images", folder)
    ball = trimesh.creation.icosphere(3, 0.8)
    colours = (np.clip(ball.vertices * 0.5 + 0.5, 0, 1) * 255).astype(np.uint8)
    trimesh.Trimesh(ball.vertices, ball.faces, vertex_colors=colours, process=False).export(folder / "ball.ply")
    _run("surface", folder / "ball.ply", folder / "ball.kilo", "--preset", "draft")
    for name, texture in (("b.ply", ()), ("b.glb", ("--texture", "64")), ("b.obj", ("--texture", "64"))):
        _run("mesh", folder / "ball.kilo", folder / name, "--resolution", "24", *texture)


def _run(*arguments: str | Path) -> None:
    result = kilofield(*arguments)
    if result.exit_code:
        sys.exit(result.output)


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    write_all(Path(arguments[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
