"""The fits of a search for a PSNR, kept in its checkpoint: what ended as files, the one under way by its state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from fitting.checkpoint import Part
from fitting.neuralgs.fit import fit_ours
from fitting.neuralgs.options import Trial
from fitting.neuralgs.reporter import FITTED, Reporter
from fitting.neuralgs.run import Run
from fitting.neuralgs.search import Attempt
from fitting.neuralgs.tune import judge_file
from scenes.kilo import pack_kilo, unpack_kilo

ENDED = "ended"  # the key of the attempts in the checkpoint; the one under way has its own name


@dataclass(frozen=True)
class Attempts:
    """Makes the fits a search asks for, but for those an interrupted run has made.

    The same options ask for the same fits in the same order, so a name is enough to know one by.
    """

    run: Run
    ended: dict[str, dict[str, Any]]  # by name: the file, and its PSNR and SSIM

    @classmethod
    def of(cls, run: Run) -> Attempts:
        """Those of a search that begins, or goes on from `run.state`."""
        return cls(run, dict((run.state or {}).get(ENDED, {})))

    def fit(self, name: str, budget: int, steps: int) -> Attempt:
        """The fit `name` to `budget` bytes in `steps`."""
        say = self.run.say.part(name, steps, self.run.effort.steps)
        if name not in self.ended:
            self.ended[name] = self._made(name, budget, steps, say)
        found = self.ended[name]
        data = found["file"].numpy().tobytes()
        trial = Trial(name, steps, len(data), found["psnr"])
        self.run.say("judging", say.stop, trial=trial)
        return Attempt(budget, trial, found["ssim"], unpack_kilo(data))

    def _made(self, name: str, budget: int, steps: int, say: Reporter) -> dict[str, Any]:
        run = self.run
        once = replace(
            run,
            options=replace(run.options, max_bytes=budget, target_psnr=None),
            effort=replace(run.effort, steps=steps),
            checkpoint=Part(run.checkpoint, name, {ENDED: self.ended}),
            state=(run.state or {}).get(name),
            say=say,
        )
        neural = fit_ours(once, exact=False)
        say("judging", FITTED)
        psnr, ssim = judge_file(neural, run.job.held_out, run.job.device)
        data = np.frombuffer(pack_kilo(neural, tool=run.maker), np.uint8)
        return {"file": torch.from_numpy(data.copy()), "psnr": psnr, "ssim": ssim}
