"""The options on messages that every command takes, and `kilofield` itself: --verbose, --log-file, --crash-report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from commands.crash import CRASH
from commands.logs import LOG

PANEL = "Messages"


def _verbose(count: int) -> int:
    if count:
        LOG.to_stderr(count)
    return count


def _log_file(path: Path | None) -> Path | None:
    if path is not None:
        LOG.to_file(path)
    return path


def _crash_report(path: Path | None) -> Path | None:
    if path is not None:
        CRASH.ask_for(path)
    return path


def _takes(
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            metavar=" ",
            callback=_verbose,
            expose_value=False,
            show_default=False,
            rich_help_panel=PANEL,
            help="Say on stderr what is read, chosen and written, and how long it takes; -vv says everything.",
        ),
    ] = 0,
    log_file: Annotated[
        Path | None,
        typer.Option(
            "--log-file",
            metavar="FILE.log",
            callback=_log_file,
            expose_value=False,
            rich_help_panel=PANEL,
            help="Write all of that to the end of this file.",
        ),
    ] = None,
    crash_report: Annotated[
        Path | None,
        typer.Option(
            "--crash-report",
            metavar="FILE.txt",
            callback=_crash_report,
            expose_value=False,
            rich_help_panel=PANEL,
            help="If there is a bug, write what we need to know of it here: versions, command line, where it happened; "
            "~ for the home folder and the user's name. Nothing is sent.",
        ),
    ] = None,
) -> None:
    """Only its parameters are of use."""


def message_options() -> list[Any]:
    """The parameters of a command, as typer makes them."""
    app = typer.Typer(add_completion=False)
    app.command()(_takes)
    return typer.main.get_command(app).params
