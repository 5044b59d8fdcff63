"""The camera path being edited: keys in order of time, cameras to step through, what can be undone, and playing.

Knows of no window. Times are seconds, fields of view radians. Every change of the keys can be undone, and a drag, which
is many changes with the same `gesture`, at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from renderer.camera_paths import read_keys, write_keys
from renderer.camera_splines import Key, cameras_at, is_closed
from scenes.cameras import Camera

SPACING = 2.0  # s from the last key to one that is added
SHORTEST = 0.01  # s between keys
STEPS = 200  # that can be undone


@dataclass(frozen=True)
class State:
    """What undo goes back to."""

    keys: tuple[Key, ...] = ()
    selected: int | None = None


class PathEditor:
    """A path and a place on it: `time`, which scrubbing and playing move. `revision` grows with every change."""

    def __init__(self) -> None:
        self.state = State()
        self.time = 0.0
        self.playing = False
        self.loop = True
        self.revision = 0
        self.file: Path | None = None  # last read or written
        self.saved_to: Path | None = None  # last written
        self.saved = True  # nothing has changed since
        self._before: list[State] = []
        self._after: list[State] = []
        self._gesture: str | None = None

    # What there is

    @property
    def keys(self) -> tuple[Key, ...]:
        """In order of time."""
        return self.state.keys

    @property
    def selected(self) -> int | None:
        """The index of the key that is being edited."""
        return self.state.selected

    @property
    def start(self) -> float:
        """The first key's time."""
        return self.keys[0].time if self.keys else 0.0

    @property
    def end(self) -> float:
        """The last key's time."""
        return self.keys[-1].time if self.keys else 0.0

    def camera_at(self, time: float) -> Camera:
        """The path's camera; there must be a key."""
        return cameras_at(list(self.keys), np.array([time]))[0]

    def cameras(self, frames: int) -> list[Camera]:
        """`frames` cameras from the first key to the last, evenly spaced in time; none without keys."""
        if not self.keys or frames < 1:
            return []
        return cameras_at(list(self.keys), np.linspace(self.start, self.end, frames))

    def nearest(self, time: float) -> int | None:
        """The index of the key nearest to a time."""
        return min(range(len(self.keys)), key=lambda i: abs(self.keys[i].time - time), default=None)

    # Editing

    def add(self, camera: Camera) -> int:
        """A key after the last; its index."""
        time = self.end + SPACING if self.keys else 0.0
        return self._place(Key(time, camera), self.keys)

    def insert(self, camera: Camera, time: float) -> int:
        """A key at a time, or just after the key that is there; its index."""
        return self._place(Key(time, camera), self.keys)

    def close(self) -> int | None:
        """A last key that is the first again, so that the path can go round; None without two keys, or if it does."""
        if len(self.keys) < 2 or is_closed(list(self.keys)):
            return None
        return self.add(self.keys[0].camera)

    def remove(self, index: int) -> None:
        """Takes a key away; the next one is selected."""
        keys = self.keys[:index] + self.keys[index + 1 :]
        self._change(keys, min(index, len(keys) - 1) if keys else None)

    def duplicate(self, index: int) -> int:
        """A copy of a key, half way to the next or after the last; its index."""
        key = self.keys[index]
        last = index + 1 == len(self.keys)
        time = key.time + SPACING if last else 0.5 * (key.time + self.keys[index + 1].time)
        return self._place(replace(key, time=time), self.keys)

    def move(self, index: int, time: float, gesture: str | None = None) -> int:
        """Puts a key at another time, beyond other keys if need be; its new index."""
        others = self.keys[:index] + self.keys[index + 1 :]
        return self._place(replace(self.keys[index], time=time), others, gesture)

    def set_fov(self, index: int, fov_y: float, gesture: str | None = None) -> None:
        """Another field of view for a key."""
        self.update(index, replace(self.keys[index].camera, fov_y=fov_y), gesture)

    def update(self, index: int, camera: Camera, gesture: str | None = None) -> None:
        """Another camera for a key."""
        keys = list(self.keys)
        keys[index] = replace(keys[index], camera=camera)
        self._change(keys, index, gesture)

    def stretch(self, seconds: float, gesture: str | None = None) -> None:
        """All times scaled so that the path takes this long, from 0."""
        if len(self.keys) < 2:
            return
        shortest = min(b.time - a.time for a, b in zip(self.keys[:-1], self.keys[1:], strict=True))
        scale = max(seconds / (self.end - self.start), SHORTEST / shortest)
        keys = [replace(key, time=(key.time - self.start) * scale) for key in self.keys]
        self.time = (self.time - self.start) * scale
        self._change(keys, self.selected, gesture)

    def set_keys(self, keys: Iterable[Key]) -> None:
        """Another path altogether; it can be undone too."""
        self._change(tuple(keys), None)
        self.playing = False
        self.time = self.start

    def select(self, index: int | None) -> None:
        """The key to edit; the playhead goes there."""
        self._gesture = None
        self.state = replace(self.state, selected=index)
        if index is not None:
            self.time = self.keys[index].time
            self.playing = False

    def select_quietly(self, index: int) -> None:
        """The same in the middle of a gesture."""
        gesture = self._gesture
        self.select(index)
        self._gesture = gesture

    def end_gesture(self) -> None:
        """The next change is a step of its own, whatever its gesture."""
        self._gesture = None

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether there is a change to make again."""
        return bool(self._after)

    def undo(self) -> bool:
        """Takes the latest change back; False if there is none."""
        return self._travel(self._before, self._after)

    def redo(self) -> bool:
        """Makes the latest change that was taken back again; False if there is none."""
        return self._travel(self._after, self._before)

    # Playing

    def play(self) -> bool:
        """Plays on, from the start if it is at the end; False if there is nothing to play."""
        if self.end <= self.start:
            return False
        if not self.start <= self.time < self.end:
            self.time = self.start
        self.playing = True
        return True

    def pause(self) -> None:
        """Stops where it is."""
        self.playing = False

    def scrub(self, time: float) -> None:
        """Goes to a time, held within the path, and stops there."""
        self.playing = False
        self.time = min(max(time, self.start), self.end)

    def advance(self, seconds: float) -> bool:
        """Plays for `seconds`; True if that moved the camera. At the end it begins again, or stops."""
        if not self.playing:
            return False
        self.time += seconds
        if self.time >= self.end:
            length = self.end - self.start
            self.time = self.start + (self.time - self.start) % length if self.loop and length > 0 else self.end
            self.playing = self.loop and length > 0
        return True

    # Files

    def load(self, path: Path) -> None:
        """The keys of a path file or of any camera file. Raises `SceneFileError`, and changes nothing then."""
        self.set_keys(read_keys(path))
        self.file, self.saved_to, self.saved = path, None, True

    def save(self, path: Path) -> None:
        """Writes a path file. Raises `KilofieldError` where it cannot be written."""
        write_keys(path, self.keys)
        self.file = self.saved_to = path
        self.saved = True

    def _place(self, key: Key, others: Sequence[Key], gesture: str | None = None) -> int:
        """`key` among `others`, at its time or just after the key that is there; it is selected. Its index."""
        time = max(key.time, 0.0)
        for other in others:
            if abs(other.time - time) < SHORTEST * 0.999:
                time = other.time + SHORTEST
        key = replace(key, time=time)
        keys = sorted([*others, key], key=lambda k: k.time)
        index = next(i for i, k in enumerate(keys) if k is key)
        self._change(keys, index, gesture)
        self.time = time
        return index

    def _change(self, keys: Sequence[Key], selected: int | None, gesture: str | None = None) -> None:
        if gesture is None or gesture != self._gesture:
            self._before = [*self._before[-STEPS + 1 :], self.state]
        self._gesture = gesture
        self._after.clear()
        self._enter(State(tuple(keys), selected))

    def _travel(self, source: list[State], target: list[State]) -> bool:
        if not source:
            return False
        target.append(self.state)
        self._gesture = None
        self._enter(source.pop())
        return True

    def _enter(self, state: State) -> None:
        self.state = state
        self.saved = False
        self.revision += 1
        self.time = min(max(self.time, self.start), self.end)
        self.playing = self.playing and self.end > self.start
