"""What is on the screen while `compress` runs: known looks, drawn by the table, in terminals large and small."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from commands import compress_board
from commands.compress_board import OTHER_LINES, ROWS, Board, Plain, watching
from fitting.neuralgs.options import Look, Progress, Trial


def look(step: int | None, psnr: float, fit: str = "") -> Look:
    return Look(fit, step, 700, 0.1 * (step or 700), 40_000 + (step or 700), psnr, 0.9)


def tuning(taken: Look) -> Progress:
    return Progress("tuning", (taken.step or 700) / 700, "loss 0.0312", look=taken)


def drawn(board: Board, width: int = 80, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height)
    with console.capture() as capture:
        console.print(board)
    return [text.rstrip() for text in capture.get().splitlines()]


def board_of(height: int = 24, target_psnr: float | None = None) -> Board:
    return Board("compress scene.ply", Console(file=io.StringIO(), width=80, height=height), target_psnr)


def test_a_row_has_the_look_and_what_was_gained() -> None:
    board = board_of()
    for step, psnr in ((10, 30.0), (620, 31.25), (630, 31.249)):
        board(tuning(look(step, psnr)))
    rows = [text.split() for text in drawn(board) if "/700" in text]
    assert rows[0] == ["10/700", "0:01", "40.0", "KB", "30.00", "dB", "0.9000"]
    assert rows[1] == ["620/700", "1:02", "40.6", "KB", "31.25", "dB", "0.9000", "+1.25", "dB"]
    assert rows[2][-2:] == ["+0.00", "dB"]  # and not -0.00


def test_only_the_latest_rows_are_left_over_the_bar_and_all_fits_80_columns() -> None:
    board = board_of()
    for i in range(40):
        board(tuning(look(17 * (i + 1), 30 + 0.1 * i)))
    board(Progress("tuning", 0.97, "step 690/700 · loss 0.0312"))
    lines = drawn(board)
    steps = [text.split()[0] for text in lines if "/700" in text and "dB" in text]
    assert steps == [f"{17 * i}/700" for i in range(41 - ROWS, 41)]
    assert "compress scene.ply" in lines[-2]
    assert "97%" in lines[-2]
    assert lines[-1] == "  tuning · step 690/700 · loss 0.0312"
    assert max(map(len, lines)) <= 80
    board.over = True
    assert not any("compress scene.ply" in text or "loss" in text for text in drawn(board))


def test_a_file_made_without_tuning_leaves_no_table() -> None:
    board = board_of()
    board(Progress("done", 1.0, look=look(None, 57.0)))
    board.over = True
    assert "".join(drawn(board)) == ""


@pytest.mark.parametrize("height", [8, 10, 24])
def test_the_table_is_never_taller_than_the_terminal(height: int) -> None:
    board = board_of(height)
    for i in range(20):
        board(tuning(look(i + 1, 30.0)))
    lines = drawn(board, height=height)
    assert len(lines) <= height
    assert len([text for text in lines if "/700" in text]) == min(height - OTHER_LINES, ROWS)


def test_a_search_has_a_row_a_fit_and_one_for_that_in_progress() -> None:
    board = board_of(target_psnr=31)
    board(tuning(look(40, 29.0, "probe 1")))
    board(Progress("judging", 0.2, trial=Trial("probe 1", 87, 52_000, 29.5)))
    board(tuning(look(17, 28.0, "run 1")))
    board(tuning(look(34, 30.5, "run 1")))
    rows = [text.split() for text in drawn(board) if " KB" in text]
    assert rows == [
        ["probe", "1", "87", "52.0", "KB", "29.50", "dB", "-1.50", "dB"],
        ["run", "1", "34/700", "40.0", "KB", "30.50", "dB", "-0.50", "dB"],
    ]


def test_a_pipe_gets_a_line_every_half_minute_and_one_a_fit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr("commands.console.time.monotonic", lambda: clock[0])
    plain = Plain("compress scene.ply")
    for clock[0], now in (
        (29.0, tuning(look(10, 30.0, "probe 1"))),
        (31.0, tuning(look(70, 30.5, "probe 1"))),
        (60.0, Progress("judging", 0.2, trial=Trial("probe 1", 87, 52_000, 29.5))),
        (61.5, Progress("merging", 0.25)),
    ):
        plain(now)
    assert capsys.readouterr().err.splitlines() == [
        "compress scene.ply: 10 % tuning · loss 0.0312 · 40.1 KB, 30.50 dB",
        "probe 1: 52.0 KB, 29.50 dB after 87 steps",
        "compress scene.ply: 25 % merging",
    ]


@pytest.mark.parametrize("target_psnr", [None, 31.0])
def test_what_is_left_on_a_terminal(target_psnr: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=80, height=24, color_system=None)
    monkeypatch.setattr(compress_board, "Console", lambda **_: terminal)
    with watching("compress scene.ply", target_psnr, quiet=False) as show:
        show(tuning(look(10, 30.0, "run 1")))
        show(Progress("done", 1.0, trial=Trial("run 1", 700, 40_000, 31.2), look=look(None, 31.2)))
    last = screen.getvalue().rpartition("\x1b[2K")[2]  # after the last redrawing began
    if target_psnr is None:
        assert "written" in last
    else:
        assert last.strip() == ""
    assert "compress scene.ply" not in last


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_dumb_terminal_gets_lines(term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", term)
    terminal = Console(file=io.StringIO(), force_terminal=True)
    monkeypatch.setattr(compress_board, "Console", lambda **_: terminal)
    with watching("compress scene.ply", None, quiet=False) as show:
        assert isinstance(show, Plain)
