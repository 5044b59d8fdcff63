"""Disks that fill up: a small one in memory, and a limit to the size of files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

IN_NAMESPACE = "KILOFIELD_TESTS_MAY_MOUNT"
PAGE = 4096


class SmallDisk:
    """A file system of its own in memory, with as much room as asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def leave(self, room: int) -> None:
        """All but `room` bytes, in whole pages, are taken."""
        self._filler.unlink(missing_ok=True)
        free = os.statvfs(self.path).f_bavail * PAGE - room // PAGE * PAGE
        self._filler.write_bytes(bytes(max(free, 0)))

    def files(self) -> dict[str, bytes]:
        """What is on it."""
        files = (path for path in self.path.rglob("*") if path.is_file() and path != self._filler)
        return {str(path.relative_to(self.path)): path.read_bytes() for path in files}


@contextmanager
def small_disk(path: Path, size: int = 8 << 20) -> Iterator[SmallDisk]:
    """A disk of `size` bytes at the folder `path`, which is made."""
    path.mkdir()
    _mount(path, size)
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@cache
def may_mount(folder: Path) -> bool:
    """Whether this process may mount a disk in memory."""
    try:
        _mount(folder, PAGE)
        subprocess.run(["umount", str(folder)], check=True)
    except (subprocess.CalledProcessError, FileNotFoundError):
        return False
    return True


@cache
def _in_a_namespace(file: str) -> subprocess.CompletedProcess[str] | None:
    """A file of tests run where every user may mount (Linux's namespaces); None where there is no such place."""
    inside = ["unshare", "--map-root-user", "--mount"]
    try:
        subprocess.run([*inside, "true"], check=True, capture_output=True)
    except (subprocess.CalledProcessError, FileNotFoundError):
        return None
    command = [*inside, sys.executable, "-m", "pytest", "-q", file]
    return subprocess.run(command, env=os.environ | {IN_NAMESPACE: "1"}, capture_output=True, text=True, check=False)


def need_disks(file: str, folder: Path) -> None:
    """Goes on where disks can be mounted. Elsewhere all of `file` is run in a namespace, and this test is that."""
    if may_mount(folder):
        return
    done = None if IN_NAMESPACE in os.environ else _in_a_namespace(file)
    if done is None:
        trouble = "a small disk: expected to be allowed to mount one, here or in a namespace (unshare)"
        pytest.fail(trouble) if os.environ.get("CI") else pytest.skip(trouble)
    if done.returncode:
        pytest.fail(done.stdout[-3000:])
    pytest.skip("passed in a namespace of its own, where disks can be mounted")


def _mount(folder: Path, size: int) -> None:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "kilofield-tests", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Within it, this process can write no file larger than `size` bytes."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
