"""Kills of a command while it works: what is left each time, and whether it ends in the same bytes.

Shared by `benchmarks/kills.py`, which starts real processes, and `tests/test_kills.py`, which forks them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from scenes.atomic import MARK

KILLED = -9
OLD = b"what was there before"
MOST_RUNS = 8  # for one kill: a run may end before its moment comes


@dataclass(frozen=True)
class Moment:
    """When to kill: after some seconds, or in the middle of writing the output or the checkpoint."""

    cause: str  # `anywhere`, `output` or `checkpoint`
    seconds: float  # for `anywhere`; the others wait until then
    output: Path

    @property
    def checkpoint(self) -> Path:
        """Beside the output, of a fit."""
        return self.output.with_name(self.output.name + ".checkpoint")

    def temporaries(self) -> set[str]:
        """The files being written that a kill waits for, and what earlier kills left of them."""
        path = self.checkpoint if self.cause == "checkpoint" else self.output
        start, end = f".{path.stem}{MARK}", path.suffix
        return {p.name for p in path.parent.iterdir() if p.name.startswith(start) and p.suffix == end}


class Runner(Protocol):
    """Runs a command line, killing it at `moment` if there is one; its exit code (-9 when killed) and seconds."""

    def __call__(self, arguments: Sequence[str | Path], moment: Moment | None) -> tuple[int, float]: ...


@dataclass(frozen=True)
class Kill:
    """One kill, and what it left."""

    cause: str  # `anywhere`, `output` (being written) or `checkpoint` (being written)
    seconds: float  # since the command began
    left: str  # `old` or `new` if all outputs are, `some new` if each is one of the two, else what is wrong
    unsaved: float | None  # seconds since the last checkpoint; None where there is none


@dataclass
class Campaign:
    """The kills of one command."""

    seconds: float  # of the run that was not killed
    kills: list[Kill] = field(default_factory=list)
    finished: int = 0  # runs that ended before they were killed, all with the right bytes
    equal: bool = True  # the outputs of every run that ended are those of the run that was not killed
    leftovers: list[str] = field(default_factory=list)  # after the last run, beside the outputs


def campaign(
    run: Runner, arguments: Sequence[str | Path], outputs: Sequence[Path], causes: Sequence[str], seed: int = 0
) -> Campaign:
    """Runs a command once, then kills it for each of the `causes` and starts it again, and lets it end.

    The `outputs` must be replaced by the command (--force), lie in folders of their own, and be the same each time.
    A killed fit goes on from its checkpoint where `arguments` have --resume.
    """
    random = np.random.default_rng(seed)
    before = {path.name for path in outputs[0].parent.iterdir()} | {path.name for path in outputs}
    result = Campaign(_to_the_end(run, arguments))
    whole = [_digest(path) for path in outputs]
    for cause in causes:
        for _ in range(MOST_RUNS):
            _put_old(outputs)
            moment = Moment(cause, float(random.uniform(0, result.seconds)), outputs[0])
            code, seconds = run(arguments, moment)
            if code == KILLED:
                result.kills.append(Kill(cause, seconds, _left(outputs, whole), _unsaved(moment.checkpoint)))
                break
            _expect(0, code, arguments)
            result.finished += 1
            result.equal &= [_digest(path) for path in outputs] == whole
    _to_the_end(run, arguments)
    result.equal &= [_digest(path) for path in outputs] == whole
    result.leftovers = sorted({path.name for path in outputs[0].parent.iterdir()} - before)
    return result


def _left(outputs: Sequence[Path], whole: Sequence[str]) -> str:
    found, old = [_digest(path) for path in outputs], hashlib.sha256(OLD).hexdigest()
    if found == [old] * len(outputs):
        return "old"
    if found == list(whole):
        return "new"
    each = all(digest in (old, new) for digest, new in zip(found, whole, strict=True))
    return "some new" if each else "partial"


def _put_old(outputs: Sequence[Path]) -> None:
    for path in outputs:
        path.write_bytes(OLD)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "missing"


def _unsaved(checkpoint: Path) -> float | None:
    return max(time.time() - checkpoint.stat().st_mtime, 0.0) if checkpoint.exists() else None


def _to_the_end(run: Runner, arguments: Sequence[str | Path]) -> float:
    code, seconds = run(arguments, None)
    _expect(0, code, arguments)
    return seconds


def _expect(expected: int, code: int, arguments: Sequence[str | Path]) -> None:
    if code != expected:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: expected exit code {expected}, found {code}")
