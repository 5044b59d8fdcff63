"""How a command ends, as the help of `kilofield` says: its exit code, and one line on stderr where it went wrong."""

from __future__ import annotations

import errno
import logging
import os
import sys
import time
from collections.abc import Sequence
from typing import Any, cast

import typer
from typer.core import TyperGroup

from commands.crash import CRASH
from commands.logs import LOG, LOGGER, TOLD
from commands.messages import message_options
from commands.process import peak_memory
from scenes.errors import KilofieldError

TARGET_MISSED = 3
BUG = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
NOBODY_READS = 141  # 128 + SIGPIPE

# typer carries its own click in recent versions, so that click's classes have no name importable from both.
UsageError = cast("type[Exception]", typer.BadParameter.__base__)
ClickException = cast("type[Exception]", UsageError.__base__)

# The optional extra of pyproject.toml that brings each package.
EXTRAS = {
    "torch": "fit",
    "numba": "fit",
    "taichi": "fit",
    "scipy": "fit",
    "trimesh": "mesh",
    "igl": "mesh",
    "xatlas": "mesh",
    "glfw": "view",
    "imgui_bundle": "view",
    "av": "video",
    "skimage": "report",
    "matplotlib": "report",
}
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # of an output without a name, such as stdout


class Interrupted(KeyboardInterrupt):
    """Ctrl-C with something to add, such as how to continue."""


class TargetMissedError(KilofieldError):
    """The output is written, and is the best found, but not as good as was asked for."""


class OneLineErrors(TyperGroup):
    """The command group: an error is one line on stderr and an exit code; messages are asked for in every command."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.params.extend(message_options())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, which takes the options on messages too."""
        command = super().get_command(ctx, cmd_name)
        if command is not None and not any(parameter.name == "verbose" for parameter in command.params):
            command.params.extend(message_options())
        return command

    def main(self, args: Sequence[str] | None = None, *rest: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command line; without arguments, show the help."""
        args = list(sys.argv[1:] if args is None else args) or ["--help"]
        LOG.begin(args)
        CRASH.begin(args)
        started = time.perf_counter()
        try:
            code = super().main(args, *rest, standalone_mode=False, **extra)
        except UsageError as error:
            code = _fail(f"{cast(Any, error).format_message()} (kilofield --help lists the commands)")
        except KilofieldError as error:  # of an option that is looked at before the command is
            code = _fail(str(error))
        code = code if isinstance(code, int) else 0
        _log_end(code, time.perf_counter() - started)
        if standalone_mode:
            sys.exit(code)
        return code

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command and turn what it raises into an exit code."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, ClickException):
            raise
        except KeyboardInterrupt as interrupt:
            raise typer.Exit(_fail(str(interrupt) or "interrupted", INTERRUPTED)) from interrupt
        except TargetMissedError as error:
            raise typer.Exit(_fail(str(error), TARGET_MISSED)) from error
        except BrokenPipeError as error:
            raise typer.Exit(_nobody_reads()) from error
        except Exception as error:  # what nobody expected is told in a line, too
            LOGGER.debug("raised", exc_info=error)
            message = explain(error)
            raise typer.Exit(_fail(message) if message else _fail(CRASH.tell(error), BUG)) from error


def explain(error: Exception) -> str | None:
    """The one line for `error` where the user can do something about it; None for a bug."""
    if isinstance(error, KilofieldError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        return (
            f"{package} is not installed: pip install 'kilofield[{EXTRAS[package]}]' brings it"
            if package in EXTRAS
            else None
        )
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, of a GPU
        return f"not enough memory: {str(error) or 'none left'}"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.errno in FULL:
        return f"output: cannot write: {error.strerror}"
    return None


def _fail(message: str, code: int = 1) -> int:
    message = " ".join(message.split())
    typer.echo(message, err=True)
    LOGGER.log(logging.CRITICAL if code == BUG else logging.ERROR, message, extra=TOLD)
    return code


def _nobody_reads() -> int:
    """Nothing is said to a pipe that was closed, as by `| head`: not by the interpreter at its end, either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return NOBODY_READS


def _log_end(code: int, seconds: float) -> None:
    peak = peak_memory()
    memory = "" if peak is None else f", at most {peak / 1e6:.0f} MB of memory"
    LOGGER.info("exit code %d after %.1f s%s", code, seconds, memory)
