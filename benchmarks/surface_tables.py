"""The figures of `benchmarks.surfaces` as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fitting.kiloneus.options import EFFORTS

SPOT_HEADER = (
    "surface",
    "preset",
    "fit",
    "size",
    "processor minutes",
    "hits off, mean",
    "99.9 %",
    "normals off",
    "holes",
    "colour at hits",
    "normal jump, mean",
    "99.9 %",
)
CAPTURE_HEADER = ("capture", "preset", "fit", "size", "minutes", "teacher", "distilled", "coloured", "in the file")

FACES_HEADER = (
    "surface",
    "preset",
    "overlap",
    "face loss",
    "processor seconds",
    "hits off, mean",
    "normals off",
    "holes",
    "jump of the distance, mean",
    "99.9 %",
    "normal jump, mean",
    "99.9 %",
)
DRAWN_HEADER = ("capture", "preset", "size", "minutes", "cells", "teacher, rendered", "cells, ray-cast", "worst view")


def spot_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Surfaces of a mesh, one row a fit; empty without rows."""
    return _table(SPOT_HEADER, [_spot_row(row) for row in rows])


def captures_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Surfaces from photographs: PSNR of those not learnt from; empty without rows."""
    return _table(CAPTURE_HEADER, [_capture_row(row) for row in rows])


def faces_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the face loss costs and buys: `benchmarks.surface_faces`; empty without rows."""
    return _table(FACES_HEADER, [_faces_row(row) for row in rows])


def drawn_table(paths: Sequence[Path]) -> str:
    """Surfaces from photographs as they are drawn, beside their teachers: `benchmarks.surface_captures`."""
    return _table(DRAWN_HEADER, [_drawn_row(json.loads(path.read_text())) for path in paths])


def _drawn_row(result: Mapping[str, Any]) -> tuple[str, ...]:
    options, found = result["options"], result["figures"]
    preset = EFFORTS[options["preset"]]
    cast, teacher = found["ray_cast"], found["teacher"]
    return (
        f"{result['capture']}, {options['side'] or preset.side} pixels",
        f"{options['preset']}, {options['steps'] or preset.teacher_steps:,} steps",
        f"{found['bytes'] / 1000:.0f} KB",
        f"{found['seconds'] / 60:.1f}",
        f"{found['cells']:,}",
        f"{teacher['psnr']:.2f} dB, {teacher['ssim']:.4f}",
        f"{cast['psnr']:.2f} dB, {cast['ssim']:.4f}",
        f"{cast['worst_psnr']:.2f} dB",
    )


def _faces_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    hits, seams = row["hits"], row["seams"]
    return (
        row["surface"],
        _preset(row),
        f"{row['overlap']:g}" if row["overlap"] else "none",
        f"{row['face_loss']:g}" if row["face_loss"] else "none",
        f"{row['processor_seconds']:.1f}",
        f"{hits['distance']:.4f} %",
        f"{hits['normal']:.2f}°",
        f"{hits['holes']:.3f} %",
        f"{seams['distance']:.3f} %",
        f"{seams['distance_999']:.2f} %",
        f"{seams['normal']:.3f}°",
        f"{seams['normal_999']:.2f}°",
    )


def _spot_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    hits, seams = row["hits"], row["seams"]
    colour = hits["colour_psnr"]
    return (
        row["surface"],
        _preset(row),
        row["variant"],
        f"{row['bytes'] / 1000:.0f} KB",
        f"{row['processor_seconds'] / 60:.1f}",
        f"{hits['distance']:.4f} %",
        f"{hits['distance_999']:.3f} %",
        f"{hits['normal']:.2f}°",
        f"{hits['holes']:.3f} %",
        "-" if colour is None else f"{colour:.1f} dB",
        f"{seams['normal']:.3f}°",
        f"{seams['normal_999']:.2f}°",
    )


def _capture_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    views = row["views"]
    return (
        row["surface"],
        _preset(row),
        row["variant"],
        f"{row['bytes'] / 1000:.0f} KB",
        f"{row['seconds'] / 60:.1f}",
        *(f"{views[stage]:.2f} dB" for stage in ("teacher", "distilled", "coloured", "written")),
    )


def _preset(row: Mapping[str, Any]) -> str:
    given = [
        f"{row[key]} {what}" for key, what in (("cells_wanted", "cells"), ("steps_wanted", "steps")) if row.get(key)
    ]
    return ", ".join([row["preset"], *given])


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines) if rows else ""
