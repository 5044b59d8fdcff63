"""`kilofield info`: what a scene file holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.console import Screen
from commands.info_kilo import gaussians_facts, gaussians_figures
from commands.options import Reading
from commands.reading import open_told
from scenes.neural_gaussians import NeuralGaussians
from scenes.sizes import plain_bytes, readable_bytes

if TYPE_CHECKING:
    from scenes.load import SceneFile
    from scenes.open_scene import SurfaceFile


def run(path: Path, reading: Reading, screen: Screen) -> None:
    """Print the facts of `path`."""
    from scenes.open_scene import SurfaceFile

    file = open_told(path, reading.options)
    found, facts = _of_surface(file) if isinstance(file, SurfaceFile) else _of_gaussians(file)
    screen.facts(str(path), facts)
    screen.figures(found)


def _of_surface(file: SurfaceFile) -> tuple[dict[str, Any], dict[str, str]]:
    from commands.info_surface import surface_facts, surface_figures

    found = surface_figures(file)
    return found, surface_facts(found)


def _of_gaussians(file: SceneFile) -> tuple[dict[str, Any], dict[str, str]]:
    found = figures(file)
    if not isinstance(file.scene, NeuralGaussians):
        return found, _facts(found)
    found |= gaussians_figures(file.path, file.scene, whole=not file.notes)
    return found, _facts(found) | gaussians_facts(found)


def figures(file: SceneFile) -> dict[str, Any]:
    """What --json writes about any scene; lengths in world units."""
    scene = file.scene
    plain = plain_bytes(len(scene), scene.sh_degree)
    return {
        "path": str(file.path),
        "format": file.format,
        "kind": "gaussians",
        "gaussians": len(scene),
        "dropped": file.dropped,
        "sh_degree": scene.sh_degree,
        "antialiased": scene.antialiased,
        "bounds": [scene.positions.min(axis=0).tolist(), scene.positions.max(axis=0).tolist()] if len(scene) else None,
        "bytes": file.bytes,
        "ply_bytes": plain,
        "ratio": plain / file.bytes,
    }


def _facts(found: dict[str, Any]) -> dict[str, str]:
    trained = ", trained antialiased" if found["antialiased"] else ""
    facts = {"format": found["format"], "Gaussians": f"{found['gaussians']:,}, SH degree {found['sh_degree']}{trained}"}
    if found["bounds"]:
        facts["bounds"] = "  to  ".join(f"({', '.join(f'{x:.4g}' for x in corner)})" for corner in found["bounds"])
    facts["bytes"] = f"{found['bytes']:,}, {found['bytes'] / max(found['gaussians'], 1):.2f} a Gaussian"
    if found["format"] != "ply":
        facts["as .ply"] = f"{readable_bytes(found['ply_bytes'])} for the same Gaussians, {found['ratio']:.1f}x"
    return facts
