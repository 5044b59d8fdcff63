"""Every reader against files that somebody damaged, cleverly or not.

    python -m benchmarks.fuzz [--inputs 200000] [--minutes 60] [--seed 7] [--only FORMAT] [--finds FOLDER]

Small whole files of every format are changed (`fuzz_mutations`, `fuzz_json`; inside of containers, `fuzz_layers`) and
read (`fuzz_readers`); inputs that were refused at a place no other was are changed further. What must hold of each:

    no crash of the process, and no error but a refusal: a `SceneFileError` of one line with the file and the place
    at most a second of processor, and at most 10 times the input and 64 MB of memory
    nothing on the terminal, no warning of Python
    what is accepted is finite and of the shapes that are promised

The same seed gives the same inputs; which of them a run gets to depends on --minutes alone. Figures go to
results/fuzz.json, after every batch too; with --only other formats keep theirs, with --add a run with
another seed is added. Inputs that break a rule go to --finds, a folder each.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.fuzz_campaign import run_batches
from benchmarks.fuzz_readers import Format, formats
from benchmarks.fuzz_worker import CPU_LIMIT, FREE, HANG, TIMES, Batch, Tally
from benchmarks.machine import add_folders, machine_facts
from scenes.atomic import replacing

BATCH = 1000  # inputs
HEADINGS = ("format", "inputs", "accepted", "refused", "places", "slowest", "most memory", "finds")


def main() -> int:
    options = _options()
    data = options.data if (options.data / "gaussians").is_dir() else None
    known = formats(data)
    wrong = set(options.only) - {form.name for form in known}
    if wrong:
        print(f"--only: expected some of {', '.join(form.name for form in known)}, found {', '.join(wrong)}")
        return 1
    chosen = [form for form in known if not options.only or form.name in options.only]
    batches = planned(chosen, options.inputs, options.seed)
    tallies = {form.name: Tally() for form in chosen}
    start = time.monotonic()

    kept = _figures_in(options.out / "fuzz.json") if options.only or options.add else {}

    def told(batch: Batch, tally: Tally) -> None:
        tallies[batch.format].add(tally)
        done = sum(found.inputs for found in tallies.values())
        print(f"{time.monotonic() - start:7.0f} s  {done:9,} inputs  {batch.format}  {_line(tally)}", flush=True)
        for find in tally.finds:
            print(f"    {find.kind}: {find.what} {find.input}", flush=True)
        _write(options.out / "fuzz.json", options, tallies, kept, time.monotonic() - start)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # as Ctrl-C: processes and folders are put away
    run_batches(batches, told, data, options.finds, options.workers, start + 60 * options.minutes)
    print(table(tallies))
    return int(any(tally.finds for tally in tallies.values()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folders(parser)
    parser.add_argument("--inputs", type=int, default=200_000, help="how many, over all formats")
    parser.add_argument("--minutes", type=float, default=1e6, help="no batch begins after them")
    parser.add_argument("--seed", default="7")
    parser.add_argument("--only", action="append", default=[], metavar="FORMAT", help="may be given several times")
    parser.add_argument("--add", action="store_true", help="to the figures of runs with other seeds")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    finds = Path(tempfile.gettempdir()) / "kilofield-fuzz"
    parser.add_argument("--finds", type=Path, default=finds, help="folder for inputs that break a rule")
    return parser.parse_args()


def planned(chosen: Sequence[Format], inputs: int, seed: str) -> list[Batch]:
    """At least `inputs` in batches, of each format its share, turn by turn."""
    shares = sum(form.share for form in chosen)
    counts = {form.name: -(-inputs * form.share // (shares * BATCH)) for form in chosen}
    turns = range(max(counts.values()))
    small = min(BATCH, -(-inputs // len(chosen)))
    return [Batch(name, f"{seed} {turn}", small) for turn in turns for name, count in counts.items() if turn < count]


def _line(tally: Tally) -> str:
    return (
        f"{tally.accepted} accepted, {tally.rejected} refused at {len(tally.places)} places, {len(tally.finds)} finds"
    )


def table(tallies: Mapping[str, Tally]) -> str:
    """A row a format."""
    rows = [HEADINGS, *(_row(name, tally) for name, tally in tallies.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = (row[0].ljust(widths[0]) + "".join(f"  {cell:>{w}}" for cell, w in zip(row[1:], widths[1:], strict=True)) for row in rows)  # fmt: skip # noqa: E501
    return "\n".join(lines)


def _row(name: str, tally: Tally) -> tuple[str, ...]:
    counts = (tally.inputs, tally.accepted, tally.rejected, len(tally.places))
    figures = (f"{tally.slowest:.2f} s", f"{tally.most_memory / 1e6:.1f} MB", str(len(tally.finds)))
    return (name, *(f"{count:,}" for count in counts), *figures)


def _write(
    path: Path, options: argparse.Namespace, tallies: Mapping[str, Tally], before: Mapping[str, Any], seconds: float
) -> None:
    """The figures, with those there were `before`, by format."""
    machine = machine_facts("")
    found = {name: _figures(tally, options.seed, str(machine["commit"])) for name, tally in tallies.items()}
    if options.add:
        found = {name: _sum(before[name], more) if name in before else more for name, more in found.items()}
    figures = {**before, **found}
    content = {
        "machine": machine,
        "inputs": sum(of_one["inputs"] for of_one in figures.values()),
        "finds": sum(len(of_one["finds"]) for of_one in figures.values()),
        "minutes of the last run": round(seconds / 60, 1),
        "limits": {
            "seconds of processor": HANG,
            "memory in bytes": f"{FREE} + {TIMES} x input",
            "seconds until the system ends it": CPU_LIMIT,
        },
        "memory is": "the most that was resident beyond what was before the input (VmHWM), in a process whose address "
        "space is limited to the same and 32 MB (RLIMIT_AS)",
        "formats": figures,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _figures_in(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))["formats"] if path.is_file() else {}


def _figures(tally: Tally, seed: str, commit: str) -> dict[str, Any]:
    return {
        "inputs": tally.inputs,
        "accepted": tally.accepted,
        "refused": tally.rejected,
        "places": len(tally.places),
        "slowest in seconds": round(tally.slowest, 3),
        "most memory in bytes": tally.most_memory,
        "largest input in bytes": tally.largest,
        "finds": [f"{find.kind}: {find.what}" for find in tally.finds],
        "seeds": [seed],
        "commits": [commit],
    }


def _sum(before: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of two runs as one."""
    found = {}
    for key, value in more.items():
        if isinstance(value, list):
            found[key] = sorted({*before[key], *value})
        else:
            found[key] = before[key] + value if key in ("inputs", "accepted", "refused") else max(before[key], value)
    return found


if __name__ == "__main__":
    sys.exit(main())
