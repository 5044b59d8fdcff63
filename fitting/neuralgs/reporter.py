"""What a run says of itself while it goes on: how far it is, what it has come to, and the time each stage takes."""

from __future__ import annotations

import logging
import time

from fitting.neuralgs.options import Look, PreviewCallback, Progress, ProgressCallback, Trial

LOGGER = logging.getLogger("kilofield.fit")
PREPARE_SHARE = 0.1  # of the whole run, for the progress bar: reading, drawing and weighing,
FITTED = 0.98  # and where fitting ends


class Reporter:
    """Passes progress on, never going back, and keeps the looks and the time by stage.

    A stage lasts from the call that names it to the call that names another.
    """

    def __init__(self, callback: ProgressCallback | None, preview: PreviewCallback | None = None) -> None:
        self.callback = callback
        self.preview = preview  # called with the pictures of every look
        self.name = ""  # of one fit of several
        self.done = 0.0
        self.started = self._since = time.monotonic()
        self._stage = ""
        self.stages: dict[str, float] = {}  # seconds
        self.looks: list[Look] = []

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self.started

    def __call__(
        self,
        stage: str,
        done: float,
        detail: str = "",
        trial: Trial | None = None,
        look: Look | None = None,
        name: str = "",
    ) -> None:
        """`stage` has come to `done` (0 to 1, of the whole run); `name` is that of one fit of several."""
        self._enter(stage)
        self.done = max(self.done, done)
        if look is not None:
            self.looks.append(look)
        if self.callback is not None:
            self.callback(Progress(f"{name} · {stage}" if name else stage, self.done, detail, trial, look))

    def _enter(self, stage: str) -> None:
        now = time.monotonic()
        if self._stage:
            self.stages[self._stage] = self.stages.get(self._stage, 0.0) + now - self._since
        if stage != self._stage:
            LOGGER.info("%s, %.1f s after the start", stage, now - self.started)
        self._stage, self._since = stage, now

    def part(self, name: str, steps: int, full_steps: int) -> Part:
        """Progress of the fit `name` of a search: what it takes of the rest grows with its steps."""
        expected = (1.5 if steps < full_steps else 0.5) * full_steps  # still to come after it
        return Part(self, name, self.done + (FITTED - self.done) * steps / (steps + expected))

    def preparing(self, share: float, stage: str) -> None:
        """Progress of `prepare`."""
        self(stage, share * PREPARE_SHARE)


class Part(Reporter):
    """Progress of one fit of several, from `PREPARE_SHARE` to `FITTED` as a fit alone reports it."""

    def __init__(self, whole: Reporter, name: str, stop: float) -> None:
        super().__init__(None, whole.preview)
        self.started = whole.started
        self.whole, self.name, self.start, self.stop = whole, name, whole.done, stop

    def __call__(
        self,
        stage: str,
        done: float,
        detail: str = "",
        trial: Trial | None = None,
        look: Look | None = None,
        name: str = "",
    ) -> None:
        """Tells the whole, `done` put between where this fit starts and stops."""
        share = (done - PREPARE_SHARE) / (FITTED - PREPARE_SHARE)
        self.whole(stage, self.start + (self.stop - self.start) * share, detail, trial, look, name or self.name)
