"""What the window tells the user: notes that fade by themselves, and errors in a dialog that waits to be closed."""

from __future__ import annotations

from dataclasses import dataclass

NOTE_SECONDS = 3.0


@dataclass(frozen=True)
class Message:
    """One thing to tell."""

    text: str
    error: bool
    until: float  # seconds, on the clock of `Messages`
    title: str = ""  # of the dialog


class Messages:
    """At most one note and one error at a time, the newest."""

    def __init__(self) -> None:
        self._note: Message | None = None
        self._error: Message | None = None

    def note(self, text: str, now: float) -> None:
        """Shows `text` for a while."""
        self._note = Message(text, False, now + NOTE_SECONDS)

    def error(self, text: str, title: str = "This did not work") -> None:
        """Shows `text` until it is dismissed."""
        self._error = Message(text, True, float("inf"), title)

    def dismiss(self) -> bool:
        """Takes the error away; False if there was none."""
        shown, self._error = self._error is not None, None
        return shown

    def shown(self, now: float) -> list[Message]:
        """What to show now."""
        return [m for m in (self._error, self._note) if m is not None and now < m.until]
