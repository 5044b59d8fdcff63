"""The table of bad files: what is wrong with each, and the exact line a user reads about it.

Each row goes through the command line. The line ends up on stderr alone, the exit code is 1, an output that was there
is what it was, and nothing else is made. More of each format stands in its own tests; this is what one reads first.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import pytest
from bad_files import Row, good
from bad_gaussians_rows import GAUSSIANS
from bad_other_rows import CAMERAS, MESHES, SCENES, SURFACES
from cli_samples import kilofield

KEPT = b"what was there before"
NOBODY = 65534  # a user's number
SECONDS = 60  # for one command on any machine

COMMANDS: dict[str, tuple[list[Row], list[str]]] = {
    "convert": (GAUSSIANS, ["convert", "{file}", "{folder}/out.ply"]),
    "mesh": (SURFACES, ["mesh", "{file}", "{folder}/out.ply"]),
    "surface": (MESHES, ["surface", "{file}", "{folder}/out.kilo"]),
    "render": (CAMERAS, ["render", "{folder}/good.ply", "--cameras", "{file}", "--out", "{folder}"]),
    "trace": (SCENES, ["render", "{file}", "--out", "{folder}/out.png"]),
}
ALL = [(name, row) for name, (rows, _) in COMMANDS.items() for row in rows]


@pytest.mark.parametrize(("command", "row"), ALL, ids=[f"{row.file}: {row.wrong}" for _, row in ALL])
def test_a_bad_file_is_one_line(command: str, row: Row, tmp_path: Path) -> None:
    bad = tmp_path / row.file
    bad.write_bytes(row.spoil(b"" if row.file == "mesh.fbx" else good(row.file)))
    assert told(command, bad, tmp_path) == f"{bad}: {row.said.replace('{folder}', str(tmp_path))}"


def told(command: str, bad: Path, folder: Path) -> str:
    """What is said of a bad file; nothing else happens, and not for long."""
    (folder / "good.ply").write_bytes(good("a.ply"))
    arguments = [argument.format(file=bad, folder=folder) for argument in COMMANDS[command][1]]
    out = Path(arguments[-1])
    if not out.is_dir():
        out.write_bytes(KEPT)
    before = {path.name for path in folder.iterdir()}
    with not_for_ever():
        result = kilofield(*arguments, "--force")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert {path.name for path in folder.iterdir()} == before
    assert out.is_dir() or out.read_bytes() == KEPT
    return result.stderr.removesuffix("\n")


@contextmanager
def not_for_ever() -> Iterator[None]:
    """An error where a command takes longer than `SECONDS`, as one that waits for a pipe would."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        pytest.fail(f"still at work after {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)  # in the current folder: the whole name may be too long for a socket


NO_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda path: None, "a file, found nothing at this path"),
    "a pipe": (os.mkfifo, "a file on a disk, whose size is known, found a pipe"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "a file on a disk, whose size is known, found a device"),
    "a socket": (listening, "a file on a disk, whose size is known, found a socket"),
    "a link to itself": (
        lambda path: path.symlink_to(path),
        "a file that can be read, found too many levels of symbolic links",
    ),
    "a link to nothing": (lambda path: path.symlink_to("gone"), "a file, found nothing at this path"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", NO_FILES)
def test_what_is_no_file(command: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, said = NO_FILES[what]
    bad = tmp_path / COMMANDS[command][0][0].file
    monkeypatch.chdir(tmp_path)
    make(bad)
    assert told(command, bad, tmp_path) == f"{bad}: file: expected {said}"


def test_a_folder_of_nothing_and_a_name_nobody_can_give(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    empty = told("convert", tmp_path / "empty", tmp_path)
    assert empty == f"{tmp_path}/empty: folder: expected a file lod-meta.json or meta.json in it, found none"
    long = tmp_path / ("a" * 300 + ".ply")
    said = f"{long}: file: expected a file that can be read, found file name too long\n"
    assert kilofield("info", long).stderr == said


def test_a_file_that_only_others_may_read(tmp_path: Path) -> None:
    bad = tmp_path / "a.ply"
    bad.write_bytes(good("a.ply"))
    assert kilofield("info", bad).exit_code == 0
    bad.chmod(0)
    me = os.geteuid()
    try:
        if me == 0:  # who may read everything
            os.seteuid(NOBODY)
        result = kilofield("info", bad)
    finally:
        os.seteuid(me)
    said = f"{bad}: file: expected a file that can be read, found permission denied\n"
    assert (result.exit_code, result.stderr) == (1, said)
