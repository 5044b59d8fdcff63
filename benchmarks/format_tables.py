"""The figures of `benchmarks.formats` as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

AGREEMENT_HEADER = (
    "format",
    "scenes",
    "both read, apart",
    "lost",
    "PSNR, ours",
    "PSNR, theirs",
    "bytes, ours : theirs",
)
SPEED_HEADER = (
    "format",
    "SH",
    "writing, ours : theirs",
    "reading, ours : theirs",
    "memory, writing",
    "memory, reading",
)
ROOMLESS = "without room"  # of keys that are shares, not steps
OURS, THEIRS = "kilofield", "splat-transform"

Row = Mapping[str, Any]


def agreement_table(rows: Sequence[Row]) -> str:
    """A row a format, the worst of all scenes; steps are those of the format. Empty without rows."""
    formats = dict.fromkeys(str(row["format"]) for row in rows)
    return _table(AGREEMENT_HEADER, [_agreement(name, [r for r in rows if r["format"] == name]) for name in formats])


def speed_table(rows: Sequence[Row]) -> str:
    """Seconds of processor time for a million Gaussians, and memory as a multiple of theirs. Empty without rows."""
    return _table(SPEED_HEADER, [_speed(row) for row in rows])


def _agreement(name: str, rows: Sequence[Row]) -> tuple[str, ...]:
    ours, theirs = ([row for row in rows if row["written by"] == program] for program in (OURS, THEIRS))
    apart = max(_steps(row, "read by both, steps apart") for row in rows)
    lost = [_steps(row, "lost, steps") for row in ours if "lost, steps" in row]
    pairs = [(a["bytes"], b["bytes"]) for a in ours for b in theirs if a["scene"] == b["scene"]]
    ratio = sum(a for a, _ in pairs) / sum(b for _, b in pairs) if pairs else None
    return (
        name,
        str(len({row["scene"] for row in rows})),
        f"{apart:.1f} steps",
        f"{max(lost):.1f} steps" if lost else "-",
        _decibels(ours),
        _decibels(theirs),
        f"{ratio:.2f}" if ratio else "-",
    )


def _steps(row: Row, key: str) -> float:
    """The worst attribute."""
    return max(value for name, value in row[key].items() if not name.endswith(ROOMLESS))


def _decibels(rows: Sequence[Row]) -> str:
    """The worst and the best scene."""
    found = sorted(row["psnr"] for row in rows if "psnr" in row)
    return f"{found[0]:.1f} to {found[-1]:.1f} dB" if found else "-"


def _speed(row: Row) -> tuple[str, ...]:
    return (
        str(row["format"]),
        str(row["sh_degree"]),
        *(_seconds(row, what) for what in ("writes", "reads")),
        *(f"{row[f'{OURS} {what}']['peak_bytes'] / row['decoded_bytes']:.1f}x" for what in ("writes", "reads")),
    )


def _seconds(row: Row, what: str) -> str:
    ours, theirs = row[f"{OURS} {what}"], row.get(f"{THEIRS} {what}")
    other = f"{theirs['processor_seconds']:.1f} s" if theirs else "-"
    return f"{ours['processor_seconds']:.1f} : {other}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ("---",) * len(header), *rows] if rows else []
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
