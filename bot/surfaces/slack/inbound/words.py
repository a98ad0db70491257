"""Slack's wire text as people read it, and what it mentions. Pure."""

from __future__ import annotations

import re

_ANGLED = re.compile(r"<([^<>]+)>")
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")


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


def mentions_group(text: str) -> bool:
    """Tell whether it calls a user group, or everybody who is here."""
    return re.search(r"<!(?:subteam\^|here|channel|everyone)", text) is not None


def plain(text: str) -> str:
    """The text as its writer sees it: links, channels and escapes resolved."""
    shown = _ANGLED.sub(lambda found: _resolved(found[1]), text)
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _resolved(inner: str) -> str:
    target, _, label = inner.partition("|")
    match target[:1]:
        case "#":
            return f"#{label or target[1:]}"
        case "@":
            return f"@{label or target[1:]}"
        case "!":
            return label or f"@{target[1:]}"
        case _:
            return _link(target.removeprefix("mailto:").removeprefix("tel:"), label)


def _link(target: str, label: str) -> str:
    """Slack's client links what merely looks like an address: the label is what was typed."""
    if not label or label in target:
        return target if "://" in target and label != target.partition("://")[2] else (label or target)
    return f"{label} ({target})"
