"""Chat platforms as people see them: what is shown there, and what goes wrong there."""

from __future__ import annotations

import html
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum, auto

from bot.surfaces.chat.failures import RetryLater, Unrenderable
from bot.surfaces.chat.messages import Actions, Button, Message
from bot.surfaces.chat.places import MessageRef
from tests.contract.chat.memory_platform import MemoryPlatform
from tests.loopback.slack import GENERAL, LoopbackSlack
from tests.loopback.slack.faults import Fault
from tests.loopback.teams import LoopbackTeams

RATE_LIMIT_S = 1
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Seen:
    """A message as people see it."""

    posted: MessageRef
    thread: str | None
    words: str
    buttons: tuple[str, ...]


class Trouble(Enum):
    """What goes wrong with a call."""

    NONE = auto()
    RATE_LIMITED = auto()
    FAILED = auto()
    #: The connection breaks before the call has an effect.
    BROKEN = auto()


#: Called with `post` or `update` before each of them.
Disturbance = Callable[[str], Trouble]
_FAULTS = {
    Trouble.RATE_LIMITED: Fault(1, 429, "ratelimited", headers={"Retry-After": str(RATE_LIMIT_S)}),
    Trouble.FAILED: Fault(1, 500),
    Trouble.BROKEN: Fault(1, dropped=True),
}


class Peer(ABC):
    """The platform's side: what people see there, and what goes wrong there."""

    channel: str

    @abstractmethod
    def disturb(self, trouble: Disturbance) -> None:
        """From now on this is asked what goes wrong with each call."""

    @abstractmethod
    def new_channel(self) -> str:
        """A channel that the app may post in."""

    @abstractmethod
    def messages(self, channel: str) -> list[Seen]: ...

    @abstractmethod
    def direct_channel(self, user_id: str) -> str: ...

    @abstractmethod
    def refuse_blocks_once(self) -> None: ...

    @abstractmethod
    def rate_limit_once(self) -> None: ...

    @abstractmethod
    def lose_answer_once(self) -> None:
        """The next post takes effect and is not answered, where nothing can be searched for it."""

    @abstractmethod
    def holding_answers(self) -> AbstractContextManager[None]:
        """Within it posts take effect; they are answered after it."""

    @abstractmethod
    async def close(self, channel: str) -> None: ...

    @abstractmethod
    def reopen(self, channel: str) -> None: ...

    @abstractmethod
    def delete(self, posted: MessageRef) -> None:
        """Somebody deletes a message of the app."""

    def files(self, channel: str) -> list[str]:
        """The names of the files in a channel; or messages that lead to them, where it takes no files."""
        return [seen.words.split("\n")[0] for seen in self.messages(channel) if "📎" in seen.words]


class MemoryPeer(Peer):
    channel = "general"

    def __init__(self, platform: MemoryPlatform) -> None:
        self._platform = platform

    def new_channel(self) -> str:
        return f"channel-{next(_NUMBERS)}"

    def disturb(self, trouble: Disturbance) -> None:
        def check(call: str) -> None:
            match trouble(call):
                case Trouble.NONE:
                    return
                case Trouble.RATE_LIMITED:
                    raise RetryLater(RATE_LIMIT_S, "rate limited")
                case _:
                    raise RetryLater(0, "failed")

        self._platform.check = check

    def messages(self, channel: str) -> list[Seen]:
        return [
            Seen(each.posted, each.thread, _words(each.message), _buttons(each.message))
            for each in self._platform.shown.values()
            if each.posted.channel == channel
        ]

    def direct_channel(self, user_id: str) -> str:
        return f"direct-{user_id}"

    def refuse_blocks_once(self) -> None:
        self._platform.refuse.append(Unrenderable("too_fancy"))

    def rate_limit_once(self) -> None:
        self._platform.refuse.append(RetryLater(RATE_LIMIT_S, "rate limited"))

    def lose_answer_once(self) -> None:
        self._platform.lose_answers = 1

    @contextmanager
    def holding_answers(self) -> Iterator[None]:
        self._platform.answering.clear()
        yield
        self._platform.answering.set()

    async def close(self, channel: str) -> None:
        self._platform.closed.add(channel)

    def reopen(self, channel: str) -> None:
        self._platform.closed.remove(channel)

    def delete(self, posted: MessageRef) -> None:
        del self._platform.shown[posted]

    def files(self, channel: str) -> list[str]:
        return [name for name, _ in self._platform.files[channel]]


