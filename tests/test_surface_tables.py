"""What `benchmarks.surfaces` notes, and the tables made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.surface_tables import captures_table, faces_table, spot_table
from benchmarks.surface_variants import COHERENT, INCOHERENT, VARIANTS
from benchmarks.surfaces import note, rounded

SPOT: dict[str, Any] = {
    "surface": "spot, painted",
    "preset": "draft",
    "cells_wanted": 12,
    "variant": "as it is",
    "seed": 0,
    "bytes": 123_456,
    "processor_seconds": 90.0,
    "hits": {"distance": 0.00257, "distance_999": 0.0766, "normal": 0.404, "holes": 0.0097, "colour_psnr": 36.54},
    "seams": {"normal": 0.0011, "normal_999": 0.0134},
}
CHAIR: dict[str, Any] = {
    "surface": "chair",
    "preset": "draft",
    "cells_wanted": None,
    "steps_wanted": 100,
    "variant": "with CAM",
    "seed": 0,
    "bytes": 50_000,
    "seconds": 150.0,
    "views": {"teacher": 24.0, "distilled": 22.5, "coloured": 23.75, "written": 23.7},
}


def _cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_a_row_of_a_mesh() -> None:
    table = _cells(spot_table([SPOT, SPOT | {"hits": SPOT["hits"] | {"colour_psnr": None}}]))
    assert len(table) == 4
    assert len({len(row) for row in table}) == 1
    assert table[2] == [
        *("spot, painted", "draft, 12 cells", "as it is", "123 KB", "1.5", "0.0026 %", "0.077 %", "0.40°", "0.010 %"),
        *("36.5 dB", "0.001°", "0.01°"),
    ]
    assert table[3][9] == "-"


def test_a_row_of_photographs() -> None:
    table = _cells(captures_table([CHAIR]))
    assert len({len(row) for row in table}) == 1
    expected = ("chair", "draft, 100 steps", "with CAM", "50 KB", "2.5", "24.00 dB", "22.50 dB", "23.75 dB", "23.70 dB")
    assert table[2] == list(expected)


def test_a_row_of_the_face_loss() -> None:
    seams = {"distance": 0.6091, "distance_999": 9.061, "normal": 3.7215, "normal_999": 38.13}
    row = SPOT | {"surface": "spot", "overlap": 0.0, "face_loss": 10.0, "processor_seconds": 7.2, "seams": seams}
    table = _cells(faces_table([row, row | {"overlap": 0.2, "face_loss": 0.0}]))
    assert len({len(cells) for cells in table}) == 1
    assert table[2] == [
        *("spot", "draft, 12 cells", "none", "10", "7.2", "0.0026 %", "0.40°", "0.010 %"),
        *("0.609 %", "9.06 %", "3.721°", "38.13°"),
    ]
    assert table[3][2:4] == ["0.2", "none"]


def test_without_rows_there_is_no_table() -> None:
    assert spot_table([]) == captures_table([]) == faces_table([]) == ""


def test_a_row_replaces_the_same_one_alone(tmp_path: Path) -> None:
    for row in (SPOT, SPOT | {"seed": 1}, SPOT | {"bytes": 7}):
        note(tmp_path, "spot", row)
    note(tmp_path, "captures", CHAIR)
    content = json.loads((tmp_path / "surfaces.json").read_text())
    assert [(row["seed"], row["bytes"]) for row in content["spot"]] == [(1, 123_456), (0, 7)]
    assert content["captures"] == [CHAIR]


def test_numbers_keep_five_digits() -> None:
    assert rounded({"a": 0.123456789, "b": 7, "c": None, "d": "x"}) == {"a": 0.12346, "b": 7, "c": None, "d": "x"}


def test_variants_differ() -> None:
    assert len({v.key for v in VARIANTS}) == len({v.name for v in VARIANTS}) == len({v.choices for v in VARIANTS})
    assert COHERENT in VARIANTS
    assert INCOHERENT in VARIANTS
    assert INCOHERENT.choices.overlap == 0
