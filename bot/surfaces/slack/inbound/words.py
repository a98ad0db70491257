"""Reads Slack's message markup: mentions, links and escapes. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.surfaces.chat.inbound.parser import says_something

_ANGLED = re.compile(r"<([^<>]+)>")
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
_GROUP = re.compile(r"<!(?:subteam\^|here|channel|everyone)")
_EVERYBODY = re.compile(r"<!(?:here|channel|everyone)")
_NAME = re.compile(r"<(?:@[UW][A-Z0-9]+|!subteam\^[A-Z0-9]+)(?:\|[^<>]*)?>")
NO_NAMES: Mapping[str, str] = {}


def mentions(text: str) -> frozenset[str]:
    """The ids of everybody that the text mentions."""
    return frozenset(_MENTION.findall(text))


def addressed(text: str, user: str) -> str | None:
    """What is said to this user in a text that begins with their mention; None if it doesn't."""
    found = _MENTION.match(text.lstrip())
    return text.lstrip()[found.end() :].lstrip(": ,").strip() if found and found[1] == user else None


def without_mention(text: str, user: str) -> str:
    """The text without mentions of this user."""
    return re.sub(rf"<@{re.escape(user)}(?:\|[^<>]*)?>:?", " ", text).strip()


def names_people(text: str, app_user: str) -> bool:
    """Tell whether it names people other than the app: single ones, a user group, or everybody here."""
    return bool(mentions(text) - {app_user}) or _GROUP.search(text) is not None


def speaks_to_people(text: str) -> bool:
    """Tell whether it begins with names, which are then told something; or calls everybody who is here.

    `<@U1> can you look?` and `<@U1>?` do; `<@U1>`, `<@U1> and <@U2>` and `I think <@U1>` don't.
    """
    if _EVERYBODY.search(text):
        return True
    if _NAME.match(text.lstrip()) is None:
        return False
    return text.rstrip().endswith("?") or says_something(_NAME.sub("", text))


def plain(text: str, names: Mapping[str, str] = NO_NAMES) -> str:
    """The text as its writer sees it: links, channels and escapes resolved, and people by their `names`."""
    shown = _ANGLED.sub(lambda found: _resolved(found[1], names), text)
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _resolved(inner: str, names: Mapping[str, str]) -> str:
    target, _, label = inner.partition("|")
    match target[:1]:
        case "#":
            return f"#{label or target[1:]}"
        case "@":
            name = names.get(target[1:]) or label
            return f"@{name} ({target[1:]})" if name else f"@{target[1:]}"
        case "!":
            return label or f"@{target[1:]}"
        case _:
            return _link(target.removeprefix("mailto:").removeprefix("tel:"), label)


def _link(target: str, label: str) -> str:
    """Slack's client links what merely looks like an address: the label is what was typed."""
    if not label or label in target:
        return target if "://" in target and label != target.partition("://")[2] else (label or target)
    return f"{label} ({target})"
