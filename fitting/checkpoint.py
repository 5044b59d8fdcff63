"""A fit's state on the disk, beside its output.

Ctrl-C loses nothing of the fitting: the step in progress ends, and its state is written. A killed run loses up to half
a minute of it; where one write takes long, as of millions of Gaussians to a slow disk, up to a minute and a half.
"""

from __future__ import annotations

import logging
import math
import os
import pickle
import signal
import struct
import threading
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from scenes.atomic import replacing
from scenes.errors import KilofieldError, SceneFileError
from scenes.files import brief

LOGGER = logging.getLogger("kilofield.checkpoint")
INTERVAL = 30.0  # seconds between two writes,
INTERVAL_VARIABLE = "KILOFIELD_CHECKPOINT_SECONDS"  # or what this says
SLOW, SLOW_INTERVAL = 3.0, 90.0  # where one write takes longer than this, they are this far apart
# What torch raises for a file that is not one of its own
UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
)
LONGEST_FINGERPRINT = 1000  # characters of one that a message shows


def seconds_between_writes() -> float:
    """As the environment has it, or `INTERVAL`; `KilofieldError` for what is no time."""
    text = os.environ.get(INTERVAL_VARIABLE)
    if text is None:
        return INTERVAL
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise KilofieldError(f"{INTERVAL_VARIABLE}: expected seconds from 0 on, found {text!r}")
    return seconds


def checksum(path: Path) -> str:
    """CRC-32 and size of a file, as they stand in a fingerprint."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            crc = zlib.crc32(block, crc)
    return f"{crc:08x} {path.stat().st_size}"


@dataclass
class Checkpoint:
    """The file OUT.kilo.checkpoint. A write that fails does not end the fit; `trouble` says so at the end."""

    path: Path
    fingerprint: str
    written: float = field(default_factory=time.monotonic)
    interval: float = field(default_factory=seconds_between_writes)
    trouble: str = ""
    kept: bool = True  # False: nothing is ever written
    interrupted: bool = False  # by a Ctrl-C that waits for the end of a step

    def load(self) -> dict[str, Any] | None:
        """The state to go on from, or None when there is no file."""
        if not self.path.exists():
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of odd bytes in a damaged file, which are an error or nothing
                content = torch.load(self.path, map_location="cpu", weights_only=True)
            found, state = content["fingerprint"], content["state"]
        except UNREADABLE as error:
            raise SceneFileError(self.path, "file", "a checkpoint", f"{type(error).__name__} on reading") from error
        if not isinstance(found, str) or not isinstance(state, dict):
            raise SceneFileError(self.path, "file", "a checkpoint", "another file of torch's")
        if found != self.fingerprint:
            found = brief(found, LONGEST_FINGERPRINT)
            raise KilofieldError(
                f"{self.path}: belongs to another run: expected {self.fingerprint}, found {found}; "
                "delete it or leave out --resume"
            )
        LOGGER.info("going on from %s", self.path)
        return state

    def save_when_due(self, state: Callable[[], dict[str, Any]]) -> None:
        """Writes what `state()` gives if the last write was long enough ago, or ends the run if it was interrupted."""
        if self.kept and (self.interrupted or time.monotonic() - self.written >= self.interval):
            self._try_to_save(state)
        if self.interrupted:
            raise KeyboardInterrupt(self.trouble)

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Within it, Ctrl-C takes effect at the next `save_when_due`, which is then due; a second one at once.

        Only then is the state whole: a step changes it piece by piece. Elsewhere than in the main thread, and where the
        program handles Ctrl-C its own way, nothing changes.
        """
        mine = threading.current_thread() is threading.main_thread()
        if not mine or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.interrupted:  # after the last step
            raise KeyboardInterrupt

    def _interrupt(self, number: int, frame: object) -> None:
        self.interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _try_to_save(self, state: Callable[[], dict[str, Any]]) -> None:
        try:
            self.save(state())
        except (KilofieldError, OSError, RuntimeError) as error:  # torch's own for a full disk is a RuntimeError
            self.trouble = f"the last checkpoint could not be written: {error}"
            self.written = time.monotonic()
            LOGGER.warning(self.trouble)

    def save(self, state: dict[str, Any]) -> None:
        """Writes `state` now; the old file stays until the new one is whole."""
        start = time.monotonic()
        with replacing(self.path) as temporary, temporary.open("wb") as file, _told_why(self.path):
            torch.save({"fingerprint": self.fingerprint, "state": state}, file)
        self.written = time.monotonic()
        often = seconds_between_writes()
        self.interval = max(often, SLOW_INTERVAL) if self.written - start > SLOW else often

    def remove(self) -> None:
        """The run is over."""
        self.path.unlink(missing_ok=True)


@contextmanager
def _told_why(path: Path) -> Iterator[None]:
    """torch stumbles over its own half-written file and so hides what the system said, such as of a full disk."""
    try:
        yield
    except RuntimeError as error:
        said = error.__context__
        while said is not None and not isinstance(said, OSError):
            said = said.__context__
        raise KilofieldError(f"{path}: cannot write: {said.strerror if said else error}") from error


@dataclass
class Part:
    """The state of one stage of a run of several, kept beside what the others came to."""

    whole: Checkpoint | Part
    name: str
    known: dict[str, Any]  # of all stages, by name

    def save_when_due(self, state: Callable[[], dict[str, Any]]) -> None:
        """As `Checkpoint.save_when_due`, of this stage."""
        self.whole.save_when_due(lambda: {**self.known, self.name: state()})

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """As `Checkpoint.guarding`."""
        with self.whole.guarding():
            yield
