"""Keys under which the store records where the messages of a run are, and what is to be known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TWIN = "twin"
_UNTOLD = "untold:"
MOVED = "moved"
"""Key of the direct message in which a run goes on."""


@dataclass(frozen=True)
class Posted:
    """A message of ours, as copies of cards are recorded: `C1/1700.1`."""

    channel: str
    ts: str

    def encode(self) -> str:
        return f"{self.channel}/{self.ts}"

    @classmethod
    def decode(cls, ref: str) -> Posted:
        """Raises ValueError."""
        channel, slash, ts = ref.partition("/")
        if not slash or not channel or not ts:
            raise ValueError(f"not a message: {ref!r}")
        return cls(channel, ts)


def twin(posted: Posted) -> str:
    """The name under which a first message of a run is recorded that turned up."""
    return f"{TWIN}:{posted.encode()}"


def late_copy(question_id: str, posted: Posted) -> str:
    """The name under which a copy of a question is recorded that turned up."""
    return f"{question_copy(question_id)}:{posted.encode()}"


def question_of(name: str) -> str:
    """The id of the question whose copy is recorded under this name."""
    return name.split(":")[1]


def asked_in_words(question_id: str) -> str:
    """The name under which it is noted that a question has no buttons, since Slack refused its blocks."""
    return f"words:{question_id}"


def shown_digest(question_id: str) -> str:
    """The name under which it is noted which digest a question had when its card was posted."""
    return f"digest:{question_id}"


def question_copy(question_id: str, number: int = 0) -> str:
    """The name under which a copy of a question is recorded; the first is the one in the thread."""
    return f"question:{question_id}" + (f":{number}" if number else "")


def direct_copy(question_id: str, user: str) -> str:
    """The name under which the copy of a question is recorded that somebody got in a direct message."""
    return f"{question_copy(question_id)}:@{user}"


def is_direct(name: str, question_id: str = "") -> bool:
    """Whether it is the name of such a copy, of this question if one is named."""
    return name.startswith(question_copy(question_id) if question_id else "question:") and ":@" in name


def untold(question_id: str) -> str:
    """The name under which it is noted why nobody who may answer a question was told; empty: somebody was."""
    return f"{_UNTOLD}{question_id}"


def untold_in(copies: Mapping[str, str]) -> dict[str, str]:
    """The questions of a run of which nobody was told who may answer, and why, by what is recorded."""
    return {
        name.removeprefix(_UNTOLD): why for name, why in copies.items() if name.startswith(_UNTOLD) and why
    }
