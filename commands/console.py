"""What a command prints: tables on stdout; progress, notes and errors on stderr; figures as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from commands.arguments import output_file
from commands.logs import LOGGER, TOLD, not_both
from scenes.atomic import replacing

STDOUT = Path("-")
PLAIN_WIDTH = 120  # columns, where stdout is no terminal
SECONDS_BETWEEN_LINES = 30.0  # of progress, where stderr is no terminal


Step = Callable[[float, str], None]  # (done, 0 to 1; detail)


@dataclass
class Screen:
    """Where the results of one command go."""

    quiet: bool = False
    json: Path | None = None  # `-` is stdout, and then the tables are not printed
    force: bool = False
    _console: Console = field(init=False)

    def __post_init__(self) -> None:
        not_both(self.quiet)
        console = Console(highlight=False)
        self._console = console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)
        if self.json is not None and self.json != STDOUT:
            output_file(self.json, self.force, ".json")

    def facts(self, title: str, facts: Mapping[str, str]) -> None:
        """Print `facts` as two columns under `title`."""
        self._print(f"[bold]{escape(title)}[/bold]")
        table = Table(box=None, show_header=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in facts.items():
            table.add_row(name, escape(value))
        self._print(table)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], footer: Sequence[str]) -> None:
        """Print `rows` under `columns`, `footer` as the last row; all but the first column are numbers."""
        self._print(f"[bold]{escape(title)}[/bold]")
        table = Table(box=box.SIMPLE_HEAD, show_footer=bool(footer))
        for i, column in enumerate(columns):
            last, justify = escape(footer[i]) if footer else "", "right" if i else "left"
            table.add_column(column, last, justify=justify, overflow="fold")
        for row in rows:
            table.add_row(*map(escape, row))
        self._print(table)

    def line(self, text: str) -> None:
        """Print one line."""
        self._print(escape(text))

    def figures(self, figures: Mapping[str, Any]) -> None:
        """Write `figures` where --json says, if it was given."""
        if self.json is None:
            return
        text = json.dumps(figures, indent=2, allow_nan=False) + "\n"
        if self.json == STDOUT:
            typer.echo(text, nl=False)
            return
        with replacing(self.json) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def _print(self, renderable: Any) -> None:
        if not self.quiet and self.json != STDOUT:
            self._console.print(renderable, soft_wrap=isinstance(renderable, str))


def note(text: str) -> None:
    """One line on stderr that even --quiet lets through: something was left out, or done otherwise than asked."""
    text = " ".join(text.split())
    typer.echo(text, err=True)
    LOGGER.warning(text, extra=TOLD)


def note_dropped(path: Path, dropped: int, kept: int) -> None:
    """Say how many Gaussians of a file were dropped, if any."""
    if dropped:
        note(f"{path}: dropped {dropped} of {dropped + kept} Gaussians (NaN, infinite or without a rotation)")


@contextmanager
def progress(title: str, quiet: bool) -> Iterator[Step]:
    """A bar on stderr, which vanishes at the end; where stderr is no terminal, a line every half minute."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield _ignore if quiet else lines(title)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("[dim]{task.fields[detail]}"), console=console, transient=True) as bar:
        task = bar.add_task(escape(title), total=1.0, detail="")
        yield lambda done, detail: bar.update(task, completed=done, detail=escape(detail))


def _ignore(done: float, detail: str) -> None:
    pass


def lines(title: str) -> Step:
    """A line of progress on stderr every half minute."""
    last = time.monotonic()

    def step(done: float, detail: str) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            note(f"{title}: {100 * done:.0f} % {detail}")

    return step


def readable_time(seconds: float) -> str:
    """A duration as it is printed: `3.2 s`, `4 min 05 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
