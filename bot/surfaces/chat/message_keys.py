"""Keys under which the store records where the messages of a run are, and what is to be known of them.

Every message that must not be posted twice is recorded under a key as soon as it is posted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from bot.core.ports.outbox import is_redrawn, message_to_redraw
from bot.surfaces.chat.places import MessageRef

PROGRESS = "run"
"""The message that opens a run's thread and carries its progress."""
DRAWN = "drawn"
"""The newest event that the progress message shows."""
MOVED = "moved"
"""The direct message in which a run goes on whose thread is closed to us."""
MOVING = "moving"
"""That message, before replies to it are replies to the run."""
END = "end"
"""The message that says how a run ended."""
END_AS_TEXT = "end-in-words"
"""That message is text alone, which may be cut: the whole follows as a file."""
_QUESTION = "question:"
_JOINING = "joining:"
_ORPHANED_OPENER = "twin:"
_NOTIFICATION_FAILURE = "untold:"
_UNKNOWN_RECIPIENTS = "unreached:"


def question_message(question_id: str, number: int = 0) -> str:
    """A message that shows a question; the first one is in the run's thread."""
    return f"{_QUESTION}{question_id}" + (f":{number}" if number else "")


def direct_question(question_id: str, user_id: str) -> str:
    """A message that shows a question to one person directly."""
    return f"{question_message(question_id)}:@{user_id}"


def is_direct(name: str, question_id: str = "") -> bool:
    """Whether it names a direct message with a question: with this one, if it is given."""
    prefix = question_message(question_id) if question_id else _QUESTION
    return name.startswith(prefix) and ":@" in name


def recipient_of(name: str) -> str:
    """Who got the direct message of this name."""
    return name.partition(":@")[2]


def joining(name: str) -> str:
    """The message of others that a question joins, until it is recorded that it is shown there."""
    return f"{_JOINING}{name}"


def questions_at(names: Mapping[str, str], posted: MessageRef) -> set[str]:
    """The questions that share a message, or are joining it, by the keys recorded for the run."""
    shown = posted.encode()
    there = (name.removeprefix(_JOINING) for name, ref in names.items() if ref == shown)
    return {question_of(name) for name in there if name.startswith(_QUESTION)}


def messages_showing(names: Mapping[str, str], question_id: str, channel: str) -> frozenset[str]:
    """The ids of the messages in a channel that show a question, by the keys recorded for its run."""
    there = f"{channel}/"
    return frozenset(
        ref.removeprefix(there)
        for name, ref in names.items()
        if name.startswith(_QUESTION) and question_of(name) == question_id and ref.startswith(there)
    )


def shares_message(names: Mapping[str, str], question_id: str) -> bool:
    """Whether a message that shows this question shows others, too."""
    shown = {
        ref for name, ref in names.items() if name.startswith(_QUESTION) and question_of(name) == question_id
    }
    return any(
        ref in shown and name.startswith(_QUESTION) and question_of(name) != question_id
        for name, ref in names.items()
    )


class ShownBefore(NamedTuple):
    """The questions of a run that a channel showed before a message was written."""

    #: The ids of the messages tell it.
    certain: frozenset[str]
    #: These, and those of which the ids don't tell.
    possible: frozenset[str]
    #: All that the channel shows, also those that it has shown since.
    recorded: frozenset[str]


def questions_shown(
    names: Mapping[str, str], channel: str, follows: Callable[[str], bool | None]
) -> ShownBefore:
    """`follows`: whether the message was written after the one of this id; None where that isn't known."""
    found: dict[bool | None, set[str]] = {True: set(), None: set(), False: set()}
    for name, ref in names.items():
        where, _, posted = ref.partition("/")
        if name.startswith(_QUESTION) and where == channel:
            found[follows(posted)].add(question_of(name))
    certain = frozenset(found[True])
    possible = certain | found[None]
    return ShownBefore(certain, possible, possible | found[False])


