"""Drops a file on a window as a file manager does, by the XDND protocol: `python xdnd.py WINDOW PATH X Y`.

X and Y are root coordinates. A program of its own, since it has to answer the window while that runs its frames.
Source: the XDND specification, version 5, https://freedesktop.org/wiki/Specifications/XDND
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from ctypes import POINTER, Structure, Union, byref, c_char_p, c_int, c_long, c_ulong, c_void_p
from pathlib import Path

CLIENT_MESSAGE, SELECTION_REQUEST, SELECTION_NOTIFY = 33, 30, 31  # of X.h
VERSION = 5
_ANY = [("type", c_int), ("serial", c_ulong), ("send_event", c_int), ("display", c_void_p)]


class Message(Structure):
    _fields_ = [*_ANY, ("window", c_ulong), ("kind", c_ulong), ("format", c_int), ("data", c_long * 5)]


class Request(Structure):
    _fields_ = [*_ANY, *((n, c_ulong) for n in ["owner", "requestor", "selection", "target", "property", "time"])]


class Notify(Structure):
    _fields_ = [*_ANY, *((n, c_ulong) for n in ["requestor", "selection", "target", "property", "time"])]


class Event(Union):
    _fields_ = [
        ("type", c_int),
        ("message", Message),
        ("request", Request),
        ("notify", Notify),
        ("room", c_long * 24),
    ]


class Source:
    """Our end of the drag."""

    def __init__(self, target: int) -> None:
        self.x = x = ctypes.CDLL("libX11.so.6")
        x.XOpenDisplay.argtypes, x.XOpenDisplay.restype = [c_char_p], c_void_p
        x.XDefaultRootWindow.argtypes, x.XDefaultRootWindow.restype = [c_void_p], c_ulong
        x.XCreateSimpleWindow.argtypes = [c_void_p, c_ulong, *[c_int] * 5, c_ulong, c_ulong]
        x.XCreateSimpleWindow.restype = c_ulong
        x.XInternAtom.argtypes, x.XInternAtom.restype = [c_void_p, c_char_p, c_int], c_ulong
        x.XSetSelectionOwner.argtypes = [c_void_p, c_ulong, c_ulong, c_ulong]
        x.XSendEvent.argtypes = [c_void_p, c_ulong, c_int, c_long, POINTER(Event)]
        x.XNextEvent.argtypes = [c_void_p, POINTER(Event)]
        x.XFlush.argtypes = [c_void_p]
        x.XChangeProperty.argtypes = [c_void_p, c_ulong, c_ulong, c_ulong, c_int, c_int, c_char_p, c_int]
        self.display, self.target = x.XOpenDisplay(None), target
        self.window = x.XCreateSimpleWindow(self.display, x.XDefaultRootWindow(self.display), 0, 0, 1, 1, 0, 0, 0)

    def atom(self, name: str) -> int:
        return self.x.XInternAtom(self.display, name.encode(), 0)

    def send(self, kind: str, *data: int) -> None:
        event = Event()
        values = (c_long * 5)(self.window, *data)
        event.message = Message(CLIENT_MESSAGE, 0, 1, self.display, self.target, self.atom(kind), 32, values)
        self.x.XSendEvent(self.display, self.target, 0, 0, byref(event))
        self.x.XFlush(self.display)

    def answer(self, request: Request, content: bytes) -> None:
        """Gives the window what it asks for."""
        where = request.requestor, request.property
        self.x.XChangeProperty(self.display, *where, request.target, 8, 0, content, len(content))
        event = Event()
        event.notify = Notify(
            SELECTION_NOTIFY, 0, 1, self.display, request.requestor, request.selection, request.target,
            request.property, request.time,
        )  # fmt: skip
        self.x.XSendEvent(self.display, request.requestor, 0, 0, byref(event))
        self.x.XFlush(self.display)

    def drop(self, path: Path, x: int, y: int) -> None:
        self.x.XSetSelectionOwner(self.display, self.atom("XdndSelection"), self.window, 0)
        self.send("XdndEnter", VERSION << 24, self.atom("text/uri-list"), 0, 0)
        self.send("XdndPosition", 0, x << 16 | y, 0, self.atom("XdndActionCopy"))
        event = Event()
        while True:
            self.x.XNextEvent(self.display, byref(event))
            if event.type == SELECTION_REQUEST:
                self.answer(event.request, f"{path.as_uri()}\r\n".encode())
            elif event.type == CLIENT_MESSAGE and event.message.kind == self.atom("XdndStatus"):
                self.send("XdndDrop", 0, 0, 0, 0)
            elif event.type == CLIENT_MESSAGE and event.message.kind == self.atom("XdndFinished"):
                return


def drop_file(window: int, path: Path, at: tuple[float, float]) -> None:
    """Begins to drop `path` on the X11 window, at a place on the screen; what follows comes as events."""
    subprocess.Popen([sys.executable, __file__, str(window), str(path), str(round(at[0])), str(round(at[1]))])


if __name__ == "__main__":
    Source(int(sys.argv[1])).drop(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
