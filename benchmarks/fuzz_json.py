"""Changes to JSON that leave it JSON: one value somewhere becomes another, goes, or comes twice."""

from __future__ import annotations

import json
import random
from typing import Any

DEEP = "@deep@"  # what json.dumps would not write: too deep for itself
DEPTHS = (70, 600, 5000, 100_000)
VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2, 3, 7, 255, 10**6, 2**31, 2**32, 2**53, 2**63, 10**30, 10**400, -(10**30)),
    *(0.5, -0.0, 1e-320, 1e38, 1e154, 1e200, 1e308, -1e308, float("nan"), float("inf"), float("-inf")),
    *("", "x", "0", "../../x", "/nowhere/x", "\0", "\ud800", "a" * 5000, ".", "..", "/", "C:\\x", "file:///x", "é"),
    *("data:,", "data:;base64,é", "data:;base64,AAAA", "http://127.0.0.1:9/x", "%00", "%2e%2e/x"),
    *([], {}, [None], [[]], {"": {}}, [1, 2], [0, 0, 0], [1, 0, 0, 0], DEEP),
)


def changed_json(rng: random.Random, data: bytes) -> bytes:
    """`data` with one to three values changed; `ValueError` if it is not JSON."""
    document = json.loads(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        document = _changed(rng, document)
    text = json.dumps(document)
    deep = json.dumps(DEEP)
    while deep in text:
        depth = rng.choice(DEPTHS)
        opening, closing = rng.choice((("[", "]"), ('{"a":', "}")))
        text = text.replace(deep, opening * depth + "0" + closing * depth, 1)
    return text.encode()


def _changed(rng: random.Random, document: Any) -> Any:
    """Walks down to a value and changes it where it is; what it was all in comes back."""
    if not isinstance(document, dict | list) or not document:
        return _other(rng, document)
    node = document
    while True:
        key = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.15:
            _change(rng, node, key)
            return document
        node = inner


def _change(rng: random.Random, node: Any, key: Any) -> None:
    what = rng.random()
    if what < 0.7:
        node[key] = _other(rng, node[key])
    elif what < 0.85:
        del node[key]
    elif isinstance(node, dict):
        node[rng.choice(("", "x", "uri", "matrix", "extensions", str(key) + "0"))] = node.pop(key)
    else:
        node[key:key] = [node[key]] * rng.choice((1, 2, 40))


def _other(rng: random.Random, value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool) and rng.random() < 0.6:
        return rng.choice(
            (value + 1, value - 1, value * 2, -value, value * 1e30, value + 0.5, value * 1000, value // 2)
        )
    if isinstance(value, str) and rng.random() < 0.3:
        return rng.choice((value + "x", value[:-1], value.upper(), "./" + value, "sub/../" + value))
    if rng.random() < 0.1:
        return rng.choice(([value], {"value": value}, [value] * 3, str(value)))
    return rng.choice(VALUES)
