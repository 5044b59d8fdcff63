"""What the program does, message by message: on stderr with --verbose, in a file with --log-file.

Every part of the program tells the logger `kilofield`, at two levels: INFO is what is read, chosen, cached and written
and how long it takes, DEBUG everything. Notes and errors, which are on stderr in any case, are in the file as well.
"""

from __future__ import annotations

import logging
import os
import platform
import shlex
import sys
from collections import deque
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from scenes.errors import KilofieldError

LOGGER = logging.getLogger("kilofield")
LOGGER.addHandler(logging.NullHandler())  # or Python prints what nobody listens to
SUFFIXES = (".log", ".txt")
LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)  # of no, one and two --verbose
LINE = "%(asctime)s %(levelname)-7s %(message)s"
KEPT = 200  # messages a crash report ends with
TOLD = {"told": True}  # extra of a message that is on stderr already


class _Last(logging.Handler):
    """Keeps the last messages."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter(LINE))
        self.lines: deque[str] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class _File(logging.FileHandler):
    """Says in one line when the file can be written no more, as on a full disk, and stops."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        error = sys.exc_info()[1]
        reason = error.strerror if isinstance(error, OSError) else error
        print(f"{self.baseFilename}: cannot write: {reason}", file=sys.stderr)
        self.emit = lambda record: None
        self.stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - not tried again at the end, either


class Log:
    """The messages of one command."""

    def __init__(self) -> None:
        self.verbosity = 0
        self._last = _Last()
        self._handlers: list[logging.Handler] = []

    def begin(self, arguments: Sequence[str]) -> None:
        """A new command: nobody listens to the messages, but the last ones are kept."""
        for handler in self._handlers:
            LOGGER.removeHandler(handler)
            handler.close()
        self._handlers, self._last, self.verbosity = [], _Last(), 0
        self._listen(self._last)
        LOGGER.info("kilofield %s, Python %s, %s", version("kilofield"), platform.python_version(), platform.platform())
        LOGGER.info("command: kilofield %s", shlex.join(arguments))

    def to_stderr(self, verbosity: int) -> None:
        """Messages are printed from now on, and those there have been."""
        self.verbosity = min(verbosity, len(LEVELS) - 1)
        from rich.console import Console
        from rich.logging import RichHandler

        console = Console(stderr=True)
        handler: logging.Handler
        if console.is_terminal:
            handler = RichHandler(console=console, show_path=False, markup=False, highlighter=None)
        else:
            handler = logging.StreamHandler(sys.stderr)
            handler.setFormatter(logging.Formatter(LINE))
        handler.setLevel(LEVELS[self.verbosity])
        handler.addFilter(lambda record: not getattr(record, "told", False))
        self._listen(handler)
        for line in self._last.lines:
            print(line, file=sys.stderr)

    def to_file(self, path: Path) -> None:
        """All messages go to the end of this file, too. Raises `KilofieldError` where it cannot be one."""
        if path.suffix.lower() not in SUFFIXES:
            raise KilofieldError(f"--log-file: expected a name that ends in {' or '.join(SUFFIXES)}, found {path}")
        try:
            with path.open("a", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in self._last.lines)
            handler = _File(path, encoding="utf-8")
        except OSError as error:
            raise KilofieldError(f"{path}: cannot write: {error.strerror}") from error
        handler.setLevel(logging.DEBUG)
        handler.setFormatter(logging.Formatter(LINE))
        self._listen(handler)

    @property
    def last(self) -> list[str]:
        """The messages kept, oldest first."""
        return list(self._last.lines)

    def _listen(self, handler: logging.Handler) -> None:
        LOGGER.addHandler(handler)
        self._handlers.append(handler)
        LOGGER.setLevel(min(one.level for one in self._handlers))


LOG = Log()


def not_both(quiet: bool) -> None:
    """Raises `KilofieldError` where --quiet and --verbose were given."""
    if quiet and LOG.verbosity:
        raise KilofieldError("--verbose: expected no --quiet beside it, found both")
