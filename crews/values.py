"""What models and tools return, as JSON, and back again."""

from __future__ import annotations

# ruff: noqa: ANN401 - they return anything
import hashlib
import importlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_PLAIN = (str, int, float, bool, type(None))
#: Ids that providers draw anew, or that are addresses in memory: who is meant follows from their order.
_IDS = frozenset({"id", "tool_call_id", "call_id", "toolUseId"})
#: The provider's own objects, which say once more what the rest of the message says.
_OPAQUE = frozenset({"raw_tool_call_parts"})


class Replayed(Exception):  # noqa: N818 - says what it is
    """A step failed when it was taken; it fails again in the same words."""


def encode(value: Any) -> Any:
    """A value as JSON that `decode` understands. What can't be rebuilt becomes its text, as models see it."""
    if isinstance(value, BaseModel):
        kind = type(value)
        name = f"{kind.__module__}:{kind.__qualname__}"
        if _class(name) is not kind:
            return {"text": str(value)}
        return {"model": name, "fields": value.model_dump(mode="json")}
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, list | tuple):
        return [encode(each) for each in value]
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {"dict": {name: encode(each) for name, each in value.items()}}
    return {"text": str(value)}


def decode(written: Any, expected: type[BaseModel] | None = None) -> Any:
    """The value again; a model of the class that the caller `expected`, if it did."""
    if isinstance(written, list):
        return [decode(each) for each in written]
    if not isinstance(written, dict):
        return written
    if "dict" in written:
        return {name: decode(each) for name, each in written["dict"].items()}
    if "model" in written:
        kind = expected or _class(written["model"])
        if kind is None:
            raise Replayed(f"{written['model']} is not installed any more")
        return kind.model_validate(written["fields"])
    return written["text"]


def _class(name: str) -> type[BaseModel] | None:
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def fingerprint(*content: object) -> str:
    """A name for content, the same in every process."""
    text = json.dumps(_plain(content, {}), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _plain(value: object, ids: dict[str, int]) -> object:
    """`value` without what differs from process to process."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(mode="json"), ids)
    if isinstance(value, Mapping):
        return {
            str(name): ids.setdefault(str(each), len(ids)) if name in _IDS else _plain(each, ids)
            for name, each in value.items()
            if name not in _OPAQUE
        }
    if isinstance(value, list | tuple):
        return [_plain(each, ids) for each in value]
    return type(value).__qualname__