class SlackPeer(Peer):
    channel = GENERAL

    def __init__(self, slack: LoopbackSlack) -> None:
        self._slack = slack

    def new_channel(self) -> str:
        return self._slack.add_channel(f"C0NEW{next(_NUMBERS)}").id

    def disturb(self, trouble: Disturbance) -> None:
        calls = {"chat.postMessage": "post", "chat.update": "update"}
        self._slack.faults.otherwise = lambda name: (
            _FAULTS.get(trouble(calls[name])) if name in calls else None
        )

    def messages(self, channel: str) -> list[Seen]:
        return [
            Seen(
                MessageRef(channel, each.ts),
                each.thread_ts if each.thread_ts != each.ts else None,
                each.words,
                tuple(each.labels),
            )
            for each in self._slack.messages(channel)
        ]

    def direct_channel(self, user_id: str) -> str:
        return self._slack.workspace.open_im(user_id).id

    def refuse_blocks_once(self) -> None:
        self._slack.fail("chat.postMessage", error="invalid_blocks")

    def rate_limit_once(self) -> None:
        self._slack.rate_limit("chat.postMessage", retry_after=RATE_LIMIT_S)

    def lose_answer_once(self) -> None:
        self._slack.lose_answer("chat.postMessage")
        for search in ("conversations.replies", "conversations.history"):
            self._slack.fail(search, error="missing_scope", times=None)

    def holding_answers(self) -> AbstractContextManager[None]:
        return self._slack.faults.holding_answers("chat.postMessage")

    async def close(self, channel: str) -> None:
        await self._slack.archive(channel)

    def reopen(self, channel: str) -> None:
        self._slack.workspace.channel(channel).archived = False

    def delete(self, posted: MessageRef) -> None:
        del self._slack.workspace.channels[posted.channel].messages[posted.message_id]

    def files(self, channel: str) -> list[str]:
        del channel
        return list(self._slack.files())


class TeamsPeer(Peer):
    """A channel of which the deciders are no members, so that everybody sees the buttons."""

    def __init__(self, teams: LoopbackTeams) -> None:
        self._teams = teams
        self.channel = teams.channel().id

    def new_channel(self) -> str:
        channel = self._teams.channel(f"new{next(_NUMBERS)}")
        channel.members.clear()
        return channel.id

    def disturb(self, trouble: Disturbance) -> None:
        calls = ("post", "update")
        self._teams.connector.faults.otherwise = lambda name: (
            _FAULTS.get(trouble(name)) if name in calls else None
        )

    def messages(self, channel: str) -> list[Seen]:
        where = self._teams.tenant.conversations.get(channel)
        return [
            Seen(MessageRef(channel, each.id), each.thread, html.unescape(each.words), tuple(each.labels))
            for each in (self._teams.messages(where) if where else ())
        ]

    def direct_channel(self, user_id: str) -> str:
        user = next(each for each in self._teams.tenant.users.values() if each.object_id == user_id)
        return self._teams.tenant.personal(user).id

    def refuse_blocks_once(self) -> None:
        self._teams.fail("post", 400, error="BadArgument")

    def rate_limit_once(self) -> None:
        self._teams.rate_limit("post", retry_after=RATE_LIMIT_S)

    def lose_answer_once(self) -> None:
        self._teams.lose_answer("post")

    def holding_answers(self) -> AbstractContextManager[None]:
        return self._teams.connector.faults.holding_answers("post")

    async def close(self, channel: str) -> None:
        self._teams.close(self._teams.tenant.conversations[channel])

    def reopen(self, channel: str) -> None:
        self._teams.tenant.conversations[channel].closed = ""

    def delete(self, posted: MessageRef) -> None:
        del self._teams.tenant.conversations[posted.channel].messages[posted.message_id]


def _texts(value: object) -> Iterator[str]:
    """All texts in a message, in order."""
    match value:
        case str():
            yield value
        case tuple() | list():
            for each in value:
                yield from _texts(each)
        case _ if is_dataclass(value):
            for each in fields(value):
                yield from _texts(getattr(value, each.name))


def _words(message: Message) -> str:
    return "".join(_texts(message))


def _buttons(message: Message) -> tuple[str, ...]:
    rows = (block.elements for block in message.blocks if isinstance(block, Actions))
    return tuple(each.label for row in rows for each in row if isinstance(each, Button))
