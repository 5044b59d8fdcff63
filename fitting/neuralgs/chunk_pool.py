"""Several chunks fitted at once, each in a process of its own, so that one core each is enough and none can wait.

A process tells its progress through a pipe. It leaves the terminal's group: Ctrl-C reaches this program alone, which
passes it on once, so that every fit ends its step and writes its checkpoint. One whose pipe has no reader any more,
since this program was killed, ends at its next step.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any, cast

import torch

from fitting.neuralgs.chunk_fit import Task, fit_chunk
from fitting.neuralgs.options import Look, Picture, Progress
from fitting.neuralgs.reporter import Reporter
from scenes.errors import KilofieldError

Pictures = Sequence[tuple[Picture, Picture]]
Listen = Callable[[int, Progress], None]  # (number of the chunk, how far it is)
Show = Callable[[int, Look, Pictures], None]


def fit_chunks(tasks: Iterable[Task], jobs: int, listen: Listen, show: Show | None) -> None:
    """Fits all chunks, up to `jobs` at a time; `show`, if any, gets the pictures of every look.

    What ends one chunk, an error or Ctrl-C, ends all, after each has kept its state.
    """
    if jobs > 1:
        _Pool(iter(tasks), jobs, listen, show).run()
        return
    for task in tasks:
        number = task.number

        def tell(progress: Progress, number: int = number) -> None:
            listen(number, progress)

        def look(look: Look, pictures: Pictures, number: int = number) -> None:
            assert show is not None
            show(number, look, pictures)

        fit_chunk(task, Reporter(tell, look if show is not None else None))


class _Pool:
    def __init__(self, waiting: Iterator[Task], jobs: int, listen: Listen, show: Show | None) -> None:
        self._waiting, self._jobs, self._listen, self._show = waiting, jobs, listen, show
        self._context = multiprocessing.get_context("spawn")  # torch and its threads do not survive a fork
        self._running: dict[Any, tuple[BaseProcess, int]] = {}  # by the pipe it tells through

    def run(self) -> None:
        """Until all are done."""
        try:
            for task in self._waiting:
                self._start(task)
                while len(self._running) >= self._jobs:
                    self._hear()
            while self._running:
                self._hear()
        except BaseException:
            self._interrupt()
            raise

    def _start(self, task: Task) -> None:
        here, there = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_work, args=(task, there, self._show is not None), daemon=True, name=f"chunk {task.number}"
        )
        with _sigint_blocked():  # which it inherits: nothing interrupts it before it can keep its state
            process.start()
        there.close()
        self._running[here] = process, task.number

    def _hear(self) -> None:
        """Takes what the processes have to say; raises what went wrong in one."""
        for pipe in cast(list[Any], wait(list(self._running))):
            number = self._running[pipe][1]
            try:
                kind, content = pipe.recv()
            except EOFError:
                self._end(pipe)
                continue
            if kind == "progress":
                self._listen(number, content)
            elif kind == "look" and self._show is not None:
                self._show(number, *content)
            elif kind == "error":
                raise KilofieldError(content)

    def _end(self, pipe: Any) -> None:
        process, number = self._running.pop(pipe)
        pipe.close()
        process.join()
        code = process.exitcode or 0
        if code < 0:
            raise KilofieldError(
                f"chunk {number}: its process was ended by {signal.Signals(-code).name}; if memory was short, "
                "fewer --jobs or --chunk-gaussians take less"
            )
        if code:
            raise RuntimeError(f"chunk {number}: its process ended with {code}")

    def _interrupt(self) -> None:
        """Every process ends its step and keeps its state; a second Ctrl-C does not wait for that."""
        for process, _ in self._running.values():
            if process.pid is not None and process.is_alive():
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGINT)
        try:
            for pipe, (process, _) in self._running.items():
                with suppress(EOFError, OSError):
                    while True:  # what it says must be taken, or it would wait for that
                        pipe.recv()
                process.join()
        except BaseException:
            for process, _ in self._running.values():
                process.kill()
            raise


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(task: Task, pipe: Any, shows: bool) -> None:
    """In a process of its own."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)

    def send(kind: str, content: Any) -> None:
        pipe.send((kind, content))

    def tell(progress: Progress) -> None:
        send("progress", progress)

    def look(look: Look, pictures: Pictures) -> None:
        send("look", (look, pictures))

    with suppress(KeyboardInterrupt, BrokenPipeError):
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        try:
            fit_chunk(task, Reporter(tell, look if shows else None))
        except KilofieldError as error:
            send("error", str(error))
