"""Mentions of user groups by handle, as mentions by id: only those notify the group's members. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from bot.core.policy import is_live_group
from bot.surfaces.chat.lines import Mention
from bot.surfaces.chat.messages import Message

Part = TypeVar("Part")


def with_group_ids(message: Message, ids: Mapping[str, str]) -> Message:
    """The message with groups mentioned by id where it is known. `ids`: by handle, case-folded."""
    return _replaced(message, ids) if ids else message


def names_unknown_groups(message: Message, ids: Mapping[str, str]) -> bool:
    """Whether it mentions a group by a handle whose id is not known."""
    return any(_handle(each) not in {"", *ids} for each in _principals(message))


def _principals(part: object) -> Iterator[str]:
    match part:
        case Mention(principal=principal):
            yield principal
        case tuple():
            for each in part:
                yield from _principals(each)
        case _ if is_dataclass(part):
            for each in fields(part):
                yield from _principals(getattr(part, each.name))


def _replaced(part: Part, ids: Mapping[str, str]) -> Part:
    changed: Any = part
    match part:
        case Mention(principal=principal):
            group = _id(principal, ids)
            changed = replace(part, principal=f"slack::{group}") if group else part
        case tuple():
            changed = tuple(_replaced(each, ids) for each in part)
        case _ if is_dataclass(part) and not isinstance(part, type):
            parts = {
                each.name: _replaced(getattr(part, each.name), ids) for each in fields(part) if each.init
            }
            changed = replace(part, **parts)
        case _:
            return part
    return changed  # type: ignore[no-any-return]


def _id(principal: str, ids: Mapping[str, str]) -> str:
    return ids.get(_handle(principal), "")


def _handle(principal: str) -> str:
    """The handle by which this names a group of Slack; empty for everything else."""
    name = principal.rpartition(":")[2]
    return name[1:].casefold() if is_live_group(principal) and name[:1] == "@" else ""
