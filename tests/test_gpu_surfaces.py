"""The parts `benchmarks.gpu_surfaces` runs are ones their scripts take; how they do is for a machine with a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import surface_captures, surface_dtu
from benchmarks.gpu_surfaces import _parser, parts

GIVEN = ["--capture", "data/captures/chair", "--out", "out", "--device", "cpu"]


def test_without_a_scan_of_dtu_there_is_no_such_part() -> None:
    found = parts(_parser().parse_args(GIVEN))
    assert list(found) == ["capture", "drawing"]
    drawing = found["drawing"]
    assert drawing[drawing.index("--width") + 1] == "1920"
    assert drawing[drawing.index("--height") + 1] == "1080"


@pytest.mark.parametrize("quick", [False, True])
def test_parts_have_arguments_their_scripts_take(quick: bool) -> None:
    given = [*GIVEN, "--dtu", "scan65", "--ground-truth", "stl065_total.ply", *(["--quick"] if quick else [])]
    found = parts(_parser().parse_args(given))
    assert list(found) == ["capture", "dtu", "drawing"]
    capture = surface_captures._parser().parse_args(found["capture"][1:])
    assert capture.side == (32 if quick else 400)
    scan = surface_dtu._parser().parse_args(found["dtu"][1:])
    assert scan.folder == Path("scan65")
    assert scan.ground_truth == Path("stl065_total.ply")
    assert scan.side == (32 if quick else None)  # half of the photographs' own
    assert {str(capture.kilo), str(scan.kilo)} <= set(found["drawing"])
