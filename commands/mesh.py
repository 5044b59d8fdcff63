"""`kilofield mesh`: a neural surface into a triangle mesh for other programs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.arguments import output_file
from commands.console import Screen, progress, readable_time
from commands.reading import tell
from scenes.errors import KilofieldError, SceneFileError
from scenes.files import read_start
from scenes.load import KILO_MAGIC
from scenes.open_scene import kind_of
from scenes.sizes import readable_bytes

if TYPE_CHECKING:
    from scenes.surface_mesh import MeshOptions, SurfaceMesh


def options(resolution: int, faces: int | None, texture: int | None, largest: bool) -> MeshOptions:
    """The options of the command line."""
    from scenes.surface_mesh import MeshOptions

    return MeshOptions(resolution, faces, texture, largest)


def run(source: Path, target: Path, options: MeshOptions, salvage: bool, force: bool, screen: Screen) -> None:
    """Write the surface in `source` as the mesh `target`, and say what it is."""
    check_source(source)
    check_target(source, target, options, force)
    from scenes.content import ReadOptions
    from scenes.kilo_surface import open_surface
    from scenes.surface_mesh import surface_mesh
    from scenes.surface_mesh_files import write_mesh

    start = time.perf_counter()
    surface, missing = open_surface(source, ReadOptions(salvage=salvage))
    tell(source, missing)
    with progress(f"mesh {source.name}", screen.quiet) as bar:
        try:
            mesh = surface_mesh(surface, options, bar)
        except KilofieldError as error:
            raise KilofieldError(f"{source}: {error}") from error
        bar(1.0, "writing")
        size = write_mesh(target, mesh)
    tell(target, mesh.notes)
    found = figures(source, target, mesh, size, time.perf_counter() - start)
    screen.facts(", ".join(map(str, found["files"])), facts(found))
    screen.figures(found)


def check_source(path: Path) -> None:
    """A `SceneFileError` for what is no .kilo with a surface."""
    expected = "a .kilo that holds a surface"
    if not read_start(path, len(KILO_MAGIC)).startswith(KILO_MAGIC):
        raise SceneFileError(path, "file", expected, "no .kilo")
    if kind_of(path) != "surface":
        raise SceneFileError(path, "file", expected, "Gaussians")


def check_target(source: Path, target: Path, options: MeshOptions, force: bool) -> None:
    """A `KilofieldError` where the files cannot be written."""
    from scenes.surface_mesh_files import SUFFIXES, TEXTURED, files_of

    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise KilofieldError(f"{target}: expected an output named *{', *'.join(SUFFIXES[:-1])} or *{SUFFIXES[-1]}")
    if options.texture is not None and suffix not in TEXTURED:
        raise KilofieldError(f"--texture: expected an output named *{' or *'.join(TEXTURED)}, found {target}")
    for path in files_of(target, options.texture is not None):
        output_file(path, force, path.suffix.lower(), [source])


def figures(source: Path, target: Path, mesh: SurfaceMesh, size: int, seconds: float) -> dict[str, Any]:
    """What --json writes; lengths in world units."""
    from scenes.surface_mesh_files import files_of

    shape, texture = mesh.shape, mesh.texture
    low, high = shape.box
    return {
        "source": str(source),
        "path": str(target),
        "files": [str(path) for path in files_of(target, texture is not None)],
        "vertices": len(shape.vertices),
        "faces": len(shape.faces),
        "spacing": mesh.spacing,
        "bounds": [low.tolist(), high.tolist()],
        "parts": shape.components,
        "parts_left_out": mesh.parts_left_out,
        "watertight": shape.closed and shape.manifold,
        "open_edges": mesh.open_edges,
        "volume": shape.volume if shape.closed else None,
        "colours": "texture" if texture is not None else "none" if mesh.colours is None else "vertices",
        "texture": None
        if texture is None
        else {"pixels": len(texture.picture), "covered": texture.covered, "vertices": len(texture.charts.uv)},
        "notes": list(mesh.notes),
        "bytes": size,
        "seconds": seconds,
    }


def facts(found: dict[str, Any]) -> dict[str, str]:
    """The figures as they are printed."""
    open_edges, left_out = found["open_edges"], found["parts_left_out"]
    shown = {
        "faces": f"{found['faces']:,} on {found['vertices']:,} vertices; cubes {found['spacing']:.4g} units wide",
        "bounds": "  to  ".join(f"({', '.join(f'{x:.4g}' for x in corner)})" for corner in found["bounds"]),
        "parts": f"{found['parts']:,}" + (f" ({left_out:,} smaller left out)" if left_out else ""),
        "closed": f"watertight, volume {found['volume']:.4g}"
        if found["watertight"]
        else f"no: {open_edges:,} open edges, where the surface leaves its cells",
        "colours": str(found["colours"]),
        "bytes": readable_bytes(found["bytes"]),
        "time": readable_time(found["seconds"]),
    }
    texture = found["texture"]
    if isinstance(texture, dict):
        shown["colours"] = f"{texture['pixels']} x {texture['pixels']} texture, {100 * texture['covered']:.0f} % used"
    return shown
