"""Tool calls, policies and progress as styled text. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from datetime import datetime

from pydantic import JsonValue

from bot.core.json_text import name_text, value_text
from bot.core.text import terminal_safe
from crewdeck.client import HumanInputRecorded, Policy, Progress, Question, Response, ToolCall

StyledLine = list[tuple[str, str]]
"""(style, text) fragments; the styles are those of prompt_toolkit."""

DIM = "ansibrightblack"

DONE = {
    "approve": "approved",
    "reject": "rejected",
    "choose": "chose",
    "respond": "answered",
    "submit": "filled it in",
    "withdraw": "took the answer back",
}

OBJECTIONS = {
    "excluded": "Its policy excludes you, in all of your identities.",
    "membership": "Its crew doesn't admit guests and external people.",
    "not_named": "Its policy doesn't name you.",
    "unreadable_group": "A group that its policy names can't be read just now.",
    "unverified": "Your account can't be looked up just now: try again in a moment.",
}


def call(action: ToolCall) -> list[StyledLine]:
    """How a call is made, and every argument by name, in full."""
    how = " · ".join(filter(None, (f"with the tool {action.tool}", action.on_behalf)))
    lines: list[StyledLine] = [[(DIM, f"    {terminal_safe(how, one_line=True)}")]]
    for name, value in action.arguments.items():
        lines += named(name, value_of(action, name, value))
        if action.proposed and not same(action.proposed.get(name), value):
            lines += [
                [(DIM, "      edited, it was:")],
                *[
                    [(DIM, f"      {each}")]
                    for each in as_lines(value_of(action, name, action.proposed.get(name)))
                ],
            ]
    lines += [_secret(name) for name in action.secret]
    return lines


def value_of(action: ToolCall, name: str, value: JsonValue) -> str:
    """A value of an argument, as people read it."""
    return value_text(value, text_only=name in action.text_only)


def named(name: str, value: str) -> list[StyledLine]:
    """A value under its name; several lines are indented, so that they can't imitate Crewdeck's own lines."""
    label = terminal_safe(name_text(name), one_line=True)
    first, *more = as_lines(value)
    if not more:
        return [[("ansicyan", f"    {label}: "), ("", first)]]
    return [[("ansicyan", f"    {label}:")], *[[("", f"      {each}")] for each in (first, *more)]]


def _secret(name: str) -> StyledLine:
    words = "secret: not shown to anybody, and covered by the approval"
    return [("ansicyan", f"    {terminal_safe(name_text(name), one_line=True)}: "), ("ansiyellow", words)]


def written(value: JsonValue) -> str:
    """A JSON value as people type it: texts as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def as_lines(text: str) -> list[str]:
    """A text as lines that are safe to print."""
    return terminal_safe(text).split("\n")


