"""What `kilofield info` says about a neural surface."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from scenes.bank import MlpBank
from scenes.sizes import readable_bytes
from scenes.surface import WeightCoding

if TYPE_CHECKING:
    from scenes.open_scene import SurfaceFile


def surface_figures(file: SurfaceFile, manifest: dict[str, Any]) -> dict[str, Any]:
    """What --json writes about a surface; lengths in world units."""
    surface = file.surface
    streams = stream_bytes(manifest)
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
        "chunks": len(manifest["chunks"]),
        "bounds": [low.tolist(), high.tolist()],
        "bytes": file.bytes,
        "streams": streams | {"manifest": file.bytes - sum(streams.values())},
        "tool": manifest.get("tool"),
    }


def bank_figures(bank: MlpBank | None, coding: WeightCoding | None) -> dict[str, Any] | None:
    """The shape of a bank's networks, and whether their weights are integers; None without a bank."""
    if bank is None:
        return None
    return asdict(bank.shape) | {"parameters": bank.shape.parameters, "quantised": coding is not None}


def stream_bytes(manifest: dict[str, Any]) -> dict[str, int]:
    """The stored bytes of each kind of stream, over all chunks."""
    total: Counter[str] = Counter()
    for chunk in manifest["chunks"]:
        for name in ("coordinates", "geometry", "appearance"):
            if chunk.get(name) is not None:
                total[name] += chunk[name]["stored"]
    for bank in (manifest["geometry"], manifest.get("appearance") or {}):
        for name in ("steps", "mean", "tables"):
            if bank.get(name) is not None:
                total[name] += bank[name]["stored"]
    return dict(total.most_common())


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
        "streams": ", ".join(f"{name} {readable_bytes(size)}" for name, size in found["streams"].items()),
    }
    if isinstance(found["tool"], dict):
        facts["made by"] = ", ".join(f"{name} {value}" for name, value in found["tool"].items())
    return facts


def bank_facts(bank: dict[str, Any]) -> str:
    """The networks of a bank in one line."""
    hidden = f"{bank['layers']} x {bank['width']} {bank['activation']}" if bank["layers"] else "no hidden layer"
    count = len(bank["frequencies"])
    parts = [f"{count} frequenc{'y' if count == 1 else 'ies'}", hidden]
    parts += ["normal and direction"] * (bank["code"] > 0) + ["modulated"] * bool(bank["modulation"])
    weights = "integer weights" if bank["quantised"] else "half-float weights"
    return f"{', '.join(parts)}; {bank['parameters']:,} {weights} each"
