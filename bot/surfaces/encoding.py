"""The one encoder of what programs get, whichever surface sends it."""

from __future__ import annotations

import json


def encode(value: object) -> bytes:
    """JSON as it goes over the wire: UTF-8, no spaces, keys in their given order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
        errors="replace"
    )
