"""One compression under way: what it starts from, what is asked, and where it tells and keeps how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fitting.checkpoint import Checkpoint
from fitting.neuralgs.job import Job
from fitting.neuralgs.options import CompressOptions, Effort
from fitting.neuralgs.reporter import Reporter


@dataclass(frozen=True)
class Run:
    """What every way of fitting takes."""

    job: Job
    options: CompressOptions
    effort: Effort
    checkpoint: Checkpoint
    state: dict[str, Any] | None  # of an interrupted run, to go on from
    say: Reporter

    @property
    def maker(self) -> dict[str, Any]:
        """What the manifest says of how the file was made."""
        return {"name": "kilofield", "preset": self.options.preset, "seed": self.options.seed}
