"""Who people are on a chat platform: what delivery asks and tells, and the errors of looking somebody up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from bot.core.errors import CrewdeckError
from bot.core.people.actor import Actor
from bot.surfaces.chat.wording import sentences


class ProfileUnavailable(CrewdeckError):  # noqa: N818 - named as its kin in core/errors.py
    """The platform could not be asked who somebody is. Nothing was done."""

    code = "unrecognised"

    def __init__(self, platform: str) -> None:
        super().__init__(sentences.profile_unavailable(platform))


class NotAdmitted(CrewdeckError):  # noqa: N818 - named as its kin in core/errors.py
    """Whoever acts has no account of a person: deactivated, anonymous, or an app. Nothing was done."""

    code = "barred"

    def __init__(self, platform: str) -> None:
        super().__init__(sentences.account_inactive(platform))


async def ignore(_principals: Iterable[str]) -> None:
    """Nothing but messages depends on what has changed."""


@dataclass(frozen=True)
class Recipients:
    """What delivery needs to know of people, and tells of them."""

    #: Who somebody is, by the platform's id. Raises ProfileUnavailable, StoreUnavailable, or another
    #: CrewdeckError: this person may do nothing.
    actor: Callable[[str], Awaitable[Actor]]
    #: Called with the principals for whom something has changed.
    changed: Callable[[Iterable[str]], Awaitable[None]] = ignore
