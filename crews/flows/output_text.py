"""The output of a flow's method as text for people."""

from __future__ import annotations

import json
import re

from pydantic import BaseModel

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def text_of(output: object) -> str:
    """An output as text; the same in every process."""
    if output is None:
        return ""
    raw = getattr(output, "raw", None)
    if isinstance(raw, str):  # the output of a crew or of an agent
        return raw
    if isinstance(output, BaseModel):
        return output.model_dump_json()
    if isinstance(output, list | dict):
        return _ADDRESS.sub("", json.dumps(output, ensure_ascii=False, default=_plain))
    return _ADDRESS.sub("", str(output))


def _plain(value: object) -> object:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)
