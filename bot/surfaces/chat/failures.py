"""What a chat platform answers when it doesn't do what was asked; adapters translate their vendor's errors.

CrewdeckError
└── PlatformFailure
    ├── Later              try again after `seconds`: rate limit, server error, network
    └── Rejected           trying again would not help; `reason` says why, `code` is the platform's own
        ├── Unrenderable   the message's form was refused: say it more simply
        └── ShutOut        the whole workspace refuses the app's credentials
"""

from __future__ import annotations

# ruff: noqa: N818 - these names say what happened, and that reads well behind `raise` and `except`
from enum import StrEnum
from typing import ClassVar

from bot.core.errors import CrewdeckError


class Reason(StrEnum):
    """Why a platform refuses something, as far as anything depends on it."""

    ARCHIVED = "archived"
    THREAD_GONE = "thread_gone"
    MESSAGE_GONE = "message_gone"
    NOT_A_MEMBER = "not_a_member"
    POSTING_RESTRICTED = "posting_restricted"
    DIRECT_MESSAGES_OFF = "direct_messages_off"
    UNRENDERABLE = "unrenderable"
    SHUT_OUT = "shut_out"
    OTHER = "other"


class PlatformFailure(CrewdeckError):
    """The platform did not do what was asked."""

    code = "platform"


class Later(PlatformFailure):
    """The platform can't do it now; it may have been done all the same if the connection broke."""

    code = "platform_later"

    def __init__(self, seconds: float, why: str = "") -> None:
        super().__init__(f"Try again in {seconds:g} s{f' ({why})' if why else ''}.")
        self.seconds = seconds
        self.why = why


class Rejected(PlatformFailure):
    """The platform refuses it, and would again. `code` is the platform's own."""

    default_reason: ClassVar[Reason] = Reason.OTHER

    def __init__(self, code: str, reason: Reason | None = None) -> None:
        super().__init__(f"Refused: {code}.")
        self.code = code
        self.reason = reason or self.default_reason


class Unrenderable(Rejected):
    """The platform refuses the form of a message: its blocks, or its length."""

    default_reason = Reason.UNRENDERABLE


class ShutOut(Rejected):
    """The workspace doesn't let the app in at all: its credentials are refused."""

    default_reason = Reason.SHUT_OUT
