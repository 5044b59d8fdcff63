"""How a command ends: 0 done, 1 an error told in one line on stderr, 3 done but short of a target, 130 interrupted."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, cast

import typer
from typer.core import TyperGroup

from scenes.errors import KilofieldError

TARGET_MISSED = 3
INTERRUPTED = 130  # 128 + SIGINT, as shells report it

# typer carries its own click in recent versions, so that click's class has no name importable from both.
UsageError = cast("type[Exception]", typer.BadParameter.__base__)

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


class Interrupted(KeyboardInterrupt):
    """Ctrl-C with something to add, such as how to continue."""


class TargetMissedError(KilofieldError):
    """The output is written, and is the best found, but not as good as was asked for."""


class OneLineErrors(TyperGroup):
    """The command group: an error that the user can mend is one line on stderr and exit code 1."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command line; without arguments, show the help."""
        args = list(sys.argv[1:] if args is None else args) or ["--help"]
        try:
            code = super().main(args, *rest, standalone_mode=False, **extra)
        except UsageError as error:
            code = _fail(f"{cast(Any, error).format_message()} (kilofield --help lists the commands)")
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command and turn what it raises into an exit code."""
        try:
            return super().invoke(ctx)
        except TargetMissedError as error:
            raise typer.Exit(_fail(str(error), TARGET_MISSED)) from error
        except (KilofieldError, ModuleNotFoundError, OSError) as error:
            raise typer.Exit(_fail(explain(error))) from error
        except KeyboardInterrupt as interrupt:
            raise typer.Exit(_fail(str(interrupt) or "interrupted", INTERRUPTED)) from interrupt


def explain(error: KilofieldError | ModuleNotFoundError | OSError) -> str:
    """The one line for `error`; raises it again where it is no mistake of the user's."""
    if isinstance(error, KilofieldError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise error
        return f"{package} is not installed: pip install 'kilofield[{EXTRAS[package]}]' brings it"
    if error.filename is None or isinstance(error, BrokenPipeError):
        raise error
    return f"{error.filename}: {error.strerror}"


def _fail(message: str, code: int = 1) -> int:
    typer.echo(" ".join(message.split()), err=True)
    return code
