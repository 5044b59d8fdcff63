"""The command line in processes that are at work at once: forked from one that has imported everything already.

Run as a script it is that process: it reads a command line (JSON, a line each), says its process and how it ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from benchmarks.killing import Moment
from scenes import atomic

ROOT = Path(__file__).resolve().parents[1]
STEPS = 20  # of a fit


class ForkedCli:
    """One command after the other, each to its end or killed."""

    def __enter__(self) -> ForkedCli:
        environment = os.environ | {"KILOFIELD_CHECKPOINT_SECONDS": "0", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, __file__]
        pipe = subprocess.PIPE
        self._server = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment, cwd=ROOT)
        assert self._read() == "ready"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.communicate()

    def __call__(self, arguments: Sequence[str | Path], moment: Moment | None) -> tuple[int, float]:
        """As `benchmarks.killing.Runner`; while a file is being written, a process kills itself."""
        assert self._server.stdin is not None
        at = None
        if moment is not None and moment.cause != "anywhere":
            at = (moment.checkpoint if moment.cause == "checkpoint" else moment.output).suffix
        print(json.dumps([[str(a) for a in arguments], at]), file=self._server.stdin, flush=True)
        process, start = int(self._read()), time.monotonic()
        while not _is_zombie(process):
            if moment is not None and at is None and time.monotonic() - start >= moment.seconds:
                os.kill(process, signal.SIGKILL)
            time.sleep(0.001)
        seconds = time.monotonic() - start
        print(file=self._server.stdin, flush=True)
        return int(self._read()), seconds

    def _read(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline().strip()


def _is_zombie(process: int) -> bool:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def serve() -> None:
    """Forks for each line of stdin."""
    import torch  # noqa: F401

    import fitting.neuralgs.compress  # noqa: F401
    from cli import app
    from fitting.neuralgs.options import EFFORTS

    EFFORTS["draft"] = replace(EFFORTS["draft"], steps=STEPS, views=4, side=32)
    _load_kernels()
    print("ready", flush=True)
    while line := sys.stdin.readline().strip():
        arguments, dies_writing = json.loads(line)
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)
            if dies_writing is not None:
                _die_writing(dies_writing)
            app(arguments)
        print(child, flush=True)
        sys.stdin.readline()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _die_writing(suffix: str) -> None:
    """Has this process killed when it has written a file `*suffix` (the second, of a checkpoint) and not renamed it."""
    flush, left = atomic._flush, 2 if suffix == ".checkpoint" else 1

    def die(path: Path) -> None:
        nonlocal left
        left -= path.suffix == suffix
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        flush(path)

    atomic._flush = die


def _load_kernels() -> None:
    """One fit here: compiled code need not be read again by every process."""
    from cli_samples import sample_gaussians

    from fitting import raster_numba
    from fitting.neuralgs.compress import CompressOptions, compress
    from scenes.ply import write_ply

    with tempfile.TemporaryDirectory() as folder:
        write_ply(Path(folder) / "a.ply", sample_gaussians())
        compress(Path(folder) / "a.ply", Path(folder) / "a.kilo", CompressOptions("draft"))
    raster_numba._threads.cache_clear()  # threads are not inherited


if __name__ == "__main__":
    serve()
