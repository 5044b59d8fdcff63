"""Batches of inputs over several processes: one that is brought down, or never ends, is told of and replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.fuzz_worker import STDERR, STDOUT, Batch, Find, Fuzzer, Tally, keep_files

SPAWN = multiprocessing.get_context("spawn")
STUCK = 120.0  # seconds on the wall without a next input
IN_MEMORY = Path("/dev/shm")  # where inputs are written, if there is such a place
# Memory that is given back is given back at once: else what one input took would hide what the next takes
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_ARENA_MAX": "1"}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


@dataclass
class _Worker:
    """A process, what it is doing, and how many inputs it has begun."""

    data: Path | None
    finds: Path
    work: TemporaryDirectory[str]
    batch: Batch | None = None
    begun: Any = field(default_factory=lambda: SPAWN.Value("Q", 0))
    last: tuple[int, float] = (0, 0.0)  # inputs, and when there was one more

    def __post_init__(self) -> None:
        self.pipe, theirs = SPAWN.Pipe()
        arguments = (theirs, self.data, Path(self.work.name), self.finds, self.begun)
        self.process = SPAWN.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()

    def give(self, batch: Batch) -> None:
        self.batch, self.last = batch, (self.begun.value, time.monotonic())
        self.pipe.send(batch)

    def is_stuck(self) -> bool:
        """Whether nothing was begun for long; to start takes a while too."""
        now = time.monotonic()
        if self.begun.value != self.last[0]:
            self.last = (self.begun.value, now)
        return self.batch is not None and now - self.last[1] > STUCK

    def fallen(self) -> Find:
        """What brought the process down."""
        assert self.batch is not None
        self.process.join()
        code = self.process.exitcode or 0
        hung = -code in (signal.SIGXCPU, signal.SIGKILL)
        what = f"the process ended with {signal.Signals(-code).name if code < 0 else code}"
        folder = Path(self.work.name) / "input"
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        name = self.batch.format
        return Find(name, "hang" if hung else "crash", what, keep_files(self.finds / name.replace(" ", "-"), files))


def run_batches(
    batches: Sequence[Batch],
    told: Callable[[Batch, Tally], object],
    data: Path | None,
    finds: Path,
    workers: int = 2,
    until: float = float("inf"),
) -> None:
    """Runs `batches` in their order and tells what came of each; those not begun at `until` (monotonic) are left out.

    `data` is the folder of the real scenes, None without; inputs that do what must not be are kept in `finds`.
    """
    os.environ.update(ALLOCATOR | ONE_THREAD)
    waiting = deque(batches)
    place = IN_MEMORY if IN_MEMORY.is_dir() else None
    crew = [_Worker(data, finds, TemporaryDirectory(dir=place)) for _ in range(min(workers, len(batches)))]
    try:
        for worker in crew:
            worker.give(waiting.popleft())
        while any(worker.batch for worker in crew):
            for index, worker in enumerate(crew):
                if worker.batch is None:
                    continue
                if worker.is_stuck():
                    worker.process.kill()
                if worker.pipe.poll():
                    crew[index] = _finished(worker, told)
                elif not worker.process.is_alive():
                    crew[index] = _replaced(worker, told)
                if crew[index].batch is None and waiting and time.monotonic() < until:
                    crew[index].give(waiting.popleft())
            connection.wait([worker.pipe for worker in crew], timeout=0.5)
    finally:
        for worker in crew:
            worker.process.kill()
            worker.process.join()
            worker.work.cleanup()


def _finished(worker: _Worker, told: Callable[[Batch, Tally], object]) -> _Worker:
    batch, worker.batch = worker.batch, None
    try:
        result = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        worker.batch = batch
        return _replaced(worker, told)
    if isinstance(result, BaseException):
        raise result
    assert batch is not None
    told(batch, result)
    return worker


def _replaced(worker: _Worker, told: Callable[[Batch, Tally], object]) -> _Worker:
    """A new process for one that is no more; what that one did of its batch is lost but for what ended it."""
    assert worker.batch is not None
    told(worker.batch, Tally(finds=[worker.fallen()]))
    work = TemporaryDirectory(dir=Path(worker.work.name).parent)
    worker.work.cleanup()
    return _Worker(worker.data, worker.finds, work)


def _serve(pipe: Any, data: Path | None, work: Path, finds: Path, begun: Any) -> None:
    """The life of a worker: batches in, tallies out. What libraries print goes to a file, where it is noticed."""
    log = os.open(work / "stderr", os.O_CREAT | os.O_RDWR | os.O_APPEND)
    for number in (STDOUT, STDERR):
        os.dup2(log, number)

    def count() -> None:
        begun.value += 1

    try:
        batch = pipe.recv()
        from benchmarks.fuzz_readers import formats  # once there is something to do: what it raises has to get through

        fuzzer = Fuzzer({form.name: form for form in formats(data)}, work, finds)
        while True:
            pipe.send(fuzzer.run(batch, count))
            batch = pipe.recv()
    except (EOFError, KeyboardInterrupt):
        return
    except BaseException:  # of the fuzzing itself, told to whoever began it
        pipe.send(RuntimeError(traceback.format_exc()))
