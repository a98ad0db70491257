"""The people of a surface, to whom its messages go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from bot.core.actor import Actor


async def ignore(_principals: Iterable[str]) -> None:
    """Nothing but messages depends on what has changed."""


@dataclass(frozen=True)
class Recipients:
    """What delivery needs to know of people, and tells of them."""

    #: Who somebody is, by the platform's id. Raises Unrecognised, StoreUnavailable, or another CrewdeckError:
    #: this person may do nothing.
    actor: Callable[[str], Awaitable[Actor]]
    #: Called with the principals for whom something has changed.
    changed: Callable[[Iterable[str]], Awaitable[None]] = ignore
