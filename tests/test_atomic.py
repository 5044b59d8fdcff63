"""Outputs appear whole or not at all, and what a killed process left is cleared away, nothing else."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from scenes.atomic import MARK, filling, replacing
from scenes.errors import KilofieldError

KEPT = b"what was there before"
# Writes half of its output, says under which name, and waits to be killed
HALF_WAY = """
import sys, time
from pathlib import Path
from scenes.atomic import filling, replacing
with {function}(Path(sys.argv[1])) as temporary:
    (temporary / "a.png" if temporary.is_dir() else temporary).write_bytes(b"half")
    print(temporary.name, flush=True)
    time.sleep(60)
"""


class HalfWritten:
    """Another process in the middle of writing."""

    def __init__(self, function: Callable[..., AbstractContextManager[Path]], path: Path) -> None:
        code = HALF_WAY.format(function=function.__name__)
        root = Path(__file__).parents[1]
        command = [sys.executable, "-c", code, str(path)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
        assert self.process.stdout is not None
        self.name = self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_killed_writer_leaves_the_old_file_and_the_next_one_clears_up(tmp_path: Path) -> None:
    out, other = tmp_path / "scene.compressed.ply", tmp_path / "scene.ply"
    out.write_bytes(KEPT)
    mine, beside = HalfWritten(replacing, out), HalfWritten(replacing, other)
    mine.kill()
    beside.kill()
    assert out.read_bytes() == KEPT
    assert names(tmp_path) == {out.name, mine.name, beside.name}
    with replacing(out) as temporary:
        assert names(tmp_path) == {out.name, beside.name, temporary.name}  # another target's is not touched
        temporary.write_bytes(b"new")
    assert out.read_bytes() == b"new"
    assert names(tmp_path) == {out.name, beside.name}


def test_a_living_writer_keeps_its_file(tmp_path: Path) -> None:
    out = tmp_path / "scene.ply"
    living = HalfWritten(replacing, out)
    with replacing(out) as temporary:
        temporary.write_bytes(b"new")
    assert names(tmp_path) == {out.name, living.name}
    living.kill()
    with replacing(out) as first, replacing(out) as second:  # of one process, too
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert out.read_bytes() == b"first"
    assert names(tmp_path) == {out.name}


def test_files_of_others_stay(tmp_path: Path) -> None:
    out = tmp_path / "scene.ply"
    others = [
        ".scene-abcdefgh.ply",
        f".scene{MARK}abc.ply",
        f".scene{MARK}abcdefgh.ply.mine",
        f"scene{MARK}abcdefgh.ply",
    ]
    for name in others:
        (tmp_path / name).write_bytes(KEPT)
    (tmp_path / "far").write_bytes(KEPT)
    link = tmp_path / f".scene{MARK}abcdefgh.ply"
    link.symlink_to("far")
    with replacing(out) as temporary:
        temporary.write_bytes(b"new")
    assert names(tmp_path) == {out.name, "far", link.name, *others}


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "a full folder"])
def test_a_folder_of_frames_is_there_with_all_of_them(tmp_path: Path, there: str) -> None:
    out = tmp_path / "frames"
    if there != "nothing":
        out.mkdir(mode=0o750)
    before = {"a.png": KEPT, "notes.txt": KEPT} if there == "a full folder" else {}
    for name, content in before.items():
        (out / name).write_bytes(content)
    half = HalfWritten(filling, out)
    half.kill()
    assert {p.name: p.read_bytes() for p in out.glob("*.*") if p.is_file()} == before
    with filling(out) as temporary:
        (temporary / "a.png").write_bytes(b"new a")
        (temporary / "b.png").write_bytes(b"new b")
        assert {p.name: p.read_bytes() for p in out.glob("*.*") if p.is_file()} == before
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {**before, "a.png": b"new a", "b.png": b"new b"}
    assert names(tmp_path) == {"frames"}
    assert stat.S_IMODE(out.stat().st_mode) == (0o777 & ~umask() if there == "nothing" else 0o750)


def umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def test_frames_where_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "frames").write_bytes(KEPT)
    with pytest.raises(KilofieldError, match=r"frames: expected a folder, found a file$"), filling(tmp_path / "frames"):
        raise AssertionError
    assert names(tmp_path) == {"frames"}


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), OSError("30 requested and 7 written")]
)
def test_what_goes_wrong_is_told_of_the_target(tmp_path: Path, error: OSError) -> None:
    out = tmp_path / "scene.ply"
    out.write_bytes(KEPT)
    with pytest.raises(KilofieldError) as caught, replacing(out):
        raise error
    assert str(caught.value) == f"{out}: cannot write: {error.strerror or error}"
    assert out.read_bytes() == KEPT
    assert names(tmp_path) == {out.name}


def test_a_name_as_long_as_the_system_allows(tmp_path: Path) -> None:
    out = tmp_path / ("ä" * 125 + ".ply")
    with replacing(out) as temporary:
        temporary.write_bytes(KEPT)
    assert out.read_bytes() == KEPT


def test_permissions_are_those_of_the_old_file_or_the_usual_ones(tmp_path: Path) -> None:
    for out, mode in ((tmp_path / "new.ply", 0o666 & ~umask()), (tmp_path / "old.ply", 0o604)):
        if out.name == "old.ply":
            out.write_bytes(KEPT)
            out.chmod(mode)
        with replacing(out) as temporary:
            temporary.write_bytes(b"new")
        assert stat.S_IMODE(out.stat().st_mode) == mode
