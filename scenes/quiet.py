"""Libraries in C that say on the terminal what they also return as an error."""

from __future__ import annotations

import ctypes
import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress

OUTPUTS = (1, 2)  # stdout, stderr
_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Nothing that is written to standard output and error while it lasts is seen."""
    with _ONE_AT_A_TIME:
        _flush()
        kept = {number: _copy(number) for number in OUTPUTS}
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            for number, copy in kept.items():
                if copy is not None:
                    os.dup2(nowhere, number)
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # some write by way of Python
                yield
        finally:
            _flush()
            os.close(nowhere)
            for number, copy in kept.items():
                if copy is not None:
                    os.dup2(copy, number)
                    os.close(copy)


def _copy(number: int) -> int | None:
    with suppress(OSError):  # a program without a terminal may have none
        return os.dup(number)
    return None


def _flush() -> None:
    """Of Python's own, and of C's, which keeps what goes to a file until there is enough of it."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    with suppress(OSError, TypeError, AttributeError):  # where the program itself is no library to ask
        ctypes.CDLL(None).fflush(None)
