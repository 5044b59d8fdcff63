"""Changes to bytes and to text that fuzzing begins with: what goes wrong on disks, and what somebody would try.

Everything is drawn from the `random.Random` that is given: the same seed gives the same inputs on every machine.
Containers, checksums and compression are taken apart in `benchmarks/fuzz_layers.py`.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Sequence

HEAD = 64  # bytes; most of what steers a reader lies at the start
TEXT_PROBE = 256  # bytes
CHANGES = (1, 1, 1, 2, 4)  # at once
LONGEST = 1 << 20  # bytes an input may grow to
WHOLE = (0, 1, 2, 3, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63)
REAL = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e-30, 1e30, 3.4e38, -3.4e38, float("nan"), float("inf"), float("-inf"), 255.5)
NUMBERS = (
    *("0", "-1", "1", "2", "7", "255", "256", "65536", "2147483648", "4294967296", "9223372036854775808", "9" * 30),
    *(
        "nan",
        "inf",
        "-inf",
        "1e999",
        "1e308",
        "-1e308",
        "1e-320",
        "1e38",
        "0.5",
        "1_000",
        "0x10",
        "٣",
        "+5",
        "1e",
        "--1",
    ),
)
WORDS = (
    *("", "\0", "\x1c", "\x85", "\u2028", "\ufeff", "\\", "../../x", "/etc/passwd", "a" * 5000, "%s%n", "\r", "\t"),
    *("list", "property", "element", "end_header", "nan", "#", "comment", "f", "v", "0", "-", "/", "//", "1/1/1/1"),
)
NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")

Change = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def changed(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """`data` with one to four changes; some take a part of one of `others`."""
    if is_text(data) and rng.random() < 0.7:
        text = data.decode("utf-8", "surrogateescape")
        for _ in range(rng.choice(CHANGES)):
            text = rng.choice(TEXT_CHANGES)(rng, text, others)
        return text.encode("utf-8", "surrogateescape")[:LONGEST]
    content = bytearray(data)
    for _ in range(rng.choice(CHANGES)):
        rng.choice(BYTE_CHANGES)(rng, content, others)
    return bytes(content[:LONGEST])


def is_text(data: bytes) -> bool:
    """Whether the start of `data` reads as text."""
    start = data[:TEXT_PROBE]
    return bool(start) and all(byte >= 32 or byte in b"\t\n\r" for byte in start) and b"\xff" not in start


# Bytes


def _place(rng: random.Random, data: bytearray, width: int = 1) -> int:
    """Somewhere in `data`, where `width` bytes fit: in half of all cases near the start, and aligned."""
    last = max(len(data) - width, 0)
    if rng.random() < 0.5:
        last = min(last, HEAD)
    return rng.randint(0, last) // width * width


def _range(rng: random.Random, data: bytearray) -> slice:
    start = _place(rng, data)
    return slice(start, start + rng.choice((1, 2, 4, 8, 16, 64, rng.randint(1, max(len(data), 1)))))


def _flip_bit(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    if data:
        data[_place(rng, data)] ^= 1 << rng.randrange(8)


def _set_byte(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    if data:
        data[_place(rng, data)] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))


def _set_whole(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    width, order = rng.choice((1, 2, 4, 4, 8)), rng.choice(("little", "little", "big"))
    at = _place(rng, data, width)
    value = rng.choice(WHOLE) + rng.choice((0, 0, 0, 1, -1, len(data)))
    if rng.random() < 0.3:  # near what is there
        value = int.from_bytes(data[at : at + width], order) + rng.choice((-256, -4, -1, 1, 4, 256))
    data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, order)


def _set_real(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    form, width = rng.choice((("<f", 4), ("<d", 8), (">f", 4)))
    at = _place(rng, data, width)
    data[at : at + width] = struct.pack(form, rng.choice(REAL))


def _fill(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    part = _range(rng, data)
    data[part] = bytes([rng.choice((0, 0, 255, rng.randrange(256)))]) * len(data[part])


def _cut(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    del data[rng.choice((rng.randint(0, len(data)), max(len(data) - rng.randint(1, 16), 0), rng.randint(0, HEAD))) :]


def _delete(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    del data[_range(rng, data)]


def _repeat(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    part = _range(rng, data)
    data[part.start : part.start] = bytes(data[part]) * rng.choice((1, 1, 2, 16))


def _insert(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    at = _place(rng, data)
    data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 32)))


def _append(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    data += rng.choice((b"\0", b"\xff", rng.randbytes(1))) * rng.choice((1, 4, 100, 4096))


def _splice(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    """A part of another input over, or behind, a part of this one."""
    other = rng.choice(others) if others else bytes(data)
    start = rng.randint(0, len(other))
    if rng.random() < 0.5:
        at = rng.randint(0, len(data))
        data[at:] = other[start:]
    else:
        at, taken = _place(rng, data), other[start : start + rng.choice((4, 16, 256))]
        data[at : at + len(taken)] = taken


BYTE_CHANGES: tuple[Change, ...] = (
    *(_flip_bit, _set_byte, _set_whole, _set_whole, _set_whole, _set_real, _fill),
    *(_cut, _delete, _repeat, _insert, _append, _splice),
)


# Text


def _other_number(rng: random.Random, text: str, others: Sequence[bytes]) -> str:
    start = rng.randint(0, len(text)) if rng.random() < 0.5 else rng.randint(0, min(len(text), 4 * HEAD))
    match = NUMBER.search(text, start) or NUMBER.search(text)
    if match is None:
        return text + rng.choice(NUMBERS)
    return text[: match.start()] + rng.choice((*NUMBERS, match[0] + "0", "-" + match[0])) + text[match.end() :]


def _other_word(rng: random.Random, text: str, others: Sequence[bytes]) -> str:
    words = list(re.finditer(r"\S+", text[: 1 << 14]))
    if not words:
        return text + rng.choice(WORDS)
    word, other = rng.choice(words), rng.choice(words)
    return text[: word.start()] + rng.choice((*WORDS, other[0], word[0][:-1])) + text[word.end() :]


def _into_lines(rng: random.Random, text: str, others: Sequence[bytes]) -> str:
    at = rng.randint(0, len(text))
    return text[:at] + rng.choice((*WORDS, "\n", " ", "\r\n")) + text[at:]


def _other_lines(rng: random.Random, text: str, others: Sequence[bytes]) -> str:
    """One line dropped, said again, moved, or cut."""
    lines = text.splitlines(keepends=True)
    at, to = rng.randrange(max(len(lines), 1)), rng.randrange(max(len(lines), 1))
    taken = lines[at : at + rng.choice((1, 1, 2, 50))]
    what = rng.randrange(4)
    if what != 1:
        del lines[at : at + len(taken)]
    if what == 1:
        lines[to:to] = taken * rng.choice((1, 2, 40))
    elif what == 2:
        lines[to:to] = taken
    elif what == 3:
        lines[at:at] = [line[: rng.randint(0, len(line))] for line in taken]
    return "".join(lines)


def _cut_text(rng: random.Random, text: str, others: Sequence[bytes]) -> str:
    return text[: rng.randint(0, len(text))]


def _any_byte(rng: random.Random, text: str, others: Sequence[bytes]) -> str:
    content = bytearray(text.encode("utf-8", "surrogateescape"))
    rng.choice(BYTE_CHANGES)(rng, content, others)
    return bytes(content).decode("utf-8", "surrogateescape")


TEXT_CHANGES = (
    _other_number,
    _other_number,
    _other_number,
    _other_word,
    _into_lines,
    _other_lines,
    _cut_text,
    _any_byte,
)
