"""Writing a mesh of a neural surface: .ply, .glb, and .obj (with .mtl and .png), through trimesh.

.ply   binary; normals; colours of vertices as displayed (sRGB), 8 bits
.glb   normals; a material that does not shine; colours of vertices as linear light in 16 bits, or the texture
.obj   text; normals; colours of vertices after their places, sRGB from 0 to 1, or NAME.mtl with NAME.png
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image
from trimesh.exchange.gltf import export_glb
from trimesh.exchange.obj import export_obj
from trimesh.exchange.ply import export_ply
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial, SimpleMaterial

from scenes.atomic import replacing
from scenes.gaussians import Floats
from scenes.surface_mesh import SurfaceMesh
from scenes.triangle_mesh import linear_of_srgb

SUFFIXES = (".ply", ".glb", ".obj")
TEXTURED = (".glb", ".obj")
GREY = (186, 186, 186, 255)  # of a mesh without colours: half of the light
DIGITS = 7  # of the largest coordinate: what float32 has
UNSIGNED_SHORT = 5123  # glTF's component type


def files_of(path: Path, textured: bool) -> list[Path]:
    """The files `write_mesh` writes."""
    beside = [path.with_suffix(".mtl"), path.with_suffix(".png")] if textured and path.suffix.lower() == ".obj" else []
    return [path, *beside]


def write_mesh(path: Path, mesh: SurfaceMesh) -> int:
    """Writes `mesh` in the format of the name's suffix, and returns the bytes of all files."""
    writers: dict[str, Callable[[Path, SurfaceMesh], dict[Path, bytes]]] = {".ply": _ply, ".glb": _glb, ".obj": _obj}
    contents = writers[path.suffix.lower()](path, mesh)
    with ExitStack() as stack:  # names appear together, or none does
        for name, content in contents.items():
            stack.enter_context(replacing(name)).write_bytes(content)
    return sum(map(len, contents.values()))


def _ply(path: Path, mesh: SurfaceMesh) -> dict[Path, bytes]:
    made = _trimesh(mesh)
    if mesh.colours is not None:
        made.visual = ColorVisuals(made, vertex_colors=_bytes(mesh.colours))
    return {path: export_ply(made, vertex_normal=True)}


def _obj(path: Path, mesh: SurfaceMesh) -> dict[Path, bytes]:
    made, picture = _trimesh(mesh), path.with_suffix(".png")
    if mesh.texture is not None:
        image = Image.fromarray(mesh.texture.picture)
        material = SimpleMaterial(image=image, diffuse=(255, 255, 255, 255), ambient=(0, 0, 0, 255), name="surface")
        made.visual = TextureVisuals(mesh.texture.charts.uv, material=material)
    elif mesh.colours is not None:
        made.visual = ColorVisuals(made, vertex_colors=_bytes(mesh.colours))
    digits = DIGITS - math.floor(math.log10(np.abs(made.vertices).max()))
    text, _ = export_obj(
        made,
        include_normals=True,
        include_texture=mesh.texture is not None,
        return_texture=True,
        digits=max(digits, DIGITS),
        mtl_name=path.with_suffix(".mtl").name,
        header="kilofield",
    )
    if mesh.texture is None:
        return {path: text.encode()}
    # trimesh would name the picture after the material, whatever the mesh is called
    material = f"newmtl surface\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nmap_Kd {picture.name}\n"
    return {path: text.encode(), path.with_suffix(".mtl"): material.encode(), picture: _png(mesh.texture.picture)}


def _glb(path: Path, mesh: SurfaceMesh) -> dict[Path, bytes]:
    made = _trimesh(mesh)
    material = PBRMaterial(metallicFactor=0.0, roughnessFactor=1.0, name="surface")
    if mesh.texture is not None:
        material.baseColorTexture = Image.open(io.BytesIO(_png(mesh.texture.picture)))
        made.visual = TextureVisuals(mesh.texture.charts.uv, material=material)
        return {path: export_glb(made.scene(), include_normals=True)}
    made.visual = TextureVisuals(material=material)
    if mesh.colours is None:
        material.baseColorFactor = GREY
        return {path: export_glb(made.scene(), include_normals=True)}
    made.visual.vertex_attributes["color"] = _bytes(mesh.colours)
    light = linear_of_srgb(mesh.colours.astype(np.float64))
    return {path: export_glb(made.scene(), include_normals=True, buffer_postprocessor=_light(light))}


def _light(colours: NDArray[np.float64]) -> Callable[[Any, Any], None]:
    """Puts `colours` [V, 3], linear light, in the place of the 8 bits trimesh writes, too few for dark colours."""

    def put(buffers: Any, tree: Any) -> None:
        accessors, views = list(tree["accessors"].values()), list(buffers)
        accessor = accessors[tree["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]]
        whole = np.rint(65535 * np.concatenate([colours, np.ones((len(colours), 1))], axis=1)).astype("<u2")
        accessor["componentType"] = UNSIGNED_SHORT
        accessor["min"], accessor["max"] = whole.min(axis=0).tolist(), whole.max(axis=0).tolist()
        buffers[views[accessor["bufferView"]]] = whole.tobytes()

    return put


def _trimesh(mesh: SurfaceMesh) -> trimesh.Trimesh:
    """With the vertices of the charts, where there are any."""
    vertices, faces, normals = mesh.shape.vertices, mesh.shape.faces, mesh.normals
    if mesh.texture is not None:
        charts = mesh.texture.charts
        vertices, faces, normals = vertices[charts.vertex], charts.faces, normals[charts.vertex]
    return trimesh.Trimesh(vertices, faces, vertex_normals=normals, process=False)


def _bytes(colours: Floats) -> NDArray[np.uint8]:
    """[V, 4] RGBA."""
    rgb = np.rint(255 * np.clip(colours, 0, 1)).astype(np.uint8)
    return np.concatenate([rgb, np.full((len(rgb), 1), 255, np.uint8)], axis=1)


def _png(picture: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=False)
    return buffer.getvalue()