def same(one: JsonValue, other: JsonValue) -> bool:
    """Whether two JSON values are the same, types included."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def difference(before: str, after: str) -> list[StyledLine]:
    """What changes, line by line."""
    marks = {"- ": ("ansired", "    - "), "+ ": ("ansigreen", "    + ")}
    compared = difflib.ndiff(as_lines(before), as_lines(after))
    return [
        [(marks[each[:2]][0], f"{marks[each[:2]][1]}{each[2:]}")] for each in compared if each[:2] in marks
    ]


def changes(action: ToolCall, after: Mapping[str, JsonValue]) -> list[StyledLine]:
    """The arguments that differ, by name."""
    before = action.arguments
    lines: list[StyledLine] = []
    for name, value in after.items():
        if not same(before.get(name), value):
            lines += [
                [("ansicyan", f"    {terminal_safe(name_text(name), one_line=True)}:")],
                *difference(value_of(action, name, before.get(name)), value_of(action, name, value)),
            ]
    return lines


def takes(policy: Policy) -> str:
    """Who decides, in a sentence without a full stop."""
    seats = " and ".join(f"{number} of {group}" for group, number in policy.per_group.items())
    any_people = f"{'one person' if policy.need == 1 else f'{policy.need} people'}, anyone"
    among = f"{policy.need} of {', '.join(policy.who) or 'the approvers'}"
    people = seats or (any_people if policy.who == ("anyone",) else among)
    excluded = f", but not {', '.join(policy.excluded)}" if policy.excluded else ""
    return f"Takes {people}{excluded}"


def policy_lines(policy: Policy | None) -> list[StyledLine]:
    """Who decides, and by which policy; none for plain approvers."""
    if policy is None:
        return []
    name = f" · policy {policy.name}, version {policy.version}" if policy.name else ""
    return [[(DIM, f"    {terminal_safe(takes(policy) + name, one_line=True)}")]]


def progress_lines(progress: Progress) -> list[StyledLine]:
    """How far a question is: "1 of 2 · Ada, 10:42 · needs one more of finance"; none before any response."""
    if not progress.responses and not progress.fell_out:
        return []
    people = ", ".join(map(_said, progress.responses))
    lines: list[StyledLine] = [
        [("ansicyan", f"    {_one_line(_joined(counted(progress), people, needs(progress)))}")]
    ]
    lines += [
        [(DIM, f"    {_one_line(each.answered_by)}: {_one_line(each.comment)}")]
        for each in progress.responses
        if each.comment
    ]
    lines += [[("ansired", f"    {_one_line(_said(each))} counts no more")] for each in progress.fell_out]
    return lines


def counted(progress: Progress) -> str:
    """How many of the seats are filled: "1 of 2"."""
    return f"{progress.approved} of {progress.need}"


def needs(progress: Progress) -> str:
    """What is still missing; empty if nothing is."""
    left = progress.need - progress.approved
    if left < 1:
        return ""
    of = f" of {', '.join(progress.missing)}" if progress.missing not in {(), ("anyone",)} else ""
    return f"needs {'one' if left == 1 else left} more{of}"


def recorded(event: HumanInputRecorded, place: str) -> list[StyledLine]:
    """A response that settled nothing, and what it edited."""
    said = f" {DONE.get(event.action, event.action)}{place}"
    rest = f": {_joined(counted(event.progress), needs(event.progress))}"
    lines: list[StyledLine] = [[("ansicyan", "  • "), ("bold", event.answered_by), ("", f"{said}{rest}")]]
    if event.comment:
        lines.append([(DIM, f"    {_one_line(event.comment)}")])
    if event.arguments is not None or event.value is not None:
        lines.append(
            [("ansiyellow", "    It was edited, so earlier approvals no longer count. What is asked now:")]
        )
        for name, value in (event.arguments or {}).items():
            lines += named(name, value_text(value, text_only=name in event.text_only))
        if event.value is not None:
            lines += [[("", f"    {each}")] for each in as_lines(event.value)]
    return lines


def why_not(question: Question) -> list[StyledLine]:
    """Why the person can't answer, and how an administrator would."""
    viewer = question.viewer
    why = OBJECTIONS.get(viewer.objection, "") if question.policy else ""
    whom = f"{takes(question.policy)}." if question.policy else ""
    waiting = " ".join(filter(None, ("Waiting for others.", why, whom)))
    lines: list[StyledLine] = [[(DIM, f"    {_one_line(waiting)}")]]
    if viewer.can_override:
        how = f"crewdeck answer {question.question_id} approve --override --comment WHY"
        lines.append([(DIM, f"    As an administrator you may override it, which is recorded: {how}")])
    return lines


def clock(iso: str) -> str:
    """A time of today as "10:42", another with its date; in the time zone of this machine."""
    try:
        at = datetime.fromisoformat(iso).astimezone()
    except ValueError:
        return iso
    today = at.date() == datetime.now(at.tzinfo).date()
    return f"{at:%H:%M}" if today else f"{at:%Y-%m-%d %H:%M}"


def short_digest(digest: str) -> str:
    """As much of a digest as people copy."""
    return digest.removeprefix("sha256:")[:12]


def _said(response: Response) -> str:
    what = "" if response.action == "approve" else f" {DONE.get(response.action, response.action)}"
    return f"{response.answered_by}{what}, {clock(response.at)}"


def _joined(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def _one_line(text: str) -> str:
    return terminal_safe(text, one_line=True)
