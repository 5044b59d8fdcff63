"""A scene too large for one fit: looked at as a whole, fitted chunk by chunk, and joined.

What is finished of an interrupted run lies in the folder OUT.kilo.chunks: a .kilo of each chunk that is done, and a
checkpoint of each that was being fitted.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fitting.neuralgs.chunk_fit import Task
from fitting.neuralgs.chunk_pool import Pictures, fit_chunks
from fitting.neuralgs.joined import joined
from fitting.neuralgs.options import Look, Progress
from fitting.neuralgs.reporter import FITTED, PREPARE_SHARE, Reporter
from fitting.neuralgs.run import Asked, Fitted
from fitting.neuralgs.size import FIXED_BYTES
from fitting.neuralgs.survey import Survey, survey
from fitting.neuralgs.tune import judge_file
from scenes.atomic import told_of
from scenes.cores import available_cores
from scenes.errors import KilofieldError
from scenes.gaussians import Gaussians
from scenes.kilo import read_kilo

MOST_JOBS = 4  # unless asked for: each takes about a gigabyte
FILES = re.compile(r"\.?chunk-\d+(\.kilofield-[a-z0-9_]{8})?\.(kilo|checkpoint)")  # of ours, in the folder


@dataclass(frozen=True)
class Chunks:
    """Where the chunks of one run lie."""

    folder: Path

    @classmethod
    def of(cls, target: Path) -> Chunks:
        """Those of the file `target` while it is made."""
        return cls(target.with_name(target.name + ".chunks"))

    def finished(self, number: int) -> Path:
        """The .kilo of a chunk that is done."""
        return self.folder / f"chunk-{number}.kilo"

    def checkpoint(self, number: int) -> Path:
        """Of a chunk that is being fitted."""
        return self.folder / f"chunk-{number}.checkpoint"

    def make(self) -> None:
        """The folder; `KilofieldError` where there can be none."""
        if self.folder.exists() and not self.folder.is_dir():
            raise KilofieldError(f"{self.folder}: expected a folder, found a file")
        with told_of(self.folder):
            self.folder.mkdir(exist_ok=True)

    def remove(self) -> None:
        """All of ours, and the folder if nothing else is in it."""
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if FILES.fullmatch(path.name):
                path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()


def fit_in_chunks(asked: Asked, gaussians: Gaussians) -> Fitted:
    """Fits `gaussians`, read from the source, chunk by chunk."""
    options, say = asked.options, asked.say
    chunks = Chunks.of(asked.target)
    resumed = options.resume and asked.checkpoint.load() is not None
    if not resumed:
        chunks.remove()
    chunks.make()
    asked.checkpoint.save({})
    seen = survey(
        asked.source,
        gaussians,
        options.chunk_size,
        side=asked.effort.side,
        seed=options.seed,
        device=asked.device,
        progress=say.preparing,
    )
    numbers = range(1, len(seen.chunks) + 1)
    _check_budget(options.max_bytes, len(numbers))
    missing = [n for n in numbers if not chunks.finished(n).exists()]
    tasks = (_task(asked, seen, chunks, n, resumed) for n in missing)  # one at a time: each holds its Gaussians
    listener = _Listener(say, len(numbers), len(missing))
    fit_chunks(tasks, _jobs(asked), listener.listen, listener.show if say.preview is not None else None)
    say("judging", 0.99)
    parts = [read_kilo(chunks.finished(n)) for n in numbers]
    neural, sizes = joined(parts), [len(part.bank) for part in parts]
    psnr, ssim = judge_file(neural, seen.held_out, asked.device, sizes)
    return Fitted(neural, sizes, psnr, ssim, seen.held_out, seen.notes)


def _check_budget(max_bytes: int | None, chunks: int) -> None:
    least = chunks * FIXED_BYTES
    if max_bytes is not None and max_bytes < least:
        raise KilofieldError(
            f"--max-mb: expected at least {least / 1e6:g} MB for {chunks} chunks, found {max_bytes / 1e6:g} MB; "
            "a larger --chunk-gaussians makes fewer"
        )


def _task(asked: Asked, seen: Survey, chunks: Chunks, number: int, resumed: bool) -> Task:
    options, mine, richer = asked.options, seen.chunks[number - 1], float(seen.richer[number - 1])
    budget = options.max_bytes and int(options.max_bytes * richer * len(mine) / len(seen.gaussians))
    return Task(
        number=number,
        gaussians=seen.gaussians.select(mine),
        richer=richer,
        frame=seen.frame,
        around=seen.around,
        options=replace(options, max_bytes=budget, resume=resumed),
        effort=asked.effort,
        out=chunks.finished(number),
        checkpoint=chunks.checkpoint(number),
        fingerprint=f"{asked.checkpoint.fingerprint} chunk {number}",
    )


def _jobs(asked: Asked) -> int:
    if asked.options.jobs is not None:
        return asked.options.jobs
    return min(available_cores(), MOST_JOBS) if asked.device.type == "cpu" else 1


class _Listener:
    """Makes one progress of those of all chunks."""

    def __init__(self, say: Reporter, chunks: int, missing: int) -> None:
        self._say, self._chunks, self._missing = say, chunks, missing
        self._done: dict[int, float] = {}

    def listen(self, number: int, now: Progress) -> None:
        """Chunk `number` has come so far."""
        self._done[number] = now.done
        share = sum(self._done.values()) / self._missing
        detail = " · ".join(part for part in (f"chunk {number} of {self._chunks}", now.stage, now.detail) if part)
        look = now.look and replace(now.look, fit=f"chunk {number}", seconds=self._say.seconds)
        self._say("fitting chunks", PREPARE_SHARE + (FITTED - PREPARE_SHARE) * share, detail, look=look)

    def show(self, number: int, look: Look, pictures: Pictures) -> None:
        """The pictures of a look at a chunk."""
        if self._say.preview is not None:
            self._say.preview(replace(look, fit=f"chunk {number}"), pictures)
