"""Payloads that no platform documents: valid ones in which something is of another kind."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]

MISSING = object()
"""Stands for nothing at all."""
ODD: tuple[Any, ...] = (
    MISSING,
    None,
    "",
    "?",
    0,
    -1,
    1.5,
    True,
    [],
    {},
    [None],
    ["?"],
    [[]],
    [{"?": 0}],
    {"?": None},
    "9" * 5000,
    "nan",
    "1e999",
    "x" * 100_000,
    "\x00\u202e",
    "0001-01-01T00:00:00",
    "9999-12-31T23:59:59",
)
"""What may stand in the place of anything."""


def paths(node: object, at: Path = ()) -> Iterator[Path]:
    """Where something is in a payload."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield (*at, name)
            yield from paths(value, (*at, name))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield (*at, number)
            yield from paths(value, (*at, number))


def replaced(payload: dict[str, Any], path: Path, odd: object) -> dict[str, Any]:
    """The payload with something else at this place, or with nothing."""
    made = copy.deepcopy(payload)
    parent: Any = made
    for step in path[:-1]:
        parent = parent[step]
    if odd is MISSING:
        del parent[path[-1]]
    else:
        parent[path[-1]] = copy.deepcopy(odd)
    return made


def mutated(payload: dict[str, Any], chance: random.Random) -> tuple[str, dict[str, Any]]:
    """The payload with one odd thing in it, and what that is."""
    path, odd = chance.choice(list(paths(payload))), chance.choice(ODD)
    what = "missing" if odd is MISSING else repr(str(odd)[:40])
    return f"{path} is {what}", replaced(payload, path, odd)
