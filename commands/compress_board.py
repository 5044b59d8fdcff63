"""What `kilofield compress` shows while it runs: a live table of bytes against PSNR over a bar, or lines on a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from commands.console import lines, note
from scenes.sizes import readable_bytes

if TYPE_CHECKING:
    from fitting.neuralgs.options import Look, Progress, Trial

ROWS = 8  # of the table at most, the latest,
OTHER_LINES = 6  # of the terminal beside them: a table taller than it could not be redrawn in place
REFRESHED = 4.0  # times a second


@contextmanager
def watching(title: str, target_psnr: float | None, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A function that shows each `Progress` on stderr, until the block ends; the table of looks stays there.

    With a `target_psnr` the table is of the fits of the search; it vanishes when all went well, since the trials of the
    result are printed then.
    """
    console = Console(stderr=True, highlight=False)
    if quiet:
        yield _nothing
    elif not console.is_terminal or console.is_dumb_terminal:
        yield Plain(title)
    else:
        board = Board(title, console, target_psnr)
        with Live(board, console=console, refresh_per_second=REFRESHED) as live:
            try:
                yield board
            finally:
                board.over = True
            live.transient = target_psnr is not None


def _nothing(_: Progress) -> None:
    pass


class Plain:
    """A line every half minute, and one for every fit of a search."""

    def __init__(self, title: str) -> None:
        self._step = lines(title)
        self._look = ""

    def __call__(self, now: Progress) -> None:
        """Print what is due."""
        if now.look is not None:
            self._look = f"{readable_bytes(now.look.bytes)}, {now.look.psnr:.2f} dB"
        if now.trial is not None:
            self._look = ""
            note(trial_line(now.trial))
        self._step(now.done, " · ".join(part for part in (now.stage, now.detail, self._look) if part))


def trial_line(trial: Trial) -> str:
    """One fit of a search in one line."""
    return f"{trial.name}: {readable_bytes(trial.bytes)}, {trial.psnr:.2f} dB after {trial.steps:,} steps"


class Board:
    """The table, the bar under it, and under that what is being done."""

    def __init__(self, title: str, console: Console, target_psnr: float | None) -> None:
        self._console = console
        self._target = target_psnr
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]gone,"),
            TimeRemainingColumn(),
            TextColumn("[dim]to go"),
            console=console,
            expand=True,
        )
        self._task = self._bar.add_task(escape(title), total=1.0)
        self._now = ""
        self._looks: list[Look] = []
        self._trials: list[Trial] = []
        self.over = False  # only the table is left then

    def __call__(self, now: Progress) -> None:
        """Take in what happened; `Live` draws it when it is time."""
        self._bar.update(self._task, completed=now.done)
        self._now = f"{now.stage} · {now.detail}" if now.detail else now.stage
        if now.trial is not None:
            self._trials.append(now.trial)
        if now.look is not None:
            self._looks.append(now.look)

    def __rich__(self) -> RenderableType:
        rows = self._course() if self._target is None else self._search(self._target)
        table = [rows] if rows.row_count else []
        if self.over:
            return Group(*table)
        return Group(*table, self._bar, Text(f"  {self._now}", "dim", no_wrap=True, overflow="ellipsis"))

    @property
    def _room(self) -> int:
        return min(max(self._console.height - OTHER_LINES, 1), ROWS)

    def _course(self) -> Table:
        """The latest looks."""
        table = _table("step", "time", "bytes", "PSNR", "SSIM", "gain")
        looks = list(self._looks)
        if [look.step for look in looks] == [None]:  # nothing was tuned, and the report says what was written
            return table
        for before, look in list(zip([None, *looks], looks, strict=False))[-self._room :]:
            step = "written" if look.step is None else f"{look.step:,}/{look.steps:,}"
            gain = "" if before is None else _signed(look.psnr - before.psnr)
            size, quality = readable_bytes(look.bytes), f"{look.psnr:.2f} dB"
            table.add_row(step, _clock(look.seconds), size, quality, f"{look.ssim:.4f}", gain)
        return table

    def _search(self, target: float) -> Table:
        """The fits that ended, and the one in progress."""
        table = _table("fit", "steps", "bytes", "PSNR", f"over {target:g} dB")
        rows = [(t.name, f"{t.steps:,}", t.bytes, t.psnr) for t in self._trials]
        ended = {t.name for t in self._trials}
        running = [look for look in self._looks if look.step is not None and look.fit not in ended]
        rows += [(look.fit, f"{look.step:,}/{look.steps:,}", look.bytes, look.psnr) for look in running[-1:]]
        for name, steps, size, psnr in rows[-self._room :]:
            table.add_row(name, steps, readable_bytes(size), f"{psnr:.2f} dB", _signed(psnr - target))
        return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    table.add_column(first, no_wrap=True, min_width=len("24,000/24,000"))
    for name in others:
        table.add_column(name, justify="right", no_wrap=True, min_width=len("10.00 dB"))
    return table


def _signed(decibels: float) -> str:
    return f"{round(decibels, 2) + 0.0:+.2f} dB"  # -0.00 becomes +0.00


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
