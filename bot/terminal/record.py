"""`crewdeck record`: the record of a decision as text, for people who weren't there. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from bot.core.json_text import name_text, value_text
from bot.core.text import terminal_safe
from bot.terminal.decisions import DONE, StyledLine, as_lines, difference, takes, value_of, written
from crewdeck.client import (
    Change,
    Executed,
    Person,
    Policy,
    Record,
    RecordedPolicy,
    RecordedResponse,
    ToolCall,
    Version,
)

AUTHENTICATED = {
    "slack": "verified by Slack's signature",
    "teams": "verified by the Bot Framework's token",
    "api_key": "by API key",
    "session": "signed in to the console",
    "local": "as the user of the server's machine",
}
RESPONSE_STATES = {
    "counted": "counts",
    "replaced": "replaced by a later answer",
    "taken_back": "taken back later",
    "outdated": "void: what was approved was edited afterwards",
    "fell_out": "counts no more: may no longer decide",
}
OUTCOMES = {
    "expire": "Nobody answered before the deadline",
    "cancel": "Withdrawn, because the run ended",
    "approve": "Approved",
    "reject": "Rejected",
    "choose": "Chosen",
    "respond": "Answered",
    "submit": "Filled in",
}


def text(record: Record) -> str:
    """The whole record."""
    parts = (
        _summary(record),
        _section("What was asked", _versions(record)),
        _section("Who could decide", _policy(record.policy)),
        _section("Who opened all of it", _opened(record)),
        _section("Who said what", _responses(record)),
        _section("What ran", _executed(record)) if record.versions and record.versions[-1].action else (),
    )
    return "\n".join(line for part in parts for line in part)


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield from ("", title)
    yield from (f"  {line}" for line in lines)


def _summary(record: Record) -> Iterator[str]:
    last = record.versions[-1] if record.versions else Version(digest="")
    title = (last.action.title if last.action else "") or last.prompt
    yield _one_line(f"Record of the decision: {title}")
    yield f"Question {record.question_id} of run {record.run_id}"
    outcome = record.outcome
    if outcome is None:
        yield f"Still open: {record.progress.approved} of {record.progress.need}"
        return
    by = f" by {_one_line(outcome.answered_by.name)}" if outcome.answered_by else ""
    yield f"{OUTCOMES.get(outcome.action, outcome.action)}{by}, {local_time(record.settled_at)}"
    if outcome.override:
        yield "This was an OVERRIDE: an administrator decided whom the policy doesn't name"


def _versions(record: Record) -> Iterator[str]:
    by = f" by {_one_line(record.asker)}" if record.asker else ""
    yield f"Asked {local_time(record.asked_at)}{by}"
    for number, version in enumerate(record.versions, start=1):
        if len(record.versions) > 1:
            yield f"Version {number}{'' if number == 1 else ', after an edit'}"
        yield from _version(version)


def _version(version: Version) -> Iterator[str]:
    yield from (f"| {line}" for line in as_lines(version.prompt))
    yield from (f"| {line}" for line in (as_lines(version.context) if version.context else ()))
    if (action := version.action) is not None:
        yield _one_line(" · ".join(filter(None, (f"With the tool {action.tool}", action.on_behalf))))
        for name, value in action.arguments.items():
            yield from _named(name, value_of(action, name, value))
        yield from (f"{_one_line(name_text(name))}: secret, not shown" for name in action.secret)
    for change in version.changes:
        yield f"Changed, {_one_line(change.part)}:"
        yield from ("".join(part for _, part in line) for line in _difference(change, action))
    yield f"Digest {version.digest}"


def _difference(change: Change, action: ToolCall | None) -> list[StyledLine]:
    if action is None or change.part == "context":
        return difference(written(change.before), written(change.after))
    name = change.part.removeprefix("arguments.")
    return difference(*(value_of(action, name, each) for each in (change.before, change.after)))


def _policy(policy: RecordedPolicy) -> Iterator[str]:
    if policy.name:
        yield _one_line(f"Policy {policy.name}, version {policy.version}")
    words = Policy.model_validate(
        {"who": policy.who or ("the crew's approvers",), "need": policy.need, "per_group": policy.per_group}
        | {"not": policy.excluded}
    )
    yield _one_line(takes(words))
    ends = policy.on_reject != "counts"
    yield f"A rejection {'ends it' if ends else 'counts until approval is out of reach'}"
    yield _one_line(f"Who is meant: {', '.join(policy.deciders).replace('*', 'anyone')}")
    if policy.excluded_identities:
        yield _one_line(f"Excluded: {', '.join(policy.excluded_identities)}")
    for name, members in policy.groups.items():
        yield _one_line(f"Group {name}: {', '.join(members)}")


def _opened(record: Record) -> Iterator[str]:
    if not record.opened:
        yield "Nobody is recorded as having opened all of it; reading by a program isn't recorded"
    for each in record.opened:
        yield f"{_person(each.by)}, {local_time(each.at)}{_version_of(record, each.digest)}"


def _responses(record: Record) -> Iterator[str]:
    if not record.responses:
        yield "Nobody answered"
    for each in record.responses:
        yield from _response(each, record)


def _response(said: RecordedResponse, record: Record) -> Iterator[str]:
    edits = (
        ", with changes" if said.arguments or (said.action == "approve" and said.value is not None) else ""
    )
    label = next((option.label for option in record.options if option.id == said.value), "")
    chosen = f" “{_one_line(label)}”" if said.action == "choose" else ""
    what = f"{DONE.get(said.action, said.action)}{chosen}{edits}"
    yield f"{_one_line(said.by.name)} {what}, {local_time(said.at)}{_version_of(record, said.digest)}"
    if said.override:
        yield "  OVERRIDE: the policy doesn't name them"
    yield from (f"  | {line}" for line in (as_lines(said.comment) if said.comment else ()))
    for name, value in (said.values or {}).items():
        yield from (f"  {line}" for line in _named(name, value_text(value, text_only=True)))
    how = AUTHENTICATED.get(said.by.authentication, said.by.authentication)
    rest = (said.by.surface, how, said.by.identity, RESPONSE_STATES.get(said.standing, ""))
    yield _one_line(f"  {' · '.join(filter(None, rest))}")


def _executed(record: Record) -> Iterator[str]:
    if record.executed is None:
        approved = record.outcome is not None and record.outcome.action == "approve"
        if record.outcome is None:
            yield "Nothing yet: the question is open"
        elif approved:
            yield (
                "It is not recorded that the call was made: it may not have been made yet, "
                "or its worker died before it could say so"
            )
        else:
            yield "Nothing: the call was not approved"
    else:
        yield from _call(record.executed)


def _call(made: Executed) -> Iterator[str]:
    yield f"The call was made, {local_time(made.at)}"
    yield f"Digest of the call {made.call_digest}"
    yield f"Digest of its result {made.result_digest}"


def _named(name: str, value: str) -> Iterator[str]:
    first, *more = as_lines(value)
    if not more:
        yield f"{_one_line(name_text(name))}: {first}"
        return
    yield f"{_one_line(name_text(name))}:"
    yield from (f"| {line}" for line in (first, *more))


def _version_of(record: Record, digest: str) -> str:
    numbers = [at for at, version in enumerate(record.versions, start=1) if version.digest == digest]
    return f", version {numbers[0]}" if numbers and len(record.versions) > 1 else ""


def _person(by: Person) -> str:
    behalf = f" for {by.on_behalf_of}" if by.on_behalf_of else ""
    return _one_line(f"{by.name}{behalf} ({by.surface}, {by.identity})")


def local_time(iso: str | None) -> str:
    """A time to the second, in the time zone of this machine."""
    try:
        return f"{datetime.fromisoformat(iso or '').astimezone():%Y-%m-%d %H:%M:%S %z}"
    except ValueError:
        return iso or ""


def _one_line(words: str) -> str:
    return terminal_safe(words, one_line=True)
