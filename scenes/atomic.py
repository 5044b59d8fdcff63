"""Writing a file so that nobody ever sees half of it.

What is being written lies beside its target as `.NAME.kilofield-XXXXXXXX.SUFFIX` and is locked as long as its process
lives. A process that is killed leaves it there, unlocked: the next one that writes the same target removes it.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scenes.errors import CannotWriteError, KilofieldError

LOGGER = logging.getLogger("kilofield.write")
MARK = ".kilofield-"  # in the names of temporary files: no other program's, and no user's
LONGEST = 180  # bytes of the target's own name kept in that of a temporary: file systems allow 255 in all
RANDOM = "[a-z0-9_]{8}"  # what tempfile puts in
TRIES = 100  # at a temporary that nobody else takes for a stale one


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path in the folder of `path`; renamed to `path` when the block ends without an error.

    An error leaves `path` as it was and removes the temporary file. A folder that cannot be written to and a full disk
    are a `CannotWriteError`. What a killed process left of the same target is removed first.
    """
    path, start = Path(path), time.perf_counter()
    with _temporary(path, path.parent, folder=False) as temporary, told_of(path):
        LOGGER.debug("writing %s as %s", path, temporary.name)
        yield temporary
        _flush(temporary)
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        os.replace(temporary, path)
        _flush_folder(path.parent)
    LOGGER.info("wrote %s: %d bytes, %.2f s after it was begun", path, path.stat().st_size, time.perf_counter() - start)


@contextmanager
def filling(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder whose files are moved into the folder `path` when the block ends without an error.

    A new or empty folder `path` appears at once with all that is in it; in one that holds something, each file is the
    old one or the new one at any moment. Errors as in `replacing`; a file called `path` is one too.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise KilofieldError(f"{path}: expected a folder, found a file")
    place = path if path.is_dir() and _is_kept(path) else path.parent
    with _temporary(path, place, folder=True) as temporary, told_of(path):
        yield temporary
        for file in temporary.iterdir():
            _flush(file)
        if place == path or (sys.platform == "win32" and path.exists()):
            for file in sorted(temporary.iterdir()):
                os.replace(file, path / file.name)
        else:
            temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o777 & ~_umask())
            os.rename(temporary, path)
        _flush_folder(place)


def _is_kept(folder: Path) -> bool:
    """Whether a folder has to stay where it is: another one cannot be renamed to it."""
    return any(folder.iterdir()) or os.path.ismount(folder) or not os.access(folder.parent, os.W_OK)


@contextmanager
def told_of(path: Path) -> Iterator[None]:
    """Makes what the system says of writing, such as a full disk, a `CannotWriteError` that names `path`."""
    try:
        yield
    except OSError as error:
        raise CannotWriteError(path, error.strerror or error) from error


@contextmanager
def _temporary(path: Path, place: Path, folder: bool) -> Iterator[Path]:
    """A new, locked temporary for `path` in `place` that is gone at the end, whether it was renamed or not."""
    with told_of(path):
        for where in {place, path.parent}:
            _remove_stale(path, where)
        temporary, lock = _make(path, place, folder)
    try:
        yield temporary
    finally:
        _remove(temporary)
        if lock is not None:
            os.close(lock)


def _make(path: Path, place: Path, folder: bool) -> tuple[Path, int | None]:
    """A new temporary, and the handle that locks it; None where there are no locks."""
    prefix = f".{_short(path.stem)}{MARK}"
    for _ in range(TRIES):
        if folder:
            name = tempfile.mkdtemp(prefix=prefix, suffix=path.suffix, dir=place)
        else:
            handle, name = tempfile.mkstemp(prefix=prefix, suffix=path.suffix, dir=place)
            os.close(handle)
        with suppress(BlockingIOError, FileNotFoundError):  # another process took it for a stale one meanwhile
            lock = _lock(Path(name))
            if lock is None or _is_still(Path(name), lock):
                return Path(name), lock
            os.close(lock)
    raise CannotWriteError(path, "other runs remove its temporary files")


def _short(stem: str) -> str:
    return stem.encode("utf-8", "surrogateescape")[:LONGEST].decode("utf-8", "ignore")


def _remove_stale(path: Path, place: Path) -> None:
    """Removes the temporaries of `path` in `place` that no living process has locked."""
    pattern = re.compile(re.escape(f".{_short(path.stem)}{MARK}") + RANDOM + re.escape(path.suffix))
    with suppress(OSError):  # a folder that takes files and does not list them, a file of somebody else
        for name in filter(pattern.fullmatch, os.listdir(place)):
            with suppress(OSError):
                lock = _lock(place / name)
                if lock is not None:
                    _remove(place / name)
                    os.close(lock)
                    LOGGER.info("removed %s, which a killed process left", place / name)


def _remove(temporary: Path) -> None:
    if temporary.is_dir() and not temporary.is_symlink():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        with suppress(OSError):
            temporary.unlink()


def _lock(path: Path) -> int | None:
    """An open handle that holds the lock of `path` until it is closed, or its process ends.

    None where there are no locks (Windows, some network folders); `BlockingIOError` where another has it.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return handle


def _is_still(path: Path, handle: int) -> bool:
    """Whether `handle` is of the file that `path` names now."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _flush(path: Path) -> None:
    """Bytes on the disk before the name points at them, or a power cut could leave an empty file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    """The new name on the disk too, where folders can be flushed."""
    if sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
