"""`kilofield info`: what a scene file holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.console import Screen
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
    from scenes.kilo_surface import read_surface_manifest

    found = surface_figures(file, read_surface_manifest(file.path))
    return found, surface_facts(found)


def _of_gaussians(file: SceneFile) -> tuple[dict[str, Any], dict[str, str]]:
    found = figures(file)
    if isinstance(file.scene, NeuralGaussians):
        from scenes.kilo import read_manifest

        found |= kilo_figures(file.scene, file.bytes, read_manifest(file.path))
    return found, _facts(found)


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


def kilo_figures(scene: NeuralGaussians, size: int, manifest: dict[str, Any]) -> dict[str, Any]:
    """What --json adds about a .kilo."""
    streams = stream_bytes(manifest)
    return {
        "clusters": len(scene.counts),
        "chunks": len(manifest["chunks"]),
        "bank": asdict(scene.bank.shape) | {"parameters": scene.bank.shape.parameters},
        "streams": streams | {"manifest": size - sum(streams.values())},
        "tool": manifest.get("tool"),
    }


def stream_bytes(manifest: dict[str, Any]) -> dict[str, int]:
    """The stored bytes of each kind of stream, over all chunks and tiers."""
    total: Counter[str] = Counter(outputs=manifest["outputs"]["stored"])
    for chunk in manifest["chunks"]:
        for part in (chunk, *chunk["tiers"]):
            for name in ("positions", "codes", "weights", "steps", "boxes"):
                if part.get(name) is not None:
                    total[name] += part[name]["stored"]
    return dict(total.most_common())


def _facts(found: dict[str, Any]) -> dict[str, str]:
    trained = ", trained antialiased" if found["antialiased"] else ""
    facts = {"format": found["format"], "Gaussians": f"{found['gaussians']:,}, SH degree {found['sh_degree']}{trained}"}
    if found["bounds"]:
        facts["bounds"] = "  to  ".join(f"({', '.join(f'{x:.4g}' for x in corner)})" for corner in found["bounds"])
    facts["bytes"] = f"{found['bytes']:,}, {found['bytes'] / max(found['gaussians'], 1):.2f} a Gaussian"
    if found["format"] != "ply":
        facts["as .ply"] = f"{readable_bytes(found['ply_bytes'])} for the same Gaussians, {found['ratio']:.1f}x"
    return facts | (_kilo_facts(found) if "bank" in found else {})


def _kilo_facts(found: dict[str, Any]) -> dict[str, str]:
    bank = found["bank"]
    hidden = f"{bank['layers']} x {bank['width']} {bank['activation']}" if bank["layers"] else "no hidden layer"
    linear = ", linear path" if bank["linear"] else ""
    facts = {
        "clusters": f"{found['clusters']:,} in {found['chunks']} chunk{'s' if found['chunks'] != 1 else ''}",
        "networks": f"code {bank['code']}, {len(bank['frequencies'])} frequencies, {hidden}{linear}, "
        f"{bank['outputs']} outputs; {bank['parameters']:,} weights each",
        "streams": ", ".join(f"{name} {readable_bytes(size)}" for name, size in found["streams"].items()),
    }
    if isinstance(found["tool"], dict):
        facts["made by"] = ", ".join(f"{name} {value}" for name, value in found["tool"].items())
    return facts
