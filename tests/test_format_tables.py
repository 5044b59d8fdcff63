"""Tables made of what `benchmarks.formats` found."""

from __future__ import annotations

from typing import Any

from benchmarks.format_tables import agreement_table, speed_table


def _row(scene: str, writer: str, size: int, apart: float, psnr: float, **more: Any) -> dict[str, Any]:
    both = {"positions": 0.01, "opacity": apart}
    return {
        **{"scene": scene, "format": "spz 4", "written by": writer, "bytes": size, "psnr": psnr},
        **{"read by both, steps apart": both, **more},
    }


def test_the_worst_of_all_scenes_is_shown() -> None:
    lost = {"lost, steps": {"rotations": 1.26, "colour": 0.5, "colour without room": 7.0}}
    rows = [
        _row("a", "kilofield", 200, 0.5, 60.04, **lost),
        _row("b", "kilofield", 400, 0.1, 45.6, **lost),
        _row("a", "splat-transform", 100, 0.2, 58.0),
        _row("c", "splat-transform", 700, 0.6, 40.0),
    ]
    assert agreement_table(rows).splitlines()[2:] == [
        "| spz 4 | 3 | 0.6 steps | 1.3 steps | 45.6 to 60.0 dB | 40.0 to 58.0 dB | 2.00 |"
    ]


def test_what_the_other_program_cannot_do_is_a_dash() -> None:
    used = {"seconds": 9.0, "processor_seconds": 3.0, "peak_bytes": 500}
    row = {"format": "glb", "sh_degree": 2, "decoded_bytes": 200, "kilofield writes": used, "kilofield reads": used}
    assert speed_table([row]).splitlines()[2:] == ["| glb | 2 | 3.0 : - | 3.0 : - | 2.5x | 2.5x |"]
    row["splat-transform writes"] = {"processor_seconds": 6.5}
    assert "| 3.0 : 6.5 s | 3.0 : - |" in speed_table([row])


def test_nothing_measured_is_no_table() -> None:
    assert (agreement_table([]), speed_table([])) == ("", "")