def asked_in_words(question_id: str) -> str:
    """The question has no buttons, because the platform refused its message."""
    return f"words:{question_id}"


def shown_digest(question_id: str) -> str:
    """The digest that the question had when its message was posted."""
    return f"digest:{question_id}"


def notification_failure(question_id: str) -> str:
    """Why nobody who may answer the question was told of it; empty: somebody was."""
    return f"{_NOTIFICATION_FAILURE}{question_id}"


def notification_failures(names: Mapping[str, str]) -> dict[str, str]:
    """The questions of a run of which nobody was told who may answer, and why."""
    return _recorded(names, _NOTIFICATION_FAILURE)


def unknown_recipients(question_id: str) -> str:
    """Why somebody who may decide the question was not asked here, where its run doesn't live."""
    return f"{_UNKNOWN_RECIPIENTS}{question_id}"


def with_unknown_recipients(names: Mapping[str, str]) -> list[str]:
    """The questions of a run of which that is recorded."""
    return list(_recorded(names, _UNKNOWN_RECIPIENTS))


def _recorded(names: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): why for name, why in names.items() if name.startswith(prefix) and why}


def refused_directly(question_id: str, user_id: str) -> str:
    """Why a question could not be posted to this person."""
    return f"refused:{question_id}:@{user_id}"


def relayed_event(question_id: str) -> str:
    """The newest event of the question that is shown where its run doesn't live."""
    return f"relayed:{question_id}"


def to_one(name: str, user_id: str) -> str:
    """The message of this name that was posted to one person directly."""
    return f"{name}:@{user_id}"


def change_message(seq: int) -> str:
    """The message about a change of the run, the event of this number."""
    return f"changed:{seq}"


def edit_message(seq: int) -> str:
    """The message about an edit of a question, the event of this number."""
    return f"edited:{seq}"


def reminder(seq: int) -> str:
    """The reminder in the run's thread."""
    return f"reminded:{seq}"


def file_of(name: str, channel: str = "") -> str:
    """The file that goes with a message, in a channel of direct messages if one is given."""
    return f"file:{name}" + (f":{channel}" if channel else "")


def file_part(name: str, number: int) -> str:
    """A part of such a file that is posted as messages."""
    return f"{name}:part:{number}"


def attachment(file_id: str) -> str:
    """A file that the run's crew attached."""
    return f"attachment:{file_id}"


# ── orphaned messages ───────────────────────────────────────────────────────────────────────────────────


def orphaned_opener(posted: MessageRef) -> str:
    """An orphaned message that opened a run's thread."""
    return f"{_ORPHANED_OPENER}{posted.encode()}"


def orphaned_question(question_id: str, posted: MessageRef) -> str:
    """An orphaned message that shows a question."""
    return f"{question_message(question_id)}:{posted.encode()}"


def is_orphaned_opener(name: str) -> bool:
    """Whether it is the key of such a message."""
    return name.startswith(_ORPHANED_OPENER)


def orphaned_openers(names: Mapping[str, str]) -> list[MessageRef]:
    """Such messages, by the keys recorded for a run."""
    return [MessageRef.decode(ref) for name, ref in names.items() if is_orphaned_opener(name)]


def question_of(name: str) -> str:
    """The id of the question that the message of this name shows."""
    return name.split(":")[1] if ":" in name else ""


def to_redraw(names: Mapping[str, str], name: str) -> list[str]:
    """The questions that a name of `DeliveryState.outdated` is about."""
    if is_redrawn(name) and (ref := message_to_redraw(name)):
        return sorted(questions_at(names, MessageRef.decode(ref)))
    return [question_of(name)]


# ── elsewhere in the store ──────────────────────────────────────────────────────────────────────────────


def unplaced_notice(surface: str, run_id: str) -> str:
    """The key under which whoever tells a requester that the run found no place remembers that."""
    return f"{surface}:placeless:{run_id}"
