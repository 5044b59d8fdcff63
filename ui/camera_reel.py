"""Cameras from a file, to step through: those a scene was photographed with, say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from renderer.camera_splines import Key
from scenes.camera_files import read_poses
from scenes.cameras import Camera


@dataclass
class CameraReel:
    """Some cameras, one of which is the present one; `index` is None before the first step."""

    cameras: tuple[Camera, ...] = ()
    index: int | None = None
    shown: bool = True  # in the scene

    def load(self, path: Path) -> str:
        """Takes in the cameras of any camera file; what to tell the user.

        Raises `SceneFileError`, and keeps what it has then.
        """
        cameras, distorted = read_poses(path)
        self.cameras, self.index, self.shown = tuple(cameras), None, True
        count = f"{len(cameras):,} {'camera' if len(cameras) == 1 else 'cameras'}"
        return f"{count}, {distorted:,} of them shown without their lens's distortion" if distorted else count

    def clear(self) -> None:
        """Forgets them."""
        self.cameras, self.index = (), None

    def step(self, by: int) -> Camera | None:
        """The next camera, or the one before, round and round; None without any."""
        if not self.cameras:
            return None
        first = 0 if by > 0 else -1
        self.index = (first if self.index is None else self.index + by) % len(self.cameras)
        return self.cameras[self.index]

    def keys(self, seconds: float) -> list[Key]:
        """All of them as keys of a path, this far apart."""
        return [Key(seconds * i, camera) for i, camera in enumerate(self.cameras)]
