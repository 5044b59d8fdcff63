"""Messages at their levels, and what is told of an error that nobody expected."""

from __future__ import annotations

import errno
import getpass
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli_samples import kilofield, sample_gaussians
from typer.main import get_command

from cli import app
from commands import info
from commands.crash import without_names
from scenes.ply import write_ply

ROOT = Path(__file__).resolve().parents[1]
TOO_MUCH = "Unable to allocate 7.45 GiB for an array with shape (1000000000,) and data type float64"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of somebody called ada, who has a scene in it."""
    folder = tmp_path / "ada"
    folder.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "ada")
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    assert getpass.getuser() == "ada"
    write_ply(folder / "scene.ply", sample_gaussians())
    return folder


def breaks(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """The command `info` raises `error`."""

    def run(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(info, "run", run)


def test_a_bug_is_one_line_and_says_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks(monkeypatch, ZeroDivisionError(f"in\n{home}/scene.ply"))
    result = kilofield("info", home / "scene.ply")
    assert result.exit_code == 70
    assert result.stdout == ""
    assert result.stderr == (
        f"a bug in kilofield: ZeroDivisionError: in {home}/scene.ply; "
        "run again with --crash-report FILE.txt to write the details\n"
    )
    assert [path.name for path in home.iterdir()] == ["scene.ply"]


@pytest.mark.parametrize("before", [True, False])
def test_a_report_is_written_when_asked_for_and_names_nobody(
    home: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    breaks(monkeypatch, ZeroDivisionError(f"{home}/scene.ply of Ada"))
    report = home / "crash.txt"
    asked = ["--crash-report", report]
    command = ["info", home / "scene.ply"]
    for _ in range(2):  # an older report is replaced
        result = kilofield(*asked, *command) if before else kilofield(*command, *asked)
        assert result.exit_code == 70
        assert result.stderr.endswith(f"; the details are in {report}, please send them\n")
        assert result.stderr.count("\n") == 1
    text = report.read_text()
    assert text.startswith("kilofield crash report\n")
    assert re.search(r"^command: kilofield .*info ~/scene\.ply", text, re.MULTILINE)
    assert re.search(r"^packages: kilofield \S+, numpy \S+,", text, re.MULTILINE)
    assert "\nZeroDivisionError: ~/scene.ply of ~\n" in text
    assert "test_messages.py" in text  # where it happened
    assert "command: kilofield" in text.split("last messages:")[1]
    assert str(home) not in text
    assert not re.search(r"\bada\b|hunter2", text, re.IGNORECASE)


def test_a_bug_in_the_window_is_told_like_any_other(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks_down(app: App, frame: int) -> None:
        raise IndexError(f"frame {frame} of {home}")

    class App:
        closing = False

        def __init__(self, *arguments: object) -> None:
            self.closed = False

        def frame(self) -> None:
            breaks_down(self, 7)

        def close(self) -> None:
            self.closed = True

    monkeypatch.setitem(sys.modules, "ui.app", SimpleNamespace(App=App))  # as no display is needed to break
    report = home / "crash.txt"
    result = kilofield("view", "--crash-report", report)
    assert result.exit_code == 70
    assert result.stderr.startswith("a bug in kilofield: IndexError: frame 7 of ")
    assert "IndexError: frame 7 of ~\n" in report.read_text()
    assert "viewer.py" in report.read_text()


def test_a_report_does_not_replace_other_files(home: Path) -> None:
    for name, message in (
        ("notes.txt", f"{home}/notes.txt: exists already, and is no crash report"),
        ("scene.ply", f"--crash-report: expected a name that ends in .txt, found {home}/scene.ply"),
        ("none/a.txt", f"--crash-report: expected a file in a folder that exists, found {home}/none/a.txt"),
    ):
        if name == "notes.txt":
            (home / name).write_text("mine")
        result = kilofield("info", home / "scene.ply", "--crash-report", home / name)
        assert (result.exit_code, result.stderr) == (1, f"{message}\n")
    assert (home / "notes.txt").read_text() == "mine"


def test_names_are_replaced_wherever_they_stand(home: Path) -> None:
    text = f"{home}/a {home} {home}-2/b /mnt/ada/c C:\\Users\\Ada\\d ada_1 Adams canada"
    assert without_names(text) == f"~/a ~ {home.parent}/~-2/b /mnt/~/c C:\\Users\\~\\d ~_1 Adams canada"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(TOO_MUCH), f"not enough memory: {TOO_MUCH}"),
        (MemoryError(), "not enough memory: none left"),
        (OSError(errno.ENOSPC, "No space left on device"), "output: cannot write: No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "a.png"), "a.png: Permission denied"),
    ],
)
def test_what_the_machine_lacks_is_no_bug(
    home: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    breaks(monkeypatch, error)
    result = kilofield("info", home / "scene.ply")
    assert (result.exit_code, result.stderr) == (1, f"{said}\n")


def test_verbose_says_what_is_read_and_written_and_very_verbose_more(home: Path) -> None:
    scene, out = home / "scene.ply", home / "out.splat"
    quiet = kilofield("convert", scene, out, "--force")
    once = kilofield("convert", scene, out, "--force", "-v")
    twice = kilofield("-vv", "convert", scene, out, "--force")
    assert len(quiet.stderr.splitlines()) == 1  # .splat has no room for SH
    lines = once.stderr.splitlines()
    assert quiet.stderr.strip() in lines
    levels = [line.split()[2] for line in lines if line != quiet.stderr.strip()]
    assert set(levels) == {"INFO"}
    assert any(f"read {scene}: ply, 60 Gaussians, {scene.stat().st_size} bytes" in line for line in lines)
    assert any(f"wrote {out}: {out.stat().st_size} bytes" in line for line in lines)
    assert "exit code 0 after" in lines[-1]
    assert any(" DEBUG " in line for line in twice.stderr.splitlines())
    assert once.stdout == twice.stdout == quiet.stdout  # messages are not results


def test_the_log_file_has_everything_also_of_a_quiet_command(home: Path) -> None:
    log, missing = home / "run.log", home / "none.ply"
    kilofield("convert", home / "scene.ply", home / "out.splat", "--quiet", "--log-file", log)
    first = log.read_text()
    assert " DEBUG " in first
    assert " WARNING " in first
    failed = kilofield("info", missing, "--log-file", log)
    added = log.read_text()[len(first) :]
    assert f"command: kilofield info {missing}" in added
    assert f" ERROR   {failed.stderr.strip()}\n" in added
    assert "exit code 1" in added.splitlines()[-1]
    assert failed.stderr.count("\n") == 1  # not twice


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-v", "--quiet"], "--verbose: expected no --quiet beside it, found both"),
        (["--log-file", "scene.ply"], "--log-file: expected a name that ends in .log or .txt, found scene.ply"),
        (["--log-file", "none/a.log"], "none/a.log: cannot write: No such file or directory"),
    ],
)
def test_options_that_cannot_be(home: Path, options: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    result = kilofield("info", "scene.ply", *options)
    assert result.exit_code == 1
    assert said in result.stderr.splitlines()


def test_one_command_does_not_listen_for_the_next(home: Path) -> None:
    kilofield("info", home / "scene.ply", "-vv")
    assert kilofield("info", home / "scene.ply").stderr == ""


@pytest.mark.parametrize("command", ["", *get_command(app).commands])  # pyright: ignore[reportAttributeAccessIssue]
def test_every_command_takes_the_options_on_messages(command: str) -> None:
    help_text = kilofield(*command.split(), "--help").stdout
    for option in ("--verbose", "--log-file", "--crash-report"):
        assert option in help_text
    if command:
        assert "--quiet" in help_text


def test_nothing_is_said_to_a_pipe_that_nobody_reads(tmp_path: Path) -> None:
    write_ply(tmp_path / "scene.ply", sample_gaussians())
    command = [sys.executable, "-m", "cli", "info", str(tmp_path / "scene.ply"), "--json", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert said == b""
    assert process.returncode in (0, 141)  # 0: all of it was in the pipe before it was closed


def test_json_on_stdout_stays_json_with_messages(home: Path) -> None:
    result = kilofield("info", home / "scene.ply", "--json", "-", "-vv")
    assert json.loads(result.stdout)["gaussians"] == 60
