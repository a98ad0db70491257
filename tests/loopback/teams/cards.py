"""Which cards Teams takes: those of the Adaptive Cards schema 1.5, with what Teams adds to it.

The schema is Microsoft's (https://adaptivecards.io/schemas/1.5.0/adaptive-card.json, MIT licence,
Copyright (c) 2017 Microsoft), unchanged.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import jsonschema_rs

from tests.loopback.slack.wire import Body
from tests.loopback.teams.state import actions, elements, labels

__all__ = ["MAX_MESSAGE_BYTES", "actions", "labels", "problem", "size"]

MAX_MESSAGE_BYTES = 100 * 1024
"""Of a message as JSON in UTF-16."""
MAX_REFRESH_USERS = 60
_SCHEMA = Path(__file__).with_name("adaptive-card-1.5.schema.json")


@cache
def _validator() -> jsonschema_rs.Draft6Validator:
    return jsonschema_rs.Draft6Validator(json.loads(_SCHEMA.read_text(encoding="utf-8")))


def problem(card: Body) -> str:
    """Why this is no card; empty if it is one."""
    # `msteams` (mentions, width) is Teams' own.
    for error in _validator().iter_errors({name: v for name, v in card.items() if name != "msteams"}):
        return f"{'/'.join(map(str, error.instance_path))}: {error.message}"[:2000]
    if len((card.get("refresh") or {}).get("userIds", [])) > MAX_REFRESH_USERS:
        return "refresh: more than 60 users"
    ids = [each["id"] for each in elements(card) if each["type"].startswith("Input.")]
    if len(ids) != len(set(ids)):
        return f"inputs share an id: {ids}"
    return ""


def size(body: Body) -> int:
    """Bytes of a message in UTF-16."""
    return len(json.dumps(body, ensure_ascii=False).encode("utf-16-le", "surrogatepass"))
