"""One renderer in a process of its own, told what to draw by lines of JSON.

    python -m benchmarks.render_worker '{"renderer": "ours", "scene": FILE, "cameras": FILE, "size": [640, 360], ...}'
    <- {"facts": {...}}                      ready, or {"missing": reason}
    -> {"frame": 3}                          <- {"preparation": ms, "sort": ms, "draw": ms, "total": ms}
    -> {"picture": 3, "path": "x.npy"}       <- {}

Two renderers in one process would share OpenGL state, a Python and its threads; two processes that take turns do not,
and the one that waits takes no time from the other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.drawers import Drawer, GsplatDrawer, OurDrawer, PeerDrawer
from scenes.camera_files import read_cameras
from scenes.load import load_scene

ROOT = Path(__file__).resolve().parents[1]


class Worker:
    """The other end: a renderer's process. `missing` says why it cannot draw, if so."""

    def __init__(self, **job: Any) -> None:
        command = [sys.executable, "-m", "benchmarks.render_worker", json.dumps(job)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ
        )
        answer = self._answer()
        self.facts: Mapping[str, Any] = answer.get("facts", {})
        self.missing: str | None = answer.get("missing")

    def ask(self, **question: Any) -> dict[str, Any]:
        """The answer to one line; a worker that dies ends the benchmark."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise subprocess.CalledProcessError(self._process.wait(), self._process.args)
        return json.loads(line)

    def close(self) -> None:
        """Lets the process end."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    """Answer until stdin ends."""
    job = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a renderer prints goes to stderr
    try:
        drawer = _drawer(job)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), file=answers)
        return
    cameras = read_cameras(job["cameras"])
    print(json.dumps({"facts": drawer.facts}), file=answers)
    for line in sys.stdin:
        question = json.loads(line)
        answer: dict[str, Any] = {}
        if "picture" in question:
            np.save(question["path"], drawer.picture(cameras[question["picture"]]))
        else:
            answer = drawer.frame(cameras[question["frame"]])
        print(json.dumps(answer), file=answers)


def _drawer(job: Mapping[str, Any]) -> Drawer:
    file, size = load_scene(job["scene"]), (job["size"][0], job["size"][1])
    if job["renderer"] == "peer":
        return PeerDrawer(Path(job["peer"]), file.gaussians, size)
    if job["renderer"] == "gsplat":
        return GsplatDrawer(file.gaussians, size)
    return OurDrawer(file.scene, size, job["pipeline"], job["residency"])


if __name__ == "__main__":
    main()
