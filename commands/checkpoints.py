"""What commands that fit say of the checkpoint beside their output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commands.console import note
from scenes.errors import CannotWriteError, KilofieldError


def checkpoint_of(target: Path) -> Path:
    """Where an interrupted run that writes `target` can be continued from."""
    return target.with_name(target.name + ".checkpoint")


def check_checkpoint(target: Path, resume: bool, force: bool) -> None:
    """Refuses to lose a checkpoint; notes that there is none to resume."""
    checkpoint = checkpoint_of(target)
    if checkpoint.exists() and not resume and not force:
        raise KilofieldError(f"{checkpoint}: left by an interrupted run; --resume continues it, --force starts afresh")
    if resume and not checkpoint.exists():
        note(f"{checkpoint}: nothing to resume, starting from the beginning")


@contextmanager
def going_on_told(target: Path) -> Iterator[None]:
    """Where an output cannot be written at the end of a long run, say how to go on once there is room."""
    try:
        yield
    except CannotWriteError as error:
        checkpoint = checkpoint_of(target)
        if not checkpoint.exists():
            raise
        raise KilofieldError(f"{error}; the same command with --resume continues from {checkpoint}") from error


def interruption(target: Path, trouble: str) -> str:
    """What is told after Ctrl-C; `trouble` is what the last write of the checkpoint met."""
    checkpoint = checkpoint_of(target)
    more = f"; {trouble}" if trouble else ""
    if checkpoint.exists():
        return f"interrupted; the same command with --resume continues from {checkpoint}{more}"
    when = "" if trouble else " before the first checkpoint"
    return f"interrupted{when}; nothing was written{more}"
