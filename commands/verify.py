"""`kilofield verify`: whether files are whole, and all that is wrong with those that are not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from commands.console import Screen, note, progress
from commands.options import Reading
from scenes.errors import SceneFileError, printable
from scenes.sizes import readable_bytes

if TYPE_CHECKING:
    from scenes.verify import Verdict

BEHIND = "0, cut short"  # of a stream that begins behind the end of the file
COLUMNS = ("file", "format", "holds", "size", "checked")


def run(paths: Sequence[Path], reading: Reading, screen: Screen) -> None:
    """Check all files, print a table, and name all that is wrong. The exit code is 1 when anything is."""
    from scenes.verify import files_in

    files = list(files_in(paths))
    found = _verified(files, reading, screen.quiet)
    bad = [verdict for verdict in found if verdict.problems]
    if len(found) > 1:
        title = f"{len(found):,} files, {len(bad) or 'none'} with problems"
        screen.table(title, COLUMNS, [_row(verdict) for verdict in found], ())
    elif not bad:
        screen.line(f"{found[0].path}: {', '.join(filter(None, _row(found[0])[1:]))}")
    screen.figures({"files": [figures(verdict) for verdict in found], "with_problems": len(bad)})
    for verdict in found:
        for line in lines(verdict):
            note(printable(line))
    if bad:
        for line in _summary(bad, len(found)):
            note(line)
        raise typer.Exit(1)


def _verified(files: Sequence[Path], reading: Reading, quiet: bool) -> list[Verdict]:
    from scenes.verify import verify

    options = reading.options
    sizes = [file.stat().st_size if file.is_file() else 0 for file in files]
    total, read = max(sum(sizes), 1), 0
    found: list[Verdict] = []
    with progress("verify", quiet) as step:
        for path, size in zip(files, sizes, strict=True):

            def told(share: float, path: Path = path, size: int = size, read: int = read) -> None:
                step((read + share * size) / total, str(path))

            found.append(verify(path, options, told))
            read += size
    return found


def _row(verdict: Verdict) -> tuple[str, ...]:
    return (str(verdict.path), verdict.format, verdict.holds, readable_bytes(verdict.bytes), _checked(verdict))


def _checked(verdict: Verdict) -> str:
    if verdict.problems:
        count = len(verdict.problems)
        return f"{count:,} problem{'s' * (count > 1)}"
    return f"whole, {verdict.checksums:,} checksums" if verdict.checksums else "readable"


def figures(verdict: Verdict) -> dict[str, Any]:
    """What --json writes about a file."""
    salvage = verdict.salvage
    return {
        "path": str(verdict.path),
        "whole": not verdict.problems,
        "format": verdict.format or None,
        "holds": {"count": verdict.count, "unit": f"{verdict.unit}s", "levels": verdict.levels}
        if verdict.unit
        else None,
        "bytes": verdict.bytes,
        "checksums": verdict.checksums,
        "notes": list(verdict.notes),
        "problems": [
            {"path": e.path, "place": e.place, "expected": e.expected, "found": e.found} for e in verdict.problems
        ],
        "salvage": {"count": salvage.kept, "without_colour": salvage.grey} if salvage else None,
    }


def lines(verdict: Verdict) -> Iterator[str]:
    """What is left out and what is wrong, one line each; streams that lie behind the end of a file share one."""
    yield from (f"{verdict.path}: {left_out}" for left_out in verdict.notes)
    behind = [problem for problem in verdict.problems if problem.found == BEHIND]
    yield from (str(problem) for problem in verdict.problems if problem.found != BEHIND or len(behind) == 1)
    if len(behind) > 1:
        yield f"{verdict.path}: {len(behind):,} streams are behind the end of the file: {_names(behind)}"


def _names(problems: Sequence[SceneFileError]) -> str:
    """Streams in few words: `codes of chunks 3 to 8, ...`."""
    from scenes.kilo_salvage import Lost, names_of

    places = [re.fullmatch(r"chunk ([0-9]+) (.*)", problem.place) for problem in problems]
    others = [problem.place for problem, place in zip(problems, places, strict=True) if not place]
    in_chunks = names_of(Lost(place[2], int(place[1]), True) for place in places if place)
    return ", ".join([*others, *([in_chunks] if in_chunks else [])])


def _summary(bad: Sequence[Verdict], count: int) -> Iterator[str]:
    """The last line, where those above it do not say all."""
    if count > 1:
        yield f"{len(bad):,} of {count:,} files have problems"
    elif bad[0].salvage:
        yield f"{bad[0].path}: --salvage reads {bad[0].salvage.share}"
