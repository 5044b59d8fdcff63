"""What `kilofield info` says about a neural surface."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.info_kilo import container_facts, container_figures
from scenes.bank import MlpBank
from scenes.surface import WeightCoding

if TYPE_CHECKING:
    from scenes.kilo_surface_manifest import SurfaceChunk
    from scenes.open_scene import SurfaceFile


def surface_figures(file: SurfaceFile) -> dict[str, Any]:
    """What --json writes about a surface; lengths in world units."""
    surface = file.surface
    low = surface.grid.origin + surface.grid.edge * surface.cells.min(axis=0)
    high = surface.grid.origin + surface.grid.edge * (surface.cells.max(axis=0) + 1)
    return {
        "path": str(file.path),
        "format": "kilo",
        "kind": "surface",
        "cells": len(surface),
        "grid": asdict(surface.grid),
        "overlap": surface.overlap,
        "geometry": bank_figures(surface.geometry, surface.geometry_coding),
        "appearance": bank_figures(surface.appearance, surface.appearance_coding),
        "bounds": [low.tolist(), high.tolist()],
        "bytes": file.bytes,
        **_file_figures(file.path, whole=not file.notes),
    }


def _file_figures(path: Path, whole: bool) -> dict[str, Any]:
    from scenes.kilo_container import open_source, opened, read_json_manifest
    from scenes.kilo_surface_manifest import parse_surface

    with opened(path) as content:
        source = open_source(content, str(path))
        json, end = read_json_manifest(source)
        manifest = parse_surface(source, json, end, whole=whole)
        found = container_figures(source, json, manifest.start, manifest.streams())
    return found | {
        "parts": [_part(chunk, entry["bounds"]) for chunk, entry in zip(manifest.chunks, json["chunks"], strict=True)]
    }


def _part(chunk: SurfaceChunk, bounds: Any) -> dict[str, Any]:
    """A chunk as --json has it."""
    streams = (chunk.coordinates, chunk.geometry, chunk.appearance)
    size = sum(stream.stored for stream in streams if stream is not None)
    return {"cells": [chunk.first, chunk.cells], "bytes": size, "bounds": bounds}


def bank_figures(bank: MlpBank | None, coding: WeightCoding | None) -> dict[str, Any] | None:
    """The shape of a bank's networks, and whether their weights are integers; None without a bank."""
    if bank is None:
        return None
    return asdict(bank.shape) | {"parameters": bank.shape.parameters, "quantised": coding is not None}


def surface_facts(found: dict[str, Any]) -> dict[str, str]:
    """The figures as they are printed."""
    grid, chunks = found["grid"], found["chunks"]
    facts = {
        "format": "kilo, a neural surface",
        "cells": f"{found['cells']:,} of {' x '.join(map(str, grid['size']))} in {chunks} chunk{'s' * (chunks != 1)}; "
        f"edge {grid['edge']:.4g}, overlap {found['overlap']:.3g}",
        "geometry": bank_facts(found["geometry"]),
        "appearance": bank_facts(found["appearance"]) if found["appearance"] else "none",
        "bounds": "  to  ".join(f"({', '.join(f'{x:.4g}' for x in corner)})" for corner in found["bounds"]),
        "bytes": f"{found['bytes']:,}, {found['bytes'] / found['cells']:.1f} a cell",
    }
    return facts | container_facts(found)


def bank_facts(bank: dict[str, Any]) -> str:
    """The networks of a bank in one line."""
    hidden = f"{bank['layers']} x {bank['width']} {bank['activation']}" if bank["layers"] else "no hidden layer"
    count = len(bank["frequencies"])
    parts = [f"{count} frequenc{'y' if count == 1 else 'ies'}", hidden]
    parts += ["normal and direction"] * (bank["code"] > 0) + ["modulated"] * bool(bank["modulation"])
    weights = "integer weights" if bank["quantised"] else "half-float weights"
    return f"{', '.join(parts)}; {bank['parameters']:,} {weights} each"
